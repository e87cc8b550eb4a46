#pragma once

#include <memory>
#include <string>

#include "base/time.h"
#include "deployments/store.h"
#include "dispatch/dispatcher.h"
#include "iceberg/catalog.h"
#include "scoring/job.h"
#include "server/http.h"

namespace slipway::server {

/// What the API works on; all must outlive it.
struct ApiParts {
  deployments::Store& store;
  dispatch::Dispatcher& dispatcher;
  iceberg::Catalog& catalog;
  const Clock& clock;
  scoring::Places places;
  std::string platform_psk;
};

/// The HTTP API of DESIGN section 2, as far as it goes: see routes() in api.cc for the table.
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
