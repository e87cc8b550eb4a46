#include <arrow/array.h>
#include <arrow/array/util.h>
#include <arrow/builder.h>
#include <arrow/compute/api.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "base/arrow.h"
#include "base/format.h"
#include "expression/filter.h"
#include "expression/interval.h"

namespace slipway::expression {
namespace {

using arrow::Datum;
using Op = Expr::Op;
namespace cp = arrow::compute;

std::shared_ptr<arrow::DataType> ArrowType(SqlType type) {
  switch (type) {
    case SqlType::kBool:
    case SqlType::kNull: return arrow::boolean();
    case SqlType::kInt: return arrow::int64();
    case SqlType::kDouble: return arrow::float64();
    case SqlType::kString: return arrow::utf8();
    case SqlType::kDate: return arrow::date32();
    case SqlType::kTimestamp: return arrow::timestamp(arrow::TimeUnit::MICRO);
    case SqlType::kInterval: return arrow::binary();
  }
  return arrow::null();
}

Result<Datum> Call(const std::string& name, const std::vector<Datum>& args,
                   const cp::FunctionOptions* options = nullptr) {
  return FromArrow(cp::CallFunction(name, args, options));
}

Result<Datum> CastTo(const Datum& value, const std::shared_ptr<arrow::DataType>& type, bool exact = true) {
  return FromArrow(cp::Cast(value, type, exact ? cp::CastOptions::Safe(type) : cp::CastOptions::Unsafe(type)));
}

/// Maps values one by one; nulls stay. A scalar stays a scalar.
template <typename InArray, typename OutBuilder, typename F>
Result<Datum> Map(const Datum& input, const std::shared_ptr<arrow::DataType>& type, F&& f) {
  std::shared_ptr<arrow::Array> array;
  if (input.is_scalar()) {
    ARROW_ASSIGN(array, arrow::MakeArrayFromScalar(*input.scalar(), 1));
  } else {
    array = input.make_array();
  }
  const auto& typed = static_cast<const InArray&>(*array);
  OutBuilder builder(type, arrow::default_memory_pool());
  ARROW_TRY(builder.Reserve(typed.length()));
  for (int64_t i = 0; i < typed.length(); ++i) {
    if (typed.IsNull(i))
      builder.UnsafeAppendNull();
    else
      builder.UnsafeAppend(f(typed.Value(i)));
  }
  std::shared_ptr<arrow::Array> result;
  ARROW_TRY(builder.Finish(&result));
  if (!input.is_scalar()) return Datum(result);
  ARROW_ASSIGN(auto scalar, result->GetScalar(0));
  return Datum(scalar);
}

/// Doubles as integers in the same order, with NaN on top and -0.0 equal to 0.0: PostgreSQL's order, which Arrow's
/// comparisons do not have.
Result<Datum> OrderKeys(const Datum& value) {
  return Map<arrow::DoubleArray, arrow::Int64Builder>(value, arrow::int64(), [](double v) {
    if (std::isnan(v)) return INT64_MAX;
    auto bits = std::bit_cast<int64_t>(v == 0 ? 0.0 : v);
    return bits < 0 ? static_cast<int64_t>(static_cast<uint64_t>(INT64_MIN) - static_cast<uint64_t>(bits)) : bits;
  });
}

class Evaluator {
 public:
  explicit Evaluator(const arrow::RecordBatch& batch) : batch_(batch) {}

  Result<Datum> Evaluate(const Expr& e) {
    if (e.op == Op::kColumn) return Column(e);
    if (e.op == Op::kConstant) return Datum(e.constant ? e.constant : arrow::MakeNullScalar(ArrowType(e.type)));
    std::vector<Datum> args;
    for (const auto& arg : e.args) {
      ASSIGN(auto value, Evaluate(arg));
      args.push_back(std::move(value));
    }
    auto result = Apply(e, args);
    if (!result)
      return Fail(ErrorKind::kInvalid, "filter_sql, at character {}: {}", e.position + 1, result.error().message);
    return result;
  }

