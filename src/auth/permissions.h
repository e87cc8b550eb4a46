#pragma once

#include <string>

#include "auth/identity.h"

namespace slipway::auth {

/// What an endpoint asks of its caller.
enum class Permission {
  kAnyone,    ///< no credentials
  kCreate,    ///< make a deployment
  kList,      ///< see lists; a user key sees only what its roles allow
  kSee,       ///< read one deployment and its runs
  kManage,    ///< change, stop, start
  kInvoke,    ///< trigger, backfill, cancel, ask an online one
  kGovern,    ///< who may use it, and its end: never by a key
  kOwnKeys,   ///< one's own user keys
  kCallback,  ///< report what a DAG run did
  kPlatform,  ///< the audit log, the dead letters, the keys of others
  kExplain,   ///< ask what one may touch
};

/// What of a deployment decides.
struct Guarded {
  Subject created_by;
  std::set<std::string> allowed_roles;
  std::string deployment_id{};
};

enum class Verdict { kAllowed, kForbidden, kUnauthenticated };

/// DESIGN section 2, "Who may do what". `deployment` is null where the permission is not about a deployment.
Verdict Decide(Permission permission, const Identity& who, const Guarded* deployment);

/// Why kForbidden, for the caller.
std::string WhyForbidden(Permission permission, const Identity& who);

}  // namespace slipway::auth
