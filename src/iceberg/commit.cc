#include "iceberg/commit.h"

#include <chrono>
#include <map>
#include <set>

#include "base/file_io.h"
#include "base/format.h"
#include "iceberg/retry.h"
#include "iceberg/snapshot_writer.h"

namespace slipway::iceberg {
namespace {

constexpr int64_t kFirstPauseMs = 1000, kLongestPauseMs = 64'000;

/// Loads a table whose commit may have gone through: the catalog gets time to come back, since nothing else can tell.
Result<Table> LoadAfter(const Error& published, Catalog& catalog, const TableIdentifier& id) {
  auto table = catalog.Load(id);
  if (published.kind != ErrorKind::kPerhapsCommitted) return table;
  for (auto pause = kFirstPauseMs; !table && table.error().kind == ErrorKind::kUnavailable && pause < kLongestPauseMs;
       pause *= 2) {
    TRY(Pause(pause, {}));
    table = catalog.Load(id);
  }
  return table;
}

/// Whether another attempt has committed meanwhile; `base` is the table's state then. It has tidied up, so that files
/// of this attempt may be gone: what fails for that is no failure of the run.
bool FindsRun(Catalog& catalog, Table& base, const std::string& run_id) {
  auto now = catalog.Load(base.id);
  if (!now || now->metadata.FindRun(run_id) == nullptr) return false;
  base = std::move(*now);
  return true;
}

bool Reads(const Type& written, const Type& now) {
  return written == now || (written.id == TypeId::kInt && now.id == TypeId::kLong) ||
         (written.id == TypeId::kFloat && now.id == TypeId::kDouble);
}

/// Files that were written for one state of a table are found by their field ids in the next: these must mean the same.
Result<> CheckSameColumns(const Table& planned, const Table& now) {
  const auto* was = planned.metadata.raw.if_contains("table-uuid");
  const auto* is = now.metadata.raw.if_contains("table-uuid");
  bool existed = !planned.metadata_location.empty();
  if (existed && was != nullptr && is != nullptr && *was != *is)
    return Fail(ErrorKind::kConflict,
                "the table {} was dropped and made anew during the run; start the run again to write into the new one",
                ToString(now.id));
  for (const auto& field : planned.metadata.schema.fields) {
    const auto* found = now.metadata.schema.Find(field.id);
    if (found == nullptr || found->name != field.name || !Reads(field.type, found->type))
      return Fail(ErrorKind::kConflict,
                  "the column '{}' of the table {} was changed or dropped during the run; start the run again to write "
                  "by the new schema",
                  field.name, ToString(now.id));
  }
  for (const auto& field : now.metadata.schema.fields) {
    const auto* had = planned.metadata.schema.Find(field.id);
    if (field.required && (had == nullptr || !had->required))
      return Fail(ErrorKind::kConflict,
                  "the column '{}' of the table {} became required during the run; start the run again to write by the "
                  "new schema",
                  field.name, ToString(now.id));
  }
  return {};
}

/// What a commit has made so far, and which tries may yet become true.
class Tries {
 public:
  Tries(FileIo& io, const std::vector<std::string>& copies) : io_(io), copies_(copies) {}

  /// A try that did not succeed by its answer. It needs its files until the table has told: one without an answer may
  /// still arrive, and a conflict may be with itself, where something on the way has sent it twice.
  void NotSucceeded(const SnapshotWriter& writer, ErrorKind answer) {
    files_[writer.snapshot().snapshot_id] = writer.Files();
    may_land_ = may_land_ || answer == ErrorKind::kPerhapsCommitted;
  }

  /// The table does not have the try, and its answer was that it never will.
  void Refused(SnapshotWriter& writer) {
    files_.erase(writer.snapshot().snapshot_id);
    writer.Undo();
  }

  /// The table cannot be asked: who knows what a conflict was with.
  void TableIsUnknown(ErrorKind answer) { may_land_ = may_land_ || answer == ErrorKind::kConflict; }

  /// On another state than its base the compare-and-swap of every earlier try fails, whenever it arrives.
  void TableIs(const Table& now, const Table& base) {
    may_land_ = may_land_ && !base.metadata_location.empty() &&
                now.metadata.current_snapshot_id == base.metadata.current_snapshot_id;
  }

