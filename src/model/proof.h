#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "model/model.h"

/// Which engine scores a model, and how that was shown: kept by the digest of the model's files in the folder
/// `PythonEngine::cache`.
namespace slipway::model {

struct MlModel;

struct EngineRecord {
  std::string engine;  ///< "forest", "linear", or "python"
  std::string why;     ///< for a person
};

/// What is known of the model with this digest; nothing where nothing is, or where there is no folder to know it from.
std::optional<EngineRecord> FindRecord(const PythonEngine& python, const std::string& digest);
Result<> KeepRecord(const PythonEngine& python, const std::string& digest, const EngineRecord& record);

/// Compares the native model with what `mlflow.pyfunc` gives, on rows around everything that the model decides by, and
/// on its input example where it has one: types, and bits, or what the library itself leaves open (Model::SpreadOf).
/// The record says which is to score from now on. Errors: the reference cannot be run.
Result<EngineRecord> Prove(const Model& native, const Model& reference);

/// The record of the model with this digest: the known one; else it is proven against Python, and kept. Where Python
/// cannot run the model, or takes no such rows (LightGBM's pandas categories, as text), nothing speaks against the
/// native engine, and the record says that it was not compared.
Result<EngineRecord> ProveOnce(const Model& native, const MlModel& mlmodel, const PythonEngine& python,
                               const std::string& digest);

/// Proves the model in `folder` against Python, and keeps the record. A model without a native engine, or without a way
/// to be run by Python, has a record too that says so, which is not kept.
Result<EngineRecord> ProveModel(const std::filesystem::path& folder, const PythonEngine& python);

}  // namespace slipway::model
