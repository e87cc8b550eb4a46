#include "scoring/run.h"

#include <arrow/record_batch.h>

#include <thread>

#include "base/format.h"
#include "iceberg/commit.h"
#include "iceberg/partitioned_writer.h"
#include "iceberg/scan_reader.h"
#include "scoring/pipeline.h"
#include "scoring/plan.h"
#include "scoring/predictions.h"
#include "scoring/pruning.h"
#include "scoring/rerun.h"

namespace slipway::scoring {
namespace {

constexpr int64_t kBatchRows = 16384;
const int kCores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
/// One more than decoding needs, for two share a file; and a file's first batch takes as long as many others: it
/// decompresses a page of each column.
const int kDecoders = std::min(kCores, 1 + (kCores + 3) / 4);
constexpr double kSecondsBetweenEvents = 0.1;

Event Progress(const StageCounts& counts) {
  return {"progress", {{"read", counts.read}, {"scored", counts.scored}, {"written", counts.written}}, {}, {}};
}

/// Read → filter → score → write; the files that hold the predictions.
Result<std::vector<iceberg::DataFile>> Score(const Plan& plan, const Job& job, iceberg::ScanReader& reader,
                                             Rerun& rerun, MadeFiles& made, StageCounts& counts,
                                             const EventSink& events, const std::stop_token& stop) {
  iceberg::PartitionedWriter writer(plan.target, job.run_id);
  double last_event = 0;
  Pipeline pipeline{.workers = kCores, .window = 4 * kCores};
  pipeline.source = [&]() -> Result<Batch> {
    if (stop.stop_requested()) return Fail(ErrorKind::kCancelled, "the run was cancelled");
    return reader.Next();
  };
  pipeline.stage = [&](const Batch& rows) { return MakePredictions(plan, job, rows, counts); };
  pipeline.sink = [&](const Batch& rows) -> Result<> {
    double started = ThreadCpuSeconds();
    ASSIGN(auto admitted, rerun.Admit(rows));
    auto written = writer.Write(admitted);
    made.locations = writer.locations();
    TRY(written);
    counts.written += admitted->num_rows();
    counts.write_seconds += ThreadCpuSeconds() - started;
    if (MonotonicSeconds() - last_event >= kSecondsBetweenEvents) {
      events(Progress(counts));
      last_event = MonotonicSeconds();
    }
    return {};
  };
  TRY(pipeline.Run());
  return writer.Finish();
}

}  // namespace

/// The plan's target as its first commit will create it: the catalog has a say in locations and field ids.
Result<> StageTarget(Plan& plan, iceberg::Catalog& catalog) {
  const auto& planned = plan.target.metadata.schema;
  auto partition = std::ranges::find(planned.fields, plan.partition_field_id, &iceberg::Field::id)->name;
  ASSIGN(auto staged, Wrap(catalog.Stage(plan.target.id, plan.target.metadata), "create " + ToString(plan.target.id)));
  for (auto& column : plan.output) {
    const auto* field = staged.metadata.schema.Find(column.field.name);
    if (field == nullptr)
      return Fail(ErrorKind::kCorrupt, "the catalog made {} without '{}'", ToString(staged.id), column.field.name);
    column.field = *field;
  }
  plan.partition_field_id = staged.metadata.schema.Find(partition)->id;
  plan.target = std::move(staged);
  return {};
}

Result<RunOutcome> Run(const Job& job, const Sources& sources, const Clock& clock, const EventSink& events,
                       const std::stop_token& stop, const CommitGuard& may_commit) {
  ASSIGN(auto* found, sources.catalogs.Find(job.work.target.catalog));
  auto& catalog = *found;
  ASSIGN(auto earlier, FindCommit(job, catalog));
  if (earlier) {
    TidyUp(job, catalog);
    return *earlier;
  }
  auto planned = MakePlan(job.work, sources, job.logical_date, clock);
  if (!planned) return Failure(ToError(planned.error()));
  Plan& plan = *planned;
  if (plan.target.metadata_location.empty()) TRY(StageTarget(plan, catalog));
  auto prune =
      plan.filter ? PruningPredicate(plan.filter->root(), plan.source.metadata.schema) : iceberg::Predicate::Always();
  ASSIGN(auto scan, iceberg::PlanScan(plan.source, job.work.source.snapshot_id, prune));
  events(
      {"planned",
       {{"rows", scan.rows}, {"files", static_cast<int64_t>(scan.files.size())}, {"skipped_files", scan.skipped_files}},
       {{"model_version", plan.model_version.version}},
       {}});
  Rerun rerun(plan, job);
  TRY(rerun.Start());
  auto reader =
      iceberg::ScanReader::Start(plan.source, scan, plan.read, {.threads = kDecoders, .batch_rows = kBatchRows});
  MadeFiles made;
  made.io = plan.target.io;
  StageCounts counts;
  ASSIGN(auto written, Score(plan, job, *reader, rerun, made, counts, events, stop));
  events(Progress(counts));
  iceberg::SnapshotUpdate update;
  update.run_id = job.run_id;
  update.added_files = [&](const iceberg::Table& base) { return rerun.FilesFor(base, written, made.locations); };
  update.before_publish = [&]() -> Result<> {
    if (stop.stop_requested()) return Fail(ErrorKind::kCancelled, "the run was cancelled");
    return may_commit ? may_commit() : Result<>();
  };
  update.replaced_rows = rerun.ReplacedRows();
  update.summary = {{"slipway.deployment", job.deployment},
                    {"slipway.rows", std::to_string(counts.written)},
                    {"slipway.logical-date", FormatTimestamp(job.logical_date)},
                    {"slipway.model-name", plan.model_version.name},
                    {"slipway.model-version", plan.model_version.version}};
  if (scan.snapshot_id) update.summary["slipway.source-snapshot-id"] = std::to_string(*scan.snapshot_id);
  auto committed = iceberg::Commit(catalog, plan.target, update, clock);
  made.kept = committed ? !committed->already_committed : committed.error().kind == ErrorKind::kPerhapsCommitted;
  if (!committed) return Failure(committed.error().Wrap("commit " + ToString(plan.target.id)));
  if (job.attempt > 1 || committed->attempts > 1) TidyUp(job, catalog);
  events({"stages",
          {{"rows", counts.written}},
          {},
          {{"decode", reader->cpu_seconds()},
           {"filter", counts.filter_seconds},
           {"score", counts.score_seconds},
           {"write", counts.write_seconds}}});
  return RunOutcome{counts.written, committed->snapshot_id, plan.model_version.version, committed->already_committed};
}

}  // namespace slipway::scoring
