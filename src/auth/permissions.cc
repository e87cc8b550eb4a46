#include "auth/permissions.h"

#include <algorithm>
#include <string_view>

#include "base/format.h"

namespace slipway::auth {
namespace {

bool HasRole(const Identity& who, const Guarded* deployment) {
  return deployment != nullptr &&
         std::ranges::any_of(deployment->allowed_roles, [&](const auto& role) { return who.roles.contains(role); });
}

/// What one kind of caller needs beyond being one.
enum class Cell { kNo, kYes, kRole, kRoleOrCreator, kAdmin };

struct Row {
  Permission permission;
  Cell user_key, token, service_key;
  std::string_view scope;  ///< that a key of a service account needs
};

// The platform PSK may do everything but own keys; nobody may do what needs no credentials; a run token tells of its
// run. What changes who may use a deployment, or ends it, wants a person: a key that leaked must not lock others out.
constexpr Row kTable[] = {
    {Permission::kCreate, Cell::kNo, Cell::kYes, Cell::kYes, "deployments:write"},
    {Permission::kList, Cell::kYes, Cell::kYes, Cell::kYes, "deployments:read"},
    {Permission::kSee, Cell::kRole, Cell::kYes, Cell::kYes, "deployments:read"},
    {Permission::kManage, Cell::kRole, Cell::kRoleOrCreator, Cell::kRoleOrCreator, "deployments:write"},
    {Permission::kInvoke, Cell::kRole, Cell::kRoleOrCreator, Cell::kRoleOrCreator, "runs:trigger"},
    {Permission::kGovern, Cell::kNo, Cell::kRoleOrCreator, Cell::kNo, ""},
    {Permission::kOwnKeys, Cell::kNo, Cell::kYes, Cell::kNo, ""},
    {Permission::kCallback, Cell::kNo, Cell::kNo, Cell::kYes, "runs:report"},
    {Permission::kPlatform, Cell::kNo, Cell::kAdmin, Cell::kNo, ""},
    {Permission::kExplain, Cell::kYes, Cell::kYes, Cell::kYes, "deployments:read"},
};

const Row* RowOf(Permission permission) {
  const auto* found = std::ranges::find(kTable, permission, &Row::permission);
  return found == std::end(kTable) ? nullptr : found;
}

Cell CellOf(const Row& row, const Identity& who) {
  switch (who.kind) {
    case Identity::Kind::kUserKey: return row.user_key;
    case Identity::Kind::kToken: return row.token;
    case Identity::Kind::kServiceKey:
      return who.scope && who.scope->scopes.contains(std::string(row.scope)) ? row.service_key : Cell::kNo;
    default: return Cell::kNo;
  }
}

bool Fits(Cell cell, const Identity& who, const Guarded* deployment) {
  bool maker = who.kind == Identity::Kind::kToken || who.kind == Identity::Kind::kServiceKey;
  switch (cell) {
    case Cell::kNo: return false;
    case Cell::kYes: return true;
    case Cell::kRole: return HasRole(who, deployment);
    case Cell::kRoleOrCreator:
      return who.admin || HasRole(who, deployment) ||
             (maker && deployment != nullptr && deployment->created_by == who.named());
    case Cell::kAdmin: return who.admin;
  }
  return false;
}

}  // namespace

Verdict Decide(Permission permission, const Identity& who, const Guarded* deployment) {
  if (permission == Permission::kAnyone) return Verdict::kAllowed;
  if (who.kind == Identity::Kind::kNobody) return Verdict::kUnauthenticated;
  if (who.kind == Identity::Kind::kPlatform)
    return permission == Permission::kOwnKeys ? Verdict::kForbidden : Verdict::kAllowed;
  if (who.kind == Identity::Kind::kRunToken)
    return permission == Permission::kCallback && deployment != nullptr && who.run &&
                   deployment->deployment_id == who.run->deployment_id
               ? Verdict::kAllowed
               : Verdict::kForbidden;
  const auto* row = RowOf(permission);
  return row != nullptr && Fits(CellOf(*row, who), who, deployment) ? Verdict::kAllowed : Verdict::kForbidden;
}

std::string WhyForbidden(Permission permission, const Identity& who) {
  bool key = who.kind == Identity::Kind::kUserKey || who.kind == Identity::Kind::kServiceKey;
  const auto* row = RowOf(permission);
  if (key && permission == Permission::kGovern)
    return "a key never changes allowed_roles and never archives: sign in with a token, or use the platform PSK";
  if (who.kind == Identity::Kind::kRunToken)
    return "this run token can tell of one run of its own deployment, and nothing else";
  if (who.kind == Identity::Kind::kServiceKey && row != nullptr && row->service_key != Cell::kNo && who.scope &&
      !who.scope->scopes.contains(std::string(row->scope)))
    return fmt::format("this key of a service account has not the scope '{}'", row->scope);
  return fmt::format("this {} may not do that here", ToString(who.kind));
}

}  // namespace slipway::auth
