#include "iceberg/commit.h"

#include <boost/json/serialize.hpp>
#include <set>
#include <thread>

#include "base/file_io.h"
#include "base/format.h"
#include "base/ids.h"
#include "base/log.h"
#include "iceberg/rewrite.h"
#include "iceberg/scan.h"

namespace slipway::iceberg {
namespace {

constexpr int kMaxAttempts = 10;
constexpr int64_t kNoteworthyAheadMs = 60'000;
constexpr auto kLongestPause = std::chrono::seconds{64};

/// Counts for the snapshot summary (spec, Appendix F).
struct Changes {
  int64_t added_files = 0, added_rows = 0, added_bytes = 0;
  int64_t deleted_files = 0, deleted_rows = 0, deleted_bytes = 0;
  std::set<std::string> partitions;
};

/// One attempt to put an update onto one state of the table. Remembers the files it made, to delete them.
class Attempt {
 public:
  Attempt(const Table& base, const SnapshotUpdate& update, int number, int64_t now_ms)
      : base_(base), update_(update), number_(number) {
    snapshot_.snapshot_id = NewSnapshotId();
    snapshot_.parent_snapshot_id = base.metadata.current_snapshot_id;
    snapshot_.timestamp_ms = NextTimestamp(base.metadata, now_ms);
    if (auto ahead = snapshot_.timestamp_ms - now_ms; ahead > kNoteworthyAheadMs)
      Log(LogLevel::kWarning, "table_is_ahead_of_this_clock",
          {{"table", ToString(base.id)}, {"run_id", update.run_id}, {"seconds", std::to_string(ahead / 1000)}});
    snapshot_.sequence_number = base.metadata.format_version >= 2 ? base.metadata.last_sequence_number + 1 : 0;
  }

  const Snapshot& snapshot() const { return snapshot_; }

  /// Writes everything but what the catalog does.
  Result<> Prepare() {
    ASSIGN(auto added, update_.added_files(base_));
    std::vector<ManifestFile> manifests;
    if (const auto* current = base_.metadata.CurrentSnapshot()) {
      ASSIGN(auto existing, LoadManifests(*base_.io, *current));
      for (auto& manifest : existing) TRY(Carry(std::move(manifest), manifests));
    }
    std::map<int, std::vector<ManifestEntry>> by_spec;
    for (auto& file : added) by_spec[file.spec_id].push_back(Added(std::move(file)));
    for (auto& file : rewritten_) by_spec[file.spec_id].push_back(Added(std::move(file)));
    std::vector<ManifestFile> all;
    for (const auto& [spec_id, entries] : by_spec) {
      ASSIGN(auto manifest, Write(spec_id, entries));
      all.push_back(std::move(manifest));
    }
    all.insert(all.end(), manifests.begin(), manifests.end());
    snapshot_.manifest_list = fmt::format("{}/metadata/snap-{}-{}-{}.avro", base_.metadata.location,
                                          snapshot_.snapshot_id, number_, update_.run_id);
    ManifestListContext context{base_.metadata.format_version, snapshot_.snapshot_id, snapshot_.parent_snapshot_id,
                                snapshot_.sequence_number};
    TRY(WriteFile(snapshot_.manifest_list, WriteManifestList(context, all)));
    SetSummary();
    ASSIGN(auto metadata, WithSnapshot(base_.metadata, base_.metadata_location, snapshot_));
    // The run id in front, so that a killed run's file can be found; PyIceberg wants the form of a UUID here.
    metadata_location_ = fmt::format("{}/metadata/{:05}-{}-{}.metadata.json", base_.metadata.location, Version() + 1,
                                     update_.run_id.substr(0, 23), RandomHex(6));
    made_.push_back(metadata_location_);
    next_ = std::move(metadata);
    return {};
  }

  Result<> Publish(Catalog& catalog) const { return catalog.Publish({base_, next_, snapshot_, metadata_location_}); }

  const std::vector<std::string>& made() const { return made_; }

  /// Deletes what this attempt wrote; the update's own files stay.
  void Undo() {
    for (const auto& file : made_) (void)base_.io->Delete(file);
  }

 private:
  ManifestEntry Added(DataFile file) {
    ++changes_.added_files;
    changes_.added_rows += file.record_count;
    changes_.added_bytes += file.file_size_in_bytes;
    changes_.partitions.insert(PathOf(file));
    return {ManifestEntry::Status::kAdded, snapshot_.snapshot_id, std::nullopt, std::nullopt, std::move(file)};
  }

