#include "deployments/requests.h"

#include <gtest/gtest.h>

#include "base/ids.h"
#include "base/json.h"
#include "contract/deployment_body.h"
#include "deployments/airflow_names.h"
#include "deployments/cron.h"
#include "deployments/views.h"

namespace slipway::deployments {
namespace {

using Errors = std::vector<contract::ValidationError>;

/// A body as the API reads it: `errors` are its 422's.
json::object Read(const contract::ObjectDescription& description, std::string_view text, Errors& errors,
                  contract::UnknownFields* ignored = nullptr) {
  return Parse(description, ParseJson(text).value(), {"body"}, errors, ignored);
}

json::object Valid(const contract::ObjectDescription& description, std::string_view text) {
  Errors errors;
  auto body = Read(description, text, errors);
  EXPECT_TRUE(errors.empty()) << text;
  return body;
}

std::vector<std::string> Places(const Refusal& refusal) {
  std::vector<std::string> places;
  for (const auto& problem : refusal.problems) places.push_back(problem.loc.back());
  return places;
}
using Names = std::vector<std::string>;

constexpr auto kBody = R"({"name": "d", "model": {"model_name": "other", "model_alias": "champion"},
  "source": {"schema": "s", "table": "t", "snapshot_id": 9007199254740993}, "target": {"schema": "ml", "table": "p"},
  "entity_columns": ["id"], "domain": "x", "owner": "y", "schedule": "@daily", "rerun_behavior": "append_dedup",
  "allowed_roles": ["a"], "trigger_now": true, "timeout": 90, "runner": {"kind": "airflow"}})";

TEST(Requests, ANewDeployment) {
  auto request = ParseNewDeployment(Valid(contract::CreateDeploymentBody(), kBody), "m").value();
  EXPECT_EQ(request.model, "m");
  EXPECT_EQ(request.name, "d");
  EXPECT_EQ(request.schedule, "@daily");
  EXPECT_TRUE(request.trigger_now);
  const auto& spec = request.spec;
  EXPECT_EQ(spec.batch.model.name, "m") << "the path's model wins";
  EXPECT_EQ(spec.batch.model.alias, "champion");
  EXPECT_FALSE(spec.batch.model.version);
  EXPECT_EQ(spec.batch.source.snapshot_id, 9007199254740993);
  EXPECT_EQ(spec.batch.source.catalog, "iceberg");
  EXPECT_EQ(spec.batch.rerun_behavior, scoring::RerunBehavior::kAppendDedup);
  EXPECT_EQ(spec.runner, RunnerKind::kAirflow);
  EXPECT_EQ(spec.timeout, 90);
  EXPECT_EQ(LimitsFor(spec, {.seconds = 5, .memory_mib = 7}).seconds, 90);
  EXPECT_EQ(LimitsFor({}, {.seconds = 5, .memory_mib = 7}).seconds, 5);
  EXPECT_EQ(ParseSpec(ToJson(spec), "m").value(), spec) << "as the store keeps it";
}

TEST(Requests, AListThatMustNotBeEmptyIsTooShort) {
  auto body = ParseJson(kBody).value();
  body.as_object()["entity_columns"] = json::array{};
  Errors errors;
  Parse(contract::CreateDeploymentBody(), body, {"body"}, errors);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(json::value(ToJson(errors[0])),
            ParseJson(R"({"type": "too_short", "loc": ["body", "entity_columns"], "input": [],
              "msg": "List should have at least 1 item after validation, not 0",
              "ctx": {"field_type": "List", "min_length": 1, "actual_length": 0}})")
                .value())
      << "as Pydantic says it";
}

TEST(Requests, UnknownFieldsAreNamedFromTheBodyDown) {
  Errors errors;
  contract::UnknownFields ignored;
  Read(contract::CallbackBody(),
       R"({"airflow_run_id": "r", "status": "queued", "extra": 1, "slipway": {"runid": "x", "attempt": 2}})", errors,
       &ignored);
  EXPECT_TRUE(errors.empty());
  EXPECT_EQ(ignored.names, (Names{"slipway.runid", "extra"}));
}

