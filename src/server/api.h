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
#include "http/exchange.h"
#include "http/message.h"
#include "http/proxies.h"
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
  std::function<Result<>()> ready;        ///< why the server cannot work now, if it cannot; it waits for nothing
  std::optional<Login> login;             ///< how people sign in, where they can
  LogRequests log_requests = LogRequests::kChanges;
  int requests_per_minute = 0;         ///< of one person; 0: any
  size_t in_hand = 16, waiting = 100;  ///< requests with one credential: that have threads, and that wait
  http::TrustedProxies proxies{};
};

/// The HTTP API of DESIGN section 2: the table of routes is in api.cc, what they do in *_api.cc.
class Api {
 public:
  explicit Api(ApiParts parts);
  ~Api();
  /// What must never wait (probes, metrics) is answered at once; all else by a thread, and who may not ask before a
  /// body is read.
  http::Awaitable<Response> Answer(http::Exchange& exchange);

  struct State;  ///< api_state.h

 private:
  std::unique_ptr<State> state_;
};

}  // namespace slipway::server
