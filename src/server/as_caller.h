#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "auth/identity.h"
#include "base/oauth_token.h"
#include "scoring/catalogs.h"
#include "scoring/job.h"

namespace slipway::server {

/// Looks at source and target with the caller's own token, where a REST catalog knows the same issuer: then the
/// catalog's own rights hold, beside the rules. What the caller may not see there is refused before the server looks at
/// it with its own credentials. That a table can be loaded shows that it may be read; writing is the rules' to allow.
class AsCaller {
 public:
  /// kForward: the token as it came; kExchange: one for the catalog, by RFC 8693.
  enum class Mode { kNo, kForward, kExchange };
  struct Options {
    Mode mode = Mode::kNo;
    std::vector<iceberg::CatalogPlace> catalogs;  ///< REST ones, those that are asked as the caller
    OAuthClient exchange;
    std::string audience;  ///< of the token to exchange for; empty: none is asked for
  };
  /// `catalogs`: with the server's own credentials; they outlive this.
  AsCaller(Options options, const scoring::Catalogs& catalogs) : options_(std::move(options)), catalogs_(catalogs) {}

  /// `token`: the caller's, as it came; empty where they have none. kDenied: the catalog does not let them, or there is
  /// no token to ask with; kNotFound: no such source; kUnavailable: the catalog cannot be asked.
  Result<> Check(const auth::Identity& who, std::string_view token, const scoring::Work& work) const;

 private:
  const iceberg::CatalogPlace* Find(const std::string& name) const;
  Result<std::string> TokenFor(std::string_view token) const;
  Result<> CheckSource(const scoring::SourceTable& source, const std::string& bearer) const;
  Result<> CheckTarget(const scoring::TargetTable& target, const std::string& bearer) const;
  Options options_;
  const scoring::Catalogs& catalogs_;
};

}  // namespace slipway::server
