#pragma once

#include <boost/json/object.hpp>
#include <vector>

#include "auth/user_keys.h"
#include "base/error.h"
#include "server/answers.h"

namespace slipway::server {

/// What is shown of a key; never the key itself.
boost::json::object ViewOf(const auth::UserKey& key, bool active);

/// A list of keys.
Response KeysAnswer(const auth::UserKeys& keys, const Result<std::vector<auth::UserKey>>& found);

}  // namespace slipway::server
