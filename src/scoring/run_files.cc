#include "scoring/run_files.h"

#include <cstdlib>

#include "base/file_io.h"
#include "base/log.h"
#include "iceberg/orphans.h"

namespace slipway::scoring {
namespace {

/// What the summary of a run's snapshot tells of it.
RunOutcome OutcomeOf(const iceberg::Snapshot& snapshot) {
  auto text = [&](const char* key) {
    auto found = snapshot.summary.find(key);
    return found == snapshot.summary.end() ? std::string() : found->second;
  };
  return {std::strtoll(text("slipway.rows").c_str(), nullptr, 10), snapshot.snapshot_id, text("slipway.model-version"),
          true, std::strtoll(text("slipway.rows-left-out").c_str(), nullptr, 10)};
}

/// The target; nothing where there is none.
Result<std::optional<iceberg::Table>> LoadTarget(const Job& job, iceberg::Catalog& catalog) {
  auto target = catalog.Load({job.work.target.schema, job.work.target.table});
  if (target) return std::optional(std::move(*target));
  if (target.error().kind == ErrorKind::kNotFound) return std::nullopt;
  return Failure(target.error());
}

std::optional<RunOutcome> OutcomeIn(const std::optional<iceberg::Table>& target, const std::string& run_id) {
  const auto* snapshot = target ? target->metadata.FindRun(run_id) : nullptr;
  return snapshot == nullptr ? std::nullopt : std::optional(OutcomeOf(*snapshot));
}

}  // namespace

MadeFiles::~MadeFiles() {
  if (kept) return;
  for (const auto& location : locations) (void)io->Delete(location);
}

Result<std::optional<RunOutcome>> FindCommit(const Job& job, iceberg::Catalog& catalog) {
  ASSIGN(auto target, LoadTarget(job, catalog));
  return OutcomeIn(target, job.run_id);
}

Result<std::optional<RunOutcome>> FindOutcome(const Job& job, const Catalogs& catalogs) {
  ASSIGN(auto* catalog, catalogs.Find(job.work.target.catalog));
  return FindCommit(job, *catalog);
}

Result<std::optional<RunOutcome>> FindEarlier(const Job& job, const Catalogs& catalogs) {
  ASSIGN(auto* catalog, catalogs.Find(job.work.target.catalog));
  ASSIGN(auto earlier, FindCommit(job, *catalog));
  if (earlier) TidyUp(job, *catalog);
  return earlier;
}

Result<std::shared_ptr<FileIo>> FilesOf(const iceberg::TableIdentifier& id, iceberg::Catalog& catalog) {
  auto table = catalog.Load(id);
  if (table) return table->io;
  if (table.error().kind != ErrorKind::kNotFound) return Failure(table.error());
  ASSIGN(auto place, catalog.NewTablePlace(id));
  return place.io;
}

void TidyUp(const Job& job, iceberg::Catalog& catalog) {
  auto tidied = [&]() -> Result<int> {
    ASSIGN(auto target, LoadTarget(job, catalog));
    if (!OutcomeIn(target, job.run_id)) return 0;
    return iceberg::DeleteOrphans(*target->io, target->metadata.location, &*target, job.run_id);
  }();
  if (!tidied) Log(LogLevel::kWarning, "not_tidied_up", {{"run_id", job.run_id}, {"error", tidied.error().message}});
}

void TidyUp(const Job& job, const Catalogs& catalogs) {
  if (auto catalog = catalogs.Find(job.work.target.catalog)) TidyUp(job, **catalog);
}

Result<std::optional<RunOutcome>> CleanUp(const Job& job, const Catalogs& catalogs) {
  ASSIGN(auto* catalog, catalogs.Find(job.work.target.catalog));
  ASSIGN(auto target, LoadTarget(job, *catalog));
  if (target) {
    TRY(iceberg::DeleteOrphans(*target->io, target->metadata.location, &*target, job.run_id));
  } else {
    ASSIGN(auto place, catalog->NewTablePlace({job.work.target.schema, job.work.target.table}));
    TRY(iceberg::DeleteOrphans(*place.io, place.location, nullptr, job.run_id));
  }
  return OutcomeIn(target, job.run_id);
}

}  // namespace slipway::scoring