  std::string PathOf(const DataFile& file) const {
    return PartitionPath(*base_.metadata.FindSpec(file.spec_id), base_.metadata.schema, file.partition);
  }

  /// Takes a manifest of the base into the new snapshot: as it is, or rewritten without the replaced rows' files.
  Result<> Carry(ManifestFile manifest, std::vector<ManifestFile>& out) {
    const auto* spec = base_.metadata.FindSpec(manifest.partition_spec_id);
    if (!update_.replaced_rows || spec == nullptr) {
      out.push_back(std::move(manifest));
      return {};
    }
    ASSIGN(auto entries, LoadEntries(base_, manifest));
    bool changed = false;
    std::vector<ManifestEntry> kept;
    for (auto& entry : entries) {
      if (entry.status == ManifestEntry::Status::kDeleted) continue;
      entry.status = ManifestEntry::Status::kExisting;
      auto ranges = RangesOf(entry.file, *spec, base_.metadata.schema);
      if (MightMatch(*update_.replaced_rows, ranges)) {
        if (!MustMatch(*update_.replaced_rows, ranges)) {
          ASSIGN(auto rewritten, RewriteWithout(base_, entry.file, *update_.replaced_rows, update_.run_id));
          if (rewritten) {
            made_.push_back(rewritten->file_path);
            if (rewritten->record_count == entry.file.record_count) {  // no row matched after all
              TRY(base_.io->Delete(rewritten->file_path));
              kept.push_back(std::move(entry));
              continue;
            }
            rewritten_.push_back(std::move(*rewritten));
          }
        }
        changed = true;
        entry.status = ManifestEntry::Status::kDeleted;
        entry.snapshot_id = snapshot_.snapshot_id;
        ++changes_.deleted_files;
        changes_.deleted_rows += entry.file.record_count;
        changes_.deleted_bytes += entry.file.file_size_in_bytes;
        changes_.partitions.insert(PathOf(entry.file));
      }
      kept.push_back(std::move(entry));
    }
    if (!changed) {
      out.push_back(std::move(manifest));
      return {};
    }
    ASSIGN(auto written, Write(manifest.partition_spec_id, kept));
    out.push_back(std::move(written));
    return {};
  }

  Result<ManifestFile> Write(int spec_id, const std::vector<ManifestEntry>& entries) {
    ManifestContext context{base_.metadata.format_version, &base_.metadata.schema,
                            boost::json::serialize(ToJson(base_.metadata.schema)), base_.metadata.FindSpec(spec_id)};
    ASSIGN(auto bytes, WriteManifest(context, entries));
    auto manifest = Summarize(context, entries);
    manifest.manifest_path =
        fmt::format("{}/metadata/{}-{}-m{}.avro", base_.metadata.location, update_.run_id, RandomHex(4), manifests_++);
    manifest.manifest_length = static_cast<int64_t>(bytes.size());
    manifest.added_snapshot_id = snapshot_.snapshot_id;
    manifest.sequence_number = manifest.min_sequence_number = snapshot_.sequence_number;
    for (const auto& entry : entries) {
      if (entry.status != ManifestEntry::Status::kDeleted && entry.sequence_number)
        manifest.min_sequence_number = std::min(manifest.min_sequence_number, *entry.sequence_number);
    }
    TRY(WriteFile(manifest.manifest_path, bytes));
    return manifest;
  }

  Result<> WriteFile(const std::string& location, const std::string& bytes) {
    made_.push_back(location);
    return base_.io->WriteNew(location, bytes);
  }

  /// The number in front of the base's metadata file name; -1 for a new table.
  int Version() const {
    auto name = base_.metadata_location.substr(base_.metadata_location.rfind('/') + 1);
    return name.empty() ? -1 : std::atoi(name.c_str());
  }

