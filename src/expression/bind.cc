#include "expression/bind.h"

#include <arrow/scalar.h>
#include <arrow/type.h>

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/format.h"
#include "base/json.h"
#include "expression/interval.h"
#include "expression/whole_name.h"

namespace slipway::expression {
namespace {

using Op = Expr::Op;

constexpr std::pair<std::string_view, std::string_view> kRefused[] = {{"SubLink", "subqueries"},
                                                                      {"WindowFunc", "window functions"},
                                                                      {"ParamRef", "parameters ($1)"},
                                                                      {"A_ArrayExpr", "arrays"},
                                                                      {"A_Indirection", "field or array access"},
                                                                      {"RowExpr", "rows"},
                                                                      {"CollateClause", "COLLATE"},
                                                                      {"GroupingFunc", "GROUPING"},
                                                                      {"XmlExpr", "XML"}};

int PositionOf(const json::object& node, const Scope& scope) {
  const auto* location = node.if_contains("location");
  return location == nullptr || !location->is_int64() ? 0 : static_cast<int>(location->get_int64()) - scope.offset;
}

/// The parts of a qualified name, as a list of String nodes.
std::vector<std::string> Names(const json::object& node, std::string_view key) {
  std::vector<std::string> names;
  const auto* list = node.if_contains(key);
  if (list == nullptr || !list->is_array()) return names;
  for (const auto& item : list->get_array()) {
    const auto* text = item.is_object() ? item.get_object().if_contains("String") : nullptr;
    const auto* value = text == nullptr ? nullptr : text->get_object().if_contains("sval");
    names.emplace_back(value == nullptr ? "" : std::string_view(value->get_string()));
  }
  return names;
}

std::string LastName(const json::object& node, std::string_view key) {
  auto names = Names(node, key);
  return names.empty() ? "" : names.back();
}

Result<Expr> BindChild(const json::object& node, std::string_view key, const Scope& scope) {
  const auto* child = node.if_contains(key);
  if (child == nullptr) return FailAt(PositionOf(node, scope), "an operand is missing");
  return Bind(*child, scope);
}

Result<std::vector<Expr>> BindList(const json::object& node, std::string_view key, const Scope& scope) {
  std::vector<Expr> args;
  const auto* list = node.if_contains(key);
  if (list == nullptr) return args;
  const auto& items = list->is_object() ? list->get_object().at("List").at("items").as_array() : list->as_array();
  for (const auto& item : items) {
    ASSIGN(auto arg, Bind(item, scope));
    args.push_back(std::move(arg));
  }
  return args;
}

Result<SqlType> TypeOfColumn(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::BOOL: return SqlType::kBool;
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32:
    case arrow::Type::INT64: return SqlType::kInt;
    case arrow::Type::FLOAT:
    case arrow::Type::DOUBLE: return SqlType::kDouble;
    case arrow::Type::STRING: return SqlType::kString;
    case arrow::Type::DATE32: return SqlType::kDate;
    case arrow::Type::TIMESTAMP: return SqlType::kTimestamp;
    default: return Fail(ErrorKind::kUnsupported, "columns of type {} cannot be used in a filter", type.ToString());
  }
}

Expr TimestampConstant(Timestamp t, int position) {
  return Constant(
      SqlType::kTimestamp,
      std::make_shared<arrow::TimestampScalar>(t.time_since_epoch().count(), arrow::timestamp(arrow::TimeUnit::MICRO)),
      position);
}

Result<Expr> BindColumn(const json::object& node, const Scope& scope) {
  auto names = Names(node, "fields");
  auto position = PositionOf(node, scope);
  if (names.size() != 1) return FailAt(position, "a column is named without its table, as in: amount > 0");
  const auto name = WholeName(names.front(), scope.statement, position + scope.offset);
  auto field = scope.schema->GetFieldByName(name);
  if (field == nullptr && name == "logical_date") return TimestampConstant(scope.logical_date, position);
  if (field == nullptr) return FailAt(position, fmt::format("no column '{}'", name));
  auto type = TypeOfColumn(*field->type());
  if (!type)
    return FailAt(position, fmt::format("column '{}': {}", name, type.error().message), ErrorKind::kUnsupported);
  return Expr{Op::kColumn, *type, {}, name, nullptr, {}, position};
}

/// libpg_query's JSON leaves out integers that are not above 0, so -3 looks like 0: the statement itself tells which.
Result<Expr> IntegerInText(const Scope& scope, int position) {
  auto at = static_cast<size_t>(std::max(0, position + scope.offset));
  auto text = scope.statement.substr(std::min(at, scope.statement.size()));
  bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  int64_t value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{})
    return FailAt(position, "write the number directly behind its sign");
  return Constant(SqlType::kInt, arrow::MakeScalar(negative ? -value : value), position);
}

