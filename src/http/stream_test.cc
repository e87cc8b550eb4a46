#include <gmock/gmock.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <future>

#include "http/event_stream.h"
#include "http/loopback_test.h"

namespace slipway::http {
namespace {

namespace asio = boost::asio;
using testing::Client;
using testing::Get;
using testing::Running;

constexpr size_t kMiB = size_t{1} << 20;

/// Waits until it is cancelled; then `cancelled` is told, if somebody asks.
Awaitable<void> Forever(std::promise<void>* cancelled = nullptr) {
  asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  boost::system::error_code code;
  co_await never.async_wait(asio::redirect_error(asio::use_awaitable, code));
  if (cancelled != nullptr && code == asio::error::operation_aborted) cancelled->set_value();
}

/// A handler whose answers `write` writes.
Handler Streaming(std::function<Awaitable<void>(Writer&)> write) {
  return [write](Exchange&) -> Awaitable<Response> {
    Response response{.content_type = "text/plain"};
    response.stream = write;
    co_return response;
  };
}

TEST(Stream, PiecesArriveAsTheyAreWritten) {
  Running server(Streaming([](Writer& writer) -> Awaitable<void> {
    (void)co_await writer.Write("first");
    (void)co_await writer.Write("");  // is not the end
    co_await Forever();
  }));
  Client client(server);
  client.Send(Get("/"));
  EXPECT_THAT(client.Until("\r\n\r\n"), ::testing::HasSubstr("Transfer-Encoding: chunked"));
  EXPECT_EQ(client.Until("first\r\n"), "5\r\nfirst\r\n");
}

TEST(Stream, TheConnectionGoesOnAfterIt) {
  Running server(Streaming([](Writer& writer) -> Awaitable<void> {
    for (int i = 0; i < 100; ++i) (void)co_await writer.Write("0123456789");
  }));
  Client client(server);
  client.Send(Get("/") + Get("/sent-ahead"));
  for (int i = 0; i < 2; ++i) {
    auto answer = client.Next();
    EXPECT_TRUE(answer.whole);
    EXPECT_EQ(answer.body.size(), 1000U);
  }
  EXPECT_EQ(client.Ask(Get("/again")).body.size(), 1000U);
}

TEST(Stream, ToHttp10ItEndsWithTheConnection) {
  Running server(Streaming([](Writer& writer) -> Awaitable<void> { (void)co_await writer.Write("text"); }));
  Client client(server);
  client.Send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  auto all = client.Rest();
  EXPECT_THAT(all, ::testing::EndsWith("\r\n\r\ntext"));
  EXPECT_THAT(all, ::testing::Not(::testing::HasSubstr("chunked")));
}

TEST(Stream, OneThatThrowsBreaksOff) {
  Running server(Streaming([](Writer& writer) -> Awaitable<void> {
    (void)co_await writer.Write("begun");
    throw std::runtime_error("the source is gone");
  }));
  auto answer = Client(server).Ask(Get("/"));
  EXPECT_EQ(answer.body, "begun");
  EXPECT_FALSE(answer.whole);
}

TEST(Stream, WhoDoesNotReadSlowsTheWriterDownAndIsHungUpOn) {
  std::promise<std::pair<size_t, ErrorKind>> ended;
  Running server(Streaming([&](Writer& writer) -> Awaitable<void> {
                   std::string piece(64 << 10, 'x');
                   size_t written = 0;
                   for (; written < 1024 * kMiB; written += piece.size())
                     if (auto done = co_await writer.Write(piece); !done)
                       co_return ended.set_value({written, done.error().kind});
                   ended.set_value({written, ErrorKind::kInternal});
                 }),
                 {.read_seconds = 1});
  Client client(server);
  client.Send(Get("/"));
  auto [written, kind] = ended.get_future().get();
  EXPECT_EQ(kind, ErrorKind::kUnavailable);
  EXPECT_LT(written, 64 * kMiB);  // what the kernel holds for the two sockets
}

TEST(Stream, WhoReadsSlowlyGetsAll) {
  Running server(Streaming([](Writer& writer) -> Awaitable<void> {
    for (char c = 'a'; c <= 'z'; ++c) (void)co_await writer.Write(std::string(kMiB, c));
  }));
  Client client(server);
  auto answer = client.Ask(Get("/"));
  ASSERT_TRUE(answer.whole);
  ASSERT_EQ(answer.body.size(), 26 * kMiB);
  for (size_t i = 0; i < 26; ++i) EXPECT_EQ(answer.body[i * kMiB + kMiB / 2], static_cast<char>('a' + i));
}

TEST(Stream, EndsWhenTheClientGoes) {
  for (bool half : {false, true}) {
    std::promise<void> cancelled;
    Running server(Streaming([&](Writer& writer) -> Awaitable<void> {
      (void)co_await writer.Write("first");
      co_await Forever(&cancelled);
    }));
    Client client(server);
    client.Send(Get("/"));
    client.Until("first");
    half ? client.HalfClose() : client.Close();
    cancelled.get_future().wait();
  }
}

TEST(Events, LookAsTheStandardSays) {
  EXPECT_EQ(EventText("a"), "data: a\n\n");
  EXPECT_EQ(EventText("a\nb\r\nc\rd\n", "run", "7"),
            "id: 7\nevent: run\ndata: a\ndata: b\ndata: c\ndata: d\ndata: \n\n");
  EXPECT_EQ(EventText("", "x\ndata: forged\r", std::string_view("1\0\n2", 4)),
            "id: 12\nevent: xdata: forged\ndata: \n\n");
}

Handler Events(std::promise<void>& cancelled) {
  return [&](Exchange&) -> Awaitable<Response> {
    co_return EventStream([&](EventWriter& events) -> Awaitable<void> {
      (void)co_await events.Send("one", "", "1");
      (void)co_await events.KeepAlive();
      (void)co_await events.Send("two", "", "2");
      co_await Forever(&cancelled);
    });
  };
}

TEST(Events, ArriveOneByOneUntilTheClientGoes) {
  std::promise<void> cancelled;
  Running server(Events(cancelled));
  Client client(server);
  client.Send(Get("/"));
  auto head = client.Until("\r\n\r\n");
  EXPECT_THAT(head, ::testing::HasSubstr("Content-Type: text/event-stream"));
  EXPECT_THAT(head, ::testing::HasSubstr("Cache-Control: no-store"));
  client.Until("id: 1\ndata: one\n\n");
  client.Until(":\n\n");
  client.Until("id: 2\ndata: two\n\n");
  client.Close();
  cancelled.get_future().wait();
}

TEST(Events, AServerThatStopsEndsThem) {
  std::promise<void> cancelled;
  Running server(Events(cancelled));
  Client client(server);
  client.Send(Get("/"));
  client.Until("data: two\n\n\r\n");
  server.Stop();
  EXPECT_EQ(client.Rest(), "0\r\n\r\n");  // a proper end, so that the client comes again
  cancelled.get_future().wait();
  server.Join();
}

/// Takes the body in pieces; says how long it was, what its bytes add up to, and how large the largest piece.
Handler Counting(uint64_t most_bytes, std::shared_future<void> begin = {}) {
  return [=](Exchange& exchange) -> Awaitable<Response> {
    if (begin.valid()) co_await exchange.OnThread([&] { return begin.wait(), Response{}; });
    uint64_t length = 0, sum = 0, largest = 0;
    while (true) {
      auto piece = co_await exchange.ReadPiece(most_bytes);
      if (!piece) co_return piece.error();
      if (piece->empty()) break;
      length += piece->size();
      largest = std::max<uint64_t>(largest, piece->size());
      for (unsigned char c : *piece) sum += c;
    }
    co_return Response{.body = std::to_string(length) + " " + std::to_string(sum) + (largest <= kMiB ? "" : " large")};
  };
}

TEST(BodyInPieces, MayBeLargerThanAWholeOne) {
  Running server(Counting(100 * kMiB), {.body_bytes = 10});
  std::string body(20 * kMiB, '\1');
  Client client(server);
  client.Send("POST / HTTP/1.1\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  client.Send(body);
  EXPECT_EQ(client.Next().body, "20971520 20971520");
  client.Send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 20; ++i) client.Send("100000\r\n" + std::string(kMiB, '\2') + "\r\n");
  client.Send("0\r\n\r\n");
  EXPECT_EQ(client.Next().body, "20971520 41943040");
  EXPECT_EQ(client.Ask(Get("/")).body, "0 0");
}

TEST(BodyInPieces, HasALimitToo) {
  Running server(Counting(kMiB));
  auto by_length = Client(server).Ask("POST / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n");
  EXPECT_EQ(by_length.status, 413);
  Client client(server);
  client.Send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 2; ++i) client.Send("100000\r\n" + std::string(kMiB, 'x') + "\r\n");
  EXPECT_EQ(client.Next().status, 413);
  EXPECT_EQ(client.Rest(), "");
}

TEST(BodyInPieces, AHandlerThatDoesNotReadSlowsTheClientDown) {
  std::promise<void> begin;
  Running server(Counting(1024 * kMiB, begin.get_future().share()));
  constexpr size_t kBody = 256 * kMiB;
  Client client(server);
  client.Send("POST / HTTP/1.1\r\nContent-Length: " + std::to_string(kBody) + "\r\n\r\n");
  std::string piece(kMiB, '\1');
  size_t sent = 0;
  for (size_t more = 1; more > 0 && sent < kBody; sent += more) more = client.SendWhatFits(piece);
  EXPECT_LT(sent, 64 * kMiB);  // what the kernel holds for the two sockets
  begin.set_value();
  for (; sent < kBody; sent += std::min(kMiB, kBody - sent))
    client.Send(std::string_view(piece).substr(0, std::min(kMiB, kBody - sent)));
  EXPECT_EQ(client.Next().body, std::to_string(kBody) + " " + std::to_string(kBody));
}

TEST(BodyInPieces, WhatIsLeftUnreadIsNoRequest) {
  Running server(
      [](Exchange& exchange) -> Awaitable<Response> { co_return Response{.body = exchange.request.method}; });
  Client client(server);
  auto answer = client.Ask("POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n" + Get("/smuggled"));
  EXPECT_EQ(answer.body, "POST");
  EXPECT_EQ(answer.headers["Connection"], "close");
  EXPECT_EQ(client.Rest(), "");
}

TEST(BodyInPieces, OneThatBreaksOffIsNoBody) {
  std::promise<bool> whole;
  Running server([&](Exchange& exchange) -> Awaitable<Response> {
    auto body = co_await exchange.ReadBody();
    whole.set_value(body.has_value());
    co_return Response{};
  });
  Client client(server);
  client.Send("POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc");
  client.HalfClose();
  EXPECT_FALSE(whole.get_future().get());
  EXPECT_EQ(client.Rest(), "");
}

}  // namespace
}  // namespace slipway::http
