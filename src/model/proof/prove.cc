#include "model/proof/prove.h"

#include <arrow/array.h>
#include <arrow/compare.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>

#include <cmath>

#include "base/arrow.h"
#include "base/format.h"
#include "model/proof/hostile_rows.h"
#include "model/python/worker.h"

namespace slipway::model {
namespace {

using Batch = std::shared_ptr<arrow::RecordBatch>;
using By = Reference::By;

constexpr int64_t kMostProofRows = 20'000;
constexpr int64_t kSmallCalls[] = {0, 1, 2, 7, 16};  // few rows take other ways through an engine than many
constexpr size_t kMostGroups = 64;                   // of columns that are looked at by themselves

std::string FirstLine(const Error& error) { return error.message.substr(0, error.message.find('\n')); }

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

/// What the reference gives for some rows.
struct Answer {
  Batch predictions;     ///< null: neither pyfunc nor the library answers
  By by = By::kPyfunc;   ///< who does
  std::string refusals;  ///< what those said who do not
  std::string unfit;     ///< it answers, but not as the native engine does: why
};

std::string NameOf(By by) { return by == By::kPyfunc ? "mlflow.pyfunc" : "its library"; }

class Prover {
 public:
  Prover(const Model& native, Reference& reference) : native_(native), reference_(reference) {}

  Result<EngineRecord> Prove() {
    ASSIGN(auto rows, native_.EdgeRows(kMostProofRows));
    ASSIGN(auto answer, Ask(*rows));
    if (answer.predictions == nullptr && answer.unfit.empty()) return Nobody(answer);
    TRY(Compare("", *rows, answer));
    if (difference_.empty()) TRY(CompareCalls(*rows));
    proven_ = {native_.engine().engine,
               answer.by == By::kLibrary ? Evidence::kLibraryOnly
               : rounds_                 ? Evidence::kRounding
                                         : Evidence::kBits,
               fmt::format("equal to {} {} on {} rows around all that it decides by", NameOf(answer.by),
                           rounds_ ? "within the rounding that its library leaves open" : "to the last bit",
                           rows->num_rows())};
    if (answer.by == By::kLibrary)
      proven_.why +=
          fmt::format(", given its columns as it learned them, which mlflow.pyfunc refuses: {}", answer.refusals);
    for (auto kind : kAllHostile)
      if (difference_.empty()) TRY(CompareHostile(*rows, kind));
    if (difference_.empty()) TRY(CompareExample());
    if (!difference_.empty()) return EngineRecord{Engine::kPython, Evidence::kDiffers, difference_};
    return proven_;
  }

 private:
  Result<Answer> Ask(const arrow::RecordBatch& rows) {
    Answer answer;
    for (auto by : {By::kPyfunc, By::kLibrary}) {
      answer.by = by;
      auto given = reference_.Answer(rows, by);
      if (given) return answer.predictions = *given, answer;
      if (given.error().kind == ErrorKind::kUnsupported && by == By::kPyfunc)
        return answer.unfit = FirstLine(given.error()), answer;
      if (given.error().kind != ErrorKind::kInvalid && given.error().kind != ErrorKind::kUnsupported)
        return Failure(given.error());
      answer.refusals += (answer.refusals.empty() ? "" : "; by its library itself, ") + FirstLine(given.error());
    }
    return answer;
  }

  /// The model of which nobody answers the rows that it decides by. Perhaps its input example tells that pyfunc answers
  /// others: then it is pyfunc's affair which.
  Result<EngineRecord> Nobody(const Answer& answer) {
    auto why = fmt::format("rows around all that it decides by are refused: {}", answer.refusals);
    auto example = reference_.Example();
    if (example && reference_.Answer(**example, By::kPyfunc))
      return EngineRecord{Engine::kPython, Evidence::kDiffers, why};
    return EngineRecord{
        native_.engine().engine, Evidence::kRefused,
        fmt::format("neither mlflow.pyfunc nor its library answers for this model, so nobody vouches "
                    "for its predictions: {}. Log it with a signature that is inferred from the columns "
                    "it was trained with",
                    why)};
  }

  /// Sets `difference_` where the native engine does not do as the answer does. `where`: "on …, ".
  Result<> Compare(const std::string& where, const arrow::RecordBatch& rows, const Answer& answer) {
    auto ours = native_.Score(rows);
    if (!answer.unfit.empty()) return difference_ = where + answer.unfit, Result<>();
    if (answer.predictions == nullptr) {
      if (ours) difference_ = fmt::format("{}the native engine answers what is refused: {}", where, answer.refusals);
      return {};
    }
    if (!ours) {
      // What only the library answers need not be answered.
      if (answer.by == By::kPyfunc)
        difference_ =
            fmt::format("{}the native engine refuses what mlflow.pyfunc answers: {}", where, FirstLine(ours.error()));
      return {};
    }
    ASSIGN(auto spread, native_.SpreadOf(rows));
    rounds_ |= !spread.empty();
    auto found = FirstDifference(**ours, *answer.predictions, spread, NameOf(answer.by));
    if (!found.empty()) difference_ = where + found;
    return {};
  }

