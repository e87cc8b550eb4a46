#include <boost/json/serialize.hpp>

#include "contract/deployment_body.h"
#include "contract/json_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto value = slipway::contract::ParseJsonText({reinterpret_cast<const char*>(data), size});
  if (!value) return 0;
  std::vector<slipway::contract::ValidationError> errors;
  Parse(slipway::contract::CreateDeploymentBody(), *value, {"body"}, errors);
  for (const auto& error : errors) boost::json::serialize(ToJson(error));
  return 0;
}
