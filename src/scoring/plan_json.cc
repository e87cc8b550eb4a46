#include "scoring/plan_json.h"

#include <boost/json/serialize.hpp>

#include "base/format.h"
#include "base/json.h"
#include "scoring/events.h"

namespace slipway::scoring {

std::string ToText(const PlanAnswer& answer) {
  if (answer)
    return json::serialize(json::object{{"model_version", answer->model_version}, {"own_rows", answer->own_rows}});
  json::array problems;
  for (const auto& problem : answer.error())
    problems.push_back(json::object{{"kind", ToString(problem.kind)},
                                    {"loc", json::array(problem.loc.begin(), problem.loc.end())},
                                    {"message", problem.message}});
  return json::serialize(json::object{{"problems", std::move(problems)}});
}

Result<PlanAnswer> ParsePlanned(std::string_view text) {
  if (auto event = ParseEvent(text))
    if (const auto* failed = std::get_if<Failed>(&*event)) return Fail(failed->kind, failed->message);
  ASSIGN(auto value, Wrap(ParseJson(text), "the answer of the process that plans"));
  ASSIGN(auto object, JsonObject::From(value, "the answer of the process that plans"));
  if (object.Find("model_version") != nullptr) {
    PlannedVersion planned;
    ASSIGN(planned.model_version, object.String("model_version"));
    ASSIGN(planned.own_rows, object.Bool("own_rows", false));
    return PlanAnswer(std::move(planned));
  }
  std::vector<Problem> problems;
  ASSIGN(const auto* items, object.Array("problems"));
  for (const auto& item : *items) {
    ASSIGN(auto one, JsonObject::From(item, "problem"));
    Problem problem;
    ASSIGN(auto kind, one.String("kind"));
    problem.kind = KindNamed(kind);
    ASSIGN(const auto* loc, one.Array("loc"));
    ASSIGN(problem.loc, JsonStrings(*loc, "loc"));
    ASSIGN(problem.message, one.String("message"));
    problems.push_back(std::move(problem));
  }
  return PlanAnswer(std::unexpected(std::move(problems)));
}

}  // namespace slipway::scoring
