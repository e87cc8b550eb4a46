#include "registry/mlflow/artifacts.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "base/format.h"

namespace slipway::registry {
namespace {

namespace fs = std::filesystem;

/// Answers every list of artifacts with one file, and every file with `size` bytes; a request per connection.
class FakeMlflow {
 public:
  explicit FakeMlflow(size_t size) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    ::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(socket_, 8);
    socklen_t length = sizeof address;
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length);
    url_ = fmt::format("http://127.0.0.1:{}", ntohs(address.sin_port));
    thread_ = std::thread([this, size] {
      for (int client; (client = ::accept(socket_, nullptr, nullptr)) >= 0; ::close(client)) Answer(client, size);
    });
  }
  ~FakeMlflow() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  const std::string& url() const { return url_; }

 private:
  static void Answer(int client, size_t size) {
    std::string request(4096, '\0');
    request.resize(static_cast<size_t>(std::max<ssize_t>(0, ::recv(client, request.data(), request.size(), 0))));
    auto body = request.find("?path=") != std::string::npos ? R"({"files":[{"path":"MLmodel","is_dir":false}]})"
                                                            : std::string(size, 'x');
    auto answer =
        fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}", body.size(), body);
    ::send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
  }
  int socket_;
  std::string url_;
  std::thread thread_;
};

class Artifacts : public testing::Test {
 protected:
  Artifacts() {
    fs::create_directories(from_ / "data");
    Write(from_ / "MLmodel", "flavors: {}");
    Write(from_ / "data" / "model.txt", "1234567890");
    fs::create_directories(to_);
  }
  ~Artifacts() override { fs::remove_all(root_); }
  static void Write(const fs::path& file, std::string_view text) { std::ofstream(file) << text; }
  Result<> Fetch(const std::string& location, ModelLimits limits = {}) const {
    return DownloadArtifacts(MlflowServer("http://127.0.0.1:1", {}), location, to_, limits);
  }

  fs::path root_ = testing::TempDir() + fmt::format("artifacts-{}", ::getpid());
  fs::path from_ = root_ / "from", to_ = root_ / "to";
};

TEST_F(Artifacts, AFolderIsCopiedWhole) {
  ASSERT_TRUE(Fetch("file://" + from_.string()));
  EXPECT_EQ(fs::file_size(to_ / "data" / "model.txt"), 10u);
}

TEST_F(Artifacts, AFolderThatIsNoModelIsNotCopied) {
  fs::remove(from_ / "MLmodel");
  auto done = Fetch(from_);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::kNotFound);
  EXPECT_TRUE(fs::is_empty(to_));
}

TEST_F(Artifacts, ALinkIsRefusedByName) {
  Write(root_ / "secret", "key");
  fs::create_symlink(root_ / "secret", from_ / "data" / "a.txt");
  auto done = Fetch(from_);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::kInvalid);
  EXPECT_NE(done.error().message.find("data/a.txt"), std::string::npos) << done.error().message;
  EXPECT_FALSE(fs::exists(to_ / "data" / "a.txt"));
}

TEST_F(Artifacts, TooManyFilesAndTooManyBytesAreRefused) {
  EXPECT_FALSE(Fetch(from_, {.files = 1}));
  EXPECT_FALSE(Fetch(from_, {.bytes = 15}));
  EXPECT_TRUE(Fetch(from_, {.files = 2, .bytes = 21}));
}

TEST_F(Artifacts, ADownloadEndsAtTheLimit) {
  FakeMlflow fake(1 << 20);
  MlflowServer server(fake.url(), {});
  auto done = DownloadArtifacts(server, "mlflow-artifacts:/1/m", to_, {.bytes = (1 << 20) - 1});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::kInvalid) << done.error().message;
  EXPECT_LT(fs::file_size(to_ / "MLmodel"), size_t{1} << 20);
  EXPECT_TRUE(DownloadArtifacts(server, "mlflow-artifacts:/1/m", to_, {.bytes = 1 << 20}));
}

}  // namespace
}  // namespace slipway::registry
