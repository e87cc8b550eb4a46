#include "scoring/pruning.h"

#include <arrow/scalar.h>

#include <cmath>

namespace slipway::scoring {
namespace {

using expression::Expr;
using expression::SqlType;
using iceberg::Field;
using iceberg::IsNull;
using iceberg::Literal;
using iceberg::Predicate;
using iceberg::TypeId;

/// The column below casts that keep the order (int to double, date to timestamp).
const Expr* ColumnOf(const Expr& expr) {
  const Expr* at = &expr;
  while (at->op == Expr::Op::kCast && at->args.size() == 1 &&
         ((at->type == SqlType::kDouble && at->args[0].type == SqlType::kInt) ||
          (at->type == SqlType::kTimestamp && at->args[0].type == SqlType::kDate)))
    at = &at->args[0];
  return at->op == Expr::Op::kColumn ? at : nullptr;
}

constexpr double kExactIntegers = 9007199254740992.0;  // 2^53

/// A constant in the column's own kind, or null (monostate) when there is none that means the same.
Literal LiteralFor(const Expr& constant, const Field& field) {
  if (constant.op == Expr::Op::kCast && constant.args.size() == 1 && constant.args[0].op == Expr::Op::kConstant) {
    auto inner = LiteralFor(constant.args[0], field);
    const auto* number = std::get_if<int64_t>(&inner);
    bool real = field.type.id == TypeId::kFloat || field.type.id == TypeId::kDouble;
    if (constant.type == SqlType::kDouble && constant.args[0].type == SqlType::kInt && number != nullptr && real)
      return static_cast<double>(*number);
    return constant.type == SqlType::kTimestamp ? Literal{} : inner;
  }
  if (constant.op != Expr::Op::kConstant || constant.constant == nullptr) return {};
  const auto& scalar = *constant.constant;
  switch (constant.type) {
    case SqlType::kBool: return static_cast<const arrow::BooleanScalar&>(scalar).value;
    case SqlType::kInt: return int64_t{static_cast<const arrow::Int64Scalar&>(scalar).value};
    case SqlType::kString: return scalar.ToString();
    case SqlType::kDate:
      return field.type.id == TypeId::kDate ? Literal(int64_t{static_cast<const arrow::Date32Scalar&>(scalar).value})
                                            : Literal{};
    case SqlType::kTimestamp:
      return field.type.id == TypeId::kDate
                 ? Literal{}
                 : Literal(int64_t{static_cast<const arrow::TimestampScalar&>(scalar).value});
    case SqlType::kDouble: {
      auto value = static_cast<const arrow::DoubleScalar&>(scalar).value;
      if (field.type.id == TypeId::kFloat || field.type.id == TypeId::kDouble) return value;
      if (std::trunc(value) == value && std::fabs(value) < kExactIntegers) return static_cast<int64_t>(value);
      return {};
    }
    default: return {};
  }
}

Predicate::Op OpOf(Expr::Op op, bool swapped) {
  using P = Predicate::Op;
  switch (op) {
    case Expr::Op::kEqual:
    case Expr::Op::kNotDistinct: return P::kEqual;
    case Expr::Op::kNotEqual: return P::kNotEqual;
    case Expr::Op::kLess: return swapped ? P::kGreater : P::kLess;
    case Expr::Op::kLessEqual: return swapped ? P::kGreaterEqual : P::kLessEqual;
    case Expr::Op::kGreater: return swapped ? P::kLess : P::kGreater;
    case Expr::Op::kGreaterEqual: return swapped ? P::kLessEqual : P::kGreaterEqual;
    default: return P::kAlways;
  }
}

Predicate Comparison(const Expr& expr, const iceberg::Schema& schema) {
  bool swapped = ColumnOf(expr.args[0]) == nullptr;
  const auto* column = ColumnOf(expr.args[swapped ? 1 : 0]);
  const auto* field = column == nullptr ? nullptr : schema.Find(column->column);
  auto op = OpOf(expr.op, swapped);
  if (field == nullptr || op == Predicate::Op::kAlways) return Predicate::Always();
  auto literal = LiteralFor(expr.args[swapped ? 0 : 1], *field);
  return IsNull(literal) ? Predicate::Always() : Predicate::Compare(op, field->id, std::move(literal));
}

Predicate In(const Expr& expr, const iceberg::Schema& schema) {
  const auto* column = ColumnOf(expr.args[0]);
  const auto* field = column == nullptr ? nullptr : schema.Find(column->column);
  if (field == nullptr) return Predicate::Always();
  std::vector<Literal> literals;
  for (size_t i = 1; i < expr.args.size(); ++i) {
    literals.push_back(LiteralFor(expr.args[i], *field));
    if (IsNull(literals.back())) return Predicate::Always();
  }
  return Predicate::In(field->id, std::move(literals));
}

}  // namespace

Predicate PruningPredicate(const Expr& expr, const iceberg::Schema& schema) {
  auto children = [&] {
    std::vector<Predicate> all;
    for (const auto& arg : expr.args) all.push_back(PruningPredicate(arg, schema));
    return all;
  };
  switch (expr.op) {
    case Expr::Op::kAnd: return Predicate::And(children());
    case Expr::Op::kOr: return Predicate::Or(children());
    case Expr::Op::kIn: return In(expr, schema);
    case Expr::Op::kIsNull:
    case Expr::Op::kIsNotNull: {
      const auto* field = expr.args[0].op == Expr::Op::kColumn ? schema.Find(expr.args[0].column) : nullptr;
      return field == nullptr ? Predicate::Always() : Predicate::Null(field->id, expr.op == Expr::Op::kIsNull);
    }
    case Expr::Op::kConstant: {
      bool flag = expr.type == SqlType::kBool && expr.constant != nullptr &&
                  static_cast<const arrow::BooleanScalar&>(*expr.constant).value;
      return flag ? Predicate::Always() : Predicate::Never();  // false or null: no row
    }
    default:
      if (expr.args.size() == 2 && expr.op != Expr::Op::kNotDistinct && OpOf(expr.op, false) != Predicate::Op::kAlways)
        return Comparison(expr, schema);
      return Predicate::Always();
  }
}

}  // namespace slipway::scoring
