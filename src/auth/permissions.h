#pragma once

#include "auth/identity.h"

namespace slipway::auth {

/// What an endpoint asks of its caller.
enum class Permission {
  kAnyone,    ///< no credentials
  kCreate,    ///< make a deployment
  kList,      ///< see lists; a user key sees only what its roles allow
  kSee,       ///< read one deployment and its runs
  kManage,    ///< change, stop, trigger, cancel, invoke
  kOwnKeys,   ///< one's own user keys
  kCallback,  ///< report what a DAG run did
  kPlatform,  ///< the audit log and the dead letters
};

/// What of a deployment decides.
struct Guarded {
  std::string created_by;
  std::set<std::string> allowed_roles;
};

enum class Verdict { kAllowed, kForbidden, kUnauthenticated };

/// DESIGN section 2, "Who may do what". `deployment` is null where the permission is not about a deployment.
Verdict Decide(Permission permission, const Identity& who, const Guarded* deployment);

}  // namespace slipway::auth
