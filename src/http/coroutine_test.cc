#include <gmock/gmock.h>

#include <atomic>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <filesystem>
#include <future>

#include "http/loopback_test.h"
#include "http/race.h"
#include "http/turns.h"

namespace slipway::http {
namespace {

namespace asio = boost::asio;
using testing::Client;
using testing::Get;
using testing::Running;

/// A slow upstream, as a handler sees one: something that it waits for. `/slow` waits for it, `/open` lets it answer,
/// and `/quick` is a handler that blocks a thread.
class Upstream {
 public:
  Awaitable<void> Wait() {
    auto timer =
        std::make_shared<asio::steady_timer>(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    timers_.push_back(timer);
    ++waiting;
    waiting.notify_all();
    boost::system::error_code opened;
    co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, opened));
  }

  void Open() {
    for (auto& timer : timers_)
      if (auto waiting_still = timer.lock()) waiting_still->cancel();
  }

  Handler handler() {
    return [this](Exchange& exchange) -> Awaitable<Response> {
      auto name = exchange.request.path.at(0);
      if (name == "slow") co_await Wait();
      if (name == "open") Open();
      if (name == "quick") co_return co_await exchange.OnThread([] { return Response{.body = "quick"}; });
      co_return Response{.body = name};
    };
  }

  void AwaitThatManyWait(int count) {
    for (int now = waiting; now < count; now = waiting) waiting.wait(now);
  }

  std::atomic<int> waiting = 0;

 private:
  std::vector<std::weak_ptr<asio::steady_timer>> timers_;  ///< a timer may not outlive the server's I/O, as this does
};

int Threads() {
  auto tasks = std::filesystem::directory_iterator("/proc/self/task");
  return static_cast<int>(std::distance(begin(tasks), end(tasks)));
}

TEST(Coroutines, ASlowUpstreamTakesNoThread) {
  constexpr int kSlow = 300;
  Upstream upstream;
  Running server(upstream.handler(), {.threads = 2, .queue = 0});
  Client other(server);
  EXPECT_EQ(other.Ask(Get("/quick")).body, "quick");
  int threads = Threads();
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < kSlow; ++i) slow.emplace_back(std::make_unique<Client>(server))->Send(Get("/slow"));
  upstream.AwaitThatManyWait(kSlow);
  EXPECT_EQ(Threads(), threads);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(other.Ask(Get("/quick")).body, "quick");  // no queue: a thread was free
  EXPECT_EQ(other.Ask(Get("/open")).body, "open");
  for (auto& client : slow) EXPECT_EQ(client->Next().body, "slow");
}

TEST(Coroutines, StopWaitsForThemToo) {
  Upstream upstream;
  Running server(upstream.handler());
  Client slow(server), opener(server);
  EXPECT_EQ(opener.Ask(Get("/quick")).status, 200);
  slow.Send(Get("/slow"));
  upstream.AwaitThatManyWait(1);
  server.Stop();
  opener.Send(Get("/open"));  // a connection of before is served until the last answer is out
  EXPECT_EQ(slow.Next().body, "slow");
  server.Join();
}

TEST(Coroutines, SeeThatTheClientHasGone) {
  Upstream upstream;
  std::promise<bool> upstream_first;
  Running server([&](Exchange& exchange) -> Awaitable<Response> {
    upstream_first.set_value(co_await Race(upstream.Wait(), exchange.Gone()));
    co_return Response{};
  });
  Client client(server);
  client.Send(Get("/"));
  upstream.AwaitThatManyWait(1);
  client.Close();
  EXPECT_FALSE(upstream_first.get_future().get());
}

TEST(Coroutines, ARequestSentAheadIsNotTheEndOfTheClient) {
  Upstream upstream;
  Running server([&](Exchange& exchange) -> Awaitable<Response> {
    auto name = exchange.request.path.at(0);
    if (name != "wait") co_return co_await upstream.handler()(exchange);
    bool first = co_await Race(upstream.Wait(), exchange.Gone());
    co_return Response{.body = first ? "answered" : "gone"};
  });
  Client client(server), opener(server);
  client.Send(Get("/wait"));
  upstream.AwaitThatManyWait(1);
  client.Send(Get("/ahead"));
  EXPECT_EQ(opener.Ask(Get("/open")).status, 200);
  EXPECT_EQ(client.Next().body, "answered");
  EXPECT_EQ(client.Next().body, "ahead");
}

TEST(Coroutines, WhoHasMuchInHandWaitsForThemselves) {
  Upstream upstream;
  Turns turns(1, 1);
  Running server([&](Exchange& exchange) -> Awaitable<Response> {
    auto name = exchange.request.path.at(0), who = exchange.request.path.at(1);
    auto turn = co_await turns.Take(who);
    if (turn == nullptr) co_return Response{.status = 429};
    if (name == "slow") co_await upstream.Wait();
    if (name == "open") upstream.Open();
    co_return Response{.body = who};
  });
  Client first(server), second(server), third(server), other(server);
  first.Send(Get("/slow/one"));
  upstream.AwaitThatManyWait(1);
  second.Send(Get("/quick/one"));
  third.Send(Get("/quick/one"));  // one of the two waits, and for the other there is no room
  for (int i = 0; i < 5; ++i) EXPECT_EQ(other.Ask(Get("/quick/two")).body, "two");
  EXPECT_EQ(other.Ask(Get("/open/two")).body, "two");
  EXPECT_EQ(first.Next().body, "one");
  EXPECT_THAT((std::vector{second.Next().status, third.Next().status}), ::testing::UnorderedElementsAre(200, 429));
}

TEST(Coroutines, OneThatThrowsIsA500) {
  Running server([](Exchange& exchange) -> Awaitable<Response> {
    if (exchange.request.path.at(0) == "thread")
      co_return co_await exchange.OnThread([]() -> Response { throw std::runtime_error("secret"); });
    throw std::runtime_error("secret");
  });
  Client client(server);
  for (const char* path : {"/thread", "/here"}) {
    auto answer = client.Ask(Get(path));
    EXPECT_EQ(answer.status, 500);
    EXPECT_EQ(answer.body.find("secret"), std::string::npos);
  }
}

}  // namespace
}  // namespace slipway::http
