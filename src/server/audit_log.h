#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/error.h"
#include "base/time.h"
#include "database/database.h"
#include "deployments/store.h"

namespace slipway::server {

/// Who did what to which deployment, when, from where, with what result.
struct AuditEntry {
  Timestamp at;
  std::string actor, actor_kind, action;
  std::optional<std::string> model, deployment;
  int64_t status = 0;  ///< of the answer
  std::optional<std::string> detail;
  std::string remote, request_id;
};

/// The audit log: entries are added and never changed. Thread-safe.
class AuditLog {
 public:
  explicit AuditLog(Database& database) : database_(database) {}
  /// Its table.
  static std::span<const Migration> Migrations();
  Result<> Append(const AuditEntry& entry);
  /// In the caller's transaction: the entry is there if, and only if, what it tells of has happened.
  static Result<> Append(sql::Session& session, const AuditEntry& entry);
  /// Newest first, before `cursor`.
  Result<deployments::Page<AuditEntry>> List(const std::optional<std::string>& model,
                                             const std::optional<std::string>& deployment,
                                             const std::optional<std::string>& actor, int limit,
                                             std::optional<int64_t> cursor);

 private:
  Database& database_;
};

}  // namespace slipway::server
