#pragma once

#include <map>
#include <string>
#include <vector>

#include "access/rules.h"
#include "config/config.h"
#include "dispatch/airflow/airflow_dispatcher.h"
#include "dispatch/local_dispatcher.h"
#include "scoring/sources.h"
#include "webhooks/sender.h"

/// What a configuration means to the parts of the server.
namespace slipway::config {

std::string TextOr(const Config& config, const std::string& name, const std::string& fallback);

/// Of a text as in $PATH, with colons between them.
std::vector<std::string> Paths(const std::string& text);

/// The configured catalogs, and the embedded one unless 'iceberg' is configured; the registry. kInvalid names the
/// setting.
Result<scoring::Places> PlacesOf(const Config& config, const std::string& data_dir);

/// The configured secrets, else those that MLflow's own client would take from the environment.
scoring::Secrets SecretsOf(const Config& config, const std::map<std::string, std::string>& environment);

/// What a scoring process needs to reach registry, catalogs and S3, as NAME=value; nothing else of the server's
/// environment reaches it.
std::vector<std::string> ScoringEnvironment(const scoring::Secrets& secrets,
                                            const std::map<std::string, std::string>& environment);

/// access.rules. kInvalid: a rule that is none, or names a catalog that there is not.
Result<access::Rules> AccessRulesOf(const Config& config, const scoring::Places& places);

Result<std::vector<webhooks::Webhook>> WebhooksOf(const Config& config);

/// [airflow]; the catalogs and what is told of runs are the caller's to fill in. kInvalid names the setting that is
/// missing.
Result<dispatch::AirflowOptions> AirflowDispatchOf(const Config& config, const scoring::Places& places);

/// What dispatch.kind names: the runners that the server has, the default one first.
Result<std::vector<deployments::RunnerKind>> RunnersOf(const Config& config);

/// What a run may take, where its deployment says nothing else.
scoring::RunLimits RunLimitsOf(const Config& config);

/// [dispatch] for the local dispatcher; program, data directory and environment are the caller's to fill in.
Result<dispatch::LocalOptions> LocalDispatchOf(const Config& config, const scoring::Places& places);

}  // namespace slipway::config
