#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "iceberg/catalog.h"
#include "model/python/python_engine.h"
#include "registry/registry.h"

namespace slipway::scoring {

enum class RerunBehavior { kOverwritePartition, kAppendDedup };

struct SourceTable {
  std::string schema, table;
  std::string catalog = "iceberg";
  std::optional<std::string> filter_sql;
  std::optional<int64_t> snapshot_id;
};

struct TargetTable {
  std::string schema, table;
  std::string catalog = "iceberg";
};

/// What a deployment asks of every run.
struct Work {
  registry::ModelReference model;
  SourceTable source;
  TargetTable target;
  std::vector<std::string> entity_columns;
  RerunBehavior rerun_behavior = RerunBehavior::kOverwritePartition;
  std::string partition_column = "scored_at";
  /// What is known of the target: true where it tells whose a row is, or will when it is made, so that runs replace
  /// rows of this deployment alone; absent: nobody has looked.
  std::optional<bool> own_rows;
};

/// The time that a run stands for: where rows are replaced by `scored_at`, those of [from, to).
struct Window {
  Timestamp from, to;
  /// Of a schedule that fires more than once on some day: a target that is made for it is partitioned by hour.
  bool finer_than_a_day = false;

  bool operator==(const Window&) const = default;
};

/// The day, in UTC, that `logical_date` lies on.
Window DayOf(Timestamp logical_date);
/// From one tick of a schedule that is finer than a day to the next one; both within what RFC 3339 can say.
Window Interval(Timestamp from, Timestamp to);

/// Where tables and models are, and what models may use.
struct Places {
  std::vector<iceberg::CatalogPlace> catalogs;
  registry::RegistryPlace registry;
  model::PythonEngine python;  ///< without an interpreter: that of the machine that scores

  /// The places below a server's data directory: an embedded catalog, and a folder of models.
  static Places In(const std::string& data_dir);
};

/// What a run may take; 0: as much as there is.
struct RunLimits {
  int64_t seconds = 0;     ///< of one attempt
  int64_t memory_mib = 0;  ///< resident in its process; a model's Python processes have limits of their own
};

/// Why a run was ended.
std::string TookTooLong(const RunLimits& limits);
std::string TookTooMuch(const RunLimits& limits, int64_t used_mib);

/// One run, completely: what `slipway score --job` executes. Holds no secrets.
struct Job {
  std::string run_id;      ///< a UUID
  std::string deployment;  ///< model/name, as the target's column `deployment` says whose a row is
  Timestamp logical_date;
  Window window;
  int attempt = 1;  ///< above 1: an earlier attempt may have left files
  Work work;
  Places places;
  RunLimits limits = {};
};

/// The job as its file holds it, `"version": 3`.
boost::json::object ToJson(const Job& job);

/// Reads version 3, and version 2, which had no window: its runs stand for a day. kInvalid: another version, a missing
/// member, a run id that is not a UUID, a window without the logical date.
Result<Job> ParseJob(std::string_view text);

/// The job of one run of a deployment that is described as a DAG carries it: its `model`, `name`, `work`, `places` and
/// `limits`.
/// kInvalid: a member that is missing, or a run id that is not a UUID.
Result<Job> MakeJob(std::string_view deployment, const std::string& run_id, Timestamp logical_date,
                    const Window& window, int attempt);

boost::json::object ToJson(const Places& places);
boost::json::object ToJson(const RunLimits& limits);
boost::json::object ToJson(const Work& work);
Result<Work> ParseWork(const boost::json::value& value);
/// The same of a value whose `model` is read elsewhere.
Result<Work> ParseWork(const boost::json::value& value, registry::ModelReference model);

}  // namespace slipway::scoring