 private:
  Result<Datum> Column(const Expr& e) {
    auto column = batch_.GetColumnByName(e.column);
    if (column == nullptr) return Fail(ErrorKind::kInternal, "the rows lack the column '{}'", e.column);
    auto type = ArrowType(e.type);
    if (column->type()->Equals(*type)) return Datum(column);
    return CastTo(column, type, e.type != SqlType::kTimestamp);
  }

  Result<Datum> Apply(const Expr& e, std::vector<Datum>& args) {
    switch (e.op) {
      case Op::kEqual: return Compare(e, "equal", args);
      case Op::kNotEqual: return Compare(e, "not_equal", args);
      case Op::kLess: return Compare(e, "less", args);
      case Op::kLessEqual: return Compare(e, "less_equal", args);
      case Op::kGreater: return Compare(e, "greater", args);
      case Op::kGreaterEqual: return Compare(e, "greater_equal", args);
      case Op::kDistinct: return Distinct(e, args, true);
      case Op::kNotDistinct: return Distinct(e, args, false);
      case Op::kAnd: return Fold("and_kleene", args);
      case Op::kOr: return Fold("or_kleene", args);
      case Op::kNot: return Call("invert", args);
      case Op::kIsNull: return Call("is_null", args);
      case Op::kIsNotNull: return Call("is_valid", args);
      case Op::kIsTrue: return Call("coalesce", {args[0], Datum(false)});
      case Op::kIsFalse: {
        ASSIGN(auto inverted, Call("invert", args));
        return Call("coalesce", {inverted, Datum(false)});
      }
      case Op::kIn: return In(e, args);
      case Op::kLike:
      case Op::kILike: {
        cp::MatchSubstringOptions options(e.text, e.op == Op::kILike);
        return Call("match_like", args, &options);
      }
      case Op::kAdd: return Call("add_checked", args);
      case Op::kSubtract: return Call("subtract_checked", args);
      case Op::kMultiply: return Call("multiply_checked", args);
      case Op::kDivide: return Call("divide_checked", args);
      case Op::kModulo: {
        ASSIGN(auto quotient, Call("divide_checked", args));
        ASSIGN(auto whole, Call("multiply_checked", {quotient, args[1]}));
        return Call("subtract_checked", {args[0], whole});
      }
      case Op::kNegate: return Call("negate_checked", args);
      case Op::kConcat: {
        cp::JoinOptions options(cp::JoinOptions::EMIT_NULL);
        return Call("binary_join_element_wise", {args[0], args[1], Datum("")}, &options);
      }
      case Op::kCase: return Case(args);
      case Op::kCoalesce: return Call("coalesce", args);
      case Op::kNullIf: {
        ASSIGN(auto same, Compare(e, "equal", args));
        ASSIGN(auto truly, Call("coalesce", {same, Datum(false)}));
        return Call("if_else", {truly, Datum(arrow::MakeNullScalar(ArrowType(e.type))), args[0]});
      }
      default: return Function(e, args);
    }
  }