  /// Fewer rows at once, and columns in another order, give the same.
  Result<> CompareCalls(const arrow::RecordBatch& rows) {
    ASSIGN(auto all, native_.Score(rows));
    for (auto count : kSmallCalls) {
      if (count > rows.num_rows()) break;
      ASSIGN(auto few, native_.Score(*rows.Slice(0, count)));
      auto found = FirstDifference(*few, *all->Slice(0, count), {}, "that of all rows");
      if (!found.empty()) return difference_ = fmt::format("in a call of {} rows, {}", count, found), Result<>();
    }
    std::vector<int> backwards;
    for (int at = rows.num_columns(); at-- > 0;) backwards.push_back(at);
    ARROW_ASSIGN(auto turned, rows.SelectColumns(backwards));
    ASSIGN(auto again, native_.Score(*turned));
    auto found = FirstDifference(*again, *all, {}, "that of the other order");
    if (!found.empty()) difference_ = "with columns in another order, " + found;
    return {};
  }

  /// All columns that can hold such values at once, and where somebody refuses that, each by itself.
  Result<> CompareHostile(const arrow::RecordBatch& rows, Hostile kind) {
    auto places = ColumnsThatHold(*rows.schema(), kind);
    if (places.empty() || rows.num_rows() == 0) return {};
    auto groups = std::min(places.size(), kMostGroups);
    bool answered = false;
    if (groups > 1) {
      ASSIGN(answered, CompareWith(rows, kind, places, false));
    }
    for (size_t g = 0; !answered && g < groups && difference_.empty(); ++g) {
      std::vector<int> some(places.begin() + static_cast<std::ptrdiff_t>(places.size() * g / groups),
                            places.begin() + static_cast<std::ptrdiff_t>(places.size() * (g + 1) / groups));
      TRY(CompareWith(rows, kind, some, true));
    }
    if (difference_.empty()) proven_.why += fmt::format(", with {}", ToString(kind));
    return {};
  }

  /// Whether somebody answered. `alone`: one column at a time; of several, one that is refused takes the others along,
  /// which says nothing.
  Result<bool> CompareWith(const arrow::RecordBatch& rows, Hostile kind, const std::vector<int>& places, bool alone) {
    ASSIGN(auto strange, HostileRows(rows, kind, places));
    ASSIGN(auto answer, Ask(*strange));
    if (!alone && answer.predictions == nullptr && answer.unfit.empty()) return false;
    TRY(Compare(fmt::format("of {} in '{}', ", ToString(kind), rows.column_name(places.front())), *strange, answer));
    return answer.predictions != nullptr;
  }

  /// One that cannot be read, or that is refused, says nothing.
  Result<> CompareExample() {
    auto example = reference_.Example();
    if (!example) return {};
    ASSIGN(auto answer, Ask(**example));
    if (answer.predictions == nullptr) return {};
    TRY(Compare("on the input example, ", **example, answer));
    proven_.why += ", and on its input example";
    return {};
  }

  /// What the first difference is; empty: none.
  std::string FirstDifference(const arrow::RecordBatch& ours, const arrow::RecordBatch& theirs, const Spread& spread,
                              const std::string& whose) const {
    if (ours.num_columns() < theirs.num_columns() ||
        (ours.num_columns() > theirs.num_columns() && !native_.has_extras()))
      return fmt::format("the native engine gives {} columns, {} {}", ours.num_columns(), whose, theirs.num_columns());
    for (int k = 0; k < theirs.num_columns(); ++k) {
      const auto &a = *ours.column(k), &b = *theirs.column(k);
      if (!a.type()->Equals(*b.type()))
        return fmt::format("'{}' is {} by the native engine, {} by the signature", ours.column_name(k),
                           a.type()->ToString(), b.type()->ToString());
      if (auto row = slipway::model::FirstDifference(a, b, spread.empty() ? nullptr : &spread[static_cast<size_t>(k)]);
          row >= 0)
        return fmt::format("'{}' differs from {}: {}, not {}", ours.column_name(k), whose,
                           a.GetScalar(row).ValueOrDie()->ToString(), b.GetScalar(row).ValueOrDie()->ToString());
    }
    return "";
  }

  const Model& native_;
  Reference& reference_;
  EngineRecord proven_;
  bool rounds_ = false;
  std::string difference_;  ///< the first one; empty: none
};

}  // namespace

Result<EngineRecord> Prove(const Model& native, Reference& reference) { return Prover(native, reference).Prove(); }

Result<EngineRecord> ProveOnce(const Model& native, const MlModel& mlmodel, const PythonEngine& python,
                               const std::string& digest, std::unique_ptr<Worker> started) {
  if (auto known = FindRecord(python, digest)) return *known;
  auto reference = LoadReference(native, mlmodel, python, std::move(started));
  auto record = reference ? Prove(native, **reference) : Result<EngineRecord>(Failure(reference.error()));
  if (!record)
    return EngineRecord{native.engine().engine, Evidence::kNotCompared,
                        fmt::format("it could not be compared with mlflow.pyfunc: {}", record.error().message)};
  TRY(KeepRecord(python, digest, *record));
  return record;
}

}  // namespace slipway::model
