#pragma once

#include <memory>
#include <optional>
#include <stop_token>

#include "scoring/progress.h"
#include "scoring/sources.h"

namespace slipway::scoring {

struct RunOutcome {
  int64_t rows = 0;  ///< predictions in the run's snapshot
  int64_t snapshot_id = 0;
  std::string model_version;
  bool already_committed = false;  ///< an earlier attempt had done it
};

/// Asked before every attempt to commit: an error, when the run is not this process's to commit any more.
using CommitGuard = std::function<Result<>()>;

/// One run from job to commit: resolve → plan → read → filter → score → write → commit. On failure or `stop`
/// (kCancelled) the target is as it was, and the files of this run are deleted. A run whose id the target has already
/// is not done again.
Result<RunOutcome> Run(const Job& job, const Sources& sources, const Clock& clock, const EventSink& events,
                       const std::stop_token& stop, const CommitGuard& may_commit = {});

/// The commit of a run, as its target tells of it; nothing where it has none.
Result<std::optional<RunOutcome>> FindOutcome(const Job& job, const Catalogs& catalogs);

/// As above, and deletes what the attempts of the run have left behind. Nothing may be running for it.
Result<std::optional<RunOutcome>> CleanUp(const Job& job, const Catalogs& catalogs);

}  // namespace slipway::scoring