Result<Expr> BindConstant(const json::object& node, const Scope& scope) {
  auto position = PositionOf(node, scope);
  if (node.contains("isnull")) return Constant(SqlType::kNull, nullptr, position);
  if (const auto* v = node.if_contains("ival")) {
    const auto* number = v->get_object().if_contains("ival");
    if (number != nullptr) return Constant(SqlType::kInt, arrow::MakeScalar(number->get_int64()), position);
    return IntegerInText(scope, position);
  }
  if (const auto* v = node.if_contains("boolval")) {
    const auto* flag = v->get_object().if_contains("boolval");
    return Constant(SqlType::kBool, arrow::MakeScalar(flag != nullptr && flag->get_bool()), position);
  }
  if (const auto* v = node.if_contains("fval")) {  // integers above 32 bits come as text too
    std::string text(v->get_object().at("fval").as_string());
    int64_t whole = 0;
    auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), whole);
    if (code == std::errc{} && end == text.data() + text.size())
      return Constant(SqlType::kInt, arrow::MakeScalar(whole), position);
    return Constant(SqlType::kDouble, arrow::MakeScalar(std::strtod(text.c_str(), nullptr)), position);
  }
  if (const auto* v = node.if_contains("sval")) {
    const auto* text = v->get_object().if_contains("sval");
    return Constant(SqlType::kString,
                    arrow::MakeScalar(text == nullptr ? std::string() : std::string(text->get_string())), position);
  }
  return FailAt(position, "bit strings are not supported", ErrorKind::kUnsupported);
}

Result<Expr> BindLike(const json::object& node, Op op, const std::string& name, const Scope& scope) {
  ASSIGN(auto left, BindChild(node, "lexpr", scope));
  ASSIGN(auto right, BindChild(node, "rexpr", scope));
  auto position = PositionOf(node, scope);
  ASSIGN(left, Coerce(std::move(left), SqlType::kString));
  if (right.op != Op::kConstant || right.type != SqlType::kString)
    return FailAt(right.position, "the pattern of LIKE must be quoted text");
  Expr like{op,      SqlType::kBool, {std::move(left)},
            {},      nullptr,        std::static_pointer_cast<arrow::StringScalar>(right.constant)->ToString(),
            position};
  if (!name.starts_with('!')) return like;
  return Expr{Op::kNot, SqlType::kBool, {std::move(like)}, {}, nullptr, {}, position};
}

/// The type that both can silently become, or kNull.
SqlType CommonType(const Expr& a, const Expr& b) {
  auto unknown = [](const Expr& e) {
    return e.type == SqlType::kNull || (e.op == Op::kConstant && e.type == SqlType::kString);
  };
  if (a.type == b.type) return a.type;
  if (unknown(a)) return b.type == SqlType::kNull ? a.type : b.type;
  if (unknown(b)) return a.type;
  auto either = [&](SqlType x, SqlType y) { return (a.type == x && b.type == y) || (a.type == y && b.type == x); };
  if (either(SqlType::kInt, SqlType::kDouble)) return SqlType::kDouble;
  if (either(SqlType::kDate, SqlType::kTimestamp)) return SqlType::kTimestamp;
  return SqlType::kNull;
}

/// Gives all expressions their common type.
Result<SqlType> Unify(std::vector<Expr*> exprs, int position) {
  auto type = exprs.front()->type;
  for (auto* expr : exprs) {
    Expr so_far{.op = exprs.front()->op, .type = type};
    if (expr != exprs.front())
      so_far.op = type == SqlType::kString && exprs.front()->op == Op::kConstant ? Op::kConstant : Op::kColumn;
    auto common = CommonType(so_far, *expr);
    if (common == SqlType::kNull && (type != SqlType::kNull || expr->type != SqlType::kNull))
      return FailAt(position, fmt::format("{} and {} do not go together", ToString(type), ToString(expr->type)));
    type = common;
  }
  for (auto* expr : exprs) {
    ASSIGN(*expr, Coerce(std::move(*expr), type));
  }
  return type;
}

