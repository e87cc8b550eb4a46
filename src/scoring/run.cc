#include "scoring/run.h"

#include "base/format.h"

namespace slipway::scoring {

Result<RunOutcome> Run(const Job& job, const Sources& sources, const Clock& clock, const EventSink& events,
                       const std::stop_token& stop, const CommitGuard& may_commit, const PartSize& size) {
  ASSIGN(auto earlier, FindEarlier(job, sources.catalogs));
  if (earlier) return *earlier;
  ASSIGN(auto prepared, Prepare(job, sources, clock, size));
  events(ToEvent(prepared));

  MadeFiles made(prepared.plan->target.io);
  std::vector<PartResult> results;
  Stages seconds;
  for (int64_t part = 0; part < std::ssize(prepared.parts); ++part) {
    ASSIGN(auto result, ScorePart(job, prepared, part, sources, clock, events, stop));
    for (const auto& file : result.files) made.locations.push_back(file.file_path);
    seconds += result.seconds;
    results.push_back(std::move(result));
  }

  auto go_on = [&]() -> Result<> {
    if (stop.stop_requested()) return Fail(ErrorKind::kCancelled, "the run was cancelled");
    return may_commit ? may_commit() : Result<>();
  };
  auto outcome = Finish(job, prepared, results, sources, clock, go_on);
  made.kept = outcome ? !outcome->already_committed : outcome.error().kind == ErrorKind::kPerhapsCommitted;
  if (outcome) events(seconds);
  return outcome;
}

}  // namespace slipway::scoring
