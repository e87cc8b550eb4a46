#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "scoring/events.h"
#include "scoring/rerun.h"
#include "scoring/run_files.h"
#include "scoring/sources.h"

namespace slipway::scoring {

// A run in three calls: Prepare → ScorePart for each part → Finish, in one process or in many (run_parts_json.h). Parts
// are pure: done twice, or by two at once, they harm nothing, since only what Finish names is in the table.

/// Into how many parts a scan is cut; a part is whole data files.
struct PartSize {
  int64_t parts = 1;  ///< at most, of about the same number of rows
  int64_t rows = 0;   ///< above 0: about so many rows in a part, however many parts that makes
};

/// What one ScorePart reads.
struct Part {
  std::vector<iceberg::DataFile> files;
  int64_t rows = 0;
};

/// What was decided before the first row is read: all that parts and Finish have to agree on.
struct Prepared {
  std::string id;      ///< of this preparation: results of another one do not fit
  std::string run_id;  ///< and work, as a digest: of the job
  std::string work;
  std::string model_version;  ///< resolved once
  std::optional<int64_t> source_snapshot_id;
  int source_schema_id = 0;
  int64_t rows = 0, files = 0, skipped_files = 0;  ///< of the scan
  std::vector<Part> parts;                         ///< at least one
  iceberg::Table target;             ///< the state that was planned for; without a metadata file Finish creates it
  std::shared_ptr<const Plan> plan;  ///< in the process that prepared; elsewhere it is made again from the above
};

/// What became of one part.
struct PartResult {
  std::string prepared;  ///< the id of the Prepared
  int64_t part = 0;
  std::vector<iceberg::DataFile> files;
  ReplacedValues replaced;
  Progress rows;
  Stages seconds;
};

/// The scan that was cut, for those who watch.
Planned ToEvent(const Prepared& prepared);

/// Resolves the model, plans, and cuts the scan. Writes nothing but, where a REST catalog wants it, the target's
/// namespace. kUnsupported: append_dedup in more than one part, since rows of two parts may have the same key.
Result<Prepared> Prepare(const Job& job, const Sources& sources, const Clock& clock, const PartSize& size);

/// Reads, filters, scores and writes the rows of one part. On failure, or `stop` (kCancelled), its files are deleted.
/// kInvalid: no such part, or prepared for another job.
Result<PartResult> ScorePart(const Job& job, const Prepared& prepared, int64_t part, const Sources& sources,
                             const Clock& clock, const EventSink& events, const std::stop_token& stop);

/// Asked right before every compare-and-swap: an error, when the run is not this process's to commit any more. It saves
/// work; what makes a run happen once is the compare-and-swap.
using CommitGuard = std::function<Result<>()>;

/// Commits the results of all parts in one snapshot, or finds that another attempt has. The parts' files stay, also on
/// failure: they are the caller's. Done twice, the second one finds the first one's commit. kInvalid: a part is
/// missing, there twice, or of another preparation.
Result<RunOutcome> Finish(const Job& job, const Prepared& prepared, const std::vector<PartResult>& results,
                          const Sources& sources, const Clock& clock, const CommitGuard& may_commit);

/// What a Prepared and a PartResult are for: the job, whatever its attempt.
std::string WorkDigest(const Job& job);

}  // namespace slipway::scoring
