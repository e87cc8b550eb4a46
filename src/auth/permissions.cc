#include "auth/permissions.h"

#include <algorithm>

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
  Cell user_key, token;
};

// The platform PSK may do everything but own keys; nobody may do what needs no credentials.
constexpr Row kTable[] = {
    {Permission::kCreate, Cell::kNo, Cell::kYes},     {Permission::kList, Cell::kYes, Cell::kYes},
    {Permission::kSee, Cell::kRole, Cell::kYes},      {Permission::kManage, Cell::kRole, Cell::kRoleOrCreator},
    {Permission::kOwnKeys, Cell::kNo, Cell::kYes},    {Permission::kCallback, Cell::kNo, Cell::kNo},
    {Permission::kPlatform, Cell::kNo, Cell::kAdmin},
};

bool Fits(Cell cell, const Identity& who, const Guarded* deployment) {
  bool token = who.kind == Identity::Kind::kToken;
  switch (cell) {
    case Cell::kNo: return false;
    case Cell::kYes: return true;
    case Cell::kRole: return HasRole(who, deployment);
    case Cell::kRoleOrCreator:
      return who.admin || HasRole(who, deployment) ||
             (token && deployment != nullptr && deployment->created_by == who.subject);
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
  for (const auto& row : kTable)
    if (row.permission == permission)
      return Fits(who.kind == Identity::Kind::kToken ? row.token : row.user_key, who, deployment) ? Verdict::kAllowed
                                                                                                  : Verdict::kForbidden;
  return Verdict::kForbidden;
}

}  // namespace slipway::auth