Result<Expr> BindIn(const json::object& node, bool negated, const Scope& scope) {
  auto position = PositionOf(node, scope);
  ASSIGN(auto left, BindChild(node, "lexpr", scope));
  ASSIGN(auto list, BindList(node, "rexpr", scope));
  Expr in{Op::kIn, SqlType::kBool, {}, {}, nullptr, {}, position};
  in.args.push_back(std::move(left));
  for (auto& item : list) in.args.push_back(std::move(item));
  std::vector<Expr*> all;
  for (auto& arg : in.args) all.push_back(&arg);
  TRY(Unify(all, position));
  if (!negated) return in;
  return Expr{Op::kNot, SqlType::kBool, {std::move(in)}, {}, nullptr, {}, position};
}

Result<Expr> BindBetween(const json::object& node, bool negated, const Scope& scope) {
  auto position = PositionOf(node, scope);
  ASSIGN(auto value, BindChild(node, "lexpr", scope));
  ASSIGN(auto bounds, BindList(node, "rexpr", scope));
  if (bounds.size() != 2) return FailAt(position, "BETWEEN needs two bounds");
  ASSIGN(auto low, BindOperator(">=", value, std::move(bounds[0]), position));
  ASSIGN(auto high, BindOperator("<=", std::move(value), std::move(bounds[1]), position));
  Expr both{Op::kAnd, SqlType::kBool, {std::move(low), std::move(high)}, {}, nullptr, {}, position};
  if (!negated) return both;
  return Expr{Op::kNot, SqlType::kBool, {std::move(both)}, {}, nullptr, {}, position};
}

Result<Expr> BindOperation(const json::object& node, const Scope& scope) {
  auto position = PositionOf(node, scope);
  std::string_view kind = node.at("kind").as_string();
  auto name = LastName(node, "name");
  if (kind == "AEXPR_LIKE") return BindLike(node, Op::kLike, name, scope);
  if (kind == "AEXPR_ILIKE") return BindLike(node, Op::kILike, name, scope);
  if (kind == "AEXPR_IN") return BindIn(node, name == "<>", scope);
  if (kind == "AEXPR_BETWEEN") return BindBetween(node, false, scope);
  if (kind == "AEXPR_NOT_BETWEEN") return BindBetween(node, true, scope);
  if (kind != "AEXPR_OP" && kind != "AEXPR_DISTINCT" && kind != "AEXPR_NOT_DISTINCT" && kind != "AEXPR_NULLIF")
    return FailAt(position, fmt::format("{} is not supported", kind.substr(6)), ErrorKind::kUnsupported);
  ASSIGN(auto right, BindChild(node, "rexpr", scope));
  if (!node.contains("lexpr")) {
    if (name == "+") return right;
    if (name != "-") return FailAt(position, fmt::format("no operator '{}' with one operand", name));
    if (right.type == SqlType::kNull) return right;
    if (right.type != SqlType::kInt && right.type != SqlType::kDouble)
      return FailAt(position, fmt::format("- of {}", ToString(right.type)));
    auto type = right.type;
    return Expr{Op::kNegate, type, {std::move(right)}, {}, nullptr, {}, position};
  }
  ASSIGN(auto left, BindChild(node, "lexpr", scope));
  if (kind == "AEXPR_DISTINCT") return BindOperator("IS DISTINCT FROM", std::move(left), std::move(right), position);
  if (kind == "AEXPR_NOT_DISTINCT")
    return BindOperator("IS NOT DISTINCT FROM", std::move(left), std::move(right), position);
  if (kind == "AEXPR_NULLIF") return BindOperator("NULLIF", std::move(left), std::move(right), position);
  return BindOperator(name, std::move(left), std::move(right), position);
}

Result<Expr> BindBoolean(const json::object& node, const Scope& scope) {
  std::string_view kind = node.at("boolop").as_string();
  Expr expr{kind == "AND_EXPR"  ? Op::kAnd
            : kind == "OR_EXPR" ? Op::kOr
                                : Op::kNot,
            SqlType::kBool,
            {},
            {},
            nullptr,
            {},
            PositionOf(node, scope)};
  ASSIGN(auto args, BindList(node, "args", scope));
  for (auto& arg : args) {
    ASSIGN(auto condition, Coerce(std::move(arg), SqlType::kBool));
    expr.args.push_back(std::move(condition));
  }
  return expr;
}