  Result<Datum> Function(const Expr& e, std::vector<Datum>& args) {
    auto timestamp = ArrowType(SqlType::kTimestamp);
    switch (e.op) {
      case Op::kDateAdd:
      case Op::kDateSubtract: {
        const auto& scalar = static_cast<const arrow::BinaryScalar&>(*args[1].scalar());
        Interval interval;
        std::memcpy(&interval, scalar.value->data(), sizeof interval);
        int sign = e.op == Op::kDateAdd ? 1 : -1;
        return Map<arrow::TimestampArray, arrow::TimestampBuilder>(
            args[0], timestamp, [&](int64_t micros) { return AddInterval(micros, interval, sign); });
      }
      case Op::kDaysAdd: {
        ASSIGN(auto days, CastTo(args[0], arrow::int32()));
        ASSIGN(auto wide, CastTo(days, arrow::int64()));
        ASSIGN(auto sum, Call("add_checked", {wide, args[1]}));
        ASSIGN(auto narrow, CastTo(sum, arrow::int32()));
        return CastTo(narrow, arrow::date32());
      }
      case Op::kDaysBetween: {
        ASSIGN(auto a, CastTo(args[0], arrow::int32()));
        ASSIGN(auto b, CastTo(args[1], arrow::int32()));
        ASSIGN(auto days, Call("subtract", {a, b}));
        return CastTo(days, arrow::int64());
      }
      case Op::kDateTrunc:
        return Map<arrow::TimestampArray, arrow::TimestampBuilder>(
            args[0], timestamp, [&](int64_t micros) { return Truncate(micros, e.text); });
      case Op::kExtract:
        return Map<arrow::TimestampArray, arrow::DoubleBuilder>(
            args[0], arrow::float64(), [&](int64_t micros) { return Extract(micros, e.text); });
      case Op::kLower: return Call("utf8_lower", args);
      case Op::kUpper: return Call("utf8_upper", args);
      case Op::kTrim: return Trim("utf8_trim", args);
      case Op::kLeftTrim: return Trim("utf8_ltrim", args);
      case Op::kRightTrim: return Trim("utf8_rtrim", args);
      case Op::kLength: {
        ASSIGN(auto length, Call("utf8_length", args));
        return CastTo(length, arrow::int64());
      }
      case Op::kSubstring: return Substring(args);
      case Op::kAbs: return Call("abs_checked", args);
      case Op::kFloor: return Call("floor", args);
      case Op::kCeil: return Call("ceil", args);
      case Op::kRound: return e.type == SqlType::kInt ? Result<Datum>(args[0]) : Round(args[0]);
      case Op::kCast: return Cast(e, args[0]);
      default: return Fail(ErrorKind::kInternal, "an operation without evaluation");
    }
  }

  static Result<Datum> Round(const Datum& value) {  // halves to even, as PostgreSQL rounds doubles
    cp::RoundOptions options(0, cp::RoundMode::HALF_TO_EVEN);
    return Call("round", {value}, &options);
  }

  static Result<Datum> Trim(const std::string& name, const std::vector<Datum>& args) {
    cp::TrimOptions options(" ");
    return Call(name, args, &options);
  }

  /// substr counts from 1; a start before the text takes from the length.
  static Result<Datum> Substring(const std::vector<Datum>& args) {
    if (!args[1].is_scalar() || (args.size() > 2 && !args[2].is_scalar()))
      return Fail(ErrorKind::kUnsupported, "substr with a start or length that differs by row");
    if (!args[1].scalar()->is_valid || (args.size() > 2 && !args[2].scalar()->is_valid))
      return Datum(arrow::MakeNullScalar(arrow::utf8()));
    auto from = static_cast<const arrow::Int64Scalar&>(*args[1].scalar()).value;
    int64_t stop = INT64_MAX;
    if (args.size() > 2) {
      auto length = static_cast<const arrow::Int64Scalar&>(*args[2].scalar()).value;
      if (length < 0) return Fail(ErrorKind::kInvalid, "substr with a negative length");
      stop = std::max<int64_t>(0, from - 1 + length);
    }
    cp::SliceOptions options(std::max<int64_t>(0, from - 1), stop);
    return Call("utf8_slice_codeunits", {args[0]}, &options);
  }

  static Result<Datum> Cast(const Expr& e, const Datum& value) {
    auto from = e.args[0].type;
    if (from == SqlType::kDouble && e.type == SqlType::kInt) {
      ASSIGN(auto rounded, Round(value));
      return CastTo(rounded, arrow::int64());
    }
    if (from == SqlType::kTimestamp && e.type == SqlType::kDate) {
      ASSIGN(auto day,
             Map<arrow::TimestampArray, arrow::TimestampBuilder>(
                 value, ArrowType(SqlType::kTimestamp), [](int64_t micros) { return Truncate(micros, "day"); }));
      return CastTo(day, arrow::date32());
    }
    return CastTo(value, ArrowType(e.type), e.type != SqlType::kDouble);
  }

