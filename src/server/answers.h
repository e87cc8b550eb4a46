#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "contract/description.h"
#include "deployments/lifecycle.h"
#include "deployments/store.h"
#include "http/message.h"

namespace slipway::server {

using http::Response;

Response JsonAnswer(int status, const boost::json::value& body);

/// `{"detail": "…"}` with the status that the error's kind means.
Response ErrorAnswer(const Error& error);
Response ErrorAnswer(int status, std::string_view detail);

/// A 422 with FastAPI's `{"detail": [...]}`.
Response ValidationAnswer(const std::vector<contract::ValidationError>& errors);

/// `{"items": [...], "next_cursor": …}`
template <typename T, typename F>
Response PageAnswer(const deployments::Page<T>& page, F&& view) {
  boost::json::array items;
  for (const auto& item : page.items) items.push_back(view(item));
  auto next = page.next ? boost::json::value(std::to_string(*page.next)) : boost::json::value(nullptr);
  return JsonAnswer(200, boost::json::object{{"items", std::move(items)}, {"next_cursor", next}});
}

/// A 422 for problems at fields of `body`; else the error.
Response RefusalAnswer(const deployments::Refusal& refusal, const boost::json::object& body);

}  // namespace slipway::server