Result<Expr> BindBooleanTest(const json::object& node, const Scope& scope) {
  std::string_view kind = node.at("booltesttype").as_string();
  auto position = PositionOf(node, scope);
  ASSIGN(auto arg, BindChild(node, "arg", scope));
  ASSIGN(arg, Coerce(std::move(arg), SqlType::kBool));
  auto op = kind.ends_with("_TRUE") ? Op::kIsTrue : kind.ends_with("_FALSE") ? Op::kIsFalse : Op::kIsNull;
  Expr test{op, SqlType::kBool, {std::move(arg)}, {}, nullptr, {}, position};
  if (kind.find("_NOT_") == std::string_view::npos) return test;
  return Expr{Op::kNot, SqlType::kBool, {std::move(test)}, {}, nullptr, {}, position};
}

Result<Expr> BindCast(const json::object& node, const Scope& scope) {
  static constexpr std::pair<std::string_view, SqlType> kTypes[] = {{"bool", SqlType::kBool},
                                                                    {"int2", SqlType::kInt},
                                                                    {"int4", SqlType::kInt},
                                                                    {"int8", SqlType::kInt},
                                                                    {"bigint", SqlType::kInt},
                                                                    {"float4", SqlType::kDouble},
                                                                    {"float8", SqlType::kDouble},
                                                                    {"double", SqlType::kDouble},
                                                                    {"text", SqlType::kString},
                                                                    {"varchar", SqlType::kString},
                                                                    {"string", SqlType::kString},
                                                                    {"date", SqlType::kDate},
                                                                    {"timestamp", SqlType::kTimestamp},
                                                                    {"timestamptz", SqlType::kTimestamp},
                                                                    {"interval", SqlType::kInterval}};
  auto position = PositionOf(node, scope);
  ASSIGN(auto arg, BindChild(node, "arg", scope));
  const auto& type_name = node.at("typeName").as_object();
  auto name = LastName(type_name, "names");
  if (type_name.contains("arrayBounds"))
    return FailAt(position, "array types are not supported", ErrorKind::kUnsupported);
  for (const auto& [text, type] : kTypes) {
    if (text != name) continue;
    if (arg.op == Op::kConstant && arg.type == SqlType::kString)
      return ReadText(arg.constant->ToString(), type, arg.position);
    if (arg.type == type) return arg;
    if (arg.type == SqlType::kNull) return Coerce(std::move(arg), type);
    bool numbers = (arg.type == SqlType::kInt || arg.type == SqlType::kDouble) &&
                   (type == SqlType::kInt || type == SqlType::kDouble);
    bool days = (arg.type == SqlType::kDate && type == SqlType::kTimestamp) ||
                (arg.type == SqlType::kTimestamp && type == SqlType::kDate);
    bool flags =
        (arg.type == SqlType::kBool && type == SqlType::kInt) || (arg.type == SqlType::kInt && type == SqlType::kBool);
    bool words = type == SqlType::kString &&
                 (arg.type == SqlType::kInt || arg.type == SqlType::kDate || arg.type == SqlType::kBool);
    bool reads =
        arg.type == SqlType::kString && (type == SqlType::kInt || type == SqlType::kDouble || type == SqlType::kDate);
    if (!numbers && !days && !flags && !words && !reads)
      return FailAt(position, fmt::format("no cast from {} to {}", ToString(arg.type), ToString(type)));
    return Expr{Op::kCast, type, {std::move(arg)}, {}, nullptr, {}, position};
  }
  return FailAt(position, fmt::format("no type '{}'", name));
}

Result<Expr> BindCase(const json::object& node, const Scope& scope) {
  Expr expr{Op::kCase, SqlType::kNull, {}, {}, nullptr, {}, PositionOf(node, scope)};
  for (const auto& item : node.at("args").as_array()) {
    const auto& when = item.at("CaseWhen").as_object();
    ASSIGN(auto condition, BindChild(when, "expr", scope));
    if (node.contains("arg")) {  // CASE x WHEN v: a comparison each
      ASSIGN(auto subject, BindChild(node, "arg", scope));
      ASSIGN(condition, BindOperator("=", std::move(subject), std::move(condition), expr.position));
    }
    ASSIGN(condition, Coerce(std::move(condition), SqlType::kBool));
    ASSIGN(auto result, BindChild(when, "result", scope));
    expr.args.push_back(std::move(condition));
    expr.args.push_back(std::move(result));
  }
  if (node.contains("defresult")) {
    ASSIGN(auto otherwise, BindChild(node, "defresult", scope));
    expr.args.push_back(std::move(otherwise));
  } else {
    expr.args.push_back(Constant(SqlType::kNull, nullptr, expr.position));
  }
  std::vector<Expr*> results;
  for (size_t i = 1; i < expr.args.size(); i += 2) results.push_back(&expr.args[i]);
  results.push_back(&expr.args.back());
  ASSIGN(expr.type, Unify(results, expr.position));
  return expr;
}

