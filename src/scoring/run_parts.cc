#include "scoring/run_parts.h"

#include <arrow/record_batch.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <limits>
#include <thread>

#include "base/format.h"
#include "base/ids.h"
#include "iceberg/commit.h"
#include "iceberg/partitioned_writer.h"
#include "iceberg/scan_reader.h"
#include "scoring/pipeline.h"
#include "scoring/predictions.h"
#include "scoring/pruning.h"
#include "scoring/target.h"

namespace slipway::scoring {
namespace {

constexpr int64_t kBatchRows = 16384;
const int kCores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
/// One more than decoding needs, for two share a file; and a file's first batch takes as long as many others: it
/// decompresses a page of each column.
const int kDecoders = std::min(kCores, 1 + (kCores + 3) / 4);
constexpr double kSecondsBetweenEvents = 0.1;

Error Cancelled() { return {ErrorKind::kCancelled, "the run was cancelled"}; }

Progress ProgressOf(const StageCounts& counts) { return {counts.read, counts.scored, counts.written}; }

/// Whole files, in the scan's order; at least one part, also of nothing.
std::vector<Part> Cut(std::vector<iceberg::DataFile> files, int64_t rows, const PartSize& size) {
  const auto count = size.rows > 0 ? std::numeric_limits<int64_t>::max() : std::max<int64_t>(size.parts, 1);
  const auto enough = size.rows > 0 ? size.rows : (rows + count - 1) / count;
  std::vector<Part> parts(1);
  for (auto& file : files) {
    bool full = parts.back().rows >= enough && !parts.back().files.empty();
    if (full && std::ssize(parts) < count) parts.emplace_back();
    parts.back().rows += file.record_count;
    parts.back().files.push_back(std::move(file));
  }
  return parts;
}

/// The plan of this process: the one that Prepare made, or the same made again.
Result<std::shared_ptr<const Plan>> PlanOf(const Job& job, const Prepared& prepared, const Sources& sources,
                                           const Clock& clock) {
  if (prepared.run_id != job.run_id || prepared.work != WorkDigest(job))
    return Fail(ErrorKind::kInvalid, "this was prepared for another job (run {}), not for run {}", prepared.run_id,
                job.run_id);
  if (prepared.plan != nullptr) return prepared.plan;
  ASSIGN(auto* catalog, sources.catalogs.Find(job.work.target.catalog));
  auto work = job.work;
  work.model.version = prepared.model_version;
  work.model.alias.reset();
  PlanAgain again{prepared.source_schema_id, prepared.target};
  ASSIGN(again.target.io, FilesOf(prepared.target.id, *catalog));
  auto planned = MakePlan(work, sources, {job.logical_date, job.window}, clock, std::move(again));
  if (!planned) return Failure(ToError(planned.error()));
  return std::make_shared<const Plan>(std::move(*planned));
}

iceberg::SnapshotUpdate UpdateOf(const Job& job, const Prepared& prepared, const Plan& plan, int64_t rows,
                                 int64_t left_out) {
  iceberg::SnapshotUpdate update;
  update.run_id = job.run_id;
  update.summary = {{"slipway.deployment", job.deployment},
                    {"slipway.rows", std::to_string(rows)},
                    {"slipway.rows-left-out", std::to_string(left_out)},
                    {"slipway.logical-date", FormatTimestamp(job.logical_date)},
                    {"slipway.model-name", plan.model_version.name},
                    {"slipway.model-version", plan.model_version.version}};
  if (prepared.source_snapshot_id)
    update.summary["slipway.source-snapshot-id"] = std::to_string(*prepared.source_snapshot_id);
  return update;
}

/// One result for each part, all of this preparation.
Result<> CheckResults(const Prepared& prepared, const std::vector<PartResult>& results) {
  std::vector<bool> there(prepared.parts.size());
  for (const auto& result : results) {
    if (result.prepared != prepared.id)
      return Fail(ErrorKind::kInvalid,
                  "the result of part {} is of another preparation ({}), or of another job; do that part again",
                  result.part, result.prepared);
    if (result.part < 0 || static_cast<size_t>(result.part) >= there.size())
      return Fail(ErrorKind::kInvalid, "there is a result of part {}, but the run has {} parts", result.part,
                  there.size());
    if (there[static_cast<size_t>(result.part)])
      return Fail(ErrorKind::kInvalid, "there are two results of part {}", result.part);
    there[static_cast<size_t>(result.part)] = true;
  }
  auto missing = std::ranges::find(there, false);
  if (missing == there.end()) return {};
  return Fail(ErrorKind::kInvalid, "the result of part {} is missing", missing - there.begin());
}

}  // namespace

std::string WorkDigest(const Job& job) {
  auto asked = ToJson(job);
  for (const auto* other : {"run_id", "attempt", "places"}) asked.erase(other);
  return Sha256(boost::json::serialize(asked));
}

Planned ToEvent(const Prepared& prepared) {
  return {prepared.rows, prepared.files, prepared.skipped_files, static_cast<int64_t>(prepared.parts.size()),
          prepared.model_version};
}

Result<Prepared> Prepare(const Job& job, const Sources& sources, const Clock& clock, const PartSize& size) {
  ASSIGN(auto* catalog, sources.catalogs.Find(job.work.target.catalog));
  auto planned = MakePlan(job.work, sources, {job.logical_date, job.window}, clock);
  if (!planned) return Failure(ToError(planned.error()));
  auto plan = std::make_shared<Plan>(std::move(*planned));
  if (plan->target.metadata_location.empty()) TRY(StageTarget(*plan, *catalog));
  auto prune = plan->filter ? PruningPredicate(plan->filter->root(), plan->source.metadata.schema)
                            : iceberg::Predicate::Always();
  ASSIGN(auto scan, iceberg::PlanScan(plan->source, job.work.source.snapshot_id, prune));
  Prepared prepared{.id = NewUuid(),
                    .run_id = job.run_id,
                    .work = WorkDigest(job),
                    .model_version = plan->model_version.version,
                    .source_snapshot_id = scan.snapshot_id,
                    .source_schema_id = plan->source.metadata.schema.schema_id,
                    .rows = scan.rows,
                    .files = static_cast<int64_t>(scan.files.size()),
                    .skipped_files = scan.skipped_files,
                    .parts = Cut(std::move(scan.files), scan.rows, size),
                    .target = plan->target};
  if (prepared.parts.size() > 1 && job.work.rerun_behavior == RerunBehavior::kAppendDedup)
    return Fail(
        ErrorKind::kUnsupported,
        "append_dedup cannot be done in {} parts yet: rows of two parts may have the same key; ask for one part",
        prepared.parts.size());
  prepared.plan = std::move(plan);
  return prepared;
}

/// Read → filter → score → write.
Result<PartResult> ScorePart(const Job& job, const Prepared& prepared, int64_t part, const Sources& sources,
                             const Clock& clock, const EventSink& events, const std::stop_token& stop) {
  if (part < 0 || static_cast<size_t>(part) >= prepared.parts.size())
    return Fail(ErrorKind::kInvalid, "there is no part {}: the run has the parts 0 to {}", part,
                prepared.parts.size() - 1);
  ASSIGN(auto plan, PlanOf(job, prepared, sources, clock));
  Admission admission(*plan, job);
  TRY(admission.Start());
  const iceberg::ScanPlan scan{prepared.source_snapshot_id, prepared.parts[static_cast<size_t>(part)].files};
  ASSIGN(auto reader,
         iceberg::ScanReader::Start(plan->source, scan, plan->read, {.threads = kDecoders, .batch_rows = kBatchRows}));
  MadeFiles made(plan->target.io);
  StageCounts counts;
  iceberg::PartitionedWriter writer(plan->target, job.run_id);
  double last_event = 0;
  Pipeline pipeline{.workers = kCores, .window = 4 * kCores};
  pipeline.source = [&]() -> Result<Batch> {
    if (stop.stop_requested()) return Failure(Cancelled());
    return reader->Next();
  };
  pipeline.stage = [&](const Batch& rows) { return MakePredictions(*plan, job, rows, counts); };
  pipeline.sink = [&](const Batch& rows) -> Result<> {
    double started = ThreadCpuSeconds();
    ASSIGN(auto admitted, admission.Admit(rows));
    auto written = writer.Write(admitted);
    made.locations = writer.locations();
    TRY(written);
    counts.written += admitted->num_rows();
    counts.write_seconds += ThreadCpuSeconds() - started;
    if (MonotonicSeconds() - last_event >= kSecondsBetweenEvents) {
      events(ProgressOf(counts));
      last_event = MonotonicSeconds();
    }
    return {};
  };
  TRY(pipeline.Run());
  PartResult result{.prepared = prepared.id, .part = part};
  auto files = writer.Finish();
  made.locations = writer.locations();
  ASSIGN(result.files, std::move(files));
  events(ProgressOf(counts));
  result.replaced = admission.Values();
  result.rows = ProgressOf(counts);
  result.seconds = {counts.written, reader->cpu_seconds(), counts.filter_seconds, counts.score_seconds,
                    counts.write_seconds};
  made.kept = true;
  return result;
}

Result<RunOutcome> Finish(const Job& job, const Prepared& prepared, const std::vector<PartResult>& results,
                          const Sources& sources, const Clock& clock, const CommitGuard& may_commit) {
  ASSIGN(auto* catalog, sources.catalogs.Find(job.work.target.catalog));
  TRY(CheckResults(prepared, results));
  ASSIGN(auto plan, PlanOf(job, prepared, sources, clock));
  std::vector<iceberg::DataFile> written;
  ReplacedValues replaced;
  int64_t rows = 0, left_out = 0;
  for (const auto& result : results) {
    written.insert(written.end(), result.files.begin(), result.files.end());
    replaced.values.insert(replaced.values.end(), result.replaced.values.begin(), result.replaced.values.end());
    replaced.null = replaced.null || result.replaced.null;
    rows += result.rows.written;
    left_out += result.rows.scored - result.rows.written;
  }
  Additions additions(*plan, job, std::move(written));
  MadeFiles copies(plan->target.io);
  auto update = UpdateOf(job, prepared, *plan, rows, left_out);
  update.added_files = [&](const iceberg::Table& base) {
    auto files = additions.For(base);
    copies.locations = additions.made();
    return files;
  };
  update.before_publish = may_commit;
  update.replaced_rows = ReplacedRows(*plan, job, replaced);
  auto committed = iceberg::Commit(*catalog, plan->target, update, clock);
  copies.kept = committed ? !committed->already_committed : committed.error().kind == ErrorKind::kPerhapsCommitted;
  if (!committed) return Failure(committed.error().Wrap("commit " + ToString(plan->target.id)));
  if (job.attempt > 1 || committed->attempts > 1 || committed->already_committed) TidyUp(job, *catalog);
  return RunOutcome{rows, committed->snapshot_id, plan->model_version.version, committed->already_committed, left_out};
}

}  // namespace slipway::scoring
