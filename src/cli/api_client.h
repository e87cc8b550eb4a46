#pragma once

#include <boost/json/value.hpp>
#include <string>

#include "base/error.h"
#include "cli/commands.h"

namespace slipway::cli {

/// Calls the server's API with the caller's token or key. An answer of 400 and above is an error with the
/// answer's words: 422 kInvalid with a line for each problem, 404 kNotFound.
Result<boost::json::value> CallApi(const Context& context, const std::string& method, const std::string& path,
                                   const std::string& body = "");

}  // namespace slipway::cli
