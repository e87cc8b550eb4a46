#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "iceberg/catalog.h"
#include "scoring/job.h"
#include "scoring/sources.h"

namespace slipway::scoring {

/// For tests: a folder with an embedded catalog, a table `src.t` (id long, x double) in two files of five rows, and a
/// model `m` that MLflow saved (tests/golden/scoring/model).
class SmallLake {
 public:
  SmallLake();
  ~SmallLake();

  Job NewJob(RerunBehavior rerun = RerunBehavior::kOverwritePartition) const;

  /// The places of the lake; with `catalog` in the place of its own.
  Sources Open(std::unique_ptr<iceberg::Catalog> catalog = nullptr) const;
  std::unique_ptr<iceberg::Catalog> OpenCatalog() const;

  /// Rows (id, x) in a new table or more of an existing one.
  void Write(const iceberg::TableIdentifier& id, const std::vector<std::vector<int64_t>>& files) const;

  /// The ids in `ml.p`, sorted; reads every file, so that a missing one is an error.
  std::vector<int64_t> TargetIds() const;
  /// The snapshots of `ml.p` that carry the run's id.
  int CommitsOf(const std::string& run_id) const;
  /// The data files of a run that are there.
  int DataFilesOf(const std::string& run_id) const;

  static constexpr int kRows = 10;
  std::filesystem::path folder;
};

}  // namespace slipway::scoring
