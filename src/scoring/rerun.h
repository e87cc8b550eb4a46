#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "iceberg/predicate.h"
#include "iceberg/scan.h"
#include "scoring/entity_keys.h"
#include "scoring/job.h"
#include "scoring/plan.h"

namespace slipway::scoring {

// What a run does to the rows that are there already (docs/semantics.md): `overwrite_partition` replaces the window of
// the job, or the values of the partition column that the run writes; `append_dedup` leaves out rows whose entity
// columns stand in the same window, or with the same value, already. Both look at rows of the run's deployment alone,
// and at those that name none, where the target says whose a row is.

/// The values of the partition column that rows were written with.
struct ReplacedValues {
  std::vector<iceberg::Literal> values;  ///< each once
  bool null = false;
};

/// The rows that a commit replaces; absent for append_dedup.
std::optional<iceberg::Predicate> ReplacedRows(const Plan& plan, const Job& job, const ReplacedValues& written);

/// Sees the rows of one part before they are written.
class Admission {
 public:
  Admission(const Plan& plan, const Job& job) : plan_(plan), job_(job) {}

  /// Reads the keys that are there already, for append_dedup.
  Result<> Start();

  /// The rows to write of a batch; batches come in order.
  Result<std::shared_ptr<arrow::RecordBatch>> Admit(const std::shared_ptr<arrow::RecordBatch>& batch);

  ReplacedValues Values() const;

 private:
  const Plan& plan_;
  const Job& job_;
  std::optional<EntityKeys> keys_;
  std::set<std::string> seen_values_;  ///< of the partition column, as bytes
  ReplacedValues values_;
  std::optional<iceberg::Literal> last_;  ///< rows that follow each other mostly share theirs
};

/// The files that a commit adds, for each state of the target that it is tried on.
class Additions {
 public:
  /// `written` on the state of the target that the plan was made for.
  Additions(const Plan& plan, const Job& job, std::vector<iceberg::DataFile> written)
      : plan_(plan), job_(job), files_(std::move(written)) {}

  /// The files to add to `base`. For append_dedup, where other writers have added files to the same partitions since:
  /// copies without the rows that are there now. Only files that were not looked at before are read.
  Result<std::vector<iceberg::DataFile>> For(const iceberg::Table& base);

  /// The copies made so far.
  const std::vector<std::string>& made() const { return made_; }

 private:
  Result<iceberg::ScanPlan> Unseen(const iceberg::Table& base);
  Result<> LeaveOut(const iceberg::Table& base, EntityKeys& theirs);

  const Plan& plan_;
  const Job& job_;
  std::vector<iceberg::DataFile> files_;
  std::vector<std::string> made_;
  std::optional<std::set<std::string>> seen_;  ///< files of the target whose keys were taken into account
  std::optional<EntityKeys> ours_;
};

}  // namespace slipway::scoring
