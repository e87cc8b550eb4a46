#include "server/answers.h"

#include <boost/json/serialize.hpp>

#include "base/json.h"

namespace slipway::server {
namespace {

/// The part of a body that `loc` names, for the `input` of an error.
json::value At(const json::object& body, const std::vector<std::string>& loc) {
  const json::object* object = &body;
  json::value value = body;
  for (const auto& name : loc) {
    const auto* found = object->if_contains(name);
    if (found == nullptr) break;
    value = *found;
    if (!found->is_object()) break;
    object = &found->get_object();
  }
  return value;
}

int StatusOf(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid:
    case ErrorKind::kTooLarge:
    case ErrorKind::kUnsupported: return 400;
    case ErrorKind::kNotFound: return 404;
    case ErrorKind::kConflict: return 409;
    case ErrorKind::kDenied: return 403;
    case ErrorKind::kUnavailable:
    case ErrorKind::kPerhapsCommitted: return 503;
    default: return 500;
  }
}

}  // namespace

Response JsonAnswer(int status, const json::value& body) { return {status, json::serialize(body)}; }

Response ErrorAnswer(int status, std::string_view detail) {
  auto response = JsonAnswer(status, json::object{{"detail", detail}});
  if (status == 503) response.headers["Retry-After"] = "2";
  return response;
}

Response ErrorAnswer(const Error& error) {
  auto response = ErrorAnswer(StatusOf(error.kind), error.message);
  if (error.kind == ErrorKind::kPerhapsCommitted) response.headers.erase("Retry-After");  // first look, then retry
  return response;
}

Response ValidationAnswer(const std::vector<contract::ValidationError>& errors) {
  json::array detail;
  for (const auto& error : errors) detail.push_back(ToJson(error));
  return JsonAnswer(422, json::object{{"detail", std::move(detail)}});
}

Response RefusalAnswer(const deployments::Refusal& refusal, const json::object& body) {
  if (refusal.problems.empty()) return ErrorAnswer(refusal.error);
  std::vector<contract::ValidationError> errors;
  for (const auto& problem : refusal.problems)
    AddError(errors, contract::ValueError(problem.loc, problem.message, At(body, problem.loc)));
  return ValidationAnswer(errors);
}

}  // namespace slipway::server
