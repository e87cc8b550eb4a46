#include "iceberg/delete_index.h"

#include "iceberg/scan.h"

namespace slipway::iceberg {
namespace {

using Content = DataFile::Content;

std::string PartitionOf(const DataFile& file) { return std::to_string(file.spec_id) + ":" + KeyOf(file.partition); }

bool IsOldEnough(const DataFile& data, const DataFile& deletes) {
  return deletes.content == Content::kPositionDeletes ? data.sequence_number <= deletes.sequence_number
                                                      : data.sequence_number < deletes.sequence_number;
}

/// Whether position deletes may name the path: their bounds are prefixes of the least and the greatest one.
bool MayName(const DataFile& deletes, const std::string& path) {
  auto lower = deletes.lower_bounds.find(kDeletedPath), upper = deletes.upper_bounds.find(kDeletedPath);
  return (lower == deletes.lower_bounds.end() || path >= lower->second) &&
         (upper == deletes.upper_bounds.end() || path <= upper->second || path.starts_with(upper->second));
}

}  // namespace

Result<DeleteIndex> DeleteIndex::Load(const Table& table, const std::vector<ManifestFile>& manifests) {
  DeleteIndex index;
  int64_t known = 0;
  for (const auto& manifest : manifests) {
    if (manifest.content == 0) continue;
    ASSIGN(auto entries, LoadEntries(table, manifest, nullptr, known));
    known += std::ssize(entries);
    const bool unpartitioned = table.metadata.FindSpec(manifest.partition_spec_id)->fields.empty();
    for (auto& entry : entries)
      if (entry.status != ManifestEntry::Status::kDeleted) index.Add(std::move(entry.file), unpartitioned);
  }
  return index;
}

void DeleteIndex::Add(DataFile file, bool unpartitioned) {
  auto shared = std::make_shared<const DataFile>(std::move(file));
  if (shared->content == Content::kEqualityDeletes && unpartitioned)
    of_all_.push_back(std::move(shared));
  else if (!shared->referenced_data_file.empty())
    of_files_[shared->referenced_data_file].push_back(std::move(shared));
  else
    of_partitions_[PartitionOf(*shared)].push_back(std::move(shared));
}

DeleteIndex::Files DeleteIndex::Of(const DataFile& file) const {
  Files applying;
  auto take = [&](const Files& files) {
    for (const auto& deletes : files)
      if (IsOldEnough(file, *deletes) &&
          (deletes->content == Content::kEqualityDeletes || MayName(*deletes, file.file_path)))
        applying.push_back(deletes);
  };
  take(of_all_);
  if (auto found = of_files_.find(file.file_path); found != of_files_.end()) take(found->second);
  if (auto found = of_partitions_.find(PartitionOf(file)); found != of_partitions_.end()) take(found->second);
  return applying;
}

}  // namespace slipway::iceberg
