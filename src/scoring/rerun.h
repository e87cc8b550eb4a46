#pragma once

#include <map>
#include <memory>
#include <optional>

#include "iceberg/commit.h"
#include "scoring/entity_keys.h"
#include "scoring/job.h"
#include "scoring/plan.h"

namespace slipway::scoring {

/// What a rerun does to the rows that are there already (DESIGN section 3): `overwrite_partition` replaces the day of
/// the logical date, or the values of the partition column that the run writes; `append_dedup` leaves out rows whose
/// entity columns stand in the same partition already.
class Rerun {
 public:
  Rerun(const Plan& plan, const Job& job) : plan_(plan), job_(job) {}

  /// Reads the keys that are there already, for append_dedup.
  Result<> Start();

  /// Sees every batch before it is written, in order; the rows to write come back.
  Result<std::shared_ptr<arrow::RecordBatch>> Admit(const std::shared_ptr<arrow::RecordBatch>& batch);

  /// The rows that the commit replaces; absent for append_dedup.
  std::optional<iceberg::Predicate> ReplacedRows() const;

  /// The files to add to `base`: `written` as they are, or, when another writer came first, without the rows that it
  /// added. New files are appended to `made`.
  Result<std::vector<iceberg::DataFile>> FilesFor(const iceberg::Table& base,
                                                  const std::vector<iceberg::DataFile>& written,
                                                  std::vector<std::string>& made) const;

 private:
  bool appends() const { return job_.work.rerun_behavior == RerunBehavior::kAppendDedup; }
  bool by_day() const { return job_.work.partition_column == "scored_at"; }
  iceberg::Predicate Day() const;
  std::vector<std::string> KeyColumns() const;
  Result<> ReadKeys(const iceberg::Table& table, EntityKeys& keys) const;

  const Plan& plan_;
  const Job& job_;
  std::optional<EntityKeys> keys_;
  std::map<std::string, iceberg::Literal> values_;  ///< of the partition column, by their bytes
  bool null_value_ = false;
};

}  // namespace slipway::scoring
