#include "server/audit_log.h"

#include "base/format.h"
#include "database/sql.h"

namespace slipway::server {

std::span<const Migration> AuditLog::Migrations() {
  // Never edit one that was released: add another, with the next number of all folders (see serve.cc).
  static constexpr Migration kMigrations[] = {
      // clang-format off
      {15, R"(CREATE TABLE audit (
            sequence {identity}, at BIGINT NOT NULL, actor TEXT NOT NULL, actor_kind TEXT NOT NULL,
            action TEXT NOT NULL, model TEXT, deployment TEXT, status BIGINT NOT NULL, detail TEXT,
            remote TEXT NOT NULL, request_id TEXT NOT NULL))"},
      {16, "CREATE INDEX audit_of_deployment ON audit (model, deployment, sequence)"},
      // clang-format on
  };
  return kMigrations;
}

Result<> AuditLog::Append(const AuditEntry& e) {
  return database_.Write([&](sql::Session& session) { return Append(session, e); });
}

Result<> AuditLog::Append(sql::Session& session, const AuditEntry& e) {
  sql::Values v;
  v.Execute(
      session,
      fmt::format(
          "INSERT INTO audit (at, actor, actor_kind, action, model, deployment, status, detail, remote, request_id) "
          "VALUES ({}, {}, {}, {}, {}, {}, {}, {}, {}, {})",
          v(e.at), v(e.actor), v(e.actor_kind), v(e.action), v(e.model), v(e.deployment), v(e.status), v(e.detail),
          v(e.remote), v(e.request_id)));
  return {};
}

Result<deployments::Page<AuditEntry>> AuditLog::List(const std::optional<std::string>& model,
                                                     const std::optional<std::string>& deployment,
                                                     const std::optional<std::string>& actor, int limit,
                                                     std::optional<int64_t> cursor) {
  std::vector<std::pair<int64_t, AuditEntry>> found;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values v;
    auto where = fmt::format("sequence < {}", v(cursor.value_or(INT64_MAX)));
    if (model) where += fmt::format(" AND model = {}", v(*model));
    if (deployment) where += fmt::format(" AND deployment = {}", v(*deployment));
    if (actor) where += fmt::format(" AND actor = {}", v(*actor));
    auto read = [](const soci::row& row) {
      return std::pair{*sql::Number(row, 0),
                       AuditEntry{*sql::Time(row, 1), *sql::Text(row, 2), *sql::Text(row, 3), *sql::Text(row, 4),
                                  sql::Text(row, 5), sql::Text(row, 6), *sql::Number(row, 7), sql::Text(row, 8),
                                  *sql::Text(row, 9), *sql::Text(row, 10)}};
    };
    ASSIGN(
        found,
        (v.Select<std::pair<int64_t, AuditEntry>>(
            session,
            fmt::format(
                "SELECT sequence, at, actor, actor_kind, action, model, deployment, status, detail, remote, request_id "
                "FROM audit WHERE {} ORDER BY sequence DESC LIMIT {}",
                where, limit + 1),
            read)));
    return {};
  }));
  deployments::Page<AuditEntry> page;
  for (auto& [sequence, entry] : found) {
    if (page.items.size() == static_cast<size_t>(limit)) break;
    page.items.push_back(std::move(entry));
  }
  if (found.size() > page.items.size()) page.next = found[page.items.size() - 1].first;
  return page;
}

}  // namespace slipway::server
