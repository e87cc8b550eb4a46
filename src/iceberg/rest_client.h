#pragma once

#include <boost/json/value.hpp>
#include <mutex>
#include <string>

#include "base/oauth_token.h"
#include "iceberg/catalog.h"

namespace slipway::iceberg {

/// Requests to an Iceberg REST catalog: its configuration, sign-in, and its errors in our kinds. Thread-safe.
class RestClient {
 public:
  RestClient(CatalogPlace place, CatalogCredentials credentials)
      : place_(std::move(place)), credentials_(std::move(credentials)) {}

  /// What a change may have done when its answer does not come.
  enum class Kind { kRead, kChange };

  /// `path` below /v1/{prefix}, e.g. "/namespaces/ml/tables/t". kNotFound, kConflict (409), kDenied (401, 403),
  /// kInvalid (other 4xx), kUnavailable (429, 5xx, no answer); for a change kPerhapsCommitted instead of the latter. A
  /// token that has run out (401, 419) is renewed once.
  Result<boost::json::value> Send(const std::string& method, const std::string& path, const boost::json::value& body,
                                  Kind kind);

  const CatalogPlace& place() const { return place_; }

 private:
  Result<OAuthToken> SignIn() const;
  Result<std::string> Token();
  Result<> Configure();
  std::string Root() const;

  CatalogPlace place_;
  CatalogCredentials credentials_;
  std::mutex mutex_;
  bool configured_ = false;
  std::string prefix_;
  KeptToken token_{[this] { return SignIn(); }};
};

}  // namespace slipway::iceberg
