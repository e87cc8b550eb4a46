#include "base/file_io.h"

#include <arrow/buffer.h>
#include <arrow/filesystem/filesystem.h>
#include <arrow/io/file.h>

#include <filesystem>

#include "base/arrow.h"
#include "base/file.h"
#include "base/format.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kS3Schemes[] = {"s3://", "s3a://", "s3n://"};

/// bucket/key of an S3 location; empty for another one.
std::string_view S3Path(std::string_view location) {
  for (auto scheme : kS3Schemes)
    if (location.starts_with(scheme)) return location.substr(scheme.size());
  return {};
}

Result<std::string> LocalPath(std::string_view location) {
  if (location.starts_with('/')) return std::string(location);
  if (!location.starts_with("file:"))
    return Fail(ErrorKind::kUnsupported, "the location '{}' is neither on a local disk (file:) nor in S3 (s3:)",
                location);
  location.remove_prefix(5);
  // RFC 8089: this host may be named, or left out.
  constexpr std::string_view kThisHost = "//localhost/";
  if (location.starts_with(kThisHost)) location.remove_prefix(kThisHost.size() - 1);
  if (location.starts_with("//")) location.remove_prefix(location.substr(2).find('/') == 0 ? 2 : 0);
  if (!location.starts_with('/')) return Fail(ErrorKind::kInvalid, "the location 'file:{}' is not absolute", location);
  // Writers put partition values into paths already quoted (%2F); PyIceberg takes the path of a URI as it stands.
  return std::string(location);
}

Failure Named(const arrow::Status& status, std::string_view what, std::string_view location) {
  auto error = FileIo::IsRemote(location) ? S3Error(status) : FromArrow(status);
  return Failure(error.Wrap(fmt::format("{} {}", what, location)));
}

}  // namespace

bool FileIo::IsRemote(std::string_view location) { return !S3Path(location).empty(); }

std::string FileIo::Canonical(std::string_view location) {
  if (IsRemote(location)) return "s3://" + std::string(S3Path(location));
  auto path = LocalPath(location);
  return path ? *path : std::string(location);
}

std::shared_ptr<FileIo> FileIo::Within(Gate gate) const {
  auto io = std::make_shared<FileIo>(*this);
  io->gate_ = std::move(gate);
  return io;
}

Result<FileIo::Place> FileIo::Find(std::string_view location) {
  if (gate_) TRY(gate_(location));
  if (!IsRemote(location)) {
    ASSIGN(auto path, LocalPath(location));
    return Place{nullptr, std::move(path)};
  }
  std::lock_guard lock(remote_->mutex);
  if (remote_->s3 == nullptr) {
    ASSIGN(remote_->s3, OpenS3(remote_->access));
  }
  return Place{remote_->s3, std::string(S3Path(location))};
}

Result<std::string> FileIo::Read(std::string_view location, int64_t limit) {
  ASSIGN(auto place, Find(location));
  if (place.system == nullptr) return ReadFile(place.path, static_cast<size_t>(limit));
  ASSIGN(auto input, OpenInput(location));
  auto size = input->GetSize();
  if (!size.ok()) return Named(size.status(), "read", location);
  if (*size > limit)
    return Fail(ErrorKind::kTooLarge, "{} has {} bytes; the most that is read of such a file is {}", location, *size,
                limit);
  auto bytes = input->ReadAt(0, *size);
  if (!bytes.ok()) return Named(bytes.status(), "read", location);
  return (*bytes)->ToString();
}

Result<> FileIo::WriteNew(std::string_view location, std::string_view bytes) {
  ASSIGN(auto place, Find(location));
  if (place.system == nullptr) {
    if (fs::exists(place.path)) return Fail(ErrorKind::kConflict, "{} exists already", place.path);
  }
  return Replace(location, bytes);
}

Result<> FileIo::Replace(std::string_view location, std::string_view bytes) {
  ASSIGN(auto place, Find(location));
  if (place.system == nullptr) {
    TRY(CreateFolders(fs::path(place.path).parent_path()));
    return WriteFileAtomically(place.path, bytes);
  }
  ASSIGN(auto output, OpenOutput(location));
  auto status = output->Write(bytes);
  if (status.ok()) status = output->Close();
  if (!status.ok()) return Named(status, "write", location);
  return {};
}

Result<std::shared_ptr<arrow::io::RandomAccessFile>> FileIo::OpenInput(std::string_view location, int64_t size) {
  ASSIGN(auto place, Find(location));
  if (place.system == nullptr) {
    ASSIGN(auto opened, Wrap(OpenToRead(place.path), "open"));
    auto file = arrow::io::ReadableFile::Open(opened.Release());
    if (!file.ok()) return Named(file.status(), "open", location);
    return *file;
  }
  arrow::fs::FileInfo info(place.path, arrow::fs::FileType::File);
  if (size > 0) info.set_size(size);
  auto file = size > 0 ? place.system->OpenInputFile(info) : place.system->OpenInputFile(place.path);
  if (!file.ok()) return Named(file.status(), "open", location);
  return *file;
}

Result<std::shared_ptr<arrow::io::OutputStream>> FileIo::OpenOutput(std::string_view location) {
  ASSIGN(auto place, Find(location));
  if (place.system == nullptr) {
    TRY(CreateFolders(fs::path(place.path).parent_path()));
    auto file = arrow::io::FileOutputStream::Open(place.path);
    if (!file.ok()) return Named(file.status(), "write", location);
    return *file;
  }
  auto file = place.system->OpenOutputStream(place.path);
  if (!file.ok()) return Named(file.status(), "write", location);
  return *file;
}

Result<> FileIo::Sync(std::string_view location) {
  ASSIGN(auto place, Find(location));
  return place.system == nullptr ? SyncFile(place.path) : Result<>();
}

Result<> FileIo::Delete(std::string_view location) {
  ASSIGN(auto place, Find(location));
  if (place.system == nullptr) {
    std::error_code code;
    fs::remove(place.path, code);
    if (code) return Fail(ErrorKind::kIo, "delete {}: {}", place.path, code.message());
    return {};
  }
  auto status = place.system->DeleteFile(place.path);
  if (status.ok() || S3Error(status).kind == ErrorKind::kNotFound) return {};
  return Named(status, "delete", location);
}

Result<std::vector<std::string>> FileIo::List(std::string_view folder) {
  ASSIGN(auto place, Find(folder));
  std::vector<std::string> files;
  if (place.system == nullptr) {
    if (!fs::exists(place.path)) return files;
    std::error_code code;
    for (fs::recursive_directory_iterator it(place.path, code), end; !code && it != end; it.increment(code))
      if (it->is_regular_file()) files.push_back("file://" + it->path().string());
    if (code) return Fail(ErrorKind::kIo, "read folder {}: {}", place.path, code.message());
    return files;
  }
  arrow::fs::FileSelector selector;
  selector.base_dir = place.path;
  selector.recursive = selector.allow_not_found = true;
  auto found = place.system->GetFileInfo(selector);
  if (!found.ok()) return Named(found.status(), "list", folder);
  for (const auto& info : *found)
    if (info.IsFile()) files.push_back("s3://" + info.path());
  return files;
}

}  // namespace slipway
