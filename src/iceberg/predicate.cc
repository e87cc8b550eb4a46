#include "iceberg/predicate.h"

#include <algorithm>
#include <cmath>

namespace slipway::iceberg {
namespace {

using Op = Predicate::Op;

bool IsNaN(const Literal& value) {
  const auto* real = std::get_if<double>(&value);
  return real != nullptr && std::isnan(*real);
}

/// The order of two non-null values with NaN on top; 0 is equal. Values of different kinds have no order.
std::optional<int> Order(const Literal& a, const Literal& b) {
  if (IsNaN(a) || IsNaN(b)) return int{IsNaN(a)} - int{IsNaN(b)};
  auto order = Compare(a, b);
  if (order == std::partial_ordering::unordered) return std::nullopt;
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

bool Holds(Op op, std::optional<int> order, bool unknown) {
  if (!order) return unknown;
  switch (op) {
    case Op::kLess: return *order < 0;
    case Op::kLessEqual: return *order <= 0;
    case Op::kGreater: return *order > 0;
    case Op::kGreaterEqual: return *order >= 0;
    case Op::kEqual: return *order == 0;
    case Op::kNotEqual: return *order != 0;
    default: return unknown;
  }
}

/// Whether some value in the range can satisfy `op literal`.
bool SomeValue(Op op, const Literal& literal, const ColumnRange& range) {
  if (!range.may_have_value || IsNull(literal)) return false;
  if (range.may_have_nan && Holds(op, 1 - int{IsNaN(literal)}, true)) return true;
  if (!range.lower || !range.upper) {
    // One known side still decides comparisons that only look at it.
    if (range.lower && (op == Op::kLess || op == Op::kLessEqual)) return Holds(op, Order(*range.lower, literal), true);
    if (range.upper && (op == Op::kGreater || op == Op::kGreaterEqual))
      return Holds(op, Order(*range.upper, literal), true);
    return true;
  }
  auto low = Order(*range.lower, literal), high = Order(*range.upper, literal);
  switch (op) {
    case Op::kLess:
    case Op::kLessEqual: return Holds(op, low, true);
    case Op::kGreater:
    case Op::kGreaterEqual: return Holds(op, high, true);
    case Op::kEqual: return Holds(Op::kLessEqual, low, true) && Holds(Op::kGreaterEqual, high, true);
    default: return !(low && high && *low == 0 && *high == 0);
  }
}

/// The order of the values of an IN list: kinds apart, NaN on top; values that are equal stand together.
bool Before(const Literal& a, const Literal& b) {
  if (a.index() != b.index()) return a.index() < b.index();
  return Order(a, b) == -1;
}

/// Whether some value in the range can be one of an IN list's.
bool SomeOf(const std::vector<Literal>& sorted, const ColumnRange& range) {
  bool one_kind = !sorted.empty() && sorted.front().index() == sorted.back().index();
  if (one_kind && range.lower && range.upper && !range.may_have_nan && range.lower->index() == sorted.front().index() &&
      range.upper->index() == sorted.front().index()) {
    auto first = std::ranges::lower_bound(sorted, *range.lower, Before);
    return range.may_have_value && first != sorted.end() && !Before(*range.upper, *first);
  }
  return std::ranges::any_of(sorted, [&](const Literal& l) { return SomeValue(Op::kEqual, l, range); });
}

/// Whether every row in the range satisfies `op literal`.
bool EveryRow(Op op, const Literal& literal, const ColumnRange& range) {
  if (range.may_have_null || IsNull(literal) || !range.lower || !range.upper) return false;
  if (range.may_have_nan && !Holds(op, 1 - int{IsNaN(literal)}, false)) return false;
  auto low = Order(*range.lower, literal), high = Order(*range.upper, literal);
  switch (op) {
    case Op::kLess:
    case Op::kLessEqual: return Holds(op, high, false);
    case Op::kGreater:
    case Op::kGreaterEqual: return Holds(op, low, false);
    case Op::kEqual: return Holds(op, low, false) && Holds(op, high, false);
    default: return Holds(Op::kGreater, low, false) || Holds(Op::kLess, high, false);
  }
}

}  // namespace

bool MightMatch(const Predicate& p, const RangeOf& range) {
  auto might = [&](const Predicate& child) { return MightMatch(child, range); };
  switch (p.op) {
    case Op::kAlways: return true;
    case Op::kNever: return false;
    case Op::kAnd: return std::ranges::all_of(p.children, might);
    case Op::kOr: return std::ranges::any_of(p.children, might);
    case Op::kIsNull: return range(p.field_id).may_have_null;
    case Op::kNotNull: return range(p.field_id).may_have_value;
    case Op::kIn: return SomeOf(p.literals, range(p.field_id));
    default: return SomeValue(p.op, p.literals.front(), range(p.field_id));
  }
}

bool MustMatch(const Predicate& p, const RangeOf& range) {
  auto must = [&](const Predicate& child) { return MustMatch(child, range); };
  switch (p.op) {
    case Op::kAlways: return true;
    case Op::kNever: return false;
    case Op::kAnd: return std::ranges::all_of(p.children, must);
    case Op::kOr: return std::ranges::any_of(p.children, must);
    case Op::kIsNull: return !range(p.field_id).may_have_value;
    case Op::kNotNull: return !range(p.field_id).may_have_null;
    case Op::kIn: {
      auto column = range(p.field_id);
      return std::ranges::any_of(p.literals, [&](const Literal& l) { return EveryRow(Op::kEqual, l, column); });
    }
    default: return EveryRow(p.op, p.literals.front(), range(p.field_id));
  }
}

Predicate Predicate::In(int field_id, std::vector<Literal> values) {
  std::erase_if(values, IsNull);
  std::ranges::sort(values, Before);
  return {Op::kIn, field_id, std::move(values), {}};
}

bool MatchesValue(const Predicate& p, const Literal& value) {
  if (p.op == Op::kIsNull || p.op == Op::kNotNull) return IsNull(value) == (p.op == Op::kIsNull);
  if (IsNull(value)) return false;
  if (p.op == Op::kIn) return std::ranges::binary_search(p.literals, value, Before);
  const auto& literal = p.literals.front();
  return !IsNull(literal) && Holds(p.op, Order(value, literal), false);
}

bool Matches(const Predicate& p, const std::function<Literal(int)>& value) {
  auto matches = [&](const Predicate& child) { return Matches(child, value); };
  switch (p.op) {
    case Op::kAlways: return true;
    case Op::kNever: return false;
    case Op::kAnd: return std::ranges::all_of(p.children, matches);
    case Op::kOr: return std::ranges::any_of(p.children, matches);
    default: return MatchesValue(p, value(p.field_id));
  }
}

}  // namespace slipway::iceberg
