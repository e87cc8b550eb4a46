#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "expression/expr.h"

namespace slipway::expression {

/// A `filter_sql` bound to the columns of a table: an SQL boolean expression in PostgreSQL's grammar (libpg_query),
/// with SQL's three-valued logic, in the time zone UTC. `logical_date` is a column; now() and current_date mean it.
class Filter {
 public:
  /// kInvalid with the position (from 1) for what does not parse, names an unknown column or function, mixes types or
  /// is not boolean; kUnsupported by name for subqueries, aggregates and windows. Text of at most 64 KiB.
  static Result<Filter> Parse(std::string_view text, const arrow::Schema& schema, Timestamp logical_date);

  /// Of these errors, those that can be told without a table: text that does not parse, or is no condition at all.
  static Result<> CheckSyntax(std::string_view text);

  /// The columns that rows must have, each once.
  const std::vector<std::string>& columns() const { return columns_; }

  const Expr& root() const { return root_; }

  /// The rows of `batch` for which the filter is true, in their order. kInvalid: arithmetic that fails on a row.
  Result<std::shared_ptr<arrow::RecordBatch>> Apply(const std::shared_ptr<arrow::RecordBatch>& batch) const;

  /// True, false or null for each row: `[rows]`.
  Result<std::shared_ptr<arrow::BooleanArray>> Evaluate(const arrow::RecordBatch& batch) const;

 private:
  Expr root_;
  std::vector<std::string> columns_;
};

}  // namespace slipway::expression
