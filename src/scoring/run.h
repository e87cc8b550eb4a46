#pragma once

#include <stop_token>

#include "scoring/run_parts.h"

namespace slipway::scoring {

/// One run from job to commit: resolve → plan → read → filter → score → write → commit. On failure or `stop`
/// (kCancelled) the target is as it was, and the files of this attempt are deleted, but for kPerhapsCommitted. A run
/// whose id the target has already is not done again. What other attempts have left is deleted when the target has the
/// run, never before.
Result<RunOutcome> Run(const Job& job, const Sources& sources, const Clock& clock, const EventSink& events,
                       const std::stop_token& stop, const CommitGuard& may_commit = {}, const PartSize& size = {});

}  // namespace slipway::scoring
