#include "base/file.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "base/format.h"
#include "base/ids.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

Failure SystemError(std::string_view what, const fs::path& path) {
  auto kind = errno == ENOENT ? ErrorKind::kNotFound : errno == EACCES ? ErrorKind::kDenied : ErrorKind::kIo;
  return Fail(kind, "{} {}: {}", what, path.string(), std::strerror(errno));
}

std::string_view KindOf(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

Failure TooLarge(const fs::path& path, size_t limit) {
  return Fail(ErrorKind::kTooLarge, "{} is larger than {} bytes, the most that is read of such a file", path.string(),
              limit);
}

Result<> WriteAll(int fd, std::string_view bytes, const fs::path& path) {
  while (!bytes.empty()) {
    auto written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return SystemError("write", path);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  if (::fsync(fd) != 0) return SystemError("sync", path);
  return {};
}

}  // namespace

OpenedFile::~OpenedFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<OpenedFile> OpenToRead(const fs::path& path) {
  // Without O_NONBLOCK the open of a pipe waits for somebody to write into it.
  OpenedFile file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  struct stat status{};
  if (file.fd() < 0 && errno == ENXIO)
    return Fail(ErrorKind::kInvalid, "{} is a socket, not a regular file: only those are read", path.string());
  if (file.fd() < 0 || ::fstat(file.fd(), &status) != 0) return SystemError("open", path);
  if (!S_ISREG(status.st_mode))
    return Fail(ErrorKind::kInvalid, "{} is {}, not a regular file: only those are read", path.string(),
                KindOf(status.st_mode));
  return file;
}

Result<std::string> ReadFile(const fs::path& path, size_t limit) {
  ASSIGN(auto file, OpenToRead(path));
  struct stat status{};
  if (::fstat(file.fd(), &status) != 0) return SystemError("open", path);
  const auto size = static_cast<size_t>(status.st_size);
  if (size > limit) return TooLarge(path, limit);
  std::string bytes;
  bytes.reserve(size);
  char buffer[1 << 16];
  while (size == 0 || bytes.size() < size) {  // files of /proc have no size; one that grows is read as it was
    auto got = ::read(file.fd(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError("read", path);
    if (got == 0) return bytes;
    bytes.append(buffer, static_cast<size_t>(got));
    if (bytes.size() > limit) return TooLarge(path, limit);
  }
  if (size > 0) bytes.resize(size);
  return bytes;
}

Result<> WriteFileAtomically(const fs::path& path, std::string_view bytes, int mode) {
  auto beside = path;
  beside += ".tmp-" + RandomHex(4);
  {
    OpenedFile file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (file.fd() < 0) return SystemError("create", beside);
    if (auto done = WriteAll(file.fd(), bytes, beside); !done) {
      ::unlink(beside.c_str());
      return done;
    }
  }
  if (::rename(beside.c_str(), path.c_str()) != 0) {
    auto failure = SystemError("rename to", path);
    ::unlink(beside.c_str());
    return failure;
  }
  return SyncFolder(path.has_parent_path() ? path.parent_path() : fs::path("."));
}

Result<> CreateFolders(const fs::path& path) {
  std::error_code code;
  fs::create_directories(path, code);
  if (code) return Fail(ErrorKind::kIo, "create folder {}: {}", path.string(), code.message());
  return {};
}

Result<> SyncFolder(const fs::path& path) {
  OpenedFile folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.fd() < 0) return SystemError("open folder", path);
  if (::fsync(folder.fd()) != 0) return SystemError("sync folder", path);
  return {};
}

Result<> SyncFile(const fs::path& path) {
  ASSIGN(auto file, OpenToRead(path));
  if (::fsync(file.fd()) != 0) return SystemError("sync", path);
  return SyncFolder(path.parent_path());
}

namespace {

/// SHA-256 of a file, a piece at a time: models are larger than the memory that is theirs.
Result<std::string> HashFile(const fs::path& path) {
  ASSIGN(auto file, OpenToRead(path));
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> digest(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr);
  char buffer[1 << 16];
  while (true) {
    auto got = ::read(file.fd(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError("read", path);
    if (got == 0) break;
    EVP_DigestUpdate(digest.get(), buffer, static_cast<size_t>(got));
  }
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(digest.get(), bytes, &size);
  return Hex(bytes, size);
}

}  // namespace

Result<> CheckRegular(const fs::path& path, fs::file_status status) {
  if (fs::is_regular_file(status) || fs::is_directory(status)) return {};
  return Fail(ErrorKind::kInvalid, "{} is not a regular file: a model may hold neither pipes nor devices",
              path.string());
}

Result<std::string> HashFolder(const fs::path& folder) {
  std::error_code code;
  std::vector<fs::path> files;
  for (fs::recursive_directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    const auto status = it->status(code);
    if (status.type() == fs::file_type::not_found) code.clear();  // a link that leads nowhere
    if (fs::exists(status)) TRY(CheckRegular(it->path(), status));
    if (fs::is_regular_file(status)) files.push_back(fs::relative(it->path(), folder));
  }
  if (code) return Fail(ErrorKind::kIo, "read folder {}: {}", folder.string(), code.message());
  std::ranges::sort(files);
  std::string digests;
  for (const auto& file : files) {
    ASSIGN(auto digest, HashFile(folder / file));
    digests += digest + " " + file.string() + "\n";
  }
  return Sha256(digests);
}

Result<FileLock> FileLock::TryTake(const fs::path& path) { return Try(path, LOCK_EX); }

Result<FileLock> FileLock::TryShare(const fs::path& path) { return Try(path, LOCK_SH); }

Result<FileLock> FileLock::Try(const fs::path& path, int how) {
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return SystemError("open", path);
  FileLock lock(fd);
  if (::flock(fd, how | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return Fail(ErrorKind::kConflict, "{} is locked by another process", path.string());
    return SystemError("lock", path);
  }
  return lock;
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace slipway
