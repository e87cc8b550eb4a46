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

/// A body as FastAPI takes it and `description` has it, or the answer that refuses it.
std::expected<json::object, Response> ReadBody(const Request& request, const contract::ObjectDescription& description,
                                               std::vector<std::string>* ignored = nullptr);

/// Which part of a list a query asks for.
struct Window {
  int limit;
  std::optional<int64_t> cursor;
};
Window ReadPage(const json::object& query);

/// A text of a query, where it is given.
std::optional<std::string> QueryText(const json::object& query, const char* name);

}  // namespace slipway::server