  void SetSummary() {
    auto& summary = snapshot_.summary;
    summary = update_.summary;
    summary[std::string(kRunIdProperty)] = update_.run_id;
    summary["operation"] =
        update_.replaced_rows && (changes_.deleted_files > 0 || changes_.added_files == 0) ? "overwrite" : "append";
    auto count = [&](const char* key, int64_t value) {
      if (value != 0) summary[key] = std::to_string(value);
    };
    count("added-data-files", changes_.added_files);
    count("added-records", changes_.added_rows);
    count("added-files-size", changes_.added_bytes);
    count("deleted-data-files", changes_.deleted_files);
    count("deleted-records", changes_.deleted_rows);
    count("removed-files-size", changes_.deleted_bytes);
    count("changed-partition-count", static_cast<int64_t>(changes_.partitions.size()));
    const auto* current = base_.metadata.CurrentSnapshot();
    auto total = [&](const char* key, int64_t change) {
      int64_t before = 0;
      if (current != nullptr) {
        auto found = current->summary.find(key);
        if (found == current->summary.end()) return;  // unknown before, so unknown now
        before = std::strtoll(found->second.c_str(), nullptr, 10);
      }
      summary[key] = std::to_string(before + change);
    };
    total("total-data-files", changes_.added_files - changes_.deleted_files);
    total("total-records", changes_.added_rows - changes_.deleted_rows);
    total("total-files-size", changes_.added_bytes - changes_.deleted_bytes);
    total("total-delete-files", 0);
    total("total-position-deletes", 0);
    total("total-equality-deletes", 0);
  }

  const Table& base_;
  const SnapshotUpdate& update_;
  int number_;
  int manifests_ = 0;
  Snapshot snapshot_;
  std::string metadata_location_;
  TableMetadata next_;
  std::vector<DataFile> rewritten_;
  std::vector<std::string> made_;
  Changes changes_;
};

/// Loads a table whose commit may have gone through: the catalog gets time to come back, since nothing else can tell.
Result<Table> LoadAfter(const Error& published, Catalog& catalog, const TableIdentifier& id) {
  auto table = catalog.Load(id);
  if (published.kind != ErrorKind::kPerhapsCommitted) return table;
  for (auto pause = std::chrono::seconds{1};
       !table && table.error().kind == ErrorKind::kUnavailable && pause < kLongestPause; pause *= 2) {
    std::this_thread::sleep_for(pause);
    table = catalog.Load(id);
  }
  return table;
}

}  // namespace

Result<CommitOutcome> Commit(Catalog& catalog, const Table& first_base, const SnapshotUpdate& update,
                             const Clock& clock) {
  Table base = first_base;
  Error last;
  bool may_land = false;  // a try without an answer, whose base is still the table's state, may yet become true
  std::map<int64_t, std::vector<std::string>> unanswered;  // what such tries made, by their snapshots' ids
  auto committed = [&](const CommitOutcome& outcome) {
    for (const auto& [snapshot_id, files] : unanswered)
      if (snapshot_id != outcome.snapshot_id)
        for (const auto& file : files) (void)base.io->Delete(file);
    return outcome;
  };
  auto failure = [&](Error error) {
    if (may_land) error.kind = ErrorKind::kPerhapsCommitted;
    return Failure(std::move(error));
  };
  for (int number = 1; number <= kMaxAttempts; ++number) {
    if (const auto* done = base.metadata.FindRun(update.run_id)) {
      bool ours = unanswered.contains(done->snapshot_id);
      return committed({done->snapshot_id, !ours, number});
    }
    auto now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(clock.Now().time_since_epoch()).count();
    Attempt attempt(base, update, number, now_ms);
    auto published = attempt.Prepare();
    if (published && update.before_publish) published = update.before_publish();
    if (!published) {
      attempt.Undo();
      return failure(published.error());
    }
    published = attempt.Publish(catalog);
    if (published) return committed({attempt.snapshot().snapshot_id, false, number});
    last = published.error();
    bool unclear = last.kind == ErrorKind::kPerhapsCommitted;
    if (unclear)
      unanswered[attempt.snapshot().snapshot_id] = attempt.made();
    else
      attempt.Undo();
    // Whatever the answer was, the table tells what is true.
    auto now = LoadAfter(last, catalog, base.id);
    bool absent = !now && now.error().kind == ErrorKind::kNotFound && base.metadata_location.empty();
    may_land = may_land || unclear;
    if (!now && !absent) return failure(last);
    if (now) {
      // On another state than its base the compare-and-swap of every earlier try fails, whenever it arrives.
      may_land = may_land && !base.metadata_location.empty() &&
                 now->metadata.current_snapshot_id == base.metadata.current_snapshot_id;
      base = std::move(*now);
      if (base.metadata.FindRun(update.run_id) != nullptr) continue;
    }
    if (last.kind != ErrorKind::kConflict && !unclear) return failure(last);
  }
  return failure(last.Wrap(fmt::format("gave up after {} attempts", kMaxAttempts)));
}

}  // namespace slipway::iceberg
