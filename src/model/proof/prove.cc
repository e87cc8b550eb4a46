#include "model/proof/prove.h"

#include <arrow/array.h>
#include <arrow/compare.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>

#include <cmath>

#include "base/format.h"
#include "model/python/python_model.h"

namespace slipway::model {
namespace {

constexpr int64_t kMostProofRows = 20'000;

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

struct Comparison {
  std::string difference;  ///< empty: none
  Evidence evidence = Evidence::kDiffers;
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
  return Comparison{"", spread.empty() ? Evidence::kBits : Evidence::kRounding};
}

}  // namespace

Result<EngineRecord> Prove(const Model& native, const Model& reference) {
  ASSIGN(auto rows, native.EdgeRows(kMostProofRows));
  ASSIGN(auto theirs, reference.Score(*rows));
  ASSIGN(auto edges, Compare(native, *rows, *theirs));
  if (!edges.difference.empty()) return EngineRecord{Engine::kPython, Evidence::kDiffers, edges.difference};
  EngineRecord proven{
      native.engine().engine, edges.evidence,
      fmt::format(
          "equal to mlflow.pyfunc {} on {} rows around all that it decides by",
          edges.evidence == Evidence::kBits ? "to the last bit" : "within the rounding that its library leaves open",
          rows->num_rows())};
  // An example that cannot be read, or that the library refuses itself, says nothing.
  auto example = reference.ExampleRows();
  auto expected = example ? reference.Score(**example) : Failure(example.error());
  if (!expected) return proven;
  auto compared = Compare(native, **example, **expected);
  if (!compared)
    return EngineRecord{Engine::kPython, Evidence::kDiffers,
                        fmt::format("the native engine refuses the input example: {}", compared.error().message)};
  if (!compared->difference.empty())
    return EngineRecord{Engine::kPython, Evidence::kDiffers,
                        fmt::format("on the input example, {}", compared->difference)};
  proven.why += ", and on its input example";
  return proven;
}

Result<EngineRecord> ProveOnce(const Model& native, const MlModel& mlmodel, const PythonEngine& python,
                               const std::string& digest) {
  if (auto known = FindRecord(python, digest)) return *known;
  auto reference = LoadPython(mlmodel, python, "to compare with");
  auto record = reference ? Prove(native, **reference) : Result<EngineRecord>(Failure(reference.error()));
  if (!record)
    record = EngineRecord{native.engine().engine, Evidence::kNotCompared,
                          fmt::format("not compared with mlflow.pyfunc: {}", record.error().message)};
  TRY(KeepRecord(python, digest, *record));
  return record;
}

}  // namespace slipway::model