  static Result<Datum> Fold(const std::string& name, const std::vector<Datum>& args) {
    Datum result = args[0];
    for (size_t i = 1; i < args.size(); ++i) {
      ASSIGN(result, Call(name, {result, args[i]}));
    }
    return result;
  }

  static Result<Datum> Compare(const Expr& e, const std::string& name, std::vector<Datum> args) {
    if (e.args[0].type == SqlType::kDouble) {
      for (auto& arg : args) {
        ASSIGN(arg, OrderKeys(arg));
      }
    }
    return Call(name, args);
  }

  static Result<Datum> Distinct(const Expr& e, const std::vector<Datum>& args, bool distinct) {
    ASSIGN(auto equal, Compare(e, "equal", args));
    ASSIGN(auto left_null, Call("is_null", {args[0]}));
    ASSIGN(auto right_null, Call("is_null", {args[1]}));
    ASSIGN(auto both_null, Call("and", {left_null, right_null}));
    ASSIGN(auto known, Call("coalesce", {equal, both_null}));
    return distinct ? Call("invert", {known}) : known;
  }

  /// null where the value is null, or is not found in a list with a null. Constants are looked up together.
  static Result<Datum> In(const Expr& e, const std::vector<Datum>& args) {
    arrow::ScalarVector constants;
    std::vector<Datum> found;
    for (size_t i = 1; i < args.size(); ++i) {
      if (e.args[i].op == Op::kConstant) {
        constants.push_back(args[i].scalar());
        continue;
      }
      ASSIGN(auto equal, Compare(e, "equal", {args[0], args[i]}));
      found.push_back(std::move(equal));
    }
    if (!constants.empty()) {
      ASSIGN(auto among, Among(e, args[0], constants));
      found.push_back(std::move(among));
    }
    return Fold("or_kleene", found);
  }

  static Result<Datum> Among(const Expr& e, const Datum& value, const arrow::ScalarVector& constants) {
    std::unique_ptr<arrow::ArrayBuilder> builder;
    ARROW_TRY(arrow::MakeBuilder(arrow::default_memory_pool(), ArrowType(e.args[0].type), &builder));
    for (const auto& constant : constants)
      ARROW_TRY(constant->is_valid ? builder->AppendScalar(*constant) : builder->AppendNull());
    ARROW_ASSIGN(auto set, builder->Finish());
    std::vector<Datum> both{value, Datum(set)};
    if (e.args[0].type == SqlType::kDouble)
      for (auto& values : both) {
        ASSIGN(values, OrderKeys(values));
      }
    cp::SetLookupOptions options(both[1], cp::SetLookupOptions::INCONCLUSIVE);
    return Call("is_in", {both[0]}, &options);
  }

  static Result<Datum> Case(const std::vector<Datum>& args) {
    Datum result = args.back();
    for (size_t i = args.size() - 1; i >= 2; i -= 2) {
      ASSIGN(auto when, Call("coalesce", {args[i - 2], Datum(false)}));
      ASSIGN(result, Call("if_else", {when, args[i - 1], result}));
    }
    return result;
  }

  const arrow::RecordBatch& batch_;
};

}  // namespace

Result<std::shared_ptr<arrow::BooleanArray>> Filter::Evaluate(const arrow::RecordBatch& batch) const {
  ASSIGN(auto result, Evaluator(batch).Evaluate(root_));
  if (result.is_scalar()) {
    ARROW_ASSIGN(auto repeated, arrow::MakeArrayFromScalar(*result.scalar(), batch.num_rows()));
    return std::static_pointer_cast<arrow::BooleanArray>(repeated);
  }
  return std::static_pointer_cast<arrow::BooleanArray>(result.make_array());
}

Result<std::shared_ptr<arrow::RecordBatch>> Filter::Apply(const std::shared_ptr<arrow::RecordBatch>& batch) const {
  ASSIGN(auto mask, Evaluate(*batch));
  if (mask->true_count() == batch->num_rows()) return batch;
  ARROW_ASSIGN(auto kept, cp::Filter(batch, Datum(mask)));
  return kept.record_batch();
}

}  // namespace slipway::expression
