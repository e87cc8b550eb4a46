#pragma once

#include <functional>
#include <stop_token>

#include "scoring/progress.h"
#include "scoring/run_files.h"
#include "scoring/sources.h"

namespace slipway::scoring {

/// Asked right before every compare-and-swap: an error, when the run is not this process's to commit any more. It saves
/// work; what makes a run happen once is the compare-and-swap.
using CommitGuard = std::function<Result<>()>;

/// One run from job to commit: resolve → plan → read → filter → score → write → commit. On failure or `stop`
/// (kCancelled) the target is as it was, and the files of this attempt are deleted, but for kPerhapsCommitted. A run
/// whose id the target has already is not done again. What other attempts have left is deleted when the target has the
/// run, never before.
Result<RunOutcome> Run(const Job& job, const Sources& sources, const Clock& clock, const EventSink& events,
                       const std::stop_token& stop, const CommitGuard& may_commit = {});

}  // namespace slipway::scoring
