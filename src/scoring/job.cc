#include "scoring/job.h"

#include <algorithm>
#include <boost/json/object.hpp>

#include "base/format.h"
#include "base/ids.h"
#include "base/json.h"

namespace slipway::scoring {
namespace {

constexpr int kVersion = 3, kVersionWithoutWindow = 2;

template <typename T>
json::value OrNull(const std::optional<T>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}

json::object ToJson(const iceberg::TableLimits& limits) {
  return {
      {"metadata_bytes", limits.metadata_bytes}, {"manifests", limits.manifests}, {"data_files", limits.data_files}};
}

Result<iceberg::TableLimits> ParseLimits(const JsonObject& object) {
  iceberg::TableLimits limits;
  ASSIGN(limits.metadata_bytes, object.Int("metadata_bytes", limits.metadata_bytes));
  ASSIGN(limits.manifests, object.Int("manifests", limits.manifests));
  ASSIGN(limits.data_files, object.Int("data_files", limits.data_files));
  return limits;
}

json::array ArrayOf(const std::vector<std::string>& texts) { return json::array(texts.begin(), texts.end()); }

/// The list of that name; a job of before there was one has none.
Result<> AddStrings(const JsonObject& object, const char* name, std::vector<std::string>& to) {
  if (object.Find(name) == nullptr) return {};
  ASSIGN(auto list, object.Array(name));
  ASSIGN(to, JsonStrings(*list, fmt::format("job: {}", name)));
  return {};
}

}  // namespace

std::string TookTooLong(const RunLimits& limits) {
  return fmt::format("the run took longer than {} s: `timeout` of the deployment, or the setting dispatch.run_seconds",
                     limits.seconds);
}

std::string TookTooMuch(const RunLimits& limits, int64_t used_mib) {
  return fmt::format(
      "the run's process used {} MiB of memory, more than the {} MiB that the setting dispatch.memory_mib allows",
      used_mib, limits.memory_mib);
}

Places Places::In(const std::string& data_dir) {
  return {{{.uri = "sqlite:///" + data_dir + "/catalog.db", .warehouse = data_dir + "/warehouse"}},
          {.location = data_dir + "/models", .cache = data_dir + "/model-cache"},
          {.cache = data_dir + "/engines"}};
}

json::object ToJson(const Work& work) {
  json::array entities;
  for (const auto& column : work.entity_columns) entities.emplace_back(column);
  json::object object{
      {"model",
       json::object{
           {"name", work.model.name}, {"version", OrNull(work.model.version)}, {"alias", OrNull(work.model.alias)}}},
      {"source", json::object{{"schema", work.source.schema},
                              {"table", work.source.table},
                              {"catalog", work.source.catalog},
                              {"filter_sql", OrNull(work.source.filter_sql)},
                              {"snapshot_id", OrNull(work.source.snapshot_id)}}},
      {"target",
       json::object{{"schema", work.target.schema}, {"table", work.target.table}, {"catalog", work.target.catalog}}},
      {"entity_columns", std::move(entities)},
      {"rerun_behavior", work.rerun_behavior == RerunBehavior::kAppendDedup ? "append_dedup" : "overwrite_partition"},
      {"partition_column", work.partition_column}};
  if (work.own_rows) object["own_rows"] = *work.own_rows;
  return object;
}

Result<Work> ParseWork(const json::value& value) {
  ASSIGN(auto object, JsonObject::From(value, "work"));
  ASSIGN(auto model, object.Object("model"));
  registry::ModelReference reference;
  ASSIGN(reference.name, model.String("name"));
  ASSIGN(reference.version, model.OptionalString("version"));
  ASSIGN(reference.alias, model.OptionalString("alias"));
  return ParseWork(value, std::move(reference));
}

Result<Work> ParseWork(const json::value& value, registry::ModelReference model) {
  ASSIGN(auto object, JsonObject::From(value, "work"));
  Work work;
  work.model = std::move(model);
  ASSIGN(auto source, object.Object("source"));
  ASSIGN(work.source.schema, source.String("schema"));
  ASSIGN(work.source.table, source.String("table"));
  ASSIGN(work.source.catalog, source.String("catalog", "iceberg"));
  ASSIGN(work.source.filter_sql, source.OptionalString("filter_sql"));
  ASSIGN(work.source.snapshot_id, source.OptionalInt("snapshot_id"));
  ASSIGN(auto target, object.Object("target"));
  ASSIGN(work.target.schema, target.String("schema"));
  ASSIGN(work.target.table, target.String("table"));
  ASSIGN(work.target.catalog, target.String("catalog", "iceberg"));
  ASSIGN(auto entities, object.Array("entity_columns"));
  ASSIGN(work.entity_columns, JsonStrings(*entities, "entity_columns"));
  ASSIGN(auto rerun, object.String("rerun_behavior", "overwrite_partition"));
  if (rerun != "append_dedup" && rerun != "overwrite_partition")
    return Fail(ErrorKind::kInvalid,
                "work: the rerun_behavior '{}' is not known; it is overwrite_partition or append_dedup", rerun);
  work.rerun_behavior = rerun == "append_dedup" ? RerunBehavior::kAppendDedup : RerunBehavior::kOverwritePartition;
  ASSIGN(work.partition_column, object.String("partition_column", "scored_at"));
  if (object.Find("own_rows") != nullptr) {
    ASSIGN(work.own_rows, object.Bool("own_rows"));
  }
  return work;
}

json::object ToJson(const Places& places) {
  json::array catalogs;
  for (const auto& place : places.catalogs)
    catalogs.push_back(json::object{{"name", place.name},
                                    {"kind", place.kind},
                                    {"uri", place.uri},
                                    {"warehouse", place.warehouse},
                                    {"oauth2_server_uri", place.oauth2_server_uri},
                                    {"scope", place.scope},
                                    {"allowed_prefixes", ArrayOf(place.allowed_prefixes)},
                                    {"limits", ToJson(place.limits)}});
  return {{"catalogs", std::move(catalogs)},
          {"registry", places.registry.location},
          {"model_cache", places.registry.cache},
          {"model_cache_bytes", places.registry.cache_bytes},
          {"python", json::object{{"interpreter", places.python.interpreter},
                                  {"cache", places.python.cache},
                                  {"environment_of_model", places.python.environment_of_model},
                                  {"environment_seconds", places.python.environment_seconds},
                                  {"check_first", places.python.check_first},
                                  {"network", places.python.network},
                                  {"readable", ArrayOf(places.python.readable)},
                                  {"writable", ArrayOf(places.python.writable)},
                                  {"user", places.python.user},
                                  {"cgroup", places.python.cgroup},
                                  {"memory_mib", places.python.memory_mib},
                                  {"disk_mib", places.python.disk_mib},
                                  {"tasks", places.python.tasks},
                                  {"output_mib", places.python.output_mib},
                                  {"batch_seconds", places.python.batch_seconds},
                                  {"load_seconds", places.python.load_seconds},
                                  {"processes", places.python.processes}}}};
}

Result<model::PythonEngine> ParsePython(const JsonObject& object) {
  model::PythonEngine python;
  ASSIGN(python.interpreter, object.String("interpreter", ""));
  ASSIGN(python.cache, object.String("cache", ""));
  ASSIGN(python.environment_of_model, object.Bool("environment_of_model", python.environment_of_model));
  ASSIGN(python.environment_seconds, object.Int("environment_seconds", python.environment_seconds));
  ASSIGN(python.check_first, object.Bool("check_first", python.check_first));
  ASSIGN(python.network, object.Bool("network", python.network));
  TRY(AddStrings(object, "readable", python.readable));
  TRY(AddStrings(object, "writable", python.writable));
  ASSIGN(python.user, object.String("user", ""));
  ASSIGN(python.cgroup, object.String("cgroup", ""));
  ASSIGN(python.memory_mib, object.Int("memory_mib", python.memory_mib));
  ASSIGN(python.disk_mib, object.Int("disk_mib", python.disk_mib));
  ASSIGN(python.tasks, object.Int("tasks", python.tasks));
  ASSIGN(python.output_mib, object.Int("output_mib", python.output_mib));
  ASSIGN(python.batch_seconds, object.Int("batch_seconds", python.batch_seconds));
  ASSIGN(python.load_seconds, object.Int("load_seconds", python.load_seconds));
  ASSIGN(python.processes, object.Int("processes", python.processes));
  return python;
}

Result<Places> ParsePlaces(const JsonObject& object) {
  Places places;
  ASSIGN(auto catalogs, object.Array("catalogs"));
  for (const auto& item : *catalogs) {
    ASSIGN(auto catalog, JsonObject::From(item, "job: catalogs"));
    iceberg::CatalogPlace place;
    ASSIGN(place.name, catalog.String("name"));
    ASSIGN(place.kind, catalog.String("kind"));
    ASSIGN(place.uri, catalog.String("uri"));
    ASSIGN(place.warehouse, catalog.String("warehouse", ""));
    ASSIGN(place.oauth2_server_uri, catalog.String("oauth2_server_uri", ""));
    ASSIGN(place.scope, catalog.String("scope", ""));
    TRY(AddStrings(catalog, "allowed_prefixes", place.allowed_prefixes));
    if (catalog.Find("limits") != nullptr) {
      ASSIGN(auto limits, catalog.Object("limits"));
      ASSIGN(place.limits, ParseLimits(limits));
    }
    places.catalogs.push_back(std::move(place));
  }
  ASSIGN(places.registry.location, object.String("registry"));
  ASSIGN(places.registry.cache, object.String("model_cache"));
  ASSIGN(places.registry.cache_bytes, object.Int("model_cache_bytes", places.registry.cache_bytes));
  if (object.Find("python") != nullptr) {
    ASSIGN(auto python, object.Object("python"));
    ASSIGN(places.python, ParsePython(python));
  }
  return places;
}

Window Interval(Timestamp from, Timestamp to) {
  using namespace std::chrono;
  constexpr Timestamp kFirst{sys_days{year{0} / 1 / 1}}, kLast = sys_days{year{10000} / 1 / 1} - microseconds{1};
  return {.from = std::max(from, kFirst), .to = std::min(to, kLast), .finer_than_a_day = true};
}

Window DayOf(Timestamp logical_date) {
  auto day = std::chrono::floor<std::chrono::days>(logical_date);
  auto window = Interval(day, day + std::chrono::days{1});
  window.finer_than_a_day = false;
  return window;
}

json::object ToJson(const Job& job) {
  return {{"version", kVersion},
          {"run_id", job.run_id},
          {"deployment", job.deployment},
          {"logical_date", FormatTimestamp(job.logical_date)},
          {"window", json::object{{"from", FormatTimestamp(job.window.from)},
                                  {"to", FormatTimestamp(job.window.to)},
                                  {"finer_than_a_day", job.window.finer_than_a_day}}},
          {"attempt", job.attempt},
          {"work", ToJson(job.work)},
          {"places", ToJson(job.places)},
          {"limits", ToJson(job.limits)}};
}

json::object ToJson(const RunLimits& limits) {
  return {{"seconds", limits.seconds}, {"memory_mib", limits.memory_mib}};
}

namespace {

Result<Timestamp> ParseInstant(const JsonObject& object, std::string_view name) {
  ASSIGN(auto text, object.String(name));
  return Wrap(ParseTimestamp(text), fmt::format("{}: {}", object.where(), name));
}

Result<Window> ParseWindow(const JsonObject& object, Timestamp logical_date) {
  Window window;
  ASSIGN(window.from, ParseInstant(object, "from"));
  ASSIGN(window.to, ParseInstant(object, "to"));
  ASSIGN(window.finer_than_a_day, object.Bool("finer_than_a_day"));
  if (window.from <= logical_date && logical_date <= window.to) return window;
  return Fail(ErrorKind::kInvalid, "{}: the logical date {} lies outside of it ({} to {})", object.where(),
              FormatTimestamp(logical_date), FormatTimestamp(window.from), FormatTimestamp(window.to));
}

Result<> CheckRunId(const std::string& run_id) {
  if (IsUuid(run_id)) return {};
  return Fail(ErrorKind::kInvalid, "job: the run_id '{}' is not a UUID", run_id);
}

Result<> ParseWorkAndPlaces(const JsonObject& object, Job& job) {
  const auto* work = object.Find("work");
  if (work == nullptr) return Fail(ErrorKind::kInvalid, "{}: 'work' is missing", object.where());
  ASSIGN(job.work, Wrap(ParseWork(*work), object.where()));
  ASSIGN(auto places, object.Object("places"));
  ASSIGN(job.places, ParsePlaces(places));
  if (object.Find("limits") == nullptr) return {};
  ASSIGN(auto limits, object.Object("limits"));
  ASSIGN(job.limits.seconds, limits.Int("seconds", 0));
  ASSIGN(job.limits.memory_mib, limits.Int("memory_mib", 0));
  return {};
}

}  // namespace

Result<Job> ParseJob(std::string_view text) {
  ASSIGN(auto value, Wrap(ParseJson(text), "job"));
  ASSIGN(auto object, JsonObject::From(value, "job"));
  ASSIGN(auto version, object.Int("version"));
  if (version != kVersion && version != kVersionWithoutWindow)
    return Fail(ErrorKind::kInvalid, "job: version {} is not known; this Slipway reads versions {} and {}", version,
                kVersionWithoutWindow, kVersion);
  Job job;
  ASSIGN(job.run_id, object.String("run_id"));
  TRY(CheckRunId(job.run_id));
  ASSIGN(job.deployment, object.String("deployment", ""));
  ASSIGN(job.logical_date, ParseInstant(object, "logical_date"));
  job.window = DayOf(job.logical_date);
  if (version == kVersion) {
    ASSIGN(auto window, object.Object("window"));
    ASSIGN(job.window, ParseWindow(window, job.logical_date));
  }
  ASSIGN(auto attempt, object.Int("attempt", 1));
  job.attempt = static_cast<int>(attempt);
  TRY(ParseWorkAndPlaces(object, job));
  return job;
}

Result<Job> MakeJob(std::string_view deployment, const std::string& run_id, Timestamp logical_date,
                    const Window& window, int attempt) {
  TRY(CheckRunId(run_id));
  ASSIGN(auto value, Wrap(ParseJson(deployment), "deployment"));
  ASSIGN(auto object, JsonObject::From(value, "deployment"));
  Job job{.run_id = run_id, .logical_date = logical_date, .window = window, .attempt = attempt};
  ASSIGN(auto model, object.String("model"));
  ASSIGN(auto name, object.String("name"));
  job.deployment = model + "/" + name;
  TRY(ParseWorkAndPlaces(object, job));
  return job;
}

}  // namespace slipway::scoring
