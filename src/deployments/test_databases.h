#pragma once

#include <cstdlib>
#include <string>
#include <vector>

namespace slipway::deployments {

/// For tests: the empty PostgreSQL database that SLIPWAY_TEST_POSTGRESQL names, where it does.
inline std::vector<std::string> TestedPostgresql() {
  const char* location = std::getenv("SLIPWAY_TEST_POSTGRESQL");
  return location == nullptr ? std::vector<std::string>{} : std::vector<std::string>{location};
}

}  // namespace slipway::deployments
