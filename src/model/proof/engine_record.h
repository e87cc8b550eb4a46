#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/interface/model.h"
#include "model/python/python_engine.h"

/// Which engine scores a model, and how that was shown: kept by the digest of the model's files in the folder
/// `PythonEngine::cache`.
namespace slipway::model {

/// What a comparison with `mlflow.pyfunc` has shown.
enum class Evidence : uint8_t {
  kBits,         ///< equal to the last bit
  kRounding,     ///< equal within what the library itself leaves open
  kNotCompared,  ///< nothing: it could not be made
  kDiffers,      ///< other answers
};

struct EngineRecord {
  Engine engine = Engine::kPython;
  Evidence evidence = Evidence::kNotCompared;
  std::string why;  ///< for a person
};

/// What is known of the model with this digest; nothing where nothing is, or where there is no folder to know it from.
std::optional<EngineRecord> FindRecord(const PythonEngine& python, const std::string& digest);
Result<> KeepRecord(const PythonEngine& python, const std::string& digest, const EngineRecord& record);
Result<> ForgetRecord(const PythonEngine& python, const std::string& digest);

}  // namespace slipway::model
