#include "model/python/zygote.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/format.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/time.h"

extern const char slipway_python_zygote[], slipway_python_zygote_end[];

namespace slipway::model {
namespace {

constexpr double kSecondsToDie = 10;    // of a worker that its zygote was told to end
constexpr double kSecondsToStart = 60;  // of an interpreter, before its imports
constexpr int kBacklog = 128, kTries = 3;
constexpr size_t kLongestAnswer = 4096;

int OpenFolder(const std::filesystem::path& path) {
  return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

Failure System(const char* what) { return Fail(ErrorKind::kIo, "{}: {}", what, std::strerror(errno)); }

/// An open file that is closed.
class File {
 public:
  explicit File(int number) : number_(number) {}
  File(File&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  File& operator=(File&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~File() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_;
};

/// The address of a socket in a folder, whose own path may be longer than an address can hold.
sockaddr_un AddressIn(int folder, const std::string& name) {
  sockaddr_un address{.sun_family = AF_UNIX};
  auto path = fmt::format("/proc/self/fd/{}/{}", folder, name);
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return address;
}

File NewSocket() { return File(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)); }

/// A connection to the zygote; none: nobody listens there.
File Connect(int folder, const std::string& name) {
  auto socket = NewSocket();
  auto address = AddressIn(folder, name);
  if (::connect(socket.number(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return File(-1);
  return socket;
}

/// One message, within `seconds`; nothing: none came. Empty: the other end is closed.
std::optional<std::string> Receive(int socket, double seconds) {
  double deadline = MonotonicSeconds() + seconds;
  pollfd ready{socket, POLLIN, 0};
  std::string message(kLongestAnswer, '\0');
  while (true) {
    auto left = std::max(0.0, deadline - MonotonicSeconds());
    int found = ::poll(&ready, 1, static_cast<int>(std::min(std::ceil(left * 1000), 1e6)));
    if (found > 0) {
      auto count = ::recv(socket, message.data(), message.size(), 0);
      if (count < 0 && errno == EINTR) continue;
      message.resize(count < 0 ? 0 : static_cast<size_t>(count));
      return message;
    }
    if (left <= 0) return std::nullopt;
  }
}

/// Sends the text, and open files beside it.
Result<> SendWithFiles(int socket, std::string text, const std::array<int, 4>& files) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(files))> control{};
  iovec part{text.data(), text.size()};
  msghdr message{.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.data(), .msg_controllen = control.size()};
  auto* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(files));
  std::memcpy(CMSG_DATA(header), files.data(), sizeof(files));
  if (::sendmsg(socket, &message, MSG_NOSIGNAL) < 0) return System("ask the zygote");
  return {};
}

/// A worker whose parent is a zygote: the connection tells how it ended, and ends it when it is closed.
class ForkedProcess final : public WorkerProcess {
 public:
  ForkedProcess(int pid, File connection) : pid_(pid), connection_(std::move(connection)) {}
  int id() const override { return pid_; }

  std::optional<ProcessEnd> AwaitEnd(double seconds) override {
    auto message = Receive(connection_.number(), seconds);
    if (!message) return std::nullopt;
    auto value = ParseJson(*message);
    auto object = value ? JsonObject::From(*value, "status") : Result<JsonObject>(Failure(value.error()));
    auto status = object ? object->Int("status") : Result<int64_t>(Failure(object.error()));
    // Without a word: the zygote itself was killed, and its workers with it.
    return status ? ProcessEnd::FromWait(static_cast<int>(*status)) : ProcessEnd{.signal = SIGKILL};
  }

  void Stop() override { ::shutdown(connection_.number(), SHUT_WR); }

  ProcessEnd Kill() override {
    Stop();
    return AwaitEnd(kSecondsToDie).value_or(ProcessEnd{.signal = SIGKILL});
  }

 private:
  int pid_;
  File connection_;
};

/// The name of the socket of the zygote for such a request: another one for another program.
std::string SocketFor(const ZygoteRequest& request, const std::string& program) {
  auto hash = Sha256(program + '\0' + request.interpreter + '\0' + (request.network ? "network" : "none"));
  return hash.substr(0, 16);
}

/// Starts a zygote that listens on the socket, unless somebody else was faster; a connection to it.
Result<File> StartZygote(const std::filesystem::path& path, int folder, const std::string& name,
                         const ZygoteRequest& request, const std::string& program) {
  File lock(::openat(folder, (name + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock || ::flock(lock.number(), LOCK_EX) != 0) return System("lock the zygote's folder");
  if (auto connection = Connect(folder, name)) return connection;
  ::unlinkat(folder, name.c_str(), 0);
  auto listener = NewSocket();
  auto address = AddressIn(folder, name);
  if (::bind(listener.number(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(listener.number(), kBacklog) != 0)
    return System("listen for a zygote");
  auto home = path / (name + ".home");
  std::error_code code;
  std::filesystem::create_directory(home, code);
  auto arguments = PythonCommand(request.interpreter, program);
  arguments.insert(arguments.end(), {path.string(), request.network ? "network" : "none"});
  ASSIGN(auto pid, StartProcess({.arguments = std::move(arguments),
                                 .environment = PythonEnvironment(home),
                                 .folder = home,
                                 .output = "/dev/null",
                                 .error = "/dev/null",
                                 .descriptors = {listener.number()}}));
  // The zygote itself is a child of this one, which ends at once.
  auto end = AwaitEnd(pid, kSecondsToStart);
  if (!end) end = KillProcess(pid);
  if (end->code() != 0) return Fail(ErrorKind::kIo, "the zygote {}", end->ToString());
  auto connection = Connect(folder, name);
  if (!connection) return Fail(ErrorKind::kIo, "the zygote does not listen");
  return connection;
}

/// The folder in which zygotes are shared, if there is one whose owner lives; no model can have made it.
std::optional<File> SharedFolder(const std::filesystem::path& path) {
  File folder(OpenFolder(path));
  struct stat about = {};
  if (!folder || ::fstat(folder.number(), &about) != 0 || about.st_uid != ::geteuid() || (about.st_mode & 0077) != 0)
    return std::nullopt;
  if (::flock(folder.number(), LOCK_SH | LOCK_NB) == 0) return std::nullopt;  // nobody holds its lock
  return folder;
}

}  // namespace

Result<std::filesystem::path> Zygotes::OwnFolder() {
  const std::scoped_lock lock(mutex_);
  if (!own_) {
    ASSIGN(own_, PrivateFolder::Make());
  }
  return own_->path();
}

Result<std::unique_ptr<WorkerProcess>> Zygotes::Fork(const ZygoteRequest& request, const WorkerFiles& files) {
  std::filesystem::path path;
  std::optional<File> folder;
  // A model that has a network can reach all sockets of this user: its zygote is shared with nobody.
  if (const char* shared = std::getenv("SLIPWAY_ZYGOTES"); shared != nullptr && !request.network)
    folder = SharedFolder(path = shared);
  if (!folder) {
    ASSIGN(path, OwnFolder());
    folder.emplace(OpenFolder(path));
  }
  auto program =
      WorkerProgram() + std::string(slipway_python_zygote, slipway_python_zygote_end) + "\nmain_of_zygote()\n";
  auto name = SocketFor(request, program);
  json::array libraries(request.libraries.begin(), request.libraries.end());
  auto text = json::serialize(json::object{{"folder", files.folder.string()}, {"libraries", std::move(libraries)}});
  for (int tries = 0; tries < kTries; ++tries) {
    auto connection = Connect(folder->number(), name);
    if (!connection) {
      ASSIGN(connection, StartZygote(path, folder->number(), name, request, program));
    }
    if (!SendWithFiles(connection.number(), text, {files.socket, files.rows, files.predictions, files.printed}))
      continue;
    auto message = Receive(connection.number(), request.seconds);
    if (!message) return Fail(ErrorKind::kUnavailable, "the zygote did not answer within {} s", request.seconds);
    if (message->empty()) continue;  // it was about to end
    ASSIGN(auto value, ParseJson(*message));
    ASSIGN(auto answer, JsonObject::From(value, "the zygote's answer"));
    ASSIGN(auto unfit, answer.String("unfit", ""));
    if (!unfit.empty()) return Fail(ErrorKind::kUnsupported, "the zygote cannot fork: {}", unfit);
    ASSIGN(auto pid, answer.Int("pid", 0));
    if (pid > 0) return std::make_unique<ForkedProcess>(static_cast<int>(pid), std::move(connection));
    // It is stale: it does not listen any more, and another one takes its place.
  }
  return Fail(ErrorKind::kUnavailable, "the zygote ended {} times before it could fork", kTries);
}

}  // namespace slipway::model
