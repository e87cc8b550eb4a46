#include "model/python/printed.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

#include "base/format.h"
#include "model/python/python_engine.h"

namespace slipway::model {
namespace {

/// All of it, unless nobody reads any more.
void Write(std::string_view text) {
  while (!text.empty()) {
    auto count = ::write(STDERR_FILENO, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    text.remove_prefix(static_cast<size_t>(count));
  }
}

}  // namespace

std::shared_ptr<Printed> MakePrinted() { return std::make_shared<Printed>(); }

Result<int> Printed::File(int64_t most_mib) {
  const std::scoped_lock lock(mutex_);
  if (write_ >= 0) return write_;
  std::array<int, 2> ends{};
  stop_ = ::eventfd(0, EFD_CLOEXEC);
  if (stop_ < 0 || ::pipe2(ends.data(), O_CLOEXEC) != 0)
    return Fail(ErrorKind::kIo, "a pipe for what a model prints: {}", std::strerror(errno));
  read_ = ends[0];
  write_ = ends[1];
  ::fcntl(read_, F_SETFL, O_NONBLOCK);
  thread_ = std::thread([this, most_mib] { Copy(most_mib); });
  return write_;
}

void Printed::Copy(int64_t most_mib) const {
  std::array<char, 1 << 16> piece{};
  int64_t left = most_mib << 20;
  bool cut = false;
  std::array<pollfd, 2> wait{{{read_, POLLIN, 0}, {stop_, POLLIN, 0}}};
  while (true) {
    auto count = ::read(read_, piece.data(), piece.size());
    if (count < 0 && errno == EAGAIN) {
      if ((wait[1].revents & POLLIN) != 0) return;  // told to stop, and nothing is left
      ::poll(wait.data(), wait.size(), -1);
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    auto shown = std::min<int64_t>(left, count);
    Write({piece.data(), static_cast<size_t>(shown)});
    left -= shown;
    if (shown == count || cut) continue;
    cut = true;
    Write(
        fmt::format("\n(what the model printed is cut off here: it is more than python.output_mib = {})\n", most_mib));
  }
}

Printed::~Printed() {
  if (thread_.joinable()) {
    ::eventfd_write(stop_, 1);
    thread_.join();
  }
  for (int file : {read_, write_, stop_})
    if (file >= 0) ::close(file);
}

}  // namespace slipway::model
