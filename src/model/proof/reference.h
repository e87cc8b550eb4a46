#pragma once

#include <arrow/type_fwd.h>

#include <memory>

#include "model/interface/model.h"
#include "model/mlflow/mlmodel.h"
#include "model/python/python_engine.h"

namespace slipway::model {

class Worker;

/// What a native engine is compared with.
class Reference {
 public:
  enum class By : uint8_t {
    kPyfunc,   ///< mlflow.pyfunc
    kLibrary,  ///< the model's own library, given its columns as it learned them: Worker::ScoreByLibrary
  };
  virtual ~Reference() = default;

  /// kInvalid: it refuses the rows; kUnsupported: it answers, but not in such columns as the native engine's.
  virtual Result<std::shared_ptr<arrow::RecordBatch>> Answer(const arrow::RecordBatch& rows, By by) = 0;
  /// The rows that the model was saved with, in all columns that it needs. Any error: it has none that can be used.
  virtual Result<std::shared_ptr<arrow::RecordBatch>> Example() = 0;
};

/// The model in a Python process, `started` where that is not null, which gives the columns of the signature, and in
/// place of one that would round what the native engine gives, the native engine's own. kInvalid: the model cannot be
/// loaded; kUnsupported: no interpreter, or one without mlflow; see Worker::Start.
Result<std::unique_ptr<Reference>> LoadReference(const Model& native, const MlModel& mlmodel,
                                                 const PythonEngine& python, std::unique_ptr<Worker> started);

}  // namespace slipway::model
