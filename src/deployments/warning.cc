#include "deployments/warning.h"

#include "base/format.h"
#include "deployments/rows.h"

namespace slipway::deployments {

Result<> Warn(sql::Session& session, Run& run) {
  if (run.status != RunStatus::kSucceeded || run.rows_scored != 0 || run.rows_left_out.value_or(0) > 0) return {};
  sql::Values v;
  auto where = fmt::format(
      "r.deployment_id = {} AND r.run_id <> {} AND r.status = 'succeeded' AND r.rows_scored > 0 ORDER BY r.sequence "
      "DESC LIMIT 1",
      v(run.deployment_id), v(run.run_id));
  ASSIGN(auto found, v.Select<Run>(session, SelectRuns(where), [](const soci::row& row) { return ReadRun(row); }));
  if (found.empty()) return {};
  run.warning = fmt::format(
      "no rows were scored, where the run of {} had {}: see whether the source has the rows that are meant, and "
      "whether "
      "filter_sql lets them through",
      FormatTimestamp(found.front().logical_date), found.front().rows_scored.value_or(0));
  return {};
}

}  // namespace slipway::deployments