Result<Expr> BindCoalesce(const json::object& node, const Scope& scope) {
  Expr expr{Op::kCoalesce, SqlType::kNull, {}, {}, nullptr, {}, PositionOf(node, scope)};
  ASSIGN(expr.args, BindList(node, "args", scope));
  std::vector<Expr*> all;
  for (auto& arg : expr.args) all.push_back(&arg);
  ASSIGN(expr.type, Unify(all, expr.position));
  return expr;
}

Result<Expr> BindNow(const json::object& node, const Scope& scope) {
  std::string_view op = node.at("op").as_string();
  auto position = PositionOf(node, scope);
  auto now = TimestampConstant(scope.logical_date, position);
  if (op == "SVFOP_CURRENT_DATE") return Expr{Op::kCast, SqlType::kDate, {std::move(now)}, {}, nullptr, {}, position};
  if (op.starts_with("SVFOP_CURRENT_TIMESTAMP") || op.starts_with("SVFOP_LOCALTIMESTAMP")) return now;
  return FailAt(position, fmt::format("{} is not supported", op.substr(6)), ErrorKind::kUnsupported);
}

Result<Expr> BindCall(const json::object& node, const Scope& scope) {
  auto position = PositionOf(node, scope);
  auto name = LastName(node, "funcname");
  for (auto key : {"over", "agg_order", "agg_filter", "agg_star", "agg_distinct", "agg_within_group"}) {
    if (node.contains(key))
      return FailAt(position, fmt::format("{}: aggregates and window functions are not supported", name),
                    ErrorKind::kUnsupported);
  }
  ASSIGN(auto args, BindList(node, "args", scope));
  return BindFunction(name, std::move(args), position, scope);
}

}  // namespace

Failure FailAt(int position, std::string message, ErrorKind kind) {
  return Fail(kind, "at character {}: {}", std::max(0, position) + 1, message);
}

Expr Constant(SqlType type, std::shared_ptr<arrow::Scalar> value, int position) {
  return {Op::kConstant, type, {}, {}, std::move(value), {}, position};
}

std::string_view ToString(SqlType type) {
  constexpr std::string_view kNames[] = {"null", "boolean", "integer",   "double",
                                         "text", "date",    "timestamp", "interval"};
  return kNames[static_cast<size_t>(type)];
}

Result<Expr> Bind(const json::value& value, const Scope& scope) {
  if (!value.is_object() || value.get_object().size() != 1) return FailAt(0, "not an expression");
  const auto& [key, body] = *value.get_object().begin();
  if (!body.is_object()) return FailAt(0, "not an expression");
  const auto& node = body.get_object();
  std::string_view kind = key;
  if (kind == "ColumnRef") return BindColumn(node, scope);
  if (kind == "A_Const") return BindConstant(node, scope);
  if (kind == "A_Expr") return BindOperation(node, scope);
  if (kind == "BoolExpr") return BindBoolean(node, scope);
  if (kind == "NullTest") {
    ASSIGN(auto arg, BindChild(node, "arg", scope));
    auto op = node.at("nulltesttype").as_string() == "IS_NULL" ? Op::kIsNull : Op::kIsNotNull;
    return Expr{op, SqlType::kBool, {std::move(arg)}, {}, nullptr, {}, PositionOf(node, scope)};
  }
  if (kind == "BooleanTest") return BindBooleanTest(node, scope);
  if (kind == "TypeCast") return BindCast(node, scope);
  if (kind == "CaseExpr") return BindCase(node, scope);
  if (kind == "CoalesceExpr") return BindCoalesce(node, scope);
  if (kind == "FuncCall") return BindCall(node, scope);
  if (kind == "SQLValueFunction") return BindNow(node, scope);
  auto position = PositionOf(node, scope);
  for (const auto& [name, words] : kRefused)
    if (name == kind) return FailAt(position, fmt::format("{} are not supported", words), ErrorKind::kUnsupported);
  return FailAt(position, fmt::format("{} is not supported", kind), ErrorKind::kUnsupported);
}

