#include "contract/deployment_body.h"
#include "http/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slipway;
  auto target = http::ParseTarget({reinterpret_cast<const char*>(data), size});
  if (!target) return 0;
  for (const char* route : {"/api/models/{model}/deployments/{name}/run/{path}",
                            "/api/models/{model}/deployments/{name}/runs/{run_id}", "/docs"})
    (void)http::Fit(route, target->path);
  contract::json::object given;
  for (const auto& [name, value] : target->query) given[name] = value;
  for (const auto* description :
       {&contract::DeploymentsQuery(), &contract::AuditQuery(), &contract::CreateQuery(), &contract::PageQuery()}) {
    std::vector<contract::ValidationError> errors;
    auto query = Parse(*description, given, {"query"}, errors);
    if (errors.empty() && query.contains("cursor")) (void)std::stoll(std::string(query.at("cursor").as_string()));
    for (const auto& error : errors) (void)ToJson(error);
  }
  return 0;
}
