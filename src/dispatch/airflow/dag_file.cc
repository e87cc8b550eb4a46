#include "dispatch/airflow/dag_file.h"

#include <boost/json/serialize.hpp>
#include <cctype>

#include "base/format.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/url.h"
#include "deployments/cron.h"
#include "deployments/window.h"

extern "C" {
extern const char slipway_dag_template[], slipway_dag_template_end[];
}

namespace slipway::dispatch {
namespace {

constexpr size_t kLongestPart = 80, kLongestOwner = 200, kDigestLength = 12;

std::string Template() { return {slipway_dag_template, slipway_dag_template_end}; }

void Fill(std::string& text, std::string_view mark, std::string_view value) {
  text.replace(text.find(mark), mark.size(), value);
}

/// ASCII letters, digits, dash and underscore; anything else, dots too, is an underscore.
std::string Sanitised(const std::string& name) {
  std::string text;
  for (unsigned char c : name.substr(0, kLongestPart))
    text += std::isalnum(c) != 0 || c == '-' ? static_cast<char>(c) : '_';
  return text;
}

/// JSON that may stand in a raw Python literal between ''': its strings hold nothing but printable ASCII without quotes
/// and backslashes, whatever else there is is written as \uXXXX.
std::string HarmlessJson(const json::value& value) {
  std::string out;
  auto plain = json::serialize(value);
  for (size_t i = 0; i < plain.size();) {
    auto c = static_cast<unsigned char>(plain[i]);
    if (c == '\'' || c == 0x7f) {
      out += fmt::format("\\u{:04x}", c);
      ++i;
    } else if (c < 0x80) {
      out += static_cast<char>(c);
      ++i;
    } else {
      int length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
      char32_t point = c & (0xff >> (length + 1));
      for (int k = 1; k < length; ++k)
        point = (point << 6) | (static_cast<unsigned char>(plain[i + static_cast<size_t>(k)]) & 0x3f);
      if (point >= 0x10000)
        out += fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + ((static_cast<uint32_t>(point) - 0x10000) >> 10),
                           0xdc00 + (static_cast<uint32_t>(point) & 0x3ff));
      else
        out += fmt::format("\\u{:04x}", static_cast<uint32_t>(point));
      i += static_cast<size_t>(length);
    }
  }
  return out;
}

/// Airflow's cron reader does not know all of the short names.
std::string FiveFields(const std::string& schedule) {
  static const std::pair<std::string_view, const char*> kNames[] = {
      {"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"},
      {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}};
  for (const auto& [name, fields] : kNames)
    if (schedule == name) return fields;
  return schedule;
}

/// The start of a text, at a boundary of its characters.
std::string Cut(const std::string& text, size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80) --bytes;
  return text.substr(0, bytes);
}

/// Only the catalogs that the work names: others are nobody's business on the worker.
scoring::Places PlacesFor(const scoring::Work& work, const scoring::Places& all) {
  auto places = all;
  std::erase_if(places.catalogs, [&](const auto& place) {
    return place.name != work.source.catalog && place.name != work.target.catalog;
  });
  places.registry.cache.clear();  // the worker's own
  return places;
}

/// What a person on call reads in Airflow. The values stand in a block of code, as JSON.
std::string DocOf(const deployments::Deployment& deployment, const date::time_zone* zone, const json::object& work,
                  const std::string& api) {
  json::object facts{{"model", deployment.model},
                     {"deployment", deployment.name},
                     {"owner", deployment.spec.owner},
                     {"domain", deployment.spec.domain},
                     {"schedule", deployment.schedule ? json::value(*deployment.schedule) : json::value(nullptr)},
                     {"replaces", ReplacesText(deployment, zone)},
                     {"work", work}};
  return fmt::format(
      "Slipway scores a table with a registered model, and commits the predictions in one snapshot of the target; "
      "`replaces` below says which rows go.\n\n"
      "- A task that failed may be retried or cleared: a run never leaves more than one copy.\n"
      "- Runs and their errors: `GET {}/runs`\n"
      "- To stop it for good, stop the deployment in Slipway: a DAG that is paused here is unpaused again.\n\n"
      "```json\n{}\n```\n",
      api, json::serialize(facts));
}

}  // namespace

std::string DagIdOf(const deployments::Deployment& deployment) {
  return fmt::format("slipway.{}.{}.{}", Sanitised(deployment.model), Sanitised(deployment.name),
                     deployment.deployment_id.substr(0, 8));
}

Result<DagFile> RenderDag(const deployments::Deployment& deployment, const DagSettings& settings) {
  if (deployment.damage) return Fail(ErrorKind::kCorrupt, *deployment.damage);
  const auto& work = deployment.spec.batch;
  auto api = fmt::format("{}/api/models/{}/deployments/{}", settings.callback_url, UrlEncode(deployment.model),
                         deployment.name);
  // Airflow applies the time zone. The first tick is the first one since the schedule was set, or started again.
  auto retry = RetriesFor(deployment.spec, {settings.retries, settings.retry_seconds});
  bool scheduled = deployment.schedule.has_value();
  json::object data{
      {"dag_id", deployment.dag_id.value_or(DagIdOf(deployment))},
      {"deployment_id", deployment.deployment_id},
      {"model", deployment.model},
      {"name", deployment.name},
      {"owner", Cut(deployment.spec.owner, kLongestOwner)},
      {"description", fmt::format("Slipway: {} on {}.{}", deployment.model, work.source.schema, work.source.table)},
      {"cron", scheduled ? json::value(FiveFields(*deployment.schedule)) : json::value(nullptr)},
      {"time_zone", settings.time_zone},
      {"first_tick",
       scheduled && deployment.next_tick ? json::value(FormatTimestamp(*deployment.next_tick)) : json::value(nullptr)},
      {"paused", deployment.status == deployments::DeploymentStatus::kStopped},
      {"retries", retry.retries},
      {"retry_seconds", retry.delay_seconds},
      {"callback", api + "/runs"},
      {"work", ToJson(work)},
      {"places", ToJson(PlacesFor(work, settings.places))},
      {"limits", ToJson(LimitsFor(deployment.spec, settings.limits))}};
  ASSIGN(const auto* zone, deployments::FindTimeZone(settings.time_zone));
  data["doc_md"] = DocOf(deployment, zone, data["work"].as_object(), api);
  DagFile file;
  file.text = Template();
  auto json = HarmlessJson(data);
  file.digest = Sha256(file.text + json).substr(0, kDigestLength);
  Fill(file.text, "@DIGEST@", file.digest);
  Fill(file.text, "@DEPLOYMENT@", json);
  return file;
}

}  // namespace slipway::dispatch
