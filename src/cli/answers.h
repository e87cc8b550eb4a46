#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <vector>

#include "cli/commands.h"

/// What the API answers, as people read it; with --json as it came.
namespace slipway::cli {

/// The path of a deployment in the API.
std::string DeploymentPath(const std::string& model, const std::string& name);

/// A value in a table; "-" for null.
std::string Cell(const boost::json::value& value);

/// Of a run: whether it has succeeded and somebody should look at it all the same.
bool IsWarned(const boost::json::value& run);

/// One record: a line for each field that has a value.
void PrintRecord(const Context& context, const boost::json::value& answer);

/// A page: a line for each item, with these of its fields.
void PrintItems(const Context& context, const boost::json::value& answer, const std::vector<std::string>& columns);

}  // namespace slipway::cli
