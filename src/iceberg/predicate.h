#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "iceberg/literal.h"

namespace slipway::iceberg {

/// A condition on rows, over field ids: what can be decided from partition values and column statistics. A comparison
/// with a null is false; NaN is equal to itself and above all other numbers, as in PostgreSQL.
struct Predicate {
  enum class Op {
    kAlways,
    kNever,
    kAnd,
    kOr,
    kLess,
    kLessEqual,
    kGreater,
    kGreaterEqual,
    kEqual,
    kNotEqual,
    kIn,
    kIsNull,
    kNotNull
  };
  Op op = Op::kAlways;
  int field_id = 0;                 ///< the column, for comparisons
  std::vector<Literal> literals;    ///< one for a comparison; any number for kIn, in the order that In makes
  std::vector<Predicate> children;  ///< for kAnd and kOr

  static Predicate Always() { return {}; }
  static Predicate Never() { return {.op = Op::kNever}; }
  static Predicate Compare(Op op, int field_id, Literal literal) { return {op, field_id, {std::move(literal)}, {}}; }
  /// Sorts the values; nulls among them match nothing, and go.
  static Predicate In(int field_id, std::vector<Literal> values);
  static Predicate Null(int field_id, bool is_null) { return {is_null ? Op::kIsNull : Op::kNotNull, field_id, {}, {}}; }
  static Predicate And(std::vector<Predicate> children) { return {Op::kAnd, 0, {}, std::move(children)}; }
  static Predicate Or(std::vector<Predicate> children) { return {Op::kOr, 0, {}, std::move(children)}; }
};

/// What is known of one column over a set of rows (a file, a manifest).
struct ColumnRange {
  std::optional<Literal> lower, upper;  ///< of the values that are neither null nor NaN; absent: unknown
  bool may_have_null = true;
  bool may_have_value = true;  ///< false: every row is null
  bool may_have_nan = true;
};

using RangeOf = std::function<ColumnRange(int field_id)>;

/// False only if no row can match.
bool MightMatch(const Predicate& predicate, const RangeOf& range);

/// True only if every row matches.
bool MustMatch(const Predicate& predicate, const RangeOf& range);

/// Whether a value satisfies a comparison, kIn or a question for null: a predicate of one column.
bool MatchesValue(const Predicate& comparison, const Literal& value);

/// Whether one row matches; `value` gives the row's value of a column.
bool Matches(const Predicate& predicate, const std::function<Literal(int field_id)>& value);

}  // namespace slipway::iceberg
