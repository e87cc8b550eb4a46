#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/interface/model.h"
#include "model/python/python_engine.h"

/// Which engine scores a model, and how that was shown: kept by the digest of the model's files in the folder
/// `PythonEngine::cache`.
namespace slipway::model {

/// What a comparison of the native engine has shown.
enum class Evidence : uint8_t {
  kBits,         ///< equal to mlflow.pyfunc to the last bit
  kRounding,     ///< equal to it within what the library itself leaves open
  kLibraryOnly,  ///< pyfunc takes no such rows; equal to the model's own library, given its columns as it learned them
  kDiffers,      ///< other answers: Python scores
  kRefused,      ///< neither pyfunc nor the library answers: nobody does
  kUnproven,     ///< nothing: a person said that the native engine is to score all the same
  kNotCompared,  ///< nothing: there is no native engine, or the comparison could not be made
};

/// "bits", "rounding", "library only", …: as people, files and the API read it.
std::string_view ToString(Evidence evidence);

struct EngineRecord {
  Engine engine = Engine::kPython;
  Evidence evidence = Evidence::kNotCompared;
  std::string why;  ///< for a person

  /// Whether another comparison would find the same. What was not compared, or not answered, perhaps can be now.
  bool is_lasting() const {
    return evidence != Evidence::kRefused && evidence != Evidence::kUnproven && evidence != Evidence::kNotCompared;
  }
};

/// Whether an engine may score by this record. kInvalid: nobody vouches for its answers; kUnsupported: a native engine
/// that was not compared.
Result<> CheckProof(const EngineRecord& record);

/// What is known of the model with this digest; nothing where nothing is, or where there is no folder to know it from.
std::optional<EngineRecord> FindRecord(const PythonEngine& python, const std::string& digest);
Result<> KeepRecord(const PythonEngine& python, const std::string& digest, const EngineRecord& record);
Result<> ForgetRecord(const PythonEngine& python, const std::string& digest);

}  // namespace slipway::model
