#include "scoring/run.h"

#include <arrow/record_batch.h>

#include <thread>

#include "base/file_io.h"
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

/// The files that a run makes; those of a run that does not commit are deleted.
struct MadeFiles {
  std::shared_ptr<FileIo> io;
  std::vector<std::string> locations;
  bool committed = false;
  ~MadeFiles() {
    if (committed) return;
    for (const auto& location : locations) (void)io->Delete(location);
  }
};

/// What the summary of a run's snapshot tells of it.
RunOutcome OutcomeOf(const iceberg::Snapshot& snapshot) {
  auto text = [&](const char* key) {
    auto found = snapshot.summary.find(key);
    return found == snapshot.summary.end() ? std::string() : found->second;
  };
  return {std::strtoll(text("slipway.rows").c_str(), nullptr, 10), snapshot.snapshot_id, text("slipway.model-version"),
          true};
}

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

Result<std::optional<RunOutcome>> FindCommit(const Job& job, iceberg::Catalog& catalog, bool delete_orphans) {
  iceberg::TableIdentifier id{job.work.target.schema, job.work.target.table};
  auto target = catalog.Load(id);
  if (!target && target.error().kind != ErrorKind::kNotFound) return Failure(target.error());
  if (delete_orphans && target)
    TRY(iceberg::DeleteOrphans(*target->io, target->metadata.location, &*target, job.run_id));
  if (delete_orphans && !target) {
    ASSIGN(auto place, catalog.NewTablePlace(id));
    TRY(iceberg::DeleteOrphans(*place.io, place.location, nullptr, job.run_id));
  }
  const auto* snapshot = target ? target->metadata.FindRun(job.run_id) : nullptr;
  if (snapshot == nullptr) return std::nullopt;
  return OutcomeOf(*snapshot);
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

Result<std::optional<RunOutcome>> FindOutcome(const Job& job, const Catalogs& catalogs) {
  ASSIGN(auto* catalog, catalogs.Find(job.work.target.catalog));
  return FindCommit(job, *catalog, false);
}

Result<std::optional<RunOutcome>> CleanUp(const Job& job, const Catalogs& catalogs) {
  ASSIGN(auto* catalog, catalogs.Find(job.work.target.catalog));
  return FindCommit(job, *catalog, true);
}

Result<RunOutcome> Run(const Job& job, const Sources& sources, const Clock& clock, const EventSink& events,
                       const std::stop_token& stop, const CommitGuard& may_commit) {
  ASSIGN(auto* found, sources.catalogs.Find(job.work.target.catalog));
  auto& catalog = *found;
  ASSIGN(auto earlier, FindCommit(job, catalog, job.attempt > 1));
  if (earlier) return *earlier;
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
  MadeFiles made{.io = plan.target.io};
  StageCounts counts;
  ASSIGN(auto written, Score(plan, job, *reader, rerun, made, counts, events, stop));
  events(Progress(counts));
  iceberg::SnapshotUpdate update;
  update.run_id = job.run_id;
  update.added_files = [&](const iceberg::Table& base) -> Result<std::vector<iceberg::DataFile>> {
    if (may_commit) TRY(may_commit());
    return rerun.FilesFor(base, written, made.locations);
  };
  update.replaced_rows = rerun.ReplacedRows();
  update.summary = {{"slipway.deployment", job.deployment},
                    {"slipway.rows", std::to_string(counts.written)},
                    {"slipway.logical-date", FormatTimestamp(job.logical_date)},
                    {"slipway.model-name", plan.model_version.name},
                    {"slipway.model-version", plan.model_version.version}};
  if (scan.snapshot_id) update.summary["slipway.source-snapshot-id"] = std::to_string(*scan.snapshot_id);
  if (stop.stop_requested()) return Fail(ErrorKind::kCancelled, "the run was cancelled");
  auto committed = iceberg::Commit(catalog, plan.target, update, clock);
  made.committed = committed || committed.error().kind == ErrorKind::kPerhapsCommitted;
  if (!committed) return Failure(committed.error().Wrap("commit " + ToString(plan.target.id)));
  if (committed->attempts > 1) TRY(FindCommit(job, catalog, true));  // files that were made again after a conflict
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
