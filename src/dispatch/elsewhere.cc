#include "dispatch/elsewhere.h"

#include <boost/json/serialize.hpp>

#include "base/file.h"
#include "base/format.h"
#include "base/private_folder.h"
#include "base/process.h"
#include "dispatch/child.h"
#include "scoring/events.h"

namespace slipway::dispatch {
namespace {

constexpr double kSecondsToPlan = 60, kSecondsToFind = 10;
constexpr size_t kLargestAnswer = size_t{1} << 20;

/// What `slipway score --job FILE <step>` writes.
Result<std::string> Ask(const OtherProcess& other, const scoring::Job& job, const char* step, double seconds) {
  ASSIGN(auto folder, PrivateFolder::Make());
  const auto file = folder.path() / "job.json", answer = folder.path() / "answer", log = folder.path() / "log";
  TRY(WriteFileAtomically(file, boost::json::serialize(ToJson(job)), 0600));
  ASSIGN(auto pid, StartChild({other.program, "score", "--job", file.string(), step}, other.environment, answer, log));
  const auto ended = AwaitEnd(pid, seconds);
  if (!ended) {
    KillProcess(pid);
    return Fail(ErrorKind::kTooLarge, "the metadata of a table could not be read within {} s", seconds);
  }
  ASSIGN(auto text, ReadFile(answer, kLargestAnswer));
  if (text.empty() && ended->code() != 0)
    return Fail(ErrorKind::kUnavailable, "the process that reads the metadata of a table {}", ended->ToString());
  return text;
}

}  // namespace

scoring::PlanAnswer PlanElsewhere(const OtherProcess& other, const scoring::Job& job) {
  auto answer = Ask(other, job, "--plan", kSecondsToPlan);
  auto said = answer ? scoring::ParsePlanned(*answer) : Result<scoring::PlanAnswer>(Failure(answer.error()));
  if (!said) return std::unexpected(std::vector<scoring::Problem>{{said.error().kind, {}, said.error().message}});
  return std::move(*said);
}

Result<std::optional<scoring::RunOutcome>> FindOutcomeElsewhere(const OtherProcess& other, const scoring::Job& job) {
  ASSIGN(auto answer, Ask(other, job, "--outcome", kSecondsToFind));
  if (answer.empty()) return std::nullopt;
  ASSIGN(auto event, scoring::ParseEvent(answer));
  if (const auto* committed = std::get_if<scoring::Committed>(&event))
    return scoring::RunOutcome{committed->rows, committed->snapshot_id, committed->model_version, true,
                               committed->left_out};
  if (const auto* failed = std::get_if<scoring::Failed>(&event)) return Fail(failed->kind, failed->message);
  return Fail(ErrorKind::kInternal, "the program that was asked for a run's outcome told of something else");
}

}  // namespace slipway::dispatch
