#pragma once

#include <boost/json/value.hpp>

namespace slipway::contract {

/// As much of `input` as helps a person to see what was sent, some 4 KiB at most: the rest of a text, a list or an
/// object is "…". An answer that repeats what it refuses would otherwise be many times as large as the request.
/// What JSON cannot hold (NaN, infinities) is null.
boost::json::value Shortened(const boost::json::value& input);

}  // namespace slipway::contract
