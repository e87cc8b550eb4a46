#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <vector>

#include "contract/description.h"

namespace slipway::server {

/// What the OpenAPI document says of one route.
struct Operation {
  std::string method, path, summary;
  const contract::ObjectDescription* body = nullptr;
  const contract::ObjectDescription* answer = nullptr;  ///< absent: a plain answer
  int success = 200;
  const contract::ObjectDescription* query = nullptr;
  bool list = false;           ///< the answer is a page of `answer`
  bool body_optional = false;  ///< the body may be left out
  bool guarded = true;         ///< needs credentials
  int also = 0;                ///< another status with the same answer
};

/// How a person signs in: the issuer of tokens, and the public client that `slipway login` uses.
struct Login {
  std::string issuer, client;
};

/// An OpenAPI 3.1 document, from the same descriptions that validate.
boost::json::object OpenApiDocument(const std::vector<Operation>& operations, const std::optional<Login>& login);

}  // namespace slipway::server
