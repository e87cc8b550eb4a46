#pragma once

#include <string>
#include <vector>

#include "contract/description.h"

namespace slipway::contract {

/// The members of an object that no field of its description has, as far as `most`.
std::vector<std::string> UnknownMembers(const ObjectDescription& description, const json::object& object, size_t most);

/// The field that somebody may have meant who wrote `name`: one whose name is nearly the same, here or in an object
/// within ("source.filter_sql"). Empty where none is near.
std::string Meant(const ObjectDescription& description, std::string_view name);

}  // namespace slipway::contract