TEST(Requests, AChange) {
  auto change = ParseChange(Valid(PatchBody(), R"({"schedule": null, "snapshot_id": 5, "model_version": "3"})"));
  ASSERT_TRUE(change.schedule && change.snapshot_id && change.pin);
  EXPECT_FALSE(*change.schedule);
  EXPECT_EQ(*change.snapshot_id, 5);
  EXPECT_EQ(change.pin->version, "3");
  EXPECT_FALSE(change.pin->alias || change.owner || change.filter_sql || change.runner || change.rerun_behavior);
  Errors errors;
  contract::UnknownFields ignored;
  Read(PatchBody(), R"({"target": {}, "status": "stopped", "nam": 1})", errors, &ignored);
  ASSERT_EQ(errors.size(), 2u);
  for (const auto& error : errors) EXPECT_EQ(error.type, "value_error");
  EXPECT_EQ(ignored.names, Names{"nam"});
}

TEST(Requests, InstantsAreReadOrRefusedAtTheirPlace) {
  const auto& trigger = contract::TriggerBody();
  EXPECT_FALSE(*ParseLogicalDate(Valid(trigger, "{}")));
  EXPECT_EQ(FormatTimestamp(**ParseLogicalDate(Valid(trigger, R"({"logical_date": "2024-03-01T06:00:00+01:00"})"))),
            "2024-03-01T05:00:00Z");
  EXPECT_EQ(Places(ParseLogicalDate(Valid(trigger, R"({"logical_date": "soon"})")).error()), Names{"logical_date"});
  const auto& backfill = contract::BackfillBody();
  EXPECT_EQ(Places(ParseSpan(Valid(backfill, R"({"from": "x", "to": "y"})")).error()), (Names{"from", "to"}));
  EXPECT_EQ(Places(ParseSpan(Valid(backfill, R"({"from": "2024-01-02", "to": "2024-01-01"})")).error()), Names{"to"});
  EXPECT_TRUE(ParseSpan(Valid(backfill, R"({"from": "2024-01-01", "to": "2024-01-01"})")));
}

TEST(Requests, ADateIsAllOfItsDay) {
  auto span = [](std::string_view text, const std::string& zone) {
    auto parsed = ParseSpan(Valid(contract::BackfillBody(), text), FindTimeZone(zone).value());
    return FormatTimestamp(parsed->from) + " " + FormatTimestamp(parsed->to);
  };
  const auto* days = R"({"from": "2015-01-01", "to": "2015-01-31"})";
  EXPECT_EQ(span(days, "UTC"), "2015-01-01T00:00:00Z 2015-01-31T23:59:59.999999Z");
  EXPECT_EQ(span(days, "Europe/Paris"), "2014-12-31T23:00:00Z 2015-01-31T22:59:59.999999Z");
  EXPECT_EQ(span(R"({"from": "2015-01-01T00:00:00Z", "to": "2015-01-31T00:00:00Z"})", "Europe/Paris"),
            "2015-01-01T00:00:00Z 2015-01-31T00:00:00Z");
  // Brazil's clocks were put forward at midnight: the day began at one.
  EXPECT_EQ(span(R"({"from": "2018-11-04", "to": "2018-11-04"})", "America/Sao_Paulo"),
            "2018-11-04T03:00:00Z 2018-11-05T01:59:59.999999Z");
}

TEST(Requests, AReport) {
  const auto& callback = contract::CallbackBody();
  auto bare =
      ParseReport(Valid(callback, R"({"airflow_run_id": "r", "status": "failed", "error_message": "e"})")).value();
  EXPECT_EQ(bare.status, RunStatus::kFailed);
  EXPECT_EQ(bare.error_message, "e");
  EXPECT_FALSE(bare.run_id || bare.rows_scored || bare.logical_date);
  auto wrong = ParseReport(Valid(callback, R"({"airflow_run_id": "r", "status": "running",
    "slipway": {"run_id": "7", "logical_date": "x"}})"));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(Places(wrong.error()), (Names{"run_id", "logical_date"}));
}

TEST(Requests, AReportIsAboutARunAndWhatItBecameByClearing) {
  auto run = NewUuid(), other = NewUuid();
  RunReport report{.airflow_run_id = NameInAirflow(run)};
  EXPECT_TRUE(IsAbout(report, run));
  EXPECT_FALSE(IsAbout(report, other));
  for (int cleared : {0, 1, 5, 100}) {
    report.run_id = RunIdInAirflow(NewUuid(), "x", run, cleared);
    EXPECT_TRUE(IsAbout(report, run)) << cleared;
    EXPECT_FALSE(IsAbout(report, other)) << cleared;
  }
  report.run_id = other;  // whatever Airflow's name says
  EXPECT_FALSE(IsAbout(report, run));
}

}  // namespace
}  // namespace slipway::deployments
