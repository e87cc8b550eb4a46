#pragma once

#include <optional>
#include <string>

#include "auth/permissions.h"
#include "base/json.h"
#include "contract/description.h"
#include "deployments/lifecycle.h"
#include "http/message.h"

namespace slipway::server {

struct Route;

/// A request on its way: who asks, and the deployment that its path names, if any.
struct Call {
  http::Request request;
  double started = 0;  ///< MonotonicSeconds
  const Route* route = nullptr;
  auth::Identity who;
  std::optional<deployments::DeploymentWithRun> found;
  const deployments::Deployment& deployment() const { return found->deployment; }
  json::object query;                ///< as the route describes it
  std::optional<std::string> about;  ///< the deployment's name, for the audit log
  std::string action;                ///< method and route
  bool audited = false;              ///< the entry was written with the change, and stands if that was made
  std::optional<std::string> note;   ///< what the route does not tell of what was done, for the audit log
  contract::UnknownFields ignored;   ///< of the query and the body
  deployments::Lifecycle::Person person() const { return {who.subject, who.username, who.named().kind}; }
};

}  // namespace slipway::server
