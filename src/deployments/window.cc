#include "deployments/window.h"

#include <date/tz.h>

#include "base/format.h"
#include "base/json.h"
#include "deployments/cron.h"

namespace slipway::deployments {

Result<scoring::Window> WindowOf(const std::optional<std::string>& schedule, const date::time_zone* zone,
                                 Timestamp logical_date) {
  if (!schedule) return scoring::DayOf(logical_date);
  ASSIGN(auto cron, Cron::Parse(*schedule));
  if (!cron.FiresTwiceOnSomeDay(zone)) return scoring::DayOf(logical_date);
  return scoring::Interval(cron.Last(logical_date, zone), cron.Next(logical_date, zone));
}

Result<scoring::Window> WindowOfCarried(std::string_view deployment, Timestamp logical_date) {
  ASSIGN(auto value, Wrap(ParseJson(deployment), "deployment"));
  ASSIGN(auto object, JsonObject::From(value, "deployment"));
  ASSIGN(auto schedule, object.OptionalString("cron"));
  if (!schedule) return scoring::DayOf(logical_date);  // whatever time zones this machine knows
  ASSIGN(auto name, object.String("time_zone", "UTC"));
  ASSIGN(const auto* zone, Wrap(FindTimeZone(name), "deployment: time_zone"));
  return WindowOf(schedule, zone, logical_date);
}

Result<scoring::Job> JobOf(const Run& run, const Deployment& deployment, const date::time_zone* zone,
                           const scoring::Places& places) {
  if (deployment.damage) return Fail(ErrorKind::kCorrupt, *deployment.damage);
  if (run.damage) return Fail(ErrorKind::kCorrupt, *run.damage);
  ASSIGN(auto window, Wrap(WindowOf(deployment.schedule, zone, run.logical_date), "schedule"));
  return scoring::Job{.run_id = run.run_id,
                      .deployment = deployment.model + "/" + deployment.name,
                      .logical_date = run.logical_date,
                      .window = window,
                      .attempt = run.attempt,
                      .work = deployment.spec.batch,
                      .places = places};
}

namespace {

std::string Listed(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

/// "rows that this deployment wrote to iceberg.ml.p"
std::string Whose(const BatchSpec& batch) {
  auto target = fmt::format("{}.{}.{}", batch.target.catalog, batch.target.schema, batch.target.table);
  if (!batch.own_rows)
    return fmt::format(
        "rows that this deployment wrote to {0} (all rows there, whoever wrote them, if {0} has no column "
        "'deployment')",
        target);
  if (*batch.own_rows) return "rows that this deployment wrote to " + target;
  return fmt::format("rows of {}, whoever wrote them (it has no column 'deployment'),", target);
}

/// "whose scored_at lies on the same day (UTC) as the run's logical date"
std::string Which(const Deployment& deployment, const date::time_zone* zone) {
  const auto& column = deployment.spec.batch.partition_column;
  if (column != "scored_at") return fmt::format("whose {} is one of those that the run writes", column);
  auto cron = Cron::Parse(deployment.schedule.value_or("@daily"));
  if (!cron || !cron->FiresTwiceOnSomeDay(zone))
    return "whose scored_at lies on the same day (UTC) as the run's logical date";
  return fmt::format(
      "whose scored_at lies in the same interval of the schedule '{}' ({}), from tick to tick, as the run's logical "
      "date",
      *deployment.schedule, zone == nullptr ? "UTC" : zone->name());
}

}  // namespace

std::string ReplacesText(const Deployment& deployment, const date::time_zone* zone) {
  const auto& batch = deployment.spec.batch;
  if (batch.rerun_behavior == scoring::RerunBehavior::kAppendDedup)
    return fmt::format(
        "A run replaces nothing: it adds the rows whose {} do not stand yet among the {} {}, and leaves the others "
        "out.",
        Listed(batch.entity_columns), Whose(batch), Which(deployment, zone));
  return fmt::format("A run replaces the {} {}.", Whose(batch), Which(deployment, zone));
}

}  // namespace slipway::deployments
