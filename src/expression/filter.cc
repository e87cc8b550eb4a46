#include "expression/filter.h"

#include <arrow/type.h>
#include <pg_query.h>

#include <algorithm>

#include "base/format.h"
#include "base/json.h"
#include "expression/bind.h"

namespace slipway::expression {
namespace {

constexpr std::string_view kPrefix = "SELECT WHERE ";
constexpr size_t kLargestFilter = 64 * 1024;
constexpr size_t kDeepestTree = 400;

struct ParseResult {
  PgQueryParseResult value;
  ~ParseResult() { pg_query_free_parse_result(value); }
};

void CollectColumns(const Expr& expr, std::vector<std::string>& columns) {
  if (expr.op == Expr::Op::kColumn && std::ranges::find(columns, expr.column) == columns.end())
    columns.push_back(expr.column);
  for (const auto& arg : expr.args) CollectColumns(arg, columns);
}

/// The condition of `SELECT WHERE …`, when the statement is nothing but that.
Result<const json::value*> FindCondition(const json::value& tree) {
  auto refuse = [](std::string_view what) -> Failure {
    return Fail(ErrorKind::kUnsupported, "only a condition is allowed, not {}", what);
  };
  ASSIGN(auto root, JsonObject::From(tree, "parse tree"));
  ASSIGN(auto statements, root.Array("stmts"));
  if (statements->size() != 1) return refuse("several statements");
  const auto* select = statements->front().at("stmt").get_object().if_contains("SelectStmt");
  if (select == nullptr) return refuse("another statement");
  for (const auto& member : select->get_object()) {
    if (member.key() == "whereClause" || member.key() == "limitOption" || member.key() == "op") continue;
    if (member.key() == "larg" || member.key() == "rarg" || member.key() == "all")
      return refuse("UNION, INTERSECT or EXCEPT");
    return refuse(member.key() == "sortClause"    ? "ORDER BY"
                  : member.key() == "groupClause" ? "GROUP BY"
                                                  : std::string_view(member.key()));
  }
  const auto* where = select->get_object().if_contains("whereClause");
  if (where == nullptr) return refuse("UNION, INTERSECT or EXCEPT");
  return where;
}

Error AtPosition(int position, std::string_view message) {
  return {ErrorKind::kInvalid, fmt::format("at character {}: {}", std::max(1, position), message)};
}

struct Statement {
  std::string text;  ///< kPrefix and the filter
  json::value tree;  ///< as libpg_query gives it
};

/// A filter that can be read, and is nothing but a condition.
Result<Statement> ParseStatement(std::string_view text) {
  if (text.size() > kLargestFilter)
    return Fail(ErrorKind::kInvalid, "the filter is longer than {} bytes", kLargestFilter);
  if (text.find('\0') != std::string_view::npos)
    return Failure(AtPosition(static_cast<int>(text.find('\0')) + 1, "a NUL byte"));
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return Failure(AtPosition(1, "the filter is empty"));
  Statement statement{std::string(kPrefix) + std::string(text), {}};
  ParseResult parsed{pg_query_parse(statement.text.c_str())};
  if (const auto* error = parsed.value.error)
    return Failure(AtPosition(error->cursorpos - static_cast<int>(kPrefix.size()), error->message));
  auto tree = ParseJson(parsed.value.parse_tree, kDeepestTree);
  if (!tree) return Fail(ErrorKind::kInvalid, "the filter is nested too deeply");
  statement.tree = std::move(*tree);
  TRY(FindCondition(statement.tree));
  return statement;
}

}  // namespace

Result<> Filter::CheckSyntax(std::string_view text) {
  TRY(ParseStatement(text));
  return {};
}

Result<Filter> Filter::Parse(std::string_view text, const arrow::Schema& schema, Timestamp logical_date) {
  ASSIGN(auto parsed, ParseStatement(text));
  const auto& statement = parsed.text;
  ASSIGN(const auto* condition, FindCondition(parsed.tree));
  Filter filter;
  ASSIGN(auto bound, Bind(*condition, Scope{&schema, logical_date, statement, static_cast<int>(kPrefix.size())}));
  auto type = bound.type;
  auto position = bound.position;
  if (type != SqlType::kBool && type != SqlType::kNull &&
      !(bound.op == Expr::Op::kConstant && type == SqlType::kString))
    return FailAt(position, fmt::format("the filter must be a condition (boolean), but is {}", ToString(type)));
  ASSIGN(filter.root_, Coerce(std::move(bound), SqlType::kBool));
  CollectColumns(filter.root_, filter.columns_);
  return filter;
}

}  // namespace slipway::expression
