#include "http/limits.h"

#include <gmock/gmock.h>

#include "http/loopback_test.h"

/// Many clients at once, none of which is in a hurry: what they may take from the others.
namespace slipway::http {
namespace {

using testing::Client;
using testing::Gate;
using testing::Get;
using testing::Running;

Handler Quick() {
  return Blocking([](const Request& request) { return Response{.body = "read " + request.body}; });
}

std::string Post(size_t length, const std::string& body = "") {
  return "POST / HTTP/1.1\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n" + body;
}

TEST(Connections, OneMoreThanFitTakesThePlaceOfTheOneThatIsIdleLongest) {
  Running server(Quick(), {.connections = 2});
  Client first(server), second(server);
  EXPECT_EQ(first.Ask(Get("/")).status, 200);
  EXPECT_EQ(second.Ask(Get("/")).status, 200);
  EXPECT_EQ(first.Ask(Get("/")).status, 200);  // now the second one is idle for longer
  Client third(server);
  EXPECT_EQ(third.Ask(Get("/")).status, 200);
  EXPECT_EQ(second.Rest(), "");
  EXPECT_EQ(first.Ask(Get("/")).status, 200);
}

TEST(Connections, ThoseThatNeverAskShutNobodyOut) {
  Running server(Quick(), {.connections = 10});
  std::vector<std::unique_ptr<Client>> silent;
  for (int i = 0; i < 200; ++i) silent.push_back(std::make_unique<Client>(server));
  EXPECT_EQ(Client(server).Ask(Get("/")).status, 200);
  EXPECT_EQ(silent.front()->Rest(), "");
}

TEST(Connections, ABodyThatDoesNotComeGivesWay) {
  Running server(Quick(), {.connections = 2});
  Client first(server), second(server);
  first.Send(Post(100, "abc"));
  EXPECT_EQ(second.Ask(Get("/")).status, 200);
  second.Send(Post(100, "abc"));
  Client third(server);
  EXPECT_EQ(third.Ask(Get("/")).status, 200);
  EXPECT_EQ(first.Rest(), "");
}

TEST(Connections, AnAnswerThatNobodyTakesGivesWay) {
  std::string large(64 << 20, 'x');
  Running server(Blocking([&](const Request& request) {
                   return Response{.body = request.path.at(0) == "large" ? large : "small"};
                 }),
                 {.connections = 1});
  Client slow(server);
  slow.Send(Get("/large"));
  slow.Until("\r\n\r\n");
  Client other(server);
  EXPECT_EQ(other.Ask(Get("/small")).body, "small");
}

TEST(Connections, WhereAllWaitForThreadsTheNewOneIsRefused) {
  Gate gate;
  Running server(gate.handler(), {.connections = 1});
  Client first(server);
  first.Send(Get("/wait"));
  gate.waits.get_future().wait();
  Client second(server);
  auto answer = second.Ask(Get("/x"));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.headers["Retry-After"], "1");
  EXPECT_EQ(second.Rest(), "");
  gate.go.set_value();
  EXPECT_EQ(first.Next().body, "done");
}

// What these wait for comes after a second; the client of the tests would give up after thirty.
TEST(SlowClients, HaveSomeSecondsForAHead) {
  Running server(Quick(), {.header_seconds = 1, .read_seconds = 600});
  Client nothing(server), half(server), second_half(server);
  half.Send("GET / HTTP/1.1\r\nHost: x\r\n");
  EXPECT_EQ(second_half.Ask(Get("/")).status, 200);
  second_half.Send("GET / HTTP/1.1\r\nHost: x\r\n");
  for (auto* client : {&nothing, &half, &second_half}) EXPECT_EQ(client->Rest(), "");
}

TEST(SlowClients, ABodyThatTricklesIsGivenUp) {
  Running server(Quick(), {.header_seconds = 1, .read_seconds = 600, .least_rate = 1000});
  Client client(server);
  client.Send(Post(100'000, std::string(500, 'x')));  // good for half a second more
  EXPECT_EQ(client.Rest(), "");
}

TEST(Bodies, TogetherHaveALimit) {
  Gate gate;
  Running server(gate.handler(), {.bodies_bytes = 1000});
  Client first(server), second(server);
  first.Send("POST /wait HTTP/1.1\r\nContent-Length: 800\r\n\r\n" + std::string(800, 'x'));
  gate.waits.get_future().wait();
  auto refused = second.Ask(Post(800, std::string(800, 'x')));
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.headers["Retry-After"], "1");
  gate.go.set_value();
  EXPECT_EQ(first.Next().body, "done");
  EXPECT_EQ(first.Ask("POST /x HTTP/1.1\r\nContent-Length: 800\r\n\r\n" + std::string(800, 'x')).status, 200);
}

TEST(Answers, ThatTakeTooLongAre503) {
  Gate gate;
  Running server(gate.handler(), {.answer_seconds = 1, .threads = 2});
  Client client(server), other(server);
  client.Send(Get("/wait"));
  auto late = client.Next();
  EXPECT_EQ(late.status, 503);
  EXPECT_EQ(late.headers["Retry-After"], "1");
  EXPECT_EQ(other.Ask(Get("/x")).body, "done");
  EXPECT_EQ(client.Ask(Get("/x")).body, "done");  // the connection is as good as before
  gate.go.set_value();
  EXPECT_EQ(other.Ask(Get("/x")).body, "done");
}

TEST(Answers, AChangeThatTakesTooLongIsNotToBeRepeatedBlindly) {
  Gate gate;
  Running server(gate.handler(), {.answer_seconds = 1});
  auto late = Client(server).Ask("POST /wait HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(late.status, 503);
  EXPECT_EQ(late.headers.count("Retry-After"), 0U);
  EXPECT_THAT(late.body, ::testing::HasSubstr("look before you repeat it"));
  gate.go.set_value();
}

TEST(Answers, WhatNobodyWaitsForAnyMoreIsNotBegun) {
  Gate gate;
  std::atomic<int> begun = 0;
  Running server(Blocking([&](const Request& request) {
                   if (request.path.at(0) == "wait") {
                     gate.waits.set_value();
                     gate.open.wait();
                   } else if (request.path.at(0) == "late") {
                     ++begun;
                   }
                   return Response{};
                 }),
                 {.answer_seconds = 1, .threads = 1});
  Client first(server), second(server);
  first.Send(Get("/wait"));
  gate.waits.get_future().wait();
  EXPECT_EQ(second.Ask(Get("/late")).status, 503);
  gate.go.set_value();
  EXPECT_EQ(second.Ask(Get("/x")).status, 200);  // behind it on the one thread
  EXPECT_EQ(begun, 0);
}

}  // namespace
}  // namespace slipway::http
