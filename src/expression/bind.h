#pragma once

#include <boost/json/value.hpp>

#include "base/error.h"
#include "base/time.h"
#include "expression/expr.h"

namespace slipway::expression {

/// What names in a filter mean, and where its text starts in the parsed statement.
struct Scope {
  const arrow::Schema* schema = nullptr;
  Timestamp logical_date;
  std::string_view statement;  ///< what the parser read
  int offset = 0;              ///< subtracted from the parser's positions
};

/// Binds a node of libpg_query's parse tree. Errors are as Filter::Parse tells.
Result<Expr> Bind(const boost::json::value& node, const Scope& scope);

/// `expr` with type `type`: constants of unknown type (quoted text) are read as it, integers become doubles, dates
/// timestamps. kInvalid when there is no such silent conversion.
Result<Expr> Coerce(Expr expr, SqlType type);

/// An error at an expression's position.
Failure FailAt(int position, std::string message, ErrorKind kind = ErrorKind::kInvalid);

/// `value` as a constant.
Expr Constant(SqlType type, std::shared_ptr<arrow::Scalar> value, int position);

/// Quoted text read as `type`.
Result<Expr> ReadText(const std::string& text, SqlType type, int position);

/// A call of `name`; kInvalid for an unknown function or wrong arguments, kUnsupported for aggregates.
Result<Expr> BindFunction(const std::string& name, std::vector<Expr> args, int position, const Scope& scope);

/// A binary operator with SQL's types.
Result<Expr> BindOperator(const std::string& name, Expr left, Expr right, int position);

}  // namespace slipway::expression
