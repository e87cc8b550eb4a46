#include "model/proof/engine_record.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <utility>

#include "base/file.h"
#include "base/format.h"
#include "base/json.h"
#include "model/python/exporter.h"

namespace slipway::model {
namespace {

constexpr std::pair<Evidence, std::string_view> kEvidence[] = {{Evidence::kBits, "bits"},
                                                               {Evidence::kRounding, "rounding"},
                                                               {Evidence::kLibraryOnly, "library only"},
                                                               {Evidence::kDiffers, "differs"},
                                                               {Evidence::kRefused, "refused"},
                                                               {Evidence::kUnproven, "unproven"},
                                                               {Evidence::kNotCompared, "not compared"}};

/// Another word, or none, as older records have: whatever it was, it can be compared again.
Evidence EvidenceOf(std::string_view word) {
  for (const auto& [evidence, known] : kEvidence)
    if (known == word) return evidence;
  return Evidence::kNotCompared;
}

std::filesystem::path RecordFile(const PythonEngine& python, const std::string& digest) {
  return std::filesystem::path(python.cache) / (digest + "-" + ExporterVersion() + ".json");
}

Result<EngineRecord> ReadRecord(const std::filesystem::path& file) {
  ASSIGN(auto text, ReadFile(file, size_t{1} << 20));
  ASSIGN(auto value, ParseJson(text));
  ASSIGN(auto object, JsonObject::From(value, "record"));
  EngineRecord record;
  ASSIGN(auto engine, object.String("engine"));
  ASSIGN(record.engine, ParseEngine(engine));
  ASSIGN(auto evidence, object.String("evidence", ""));
  record.evidence = EvidenceOf(evidence);
  ASSIGN(record.why, object.String("why", ""));
  return record;
}

}  // namespace

std::string_view ToString(Evidence evidence) {
  for (const auto& [known, word] : kEvidence)
    if (known == evidence) return word;
  return "";
}

Result<> CheckProof(const EngineRecord& record) {
  if (record.evidence == Evidence::kRefused) return Fail(ErrorKind::kInvalid, record.why);
  if (record.engine != Engine::kPython && record.evidence == Evidence::kNotCompared)
    return Fail(ErrorKind::kUnsupported,
                "{}. Give python.interpreter one that has mlflow and what the model needs; or take the native engine "
                "unproven: `slipway models register --unproven`, or python.check = registration",
                record.why);
  return {};
}

std::optional<EngineRecord> FindRecord(const PythonEngine& python, const std::string& digest) {
  if (python.cache.empty() || digest.empty()) return std::nullopt;
  auto record = ReadRecord(RecordFile(python, digest));
  return record ? std::optional(std::move(*record)) : std::nullopt;
}

Result<> KeepRecord(const PythonEngine& python, const std::string& digest, const EngineRecord& record) {
  if (python.cache.empty()) return {};
  TRY(CreateFolders(python.cache));
  return WriteFileAtomically(
      RecordFile(python, digest),
      json::serialize(json::object{
          {"engine", ToString(record.engine)}, {"evidence", ToString(record.evidence)}, {"why", record.why}}));
}

Result<> ForgetRecord(const PythonEngine& python, const std::string& digest) {
  std::error_code code;
  std::filesystem::remove(RecordFile(python, digest), code);
  if (code) return Fail(ErrorKind::kIo, "remove {}: {}", RecordFile(python, digest).string(), code.message());
  return {};
}

}  // namespace slipway::model
