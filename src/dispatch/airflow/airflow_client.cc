#include "dispatch/airflow/airflow_client.h"

#include <boost/json/serialize.hpp>

#include "base/encoding.h"
#include "base/format.h"
#include "base/http_client.h"
#include "base/json.h"
#include "base/url.h"

namespace slipway::dispatch {
namespace {

constexpr double kSeconds = 20;
constexpr double kTokenSeconds = 1e9;  // until Airflow refuses it
constexpr size_t kPage = 100;

std::optional<Timestamp> InstantIn(const json::object& object, const char* key) {
  const auto* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  auto instant = ParseTimestamp(std::string_view(value->get_string()));
  return instant ? std::optional(*instant) : std::nullopt;
}

Result<DagRun> ParseDagRun(const json::value& value) {
  ASSIGN(auto object, JsonObject::From(value, "DAG run"));
  DagRun run;
  ASSIGN(run.dag_id, object.String("dag_id"));
  ASSIGN(run.dag_run_id, object.String("dag_run_id"));
  ASSIGN(run.state, object.String("state", ""));
  ASSIGN(auto type, object.String("run_type", ""));
  run.scheduled = type == "scheduled";
  run.logical_date = InstantIn(object.object(), "logical_date");
  run.run_after = InstantIn(object.object(), "run_after");
  run.ended = InstantIn(object.object(), "end_date");
  if (const auto* conf = object.Find("conf"); conf != nullptr && conf->is_object()) {
    const auto* slipway = conf->get_object().if_contains("slipway");
    const auto* id = slipway != nullptr && slipway->is_object() ? slipway->get_object().if_contains("run_id") : nullptr;
    if (id != nullptr && id->is_string()) run.slipway_run_id = std::string(id->get_string());
  }
  return run;
}

std::string RunPath(const std::string& dag_id, const std::string& dag_run_id) {
  return "/dags/" + UrlEncode(dag_id) + "/dagRuns/" + UrlEncode(dag_run_id);
}

}  // namespace

/// The mutex is held.
Result<> AirflowClient::FindVersion() {
  if (version_ != 0) return {};
  while (place_.url.ends_with('/')) place_.url.pop_back();
  for (int version : {2, 1}) {
    auto where = fmt::format("Airflow at {}", place_.url);
    ASSIGN(auto answer,
           Wrap(SendHttp({.url = fmt::format("{}/api/v{}/version", place_.url, version), .timeout_seconds = kSeconds}),
                where));
    if (answer.status >= 500 || answer.status == 401 || answer.status == 403)
      return Fail(KindOf(answer.status), "{} answers {}: {}", where, answer.status, answer.body.substr(0, 100));
    if (answer.status == 404 || !ParseJson(answer.body)) continue;
    version_ = version;
    return {};
  }
  return Fail(ErrorKind::kUnavailable, "no Airflow API (v2 or v1) at {}: is airflow.url right?", place_.url);
}

Result<int> AirflowClient::Version() {
  std::lock_guard lock(mutex_);
  TRY(FindVersion());
  return version_;
}

/// A token of Airflow 3; it does not say how long it is good for.
Result<OAuthToken> AirflowClient::SignIn() const {
  HttpRequest request{.url = place_.url + "/auth/token", .timeout_seconds = kSeconds};
  if (!place_.username.empty()) {
    request.method = "POST";
    request.headers["Content-Type"] = "application/json";
    request.body = json::serialize(json::object{{"username", place_.username}, {"password", place_.password}});
  }
  auto where = fmt::format("Airflow: sign in at {} (airflow.url, airflow.username, airflow.password)", request.url);
  ASSIGN(auto answer, Wrap(SendHttp(request), where));
  return ReadToken(answer, where, kTokenSeconds);
}

/// The header's value. The mutex is held.
Result<std::string> AirflowClient::Authorization() {
  if (version_ == 1) return "Basic " + Base64(place_.username + ":" + place_.password);
  if (!place_.token.empty()) return "Bearer " + place_.token;
  ASSIGN(auto token, token_.Get());
  return "Bearer " + token;
}

Result<json::value> AirflowClient::Send(const std::string& method, const std::string& path, const json::value& body) {
  for (bool renewed = false;; renewed = true) {
    HttpRequest request{.method = method, .timeout_seconds = kSeconds};
    std::string authorization;
    {
      std::lock_guard lock(mutex_);
      TRY(FindVersion());
      ASSIGN(authorization, Authorization());
      request.url = fmt::format("{}/api/v{}{}", place_.url, version_, path);
    }
    request.headers = {{"Accept", "application/json"}, {"Authorization", authorization}};
    if (!body.is_null()) {
      request.headers["Content-Type"] = "application/json";
      request.body = json::serialize(body);
    }
    ASSIGN(auto answer, Wrap(SendHttp(request), "Airflow"));
    if (answer.status == 401 && !renewed) {
      token_.Forget(authorization.substr(authorization.find(' ') + 1));
      continue;
    }
    if (answer.status == 204) return json::value(nullptr);
    auto value = ParseJson(answer.body);
    if (answer.status < 200 || answer.status >= 300) {
      std::string why = answer.body.substr(0, 300);
      if (value && value->is_object() && value->get_object().contains("detail"))
        why = json::serialize(value->get_object().at("detail"));
      return Fail(KindOf(answer.status), "Airflow: {} {}: {} {}", method, request.url, answer.status, why);
    }
    if (!value)
      return Fail(ErrorKind::kUnavailable, "Airflow: {} {}: the answer is not JSON: {}", method, request.url,
                  answer.body.substr(0, 80));
    return *value;
  }
}

Result<> AirflowClient::Pages(const std::string& path, const std::string& key,
                              const std::function<Result<>(const json::value&)>& take) {
  for (size_t offset = 0;; offset += kPage) {
    auto separator = path.find('?') == std::string::npos ? '?' : '&';
    ASSIGN(auto answer, Send("GET", fmt::format("{}{}limit={}&offset={}", path, separator, kPage, offset), nullptr));
    ASSIGN(auto object, JsonObject::From(answer, "Airflow: " + path));
    ASSIGN(auto items, object.Array(key));
    for (const auto& item : *items) TRY(take(item));
    if (items->size() < kPage) return {};
  }
}

Result<std::map<std::string, Dag>> AirflowClient::ListDags(const std::string& tag) {
  std::map<std::string, Dag> dags;
  ASSIGN(auto version, Version());
  std::string inactive_too = version == 2 ? "exclude_stale=false" : "only_active=false";
  TRY(Pages("/dags?" + inactive_too + "&order_by=dag_id&tags=" + UrlEncode(tag), "dags",
            [&](const json::value& item) -> Result<> {
              ASSIGN(auto object, JsonObject::From(item, "DAG"));
              ASSIGN(auto id, object.String("dag_id"));
              auto& dag = dags[id];
              ASSIGN(dag.paused, object.Bool("is_paused", false));
              ASSIGN(auto active, object.Bool("is_active", true));
              ASSIGN(dag.stale, object.Bool("is_stale", !active));
              ASSIGN(auto tags, object.Array("tags"));
              for (const auto& one : *tags) {
                ASSIGN(auto name, JsonObject::From(one, "tag"));
                ASSIGN(auto text, name.String("name"));
                dag.tags.push_back(text);
              }
              return {};
            }));
  return dags;
}

Result<std::map<std::string, std::string>> AirflowClient::ListImportErrors() {
  std::map<std::string, std::string> errors;
  TRY(Pages("/importErrors", "import_errors", [&](const json::value& item) -> Result<> {
    ASSIGN(auto object, JsonObject::From(item, "import error"));
    ASSIGN(auto file, object.String("filename", ""));
    ASSIGN(auto text, object.String("stack_trace", ""));
    errors[file.substr(file.rfind('/') + 1)] = text;
    return {};
  }));
  return errors;
}

Result<> AirflowClient::SetPaused(const std::string& dag_id, bool paused) {
  TRY(Send("PATCH", "/dags/" + UrlEncode(dag_id) + "?update_mask=is_paused", json::object{{"is_paused", paused}}));
  return {};
}

Result<> AirflowClient::DeleteDag(const std::string& dag_id) {
  auto deleted = Send("DELETE", "/dags/" + UrlEncode(dag_id), nullptr);
  if (!deleted && deleted.error().kind != ErrorKind::kNotFound) return Failure(deleted.error());
  return {};
}

Result<> AirflowClient::Trigger(const std::string& dag_id, const std::string& dag_run_id,
                                std::optional<Timestamp> logical_date, const json::object& conf) {
  json::object body{{"dag_run_id", dag_run_id}, {"conf", conf}};
  ASSIGN(auto version, Version());
  // Version 1 takes now for a date that is absent, and refuses null.
  if (logical_date)
    body["logical_date"] = FormatTimestamp(*logical_date);
  else if (version == 2)
    body["logical_date"] = nullptr;
  TRY(Send("POST", "/dags/" + UrlEncode(dag_id) + "/dagRuns", body));
  return {};
}

Result<DagRun> AirflowClient::FindDagRun(const std::string& dag_id, const std::string& dag_run_id) {
  ASSIGN(auto answer, Send("GET", RunPath(dag_id, dag_run_id), nullptr));
  return ParseDagRun(answer);
}

Result<std::vector<DagRun>> AirflowClient::ListChangedDagRuns(Timestamp since) {
  std::vector<DagRun> runs;
  TRY(Pages("/dags/~/dagRuns?order_by=start_date&updated_at_gte=" + UrlEncode(FormatTimestamp(since)), "dag_runs",
            [&](const json::value& item) -> Result<> {
              ASSIGN(auto run, ParseDagRun(item));
              runs.push_back(std::move(run));
              return {};
            }));
  return runs;
}

Result<> AirflowClient::FailDagRun(const std::string& dag_id, const std::string& dag_run_id) {
  TRY(Send("PATCH", RunPath(dag_id, dag_run_id), json::object{{"state", "failed"}}));
  return {};
}

Result<TaskInstance> AirflowClient::FindTask(const std::string& dag_id, const std::string& dag_run_id,
                                             const std::string& task_id) {
  ASSIGN(auto answer, Send("GET", RunPath(dag_id, dag_run_id) + "/taskInstances/" + UrlEncode(task_id), nullptr));
  ASSIGN(auto object, JsonObject::From(answer, "task instance"));
  TaskInstance task;
  ASSIGN(task.state, object.String("state", ""));
  ASSIGN(auto tries, object.Int("try_number", 0));
  ASSIGN(auto most, object.Int("max_tries", 0));
  task.try_number = static_cast<int>(tries);
  task.max_tries = static_cast<int>(most);
  return task;
}

}  // namespace slipway::dispatch
