#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::expression {

/// The types that a filter computes with: all integers are 64 bits, all floats double, both timestamps UTC.
enum class SqlType { kNull, kBool, kInt, kDouble, kString, kDate, kTimestamp, kInterval };

std::string_view ToString(SqlType type);

/// A bound expression: every column exists, every operand has the type its operation needs.
struct Expr {
  enum class Op {
    kColumn,
    kConstant,
    kEqual,
    kNotEqual,
    kLess,
    kLessEqual,
    kGreater,
    kGreaterEqual,
    kDistinct,
    kNotDistinct,
    kAnd,
    kOr,
    kNot,
    kIsNull,
    kIsNotNull,
    kIn,
    kLike,
    kILike,
    kIsTrue,
    kIsFalse,
    kAdd,
    kSubtract,
    kMultiply,
    kDivide,
    kModulo,
    kNegate,
    kConcat,
    kDateAdd,
    kDateSubtract,  // date or timestamp and interval
    kDaysAdd,
    kDaysBetween,  // date and integer, date and date
    kCast,
    kCase,
    kCoalesce,
    kNullIf,
    kDateTrunc,
    kExtract,
    kLower,
    kUpper,
    kTrim,
    kLeftTrim,
    kRightTrim,
    kLength,
    kSubstring,
    kAbs,
    kFloor,
    kCeil,
    kRound,
  };
  Op op = Op::kConstant;
  SqlType type = SqlType::kNull;
  std::vector<Expr> args;
  std::string column;                       ///< kColumn: its name
  std::shared_ptr<arrow::Scalar> constant;  ///< kConstant; an interval is months, days and microseconds
  std::string text;                         ///< the unit of kDateTrunc and kExtract, the pattern of kLike
  int position = 0;                         ///< the byte in the filter's text where it stands, from 0
};

}  // namespace slipway::expression
