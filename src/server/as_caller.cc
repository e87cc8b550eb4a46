#include "server/as_caller.h"

#include <algorithm>

#include "base/format.h"
#include "base/names.h"

namespace slipway::server {
namespace {

constexpr double kTimeout = 10;

/// What the catalog says of a table to the holder of a token. Whatever is wrong with a table that it gives out is for
/// the plan to tell.
Result<> Load(const iceberg::CatalogPlace& place, const std::string& bearer, const std::string& schema,
              const std::string& table) {
  ASSIGN(auto catalog, iceberg::OpenRestCatalog(place, {.credential = "", .token = bearer, .password = ""}));
  auto loaded = catalog->Load({schema, table});
  if (loaded) return {};
  switch (loaded.error().kind) {
    case ErrorKind::kDenied:
      return Fail(ErrorKind::kDenied, "you may not load the table {}.{}.{}: {}", place.name, schema, table,
                  loaded.error().message);
    case ErrorKind::kCorrupt:
    case ErrorKind::kUnsupported: return {};
    default: return Failure(loaded.error());
  }
}

/// A name that is none is for the plan to tell, and makes no address.
bool IsPlace(const std::string& schema, const std::string& table) {
  return CheckName("schema", schema) && CheckName("table", table);
}

}  // namespace

const iceberg::CatalogPlace* AsCaller::Find(const std::string& name) const {
  auto found = std::ranges::find(options_.catalogs, name, &iceberg::CatalogPlace::name);
  return found == options_.catalogs.end() ? nullptr : &*found;
}

Result<std::string> AsCaller::TokenFor(std::string_view token) const {
  if (options_.mode == Mode::kForward) return std::string(token);
  auto request = TokenExchangeRequest(options_.exchange, token, options_.audience);
  request.timeout_seconds = kTimeout;
  auto where = "exchange your token at " + options_.exchange.token_url;
  ASSIGN(auto answer, Wrap(SendHttp(request), where));
  ASSIGN(auto exchanged, ReadToken(answer, where, 0));
  return exchanged.access;
}

Result<> AsCaller::CheckSource(const scoring::SourceTable& source, const std::string& bearer) const {
  const auto* place = Find(source.catalog);
  if (place == nullptr || !IsPlace(source.schema, source.table)) return {};
  return Load(*place, bearer, source.schema, source.table);
}

Result<> AsCaller::CheckTarget(const scoring::TargetTable& target, const std::string& bearer) const {
  const auto* place = Find(target.catalog);
  if (place == nullptr || !IsPlace(target.schema, target.table)) return {};
  auto loaded = Load(*place, bearer, target.schema, target.table);
  if (loaded || loaded.error().kind != ErrorKind::kNotFound) return loaded;
  // It is not there, or the catalog hides it from the caller: then it must not be written for them.
  ASSIGN(auto* catalog, catalogs_.Find(target.catalog));
  auto there = catalog->Load({target.schema, target.table});
  if (!there && there.error().kind == ErrorKind::kNotFound) return {};
  if (!there && there.error().kind == ErrorKind::kUnavailable) return Failure(there.error());
  return Fail(ErrorKind::kDenied, "the catalog does not let you see the table {}.{}.{}", target.catalog, target.schema,
              target.table);
}

Result<> AsCaller::Check(const auth::Identity& who, std::string_view token, const scoring::Work& work) const {
  if (options_.mode == Mode::kNo || who.kind == auth::Identity::Kind::kPlatform) return {};
  if (Find(work.source.catalog) == nullptr && Find(work.target.catalog) == nullptr) return {};
  if (token.empty())
    return Fail(ErrorKind::kDenied,
                "tables of this catalog are looked up with your own token: sign in, a key will not do");
  ASSIGN(auto bearer, TokenFor(token));
  TRY(CheckSource(work.source, bearer));
  return CheckTarget(work.target, bearer);
}

}  // namespace slipway::server
