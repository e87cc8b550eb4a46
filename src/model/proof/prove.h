#pragma once

#include <memory>
#include <string>

#include "model/mlflow/mlmodel.h"
#include "model/proof/engine_record.h"
#include "model/proof/reference.h"

namespace slipway::model {

/// The one rule of proof (docs/decisions/0020). The native model is compared with what `mlflow.pyfunc` gives, and where
/// that refuses rows, with the model's own library: on rows around everything that the model decides by, in calls of
/// none, one, two, seven, sixteen and all of them, with columns in another order; on rows with nulls, infinities, huge
/// numbers and texts never seen in each column; and on its input example where it has one. Types, and bits, or what the
/// library itself leaves open (Model::SpreadOf). What neither answers the native engine must not answer either. The
/// record says which engine is to score from now on. Errors: the reference cannot be run.
Result<EngineRecord> Prove(const Model& native, Reference& reference);

/// The record of the model with this digest: the known one; else it is proven against Python, `started` being a process
/// that can load it, or null, and kept. Where Python cannot run the model at all the record says that it was not
/// compared, and is not kept.
Result<EngineRecord> ProveOnce(const Model& native, const MlModel& mlmodel, const PythonEngine& python,
                               const std::string& digest, std::unique_ptr<Worker> started);

}  // namespace slipway::model
