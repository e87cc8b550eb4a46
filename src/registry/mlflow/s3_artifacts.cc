#include <arrow/buffer.h>
#include <arrow/filesystem/filesystem.h>
#include <arrow/io/interfaces.h>

#include <fstream>

#include "base/arrow.h"
#include "base/format.h"
#include "base/s3.h"
#include "registry/mlflow/artifacts.h"

namespace slipway::registry {
namespace {

constexpr int64_t kChunk = int64_t{4} << 20;

Result<> Save(arrow::fs::FileSystem& s3, const arrow::fs::FileInfo& info, const std::filesystem::path& file,
              ModelLimits& limits) {
  TRY(CreateFolders(file.parent_path()));
  ARROW_ASSIGN(auto in, s3.OpenInputStream(info));
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  while (true) {
    ARROW_ASSIGN(auto chunk, in->Read(kChunk));
    if (chunk->size() == 0) break;
    TRY(limits.TakeBytes(chunk->size()));
    out.write(reinterpret_cast<const char*>(chunk->data()), chunk->size());
    if (!out) return Fail(ErrorKind::kIo, "write {}: is the disk full?", file.string());
  }
  out.close();
  if (!out) return Fail(ErrorKind::kIo, "write {}: is the disk full?", file.string());
  return {};
}

}  // namespace

Result<> DownloadFromS3(const std::string& location, const std::filesystem::path& folder, ModelLimits limits) {
  ASSIGN(auto s3, OpenS3());
  auto root = location.substr(5);  // behind s3://
  while (root.ends_with('/')) root.pop_back();
  arrow::fs::FileSelector all;
  all.base_dir = root;
  all.recursive = true;
  all.allow_not_found = true;  // the caller misses the MLmodel file
  auto listed = s3->GetFileInfo(all);
  if (!listed.ok()) return Failure(S3Error(listed.status()).Wrap(location));
  for (const auto& info : *listed) {
    if (info.type() != arrow::fs::FileType::File) continue;
    auto relative = info.path().substr(root.size() + 1);
    TRY(CheckArtifactName(relative));
    TRY(Wrap(limits.TakeFile(), location));
    TRY(Wrap(Save(*s3, info, folder / relative, limits), location));
  }
  return {};
}

}  // namespace slipway::registry
