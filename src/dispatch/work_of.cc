#include "dispatch/work_of.h"

#include "base/json.h"

namespace slipway::dispatch {

Result<scoring::Work> WorkOf(const boost::json::object& body, const std::string& model) {
  auto work = body;
  const auto& reference = body.at("model").as_object();
  work["model"] =
      json::object{{"name", model}, {"version", reference.at("model_version")}, {"alias", reference.at("model_alias")}};
  return scoring::ParseWork(work);
}

Result<scoring::Work> WorkOf(const deployments::Deployment& deployment) {
  return WorkOf(deployment.body, deployment.model);
}

}  // namespace slipway::dispatch
