#include "model/proof.h"

#include <arrow/array.h>
#include <arrow/compare.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>

#include "base/file.h"
#include "base/format.h"
#include "base/json.h"
#include "model/exported/exported_model.h"
#include "model/mlmodel.h"
#include "model/python/python_model.h"

namespace slipway::model {
namespace {

constexpr int64_t kMostProofRows = 20'000;
constexpr std::string_view kNotCompared = "not compared with mlflow.pyfunc: ";

std::filesystem::path RecordFile(const PythonEngine& python, const std::string& digest) {
  return std::filesystem::path(python.cache) / (digest + "-" + ExporterVersion() + ".json");
}

/// Whether a row's values are as good as each other: the same bits, or within `apart`.
bool IsEqual(const arrow::Array& ours, const arrow::Array& theirs, int64_t row, double apart) {
  auto options = arrow::EqualOptions::Defaults().nans_equal(true).signed_zeros_equal(false);
  if (ours.RangeEquals(theirs, row, row + 1, row, options)) return true;
  if (!(apart > 0) || ours.IsNull(row) || theirs.IsNull(row)) return false;
  auto within = [&](auto a, auto b) { return std::fabs(static_cast<double>(a) - static_cast<double>(b)) <= apart; };
  if (ours.type_id() == arrow::Type::DOUBLE)
    return within(static_cast<const arrow::DoubleArray&>(ours).Value(row),
                  static_cast<const arrow::DoubleArray&>(theirs).Value(row));
  if (ours.type_id() == arrow::Type::FLOAT)
    return within(static_cast<const arrow::FloatArray&>(ours).Value(row),
                  static_cast<const arrow::FloatArray&>(theirs).Value(row));
  return true;  // a label
}

/// The first row in which two columns differ by more than `spread`, where that is not null; -1: none.
int64_t FirstDifference(const arrow::Array& ours, const arrow::Array& theirs, const std::vector<double>* spread) {
  for (int64_t row = 0; row < ours.length(); ++row)
    if (!IsEqual(ours, theirs, row, spread == nullptr ? 0 : (*spread)[static_cast<size_t>(row)])) return row;
  return -1;
}

std::string EngineOf(const Model& model) {
  for (const auto& fact : model.facts())
    if (fact.name == "engine") return fact.value;
  return "";
}

struct Comparison {
  std::string difference;  ///< empty: none
  bool exact = true;       ///< to the last bit, or within what the library leaves open
};

/// What the native engine gives for `rows`, beside what `mlflow.pyfunc` gave.
Result<Comparison> Compare(const Model& native, const arrow::RecordBatch& rows, const arrow::RecordBatch& theirs) {
  ASSIGN(auto ours, native.Score(rows));
  ASSIGN(auto spread, native.SpreadOf(rows));
  if (ours->num_columns() < theirs.num_columns() ||
      (ours->num_columns() > theirs.num_columns() && !native.has_extras()))
    return Comparison{
        fmt::format("the native engine gives {} columns, mlflow.pyfunc {}", ours->num_columns(), theirs.num_columns())};
  for (int k = 0; k < theirs.num_columns(); ++k) {
    const auto &a = *ours->column(k), &b = *theirs.column(k);
    if (!a.type()->Equals(*b.type()))
      return Comparison{fmt::format("'{}' is {} by the native engine, {} by the signature", ours->column_name(k),
                                    a.type()->ToString(), b.type()->ToString())};
    if (auto row = FirstDifference(a, b, spread.empty() ? nullptr : &spread[static_cast<size_t>(k)]); row >= 0)
      return Comparison{fmt::format("'{}' differs from mlflow.pyfunc: {}, not {}", ours->column_name(k),
                                    a.GetScalar(row).ValueOrDie()->ToString(),
                                    b.GetScalar(row).ValueOrDie()->ToString())};
  }
  return Comparison{"", spread.empty()};
}

Result<> ForgetRecord(const PythonEngine& python, const std::string& digest) {
  std::error_code code;
  std::filesystem::remove(RecordFile(python, digest), code);
  if (code) return Fail(ErrorKind::kIo, "remove {}: {}", RecordFile(python, digest).string(), code.message());
  return {};
}

}  // namespace

std::optional<EngineRecord> FindRecord(const PythonEngine& python, const std::string& digest) {
  if (python.cache.empty() || digest.empty()) return std::nullopt;
  auto text = ReadFile(RecordFile(python, digest), size_t{1} << 20);
  if (!text) return std::nullopt;
  auto value = ParseJson(*text);
  auto object = value ? JsonObject::From(*value, "record") : Result<JsonObject>(Failure(value.error()));
  if (!object) return std::nullopt;
  auto engine = object->String("engine", ""), why = object->String("why", "");
  if (!engine || !why || engine->empty()) return std::nullopt;
  return EngineRecord{*engine, *why};
}

Result<> KeepRecord(const PythonEngine& python, const std::string& digest, const EngineRecord& record) {
  if (python.cache.empty()) return {};
  TRY(CreateFolders(python.cache));
  return WriteFileAtomically(RecordFile(python, digest),
                             json::serialize(json::object{{"engine", record.engine}, {"why", record.why}}));
}

Result<EngineRecord> Prove(const Model& native, const Model& reference) {
  ASSIGN(auto rows, native.EdgeRows(kMostProofRows));
  ASSIGN(auto theirs, reference.Score(*rows));
  ASSIGN(auto edges, Compare(native, *rows, *theirs));
  if (!edges.difference.empty()) return EngineRecord{"python", edges.difference};
  auto why = fmt::format("equal to mlflow.pyfunc {} on {} rows around all that it decides by",
                         edges.exact ? "to the last bit" : "within the rounding that its library leaves open",
                         rows->num_rows());
  // An example that cannot be read, or that the library refuses itself, says nothing.
  auto example = reference.ExampleRows();
  auto expected = example ? reference.Score(**example) : Failure(example.error());
  if (!expected) return EngineRecord{EngineOf(native), why};
  auto compared = Compare(native, **example, **expected);
  if (!compared)
    return EngineRecord{"python",
                        fmt::format("the native engine refuses the input example: {}", compared.error().message)};
  if (!compared->difference.empty())
    return EngineRecord{"python", fmt::format("on the input example, {}", compared->difference)};
  return EngineRecord{EngineOf(native), why + ", and on its input example"};
}

Result<EngineRecord> ProveOnce(const Model& native, const MlModel& mlmodel, const PythonEngine& python,
                               const std::string& digest) {
  if (auto known = FindRecord(python, digest)) return *known;
  auto reference = LoadPython(mlmodel, python, "to compare with");
  auto record = reference ? Prove(native, **reference) : Result<EngineRecord>(Failure(reference.error()));
  if (!record) record = EngineRecord{EngineOf(native), std::string(kNotCompared) + record.error().message};
  TRY(KeepRecord(python, digest, *record));
  return record;
}

Result<EngineRecord> ProveModel(const std::filesystem::path& folder, const PythonEngine& python) {
  ASSIGN(auto native, LoadModel(folder, python));
  if (native->needs_files()) {
    for (const auto& fact : native->facts())
      if (fact.name == "why") return EngineRecord{"python", fact.value};
  }
  ASSIGN(auto digest, HashFolder(folder));
  ASSIGN(auto mlmodel, ReadMlModel(folder));
  auto known = FindRecord(python, digest);
  if (known && known->why.starts_with(kNotCompared)) TRY(ForgetRecord(python, digest));  // perhaps it can be now
  return ProveOnce(*native, mlmodel, python, digest);
}

}  // namespace slipway::model
