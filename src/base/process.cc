#include "base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/file.h"
#include "base/format.h"
#include "base/time.h"

namespace slipway {
namespace {

constexpr int kFirstGiven = 3;    // the descriptors of a program's own begin behind the standard three
constexpr int kOutOfTheWay = 64;  // where they wait, so that none is overwritten before it is moved

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// What is done in the new process before the program begins.
class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  ~FileActions() {
    posix_spawn_file_actions_destroy(&actions_);
    for (int file : moved_) ::close(file);
  }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;

  void Open(int as, const char* path, int flags) { posix_spawn_file_actions_addopen(&actions_, as, path, flags, 0644); }
  void Enter(const char* folder) { posix_spawn_file_actions_addchdir_np(&actions_, folder); }
  void Print(int file) {
    for (int as : {STDOUT_FILENO, STDERR_FILENO}) posix_spawn_file_actions_adddup2(&actions_, file, as);
  }
  /// Gives the files as kFirstGiven and what follows; all others are closed.
  Result<> Give(const std::vector<int>& files) {
    for (int file : files) {
      moved_.push_back(::fcntl(file, F_DUPFD_CLOEXEC, kOutOfTheWay));
      if (moved_.back() < 0) return Fail(ErrorKind::kIo, "give a file to a process: {}", std::strerror(errno));
    }
    int as = kFirstGiven;
    for (int file : moved_) posix_spawn_file_actions_adddup2(&actions_, file, as++);
    posix_spawn_file_actions_addclosefrom_np(&actions_, as);
    return {};
  }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_ = {};
  std::vector<int> moved_;
};

}  // namespace

std::string ProcessEnd::ToString() const {
  return signal > 0 ? fmt::format("was ended by signal {} ({})", signal, ::strsignal(signal))
                    : fmt::format("ended with status {}", status);
}

ProcessEnd ProcessEnd::FromWait(int wait_status) {
  return WIFSIGNALED(wait_status) ? ProcessEnd{.signal = WTERMSIG(wait_status)}
                                  : ProcessEnd{.status = WEXITSTATUS(wait_status)};
}

Result<int> StartProcess(const Program& program) {
  auto words = program.arguments, given = program.environment;
  auto arguments = Pointers(words), environment = Pointers(given);
  FileActions actions;
  constexpr int kAppend = O_WRONLY | O_CREAT | O_APPEND;
  actions.Open(STDIN_FILENO, "/dev/null", O_RDONLY);
  if (!program.output.empty()) actions.Open(STDOUT_FILENO, program.output.c_str(), kAppend);
  if (!program.error.empty()) actions.Open(STDERR_FILENO, program.error.c_str(), kAppend);
  if (!program.folder.empty()) actions.Enter(program.folder.c_str());
  if (program.printed >= 0) actions.Print(program.printed);
  TRY(actions.Give(program.descriptors));
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  pid_t pid = 0;
  int code = posix_spawnp(&pid, arguments[0], actions.get(), &attributes, arguments.data(), environment.data());
  posix_spawnattr_destroy(&attributes);
  if (code != 0) return Fail(ErrorKind::kIo, "start {}: {}", program.arguments[0], std::strerror(code));
  return pid;
}

std::optional<ProcessEnd> TryReap(int pid) {
  int status = 0;
  auto reaped = ::waitpid(pid, &status, WNOHANG);
  if (reaped == 0) return std::nullopt;
  if (reaped < 0) return ProcessEnd{.status = 1};
  return ProcessEnd::FromWait(status);
}

std::optional<ProcessEnd> AwaitEnd(int pid, double seconds) {
  double deadline = MonotonicSeconds() + seconds;
  pollfd process{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)), POLLIN, 0};
  std::optional<ProcessEnd> end;
  while (!(end = TryReap(pid))) {
    double left = deadline - MonotonicSeconds();
    if (left <= 0) break;
    if (process.fd >= 0)
      ::poll(&process, 1, static_cast<int>(std::min(std::ceil(left * 1000), 1e6)));
    else
      ::poll(nullptr, 0, 1);  // a kernel without such descriptors
  }
  if (process.fd >= 0) ::close(process.fd);
  return end;
}

ProcessEnd KillProcess(int pid) {
  ::kill(-pid, SIGKILL);
  ::kill(pid, SIGKILL);  // it may have left its group
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return {.status = 1};
  return ProcessEnd::FromWait(status);
}

int64_t ResidentMib(int pid) {
  auto text = ReadFile(fmt::format("/proc/{}/statm", pid), 4096);
  auto second = text ? text->find(' ') : std::string::npos;
  if (second == std::string::npos) return 0;
  return std::strtoll(text->c_str() + second, nullptr, 10) * ::sysconf(_SC_PAGESIZE) >> 20;
}

void OfferToEnd(int score) {
  const OpenedFile file(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  const auto text = std::to_string(score);
  // Not for a process that may not: it is a help, and no promise.
  if (file.fd() >= 0) (void)!::write(file.fd(), text.data(), text.size());
}

}  // namespace slipway