Result<Expr> Coerce(Expr expr, SqlType type) {
  if (expr.type == type) return expr;
  if (expr.op == Op::kConstant && expr.type == SqlType::kString)
    return ReadText(expr.constant->ToString(), type, expr.position);
  auto position = expr.position;
  if (expr.op == Op::kConstant && expr.type == SqlType::kNull) return Constant(type, nullptr, position);
  bool widens = (expr.type == SqlType::kInt && type == SqlType::kDouble) ||
                (expr.type == SqlType::kDate && type == SqlType::kTimestamp) || expr.type == SqlType::kNull;
  if (!widens) return FailAt(position, fmt::format("{} where {} is needed", ToString(expr.type), ToString(type)));
  return Expr{Op::kCast, type, {std::move(expr)}, {}, nullptr, {}, position};
}

Result<Expr> BindOperator(const std::string& name, Expr left, Expr right, int position) {
  static constexpr std::pair<std::string_view, Op> kComparisons[] = {{"=", Op::kEqual},
                                                                     {"<>", Op::kNotEqual},
                                                                     {"<", Op::kLess},
                                                                     {"<=", Op::kLessEqual},
                                                                     {">", Op::kGreater},
                                                                     {">=", Op::kGreaterEqual},
                                                                     {"IS DISTINCT FROM", Op::kDistinct},
                                                                     {"IS NOT DISTINCT FROM", Op::kNotDistinct},
                                                                     {"NULLIF", Op::kNullIf}};
  static constexpr std::pair<std::string_view, Op> kArithmetic[] = {
      {"+", Op::kAdd}, {"-", Op::kSubtract}, {"*", Op::kMultiply}, {"/", Op::kDivide}, {"%", Op::kModulo}};
  for (const auto& [text, op] : kComparisons) {
    if (text != name) continue;
    ASSIGN(auto type, Unify({&left, &right}, position));
    if (type == SqlType::kInterval) return FailAt(position, "intervals cannot be compared", ErrorKind::kUnsupported);
    return Expr{
        op, op == Op::kNullIf ? type : SqlType::kBool, {std::move(left), std::move(right)}, {}, nullptr, {}, position};
  }
  if (name == "||") {
    ASSIGN(left, Coerce(std::move(left), SqlType::kString));
    ASSIGN(right, Coerce(std::move(right), SqlType::kString));
    return Expr{Op::kConcat, SqlType::kString, {std::move(left), std::move(right)}, {}, nullptr, {}, position};
  }
  auto made = [&](Op op, SqlType type) {
    return Expr{op, type, {std::move(left), std::move(right)}, {}, nullptr, {}, position};
  };
  auto is_day = [](const Expr& e) { return e.type == SqlType::kDate || e.type == SqlType::kTimestamp; };
  if (name == "+" && left.type == SqlType::kInterval) std::swap(left, right);
  if ((name == "+" || name == "-") && is_day(left) && right.type == SqlType::kInterval) {
    ASSIGN(left, Coerce(std::move(left), SqlType::kTimestamp));
    return made(name == "+" ? Op::kDateAdd : Op::kDateSubtract, SqlType::kTimestamp);
  }
  if (left.type == SqlType::kDate && right.type == SqlType::kInt && (name == "+" || name == "-")) {
    if (name == "-") right = Expr{Op::kNegate, SqlType::kInt, {std::move(right)}, {}, nullptr, {}, position};
    return made(Op::kDaysAdd, SqlType::kDate);
  }
  if (left.type == SqlType::kDate && right.type == SqlType::kDate && name == "-")
    return made(Op::kDaysBetween, SqlType::kInt);
  for (const auto& [text, op] : kArithmetic) {
    if (text != name) continue;
    ASSIGN(auto type, Unify({&left, &right}, position));
    if (type != SqlType::kInt && type != SqlType::kDouble && type != SqlType::kNull)
      return FailAt(position, fmt::format("no operator {} for {}", name, ToString(type)));
    if (op == Op::kModulo && type == SqlType::kDouble) return FailAt(position, "% needs integers");
    return made(op, type);
  }
  return FailAt(position, fmt::format("the operator {} is not supported", name), ErrorKind::kUnsupported);
}

}  // namespace slipway::expression
