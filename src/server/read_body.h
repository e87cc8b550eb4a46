#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "contract/description.h"
#include "http/message.h"

/// What requests carry, as their descriptions have it.
namespace slipway::server {

using http::Request;
using http::Response;

/// Whether the caller wants fields refused that nobody knows: "Prefer: handling=strict" (RFC 7240).
bool WantsStrict(const Request& request);

/// A body as FastAPI takes it and `description` has it, or the answer that refuses it.
std::expected<json::object, Response> ReadBody(const Request& request, const contract::ObjectDescription& description,
                                               contract::UnknownFields* unknown = nullptr);

/// The query as `description` has it; null: there is none.
std::expected<json::object, Response> ReadQuery(const Request& request, const contract::ObjectDescription* description,
                                                contract::UnknownFields* unknown = nullptr);

/// Which part of a list a query asks for.
struct Window {
  int limit;
  std::optional<int64_t> cursor;
};
Window ReadPage(const json::object& query);

/// A text of a query, where it is given.
std::optional<std::string> QueryText(const json::object& query, const char* name);

}  // namespace slipway::server
