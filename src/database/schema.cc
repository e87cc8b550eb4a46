#include "database/schema.h"

#include <algorithm>

#include "base/format.h"
#include "database/sql.h"

namespace slipway {

Result<> Migrate(sql::Session& session, const Dialect& dialect, std::vector<Migration> steps) {
  std::ranges::sort(steps, {}, &Migration::number);
  auto twice = std::ranges::adjacent_find(steps, {}, &Migration::number);
  if (twice != steps.end()) return Fail(ErrorKind::kInternal, "two migrations have the number {}", twice->number);
  std::string none;
  if (dialect.postgresql)
    session << "SELECT CAST(pg_advisory_xact_lock(7017491) AS TEXT)", soci::into(none);  // one migrates at a time
  session << "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)";
  long long version = 0, newest = steps.empty() ? 0 : steps.back().number;
  session << "SELECT COALESCE(MAX(version), 0) FROM schema_version", soci::into(version);
  if (version > newest)
    return Fail(ErrorKind::kUnsupported, "the database has schema version {}, this Slipway knows {}: start a newer one",
                version, newest);
  if (version == newest) return {};
  for (const auto& step : steps) {
    if (step.number <= version) continue;
    std::string statement = step.statement;
    if (auto at = statement.find("{identity}"); at != std::string::npos) statement.replace(at, 10, dialect.identity);
    session << statement;
  }
  session << "DELETE FROM schema_version";
  session << "INSERT INTO schema_version (version) VALUES (" << newest << ")";
  return {};
}

}  // namespace slipway
