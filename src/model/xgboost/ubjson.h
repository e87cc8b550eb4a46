#pragma once

#include <boost/json/value.hpp>
#include <string_view>

#include "base/error.h"

namespace slipway::model {

/// Universal Binary JSON (Draft 12, ubjson.org), as XGBoost writes it: big-endian, keys and lengths with their type,
/// arrays of one type with a count. kCorrupt with the byte position; at most 64 levels deep. Numbers of 32-bit floats
/// become the doubles of the same value.
Result<boost::json::value> ParseUbjson(std::string_view bytes);

}  // namespace slipway::model
