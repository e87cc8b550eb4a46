#include "scoring/rerun.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>

#include <algorithm>

#include "base/file_io.h"
#include "base/format.h"
#include "iceberg/copy_file.h"
#include "iceberg/mask.h"
#include "iceberg/scan_reader.h"
#include "scoring/target.h"

namespace slipway::scoring {
namespace {

using iceberg::IsNull;
using iceberg::Literal;
using iceberg::Predicate;

bool Appends(const Job& job) { return job.work.rerun_behavior == RerunBehavior::kAppendDedup; }
bool ByTime(const Job& job) { return job.work.partition_column == "scored_at"; }

Predicate InWindow(const Plan& plan, const Job& job) {
  auto micros = [](Timestamp t) { return Literal(int64_t{t.time_since_epoch().count()}); };
  return Predicate::And(
      {Predicate::Compare(Predicate::Op::kGreaterEqual, plan.partition_field_id, micros(job.window.from)),
       Predicate::Compare(Predicate::Op::kLess, plan.partition_field_id, micros(job.window.to))});
}

/// The rows of `rows` that are the deployment's own to replace. A row that names no deployment was written before the
/// target had the column, when every run replaced whatever it found: it still is whoever's runs come across it, for
/// else the first rerun would leave both its rows and those.
Predicate Own(const Plan& plan, const Job& job, Predicate rows) {
  const auto* field = plan.DeploymentField();
  if (field == nullptr) return rows;
  auto own = Predicate::Compare(Predicate::Op::kEqual, field->id, Literal(job.deployment));
  return Predicate::And({std::move(rows), Predicate::Or({std::move(own), Predicate::Null(field->id, true)})});
}

/// The rows among which a run's keys must be new: those of the window; else all, with the partition's value in the key.
Predicate Rivals(const Plan& plan, const Job& job) {
  return Own(plan, job, ByTime(job) ? InWindow(plan, job) : Predicate::Always());
}

std::vector<std::string> KeyColumns(const Job& job) {
  auto columns = job.work.entity_columns;
  if (!ByTime(job) && std::ranges::find(columns, job.work.partition_column) == columns.end())
    columns.push_back(job.work.partition_column);
  return columns;
}

/// Adds the keys of all rows of `scan` that match `window`; `columns` holds the key columns, and what `window` is
/// about.
Result<> AddKeys(const iceberg::Table& table, const iceberg::ScanPlan& scan, const std::vector<iceberg::Field>& columns,
                 const Predicate& window, EntityKeys& keys) {
  ASSIGN(auto reader, iceberg::ScanReader::Start(table, scan, columns, {}));
  while (true) {
    ASSIGN(auto batch, reader->Next());
    if (batch == nullptr) return {};
    ASSIGN(auto rows, iceberg::Take(iceberg::Rows::kMatching, window, batch, columns));
    TRY(keys.Add(*rows));
  }
}

/// Adds the keys that stand in files of a table already. A file may hold other windows too, where its partition spec is
/// older or coarser; of one that is known to hold only rows of this one no row is looked at twice.
Result<> ReadKeys(const Plan& plan, const Job& job, const iceberg::Table& table, const iceberg::ScanPlan& scan,
                  EntityKeys& keys) {
  const auto& schema = table.metadata.schema;
  const auto rivals = Rivals(plan, job);
  std::vector<iceberg::Field> columns;
  for (const auto& name : KeyColumns(job)) columns.push_back(*schema.Find(name));
  iceberg::ScanPlan whole, mixed;
  for (const auto& file : scan.files) {
    bool all = MustMatch(rivals, RangesOf(file, *table.metadata.FindSpec(file.spec_id), schema));
    (all ? whole : mixed).files.push_back(file);
  }
  TRY(AddKeys(table, whole, columns, Predicate::Always(), keys));
  if (mixed.files.empty()) return {};
  auto need = [&](int id) {
    if (std::ranges::find(columns, id, &iceberg::Field::id) == columns.end()) columns.push_back(*schema.Find(id));
  };
  need(plan.partition_field_id);
  if (const auto* deployment = plan.DeploymentField()) need(deployment->id);
  return AddKeys(table, mixed, columns, rivals, keys);
}

}  // namespace

std::optional<Predicate> ReplacedRows(const Plan& plan, const Job& job, const ReplacedValues& written) {
  if (Appends(job)) return std::nullopt;
  if (ByTime(job)) return Own(plan, job, InWindow(plan, job));
  auto in = Predicate::In(plan.partition_field_id, written.values);
  if (!written.null) return Own(plan, job, std::move(in));
  return Own(plan, job, Predicate::Or({std::move(in), Predicate::Null(plan.partition_field_id, true)}));
}

Result<> Admission::Start() {
  if (!Appends(job_)) return {};
  keys_.emplace(KeyColumns(job_));
  auto read = [&]() -> Result<> {
    ASSIGN(auto scan, iceberg::PlanScan(plan_.target, std::nullopt, Rivals(plan_, job_)));
    return ReadKeys(plan_, job_, plan_.target, scan, *keys_);
  }();
  return Wrap(read, "read the keys of " + ToString(plan_.target.id));
}

Result<std::shared_ptr<arrow::RecordBatch>> Admission::Admit(const std::shared_ptr<arrow::RecordBatch>& batch) {
  if (keys_) return keys_->TakeNew(batch);
  if (ByTime(job_)) return batch;
  auto column = batch->GetColumnByName(job_.work.partition_column);
  const auto* field = plan_.target.metadata.schema.Find(plan_.partition_field_id);
  for (int64_t row = 0; row < column->length(); ++row) {
    ASSIGN(auto value, iceberg::LiteralAt(*column, row));
    if (IsNull(value)) {
      values_.null = true;
    } else if (!last_ || *last_ != value) {
      if (seen_values_.insert(ToBytes(value, field->type)).second) values_.values.push_back(value);
      last_ = std::move(value);
    }
  }
  return batch;
}

ReplacedValues Admission::Values() const { return values_; }

/// The files of `base` with rivals that were not there, or not looked at, before.
Result<iceberg::ScanPlan> Additions::Unseen(const iceberg::Table& base) {
  const auto rivals = Rivals(plan_, job_);
  if (!seen_) {
    seen_.emplace();
    // Where the old state cannot be read any more, all files count as new.
    if (auto then = iceberg::PlanScan(plan_.target, std::nullopt, rivals); then)
      for (const auto& file : then->files) seen_->insert(file.file_path);
  }
  ASSIGN(auto scan, iceberg::PlanScan(base, std::nullopt, rivals));
  std::erase_if(scan.files, [&](const auto& file) { return seen_->contains(file.file_path); });
  return scan;
}

Result<std::vector<iceberg::DataFile>> Additions::For(const iceberg::Table& base) {
  const auto* now = base.metadata.schema.Find(kDeploymentColumn);
  if (plan_.DeploymentField() == nullptr && now != nullptr &&
      plan_.target.metadata.schema.Find(kDeploymentColumn) == nullptr)
    return Fail(ErrorKind::kConflict,
                "the column '{}' was added to the table {} during the run; start the run again, so that it replaces "
                "rows of its own deployment alone",
                kDeploymentColumn, ToString(base.id));
  if (!Appends(job_) || base.metadata.current_snapshot_id == plan_.target.metadata.current_snapshot_id) return files_;
  ASSIGN(auto unseen, Unseen(base));
  if (unseen.files.empty()) return files_;
  EntityKeys theirs(KeyColumns(job_));
  TRY(ReadKeys(plan_, job_, base, unseen, theirs));
  TRY(LeaveOut(base, theirs));
  for (const auto& file : unseen.files) seen_->insert(file.file_path);
  return files_;
}

/// Replaces the files that hold some of their keys by copies without these rows.
Result<> Additions::LeaveOut(const iceberg::Table& base, EntityKeys& theirs) {
  if (!ours_) {
    EntityKeys ours(KeyColumns(job_));
    TRY(ReadKeys(plan_, job_, base, {.files = files_}, ours));
    ours_ = std::move(ours);
  }
  if (!theirs.Meets(*ours_)) return {};
  std::vector<iceberg::DataFile> files;
  for (const auto& file : files_) {
    auto keep = [&](const std::shared_ptr<arrow::RecordBatch>& batch) { return theirs.LeaveOut(batch); };
    ASSIGN(auto copy, iceberg::CopyFile(base, file, job_.run_id, keep));
    if (!copy) continue;
    made_.push_back(copy->file_path);
    files.push_back(std::move(*copy));
  }
  files_ = std::move(files);
  return {};
}

}  // namespace slipway::scoring