  bool Made(int64_t snapshot_id) const { return files_.contains(snapshot_id); }

  /// The table has the run, by the snapshot of one of these tries or of another attempt: the files of all others go.
  void Committed(int64_t snapshot_id, const std::vector<std::string>& files) {
    std::set<std::string> kept(files.begin(), files.end());
    if (auto found = files_.find(snapshot_id); found != files_.end())
      kept.insert(found->second.begin(), found->second.end());
    for (const auto& [id, of_try] : files_) DeleteBut(kept, of_try);
    DeleteBut(kept, copies_);
  }

  Failure Failed(Error error) {
    if (may_land_) {
      error.kind = ErrorKind::kPerhapsCommitted;
    } else {
      if (error.kind == ErrorKind::kPerhapsCommitted) error.kind = ErrorKind::kConflict;  // another writer came first
      for (const auto& [id, of_try] : files_) DeleteBut({}, of_try);
      DeleteBut({}, copies_);
    }
    return Failure(std::move(error));
  }

 private:
  void DeleteBut(const std::set<std::string>& kept, const std::vector<std::string>& files) {
    for (const auto& file : files)
      if (!kept.contains(file)) (void)io_.Delete(file);
  }

  FileIo& io_;
  const std::vector<std::string>& copies_;             ///< those that the tries share
  std::map<int64_t, std::vector<std::string>> files_;  ///< of unanswered tries, by the ids of their snapshots
  bool may_land_ = false;
};

}  // namespace

Result<CommitOutcome> Commit(Catalog& catalog, const Table& first_base, const SnapshotUpdate& update,
                             const Clock& clock) {
  const auto policy = RetryPolicy::Of(first_base.metadata);
  const auto until = MonotonicSeconds() + static_cast<double>(policy.total_timeout_ms) / 1000;
  Table base = first_base;
  SharedWork shared;
  Tries tries(*first_base.io, shared.made);
  for (int number = 1;; ++number) {
    if (const auto* done = base.metadata.FindRun(update.run_id)) {
      bool ours = tries.Made(done->snapshot_id);
      tries.Committed(done->snapshot_id, {});
      return CommitOutcome{done->snapshot_id, !ours, number};
    }
    auto now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(clock.Now().time_since_epoch()).count();
    SnapshotWriter writer(base, update, shared, number, now_ms);
    auto published = writer.Prepare();
    const bool done_meanwhile = !published && FindsRun(catalog, base, update.run_id);
    if (published && update.before_publish) published = update.before_publish();
    if (!published) {
      writer.Undo();
      if (done_meanwhile) continue;
      return tries.Failed(published.error());
    }
    published = writer.Publish(catalog);
    if (published) {
      tries.Committed(writer.snapshot().snapshot_id, writer.Files());
      return CommitOutcome{writer.snapshot().snapshot_id, false, number};
    }
    const auto last = published.error();
    const bool unclear = last.kind == ErrorKind::kPerhapsCommitted;
    const bool again = unclear || last.kind == ErrorKind::kConflict;
    tries.NotSucceeded(writer, last.kind);
    const bool over = number > policy.retries || MonotonicSeconds() > until;
    Result<> paused;
    if (again && !over) paused = Pause(policy.WaitMs(number + 1), update.before_publish);
    // Whatever the answer was, the table tells what is true.
    auto now = LoadAfter(published.error(), catalog, base.id);
    bool absent = !now && now.error().kind == ErrorKind::kNotFound && base.metadata_location.empty();
    if (!now && !absent) {
      tries.TableIsUnknown(last.kind);
      return tries.Failed(last);
    }
    bool done = now && now->metadata.FindRun(update.run_id) != nullptr;
    if (!done && !unclear) tries.Refused(writer);
    if (now) {
      tries.TableIs(*now, base);
      if (!done && again) {
        if (auto same = CheckSameColumns(first_base, *now); !same) return tries.Failed(same.error());
      }
      base = std::move(*now);
      if (done) continue;
    }
    if (!paused) return tries.Failed(paused.error());
    if (!again) return tries.Failed(last);
    if (over)
      return tries.Failed(
          last.Wrap(fmt::format("gave up after {} tries (the table's properties commit.retry.* bound them)", number)));
  }
}

}  // namespace slipway::iceberg
