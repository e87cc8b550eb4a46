#include "iceberg/snapshot_writer.h"

#include <boost/json/serialize.hpp>
#include <cstdlib>

#include "base/file_io.h"
#include "base/format.h"
#include "base/ids.h"
#include "base/log.h"
#include "iceberg/copy_file.h"
#include "iceberg/scan.h"

namespace slipway::iceberg {
namespace {

constexpr int64_t kNoteworthyAheadMs = 60'000;

}  // namespace

SnapshotWriter::SnapshotWriter(const Table& base, const SnapshotUpdate& update, SharedWork& shared, int number,
                               int64_t now_ms)
    : base_(base), update_(update), shared_(shared), number_(number) {
  snapshot_.snapshot_id = NewSnapshotId();
  snapshot_.parent_snapshot_id = base.metadata.current_snapshot_id;
  snapshot_.timestamp_ms = NextTimestamp(base.metadata, now_ms);
  snapshot_.sequence_number = base.metadata.format_version >= 2 ? base.metadata.last_sequence_number + 1 : 0;
  if (auto ahead = snapshot_.timestamp_ms - now_ms; ahead > kNoteworthyAheadMs)
    Log(LogLevel::kWarning, "table_is_ahead_of_this_clock",
        {{"table", ToString(base.id)}, {"run_id", update.run_id}, {"seconds", std::to_string(ahead / 1000)}});
}

Result<> SnapshotWriter::Prepare() {
  ASSIGN(auto added, update_.added_files(base_));
  std::vector<ManifestFile> carried;
  if (const auto* current = base_.metadata.CurrentSnapshot()) {
    ASSIGN(existing_, LoadManifests(base_, *current));
    for (const auto& manifest : existing_) TRY(Carry(manifest, carried));
  }
  std::map<int, std::vector<ManifestEntry>> by_spec;
  for (auto& file : added) by_spec[file.spec_id].push_back(Added(std::move(file)));
  for (const auto& file : copies_) by_spec[file.spec_id].push_back(Added(file));
  std::vector<ManifestFile> all;
  for (const auto& [spec_id, entries] : by_spec) {
    ASSIGN(auto manifest, WriteNew(spec_id, entries));
    all.push_back(std::move(manifest));
  }
  all.insert(all.end(), carried.begin(), carried.end());
  snapshot_.manifest_list = fmt::format("{}/metadata/snap-{}-{}-{}.avro", base_.metadata.location,
                                        snapshot_.snapshot_id, number_, update_.run_id);
  ManifestListContext context{base_.metadata.format_version, snapshot_.snapshot_id, snapshot_.parent_snapshot_id,
                              snapshot_.sequence_number};
  ASSIGN(auto list, WriteManifestList(context, all));
  TRY(WriteFile(snapshot_.manifest_list, list));
  SetSummary();
  ASSIGN(auto metadata, WithSnapshot(base_.metadata, base_.metadata_location, snapshot_));
  // The run id in front, so that a killed run's file can be found; PyIceberg wants the form of a UUID here.
  metadata_location_ = fmt::format("{}/metadata/{:05}-{}-{}.metadata.json", base_.metadata.location, Version() + 1,
                                   update_.run_id.substr(0, 23), RandomHex(6));
  made_.push_back(metadata_location_);
  next_ = std::move(metadata);
  return {};
}

void SnapshotWriter::Undo() {
  for (const auto& file : made_) (void)base_.io->Delete(file);
}

std::vector<std::string> SnapshotWriter::Files() const {
  auto files = made_;
  for (const auto& copy : copies_) files.push_back(copy.file_path);
  return files;
}

ManifestEntry SnapshotWriter::Added(DataFile file) {
  ++changes_.added_files;
  changes_.added_rows += file.record_count;
  changes_.added_bytes += file.file_size_in_bytes;
  changes_.partitions.insert(PathOf(file));
  return {ManifestEntry::Status::kAdded, snapshot_.snapshot_id, std::nullopt, std::nullopt, std::move(file), {}};
}

std::string SnapshotWriter::PathOf(const DataFile& file) const {
  return PartitionPath(*base_.metadata.FindSpec(file.spec_id), base_.metadata.schema, file.partition);
}

/// Takes a manifest of the base into the new snapshot: as it is, or rewritten without the replaced rows' files.
Result<> SnapshotWriter::Carry(ManifestFile manifest, std::vector<ManifestFile>& out) {
  if (manifest.added_files_count == 0 && manifest.existing_files_count == 0) return {};  // tells of deleted files only
  // Deletes stay as they are: those of files that go lie there without effect, and no file that comes is as old as
  // they.
  if (!update_.replaced_rows || manifest.content != 0 || shared_.untouched.contains(manifest.manifest_path)) {
    out.push_back(std::move(manifest));
    return {};
  }
  const auto* spec = base_.metadata.FindSpec(manifest.partition_spec_id);
  if (spec == nullptr)
    return Fail(ErrorKind::kCorrupt, "{}: the table {} has no partition spec {}", manifest.manifest_path,
                ToString(base_.id), manifest.partition_spec_id);
  bool changed = false;
  std::vector<ManifestEntry> kept;
  ManifestOrigin origin;
  if (MightMatch(*update_.replaced_rows, RangesOf(manifest, *spec, base_.metadata.schema))) {
    ASSIGN(auto entries, LoadEntries(base_, manifest, &origin));
    for (auto& entry : entries) {
      if (entry.status == ManifestEntry::Status::kDeleted) continue;
      entry.status = ManifestEntry::Status::kExisting;
      ASSIGN(bool replaced, Replace(entry, *spec));
      changed = changed || replaced;
      kept.push_back(std::move(entry));
    }
  }
  if (!changed) {
    shared_.untouched.insert(manifest.manifest_path);
    out.push_back(std::move(manifest));
    return {};
  }
  ASSIGN(auto written, Rewrite(manifest, origin, kept));
  out.push_back(std::move(written));
  return {};
}

/// Whether the entry's file goes, all of it or but for a copy of its other rows.
Result<bool> SnapshotWriter::Replace(ManifestEntry& entry, const PartitionSpec& spec) {
  auto ranges = RangesOf(entry.file, spec, base_.metadata.schema);
  if (!MightMatch(*update_.replaced_rows, ranges)) return false;
  if (!MustMatch(*update_.replaced_rows, ranges)) {
    ASSIGN(entry.file.deletes, DeletesOf(entry.file));
    ASSIGN(const auto* replaced, WithoutReplacedRows(entry.file));
    if (!replaced->changed) return false;
    if (replaced->copy) copies_.push_back(*replaced->copy);
  }
  entry.status = ManifestEntry::Status::kDeleted;
  entry.snapshot_id = snapshot_.snapshot_id;
  ++changes_.deleted_files;
  changes_.deleted_rows += entry.file.record_count;
  changes_.deleted_bytes += entry.file.file_size_in_bytes;
  changes_.partitions.insert(PathOf(entry.file));
  return true;
}

Result<DeleteIndex::Files> SnapshotWriter::DeletesOf(const DataFile& file) {
  if (!deletes_) {
    ASSIGN(deletes_, DeleteIndex::Load(base_, existing_));
  }
  return deletes_->Of(file);
}

/// A copy serves further tries as long as no more rows of its file have been deleted.
Result<const SharedWork::Replaced*> SnapshotWriter::WithoutReplacedRows(const DataFile& file) {
  auto key = file.file_path;
  for (const auto& deletes : file.deletes) key += '\n' + deletes->file_path;
  if (auto known = shared_.replaced.find(key); known != shared_.replaced.end()) return &known->second;
  SharedWork::Replaced replaced;
  ASSIGN(replaced.copy, CopyWithout(base_, file, *update_.replaced_rows, update_.run_id));
  replaced.changed = !replaced.copy || replaced.copy->record_count != file.record_count;
  if (replaced.copy && replaced.changed) shared_.made.push_back(replaced.copy->file_path);
  if (!replaced.changed) {
    TRY(base_.io->Delete(replaced.copy->file_path));
    replaced.copy.reset();
  }
  return &shared_.replaced.emplace(std::move(key), std::move(replaced)).first->second;
}

ManifestContext SnapshotWriter::ContextOf(int spec_id) const {
  return {base_.metadata.format_version, &base_.metadata.schema, boost::json::serialize(ToJson(base_.metadata.schema)),
          base_.metadata.FindSpec(spec_id)};
}

Result<ManifestFile> SnapshotWriter::WriteNew(int spec_id, const std::vector<ManifestEntry>& entries) {
  auto context = ContextOf(spec_id);
  if (context.spec == nullptr)
    return Fail(ErrorKind::kConflict, "the table {} has no partition spec {} any more, by which files were written",
                ToString(base_.id), spec_id);
  ASSIGN(auto bytes, WriteManifest(context, entries));
  return Finish(Summarize(context, entries), entries, bytes);
}

/// As its writer made it, but for what became of its files. The summaries of its partitions still hold: no file came to
/// it.
Result<ManifestFile> SnapshotWriter::Rewrite(const ManifestFile& manifest, const ManifestOrigin& origin,
                                             const std::vector<ManifestEntry>& entries) {
  ASSIGN(auto bytes, Wrap(RewriteManifest(base_.metadata.format_version, origin, entries), manifest.manifest_path));
  auto rewritten = manifest;
  CountEntries(rewritten, entries);
  return Finish(std::move(rewritten), entries, bytes);
}

Result<ManifestFile> SnapshotWriter::Finish(ManifestFile manifest, const std::vector<ManifestEntry>& entries,
                                            const std::string& bytes) {
  manifest.manifest_path =
      fmt::format("{}/metadata/{}-{}-m{}.avro", base_.metadata.location, update_.run_id, RandomHex(6), manifests_++);
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

Result<> SnapshotWriter::WriteFile(const std::string& location, const std::string& bytes) {
  made_.push_back(location);
  return base_.io->WriteNew(location, bytes);
}

/// The number in front of the base's metadata file name; -1 for a new table.
int SnapshotWriter::Version() const {
  auto name = base_.metadata_location.substr(base_.metadata_location.rfind('/') + 1);
  return name.empty() ? -1 : std::atoi(name.c_str());
}

/// Spec, Appendix F.
void SnapshotWriter::SetSummary() {
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

}  // namespace slipway::iceberg
