#pragma once

#include <functional>
#include <memory>
#include <string>

#include "auth/authenticator.h"
#include "auth/service_accounts.h"
#include "base/time.h"
#include "deployments/dispatcher.h"
#include "deployments/lifecycle.h"
#include "deployments/store.h"
#include "http/message.h"
#include "server/as_caller.h"
#include "server/audit_log.h"
#include "server/metrics.h"
#include "server/openapi.h"
#include "server/rights.h"
#include "webhooks/outbox.h"

namespace date {
class time_zone;
}

namespace slipway::server {

using http::Request;
using http::Response;

/// Which requests are logged; kChanges: changes, and what failed.
enum class LogRequests { kNone, kChanges, kAll };

/// What the API works on; all must outlive it.
struct ApiParts {
  deployments::Store& store;
  const Rights& rights;
  const AsCaller& as_caller;
  auth::Authenticator& authenticator;
  auth::UserKeys& user_keys;
  auth::ServiceAccounts& service_accounts;
  AuditLog& audit;
  Metrics& metrics;
  deployments::Runners runners;
  webhooks::Outbox& outbox;
  deployments::Planner plan;
  const Clock& clock;
  const date::time_zone* zone = nullptr;  ///< of schedules
  std::function<Result<>()> ready;        ///< why the server cannot work now, if it cannot
  std::optional<Login> login;             ///< how people sign in, where they can
  LogRequests log_requests = LogRequests::kChanges;
};

/// The HTTP API of DESIGN section 2: the table of routes is in api.cc, what they do in *_api.cc.
class Api {
 public:
  explicit Api(ApiParts parts);
  ~Api();
  Response Answer(const Request& request);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::server
