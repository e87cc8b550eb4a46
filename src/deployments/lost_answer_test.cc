#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <mutex>
#include <thread>

#include "base/ids.h"
#include "database/schema.h"
#include "deployments/migrations.h"
#include "deployments/store.h"
#include "deployments/test_databases.h"
#include "deployments/webhook_events.h"
#include "webhooks/migrations.h"
#include "webhooks/outbox.h"

namespace slipway::deployments {
namespace {

using RunRecord = deployments::Run;  // testing::Test has a Run of its own

/// Stands between a client and PostgreSQL, and cuts connections at a COMMIT.
class Proxy {
 public:
  enum class Cut { kNothing, kBeforeTheServer, kBeforeTheAnswer };

  explicit Proxy(int server_port) : server_port_(server_port), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    auto address = Loopback(0);
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::jthread([this] { Accept(); });
  }
  ~Proxy() {
    stopped_ = true;
    acceptor_.join();
    connections_.clear();
    ::close(listener_);
  }
  int port() const { return port_; }
  /// Cuts at the next `times` commits.
  void Arm(Cut cut, int times) {
    cut_ = cut;
    left_ = times;
  }
  int left() const { return left_; }

 private:
  static sockaddr_in Loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  void Accept() {
    while (!stopped_) {
      pollfd ready{listener_, POLLIN, 0};
      if (::poll(&ready, 1, 20) <= 0) continue;
      int client = ::accept(listener_, nullptr, nullptr), server = ::socket(AF_INET, SOCK_STREAM, 0);
      auto address = Loopback(server_port_);
      EXPECT_EQ(::connect(server, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
      connections_.emplace_back([this, client, server] {
        Forward(client, server);
        ::close(client);
        ::close(server);
      });
    }
  }

  /// Until one side ends, or the connection is cut.
  void Forward(int client, int server) {
    std::array<char, 1 << 16> bytes{};
    while (!stopped_) {
      std::array<pollfd, 2> ready{pollfd{client, POLLIN, 0}, pollfd{server, POLLIN, 0}};
      if (::poll(ready.data(), ready.size(), 20) <= 0) continue;
      for (size_t side = 0; side < 2; ++side) {
        if (ready.at(side).revents == 0) continue;
        auto read = ::recv(ready.at(side).fd, bytes.data(), bytes.size(), 0);
        if (read <= 0) return;
        bool commit = side == 0 && std::string_view(bytes.data(), static_cast<size_t>(read)).contains("COMMIT");
        bool cut = commit && left_ > 0 && left_-- > 0;
        if (cut && cut_ == Cut::kBeforeTheServer) return;
        ::send(ready.at(1 - side).fd, bytes.data(), static_cast<size_t>(read), MSG_NOSIGNAL);
        if (cut) return void(::recv(server, bytes.data(), bytes.size(), 0));  // it has committed, and said so
      }
    }
  }

  int server_port_, listener_, port_ = 0;
  std::atomic<bool> stopped_ = false;
  std::atomic<Cut> cut_ = Cut::kNothing;
  std::atomic<int> left_ = 0;
  std::vector<std::jthread> connections_;
  std::jthread acceptor_;
};

/// SLIPWAY_TEST_POSTGRESQL names an empty database: postgresql://user@127.0.0.1:port/name.
struct LostAnswerTest : testing::TestWithParam<std::string> {
  std::unique_ptr<Proxy> proxy;
  std::unique_ptr<Database> database, direct;
  std::unique_ptr<Store> store;
  Timestamp now{std::chrono::sys_days{std::chrono::year{2024} / 1 / 1}};
  std::string model = "m" + RandomHex(4);

  void SetUp() override {
    auto location = GetParam();
    auto colon = location.rfind(':'), slash = location.rfind('/');
    proxy = std::make_unique<Proxy>(std::stoi(location.substr(colon + 1, slash - colon - 1)));
    direct = Open(location);
    database = Open(location.substr(0, colon + 1) + std::to_string(proxy->port()) + location.substr(slash) +
                    "?sslmode=disable&gssencmode=disable");
    store = std::make_unique<Store>(*database, AnnounceToWebhooks(*database, {{model, {"run.queued", "run.failed"}}}));
  }
  static std::unique_ptr<Database> Open(const std::string& location) {
    auto opened = Database::Open(location, AllOf(Migrations(), webhooks::Migrations()));
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(*opened);
  }

  Deployment Make(std::string name) {
    Deployment d{.deployment_id = NewUuid(),
                 .model = model,
                 .name = std::move(name),
                 .status = DeploymentStatus::kActive,
                 .created_by = "platform",
                 .created_at = now,
                 .updated_at = now};
    d.spec.owner = "o";
    d.spec.domain = "d";
    return d;
  }
  RunRecord RunOf(const Deployment& d) {
    return {.run_id = NewUuid(), .deployment_id = d.deployment_id, .logical_date = now, .queued_at = now};
  }
  /// Deliveries that were queued for this test's webhook.
  int Told() {
    int told = 0;
    webhooks::Outbox outbox(*direct);
    while (outbox.Claim(model, 600).value()) ++told;
    return told;
  }
};

TEST_P(LostAnswerTest, ACommitIsLookedUp) {
  for (auto cut : {Proxy::Cut::kBeforeTheServer, Proxy::Cut::kBeforeTheAnswer}) {
    auto name = cut == Proxy::Cut::kBeforeTheServer ? "a" : "b";
    auto d = Make(name);
    auto first = RunOf(d), second = RunOf(d);
    proxy->Arm(cut, 1);
    auto created = store->CreateDeployment(d, first);
    ASSERT_TRUE(created) << created.error().message;
    EXPECT_EQ(proxy->left(), 0);
    EXPECT_EQ(store->FindDeployment(model, name)->deployment.deployment_id, d.deployment_id);

    proxy->Arm(cut, 1);
    auto queued = store->CreateRuns({second});
    ASSERT_TRUE(queued) << queued.error().message;
    EXPECT_EQ(store->ListRuns(d.deployment_id, 9, std::nullopt)->items.size(), 2u);

    proxy->Arm(cut, 1);
    auto changed = store->ChangeDeployment(d.deployment_id, [](Deployment& stored) {
      return stored.error_message = stored.error_message.value_or("") + "once", Result<>();
    });
    ASSERT_TRUE(changed) << changed.error().message;
    EXPECT_EQ(changed->error_message, "once");
    EXPECT_EQ(store->FindDeploymentById(d.deployment_id)->error_message, "once");

    proxy->Arm(cut, 1);
    auto failed = store->ChangeRun(first.run_id, [](RunRecord& run) {
      run.status = RunStatus::kFailed;
      return ++run.attempt, Result<>();
    });
    ASSERT_TRUE(failed) << failed.error().message;
    EXPECT_EQ(store->FindRun(first.run_id)->attempt, 1);
    EXPECT_EQ(Told(), 3) << "two were queued and one has failed: each is told once";
  }
}

TEST_P(LostAnswerTest, WhatCannotBeLookedUpIsPerhaps) {
  auto d = Make("a");
  proxy->Arm(Proxy::Cut::kBeforeTheAnswer, 1000);
  auto created = store->CreateDeployment(d);
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().kind, ErrorKind::kPerhapsCommitted);
  EXPECT_TRUE(created.error().message.contains("may have been made")) << created.error().message;
  proxy->Arm(Proxy::Cut::kNothing, 0);
  EXPECT_TRUE(store->FindDeployment(model, "a")) << "it was";
}

/// Somebody else's name is refused as ever, and is not taken for one's own lost work.
TEST_P(LostAnswerTest, AnotherDeploymentOfThatNameIsAConflict) {
  ASSERT_TRUE(store->CreateDeployment(Make("a")));
  proxy->Arm(Proxy::Cut::kBeforeTheServer, 1);
  auto again = store->CreateDeployment(Make("a"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::kConflict);
}

INSTANTIATE_TEST_SUITE_P(Postgresql, LostAnswerTest, testing::ValuesIn(TestedPostgresql()));
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(LostAnswerTest);

}  // namespace
}  // namespace slipway::deployments
