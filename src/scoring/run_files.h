#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "scoring/catalogs.h"
#include "scoring/job.h"

namespace slipway::scoring {

struct RunOutcome {
  int64_t rows = 0;  ///< predictions in the run's snapshot
  int64_t snapshot_id = 0;
  std::string model_version;
  bool already_committed = false;  ///< an earlier attempt had done it
  int64_t left_out = 0;            ///< rows that were scored and that append_dedup has left out
};

/// The files that an attempt makes: it deletes its own, and only its own, unless they were committed or may be.
struct MadeFiles {
  std::shared_ptr<FileIo> io;
  std::vector<std::string> locations;
  bool kept = false;

  explicit MadeFiles(std::shared_ptr<FileIo> files) : io(std::move(files)) {}
  MadeFiles(const MadeFiles&) = delete;
  MadeFiles& operator=(const MadeFiles&) = delete;
  ~MadeFiles();
};

/// The commit of a run, as its target tells of it; nothing where it has none. Only reads.
Result<std::optional<RunOutcome>> FindCommit(const Job& job, iceberg::Catalog& catalog);
Result<std::optional<RunOutcome>> FindOutcome(const Job& job, const Catalogs& catalogs);

/// As above, and where there is one, what other attempts have left is deleted.
Result<std::optional<RunOutcome>> FindEarlier(const Job& job, const Catalogs& catalogs);

/// The access to the files of a table, also of one that does not exist yet.
Result<std::shared_ptr<FileIo>> FilesOf(const iceberg::TableIdentifier& id, iceberg::Catalog& catalog);

/// Deletes what attempts of a run that the target has in a snapshot have left behind. No attempt can commit any more
/// then: one that comes late finds the run's id. A failure is logged, and fails nothing: the run is done.
void TidyUp(const Job& job, iceberg::Catalog& catalog);
void TidyUp(const Job& job, const Catalogs& catalogs);

/// For a run that is given up: deletes what its attempts have left behind, whether or not one of them has committed.
/// Only when none of them can publish any more (docs/decisions/0003 says when that is).
Result<std::optional<RunOutcome>> CleanUp(const Job& job, const Catalogs& catalogs);

}  // namespace slipway::scoring
