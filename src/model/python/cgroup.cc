#include "model/python/cgroup.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "base/format.h"
#include "base/ids.h"
#include "base/process_tree.h"

namespace slipway::model {
namespace {

namespace fs = std::filesystem;

constexpr int kTries = 20, kWaitMilliseconds = 500;  // for processes that were killed to be gone

/// Into a file that the kernel has made.
bool Write(const fs::path& file, const std::string& text) {
  int number = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
  bool written = number >= 0 && ::write(number, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  int error = errno;
  if (number >= 0) ::close(number);
  errno = error;
  return written;
}

bool IsCgroup2(const fs::path& folder) {
  constexpr decltype(statfs::f_type) kMagic = 0x63677270;
  struct statfs about = {};
  return ::statfs(folder.c_str(), &about) == 0 && about.f_type == kMagic;
}

}  // namespace

std::string ControllersOf(const fs::path& cgroup) {
  if (!IsCgroup2(cgroup) || ::access((cgroup / "cgroup.procs").c_str(), W_OK) != 0) return "";
  std::string found;
  for (const char* name : {"memory", "pids"}) {
    Write(cgroup / "cgroup.subtree_control", fmt::format("+{}", name));  // it may be on, or not be given to this cgroup
    auto given = " " + ReadFile(cgroup / "cgroup.subtree_control", 4096).value_or("");
    for (auto& c : given) c = c == '\n' ? ' ' : c;
    if (given.find(fmt::format(" {} ", name)) != std::string::npos)
      found += (found.empty() ? "" : " ") + std::string(name);
  }
  return found;
}

Result<Cgroup> Cgroup::Make(const fs::path& parent, int64_t memory_bytes, int64_t tasks, int process) {
  if (!IsCgroup2(parent))
    return Fail(ErrorKind::kInvalid, "python.cgroup = {}: this is no cgroup of version 2", parent.string());
  auto controllers = ControllersOf(parent);
  Cgroup made(parent / ("slipway-" + NewUuid()));
  auto fail = [&](const char* what) {
    return Fail(ErrorKind::kInvalid, "python.cgroup = {}: {}: {}; it must be delegated to this user", parent.string(),
                what, std::strerror(errno));
  };
  if (::mkdir(made.path_.c_str(), 0755) != 0) return fail("make a cgroup in it");
  if (controllers.find("memory") != std::string::npos) {
    if (!Write(made.path_ / "memory.max", std::to_string(memory_bytes))) return fail("limit memory");
    Write(made.path_ / "memory.swap.max", "0");  // not all systems count swap
    Write(made.path_ / "memory.oom.group", "1");
  }
  if (controllers.find("pids") != std::string::npos && !Write(made.path_ / "pids.max", std::to_string(tasks)))
    return fail("limit processes");
  // The first one first: what it starts from then on is in the cgroup.
  if (!Write(made.path_ / "cgroup.procs", std::to_string(process))) return fail("move a process there");
  for (int child : TreeOf(process)) Write(made.path_ / "cgroup.procs", std::to_string(child));
  return made;
}

bool Cgroup::WasOutOfMemory() const {
  auto events = ReadFile(path_ / "memory.events", 4096).value_or("");
  auto at = events.find("oom_kill ");
  return at != std::string::npos && events.compare(at, 10, "oom_kill 0") != 0;
}

Cgroup::~Cgroup() {
  if (path_.empty()) return;
  Write(path_ / "cgroup.kill", "1");
  pollfd events{::open((path_ / "cgroup.events").c_str(), O_RDONLY | O_CLOEXEC), POLLPRI, 0};
  for (int tries = 0; ::rmdir(path_.c_str()) != 0 && errno == EBUSY && tries < kTries; ++tries) {
    std::array<char, 256> text{};  // to be told of the next change, this one has to be read
    auto read = ::pread(events.fd, text.data(), text.size(), 0);
    if (read > 0 && std::string_view(text.data(), read).find("populated 0") == std::string_view::npos)
      ::poll(&events, 1, kWaitMilliseconds);
  }
  if (events.fd >= 0) ::close(events.fd);
}

}  // namespace slipway::model
