#include "http/server.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "base/http_client.h"
#include "http/loopback_test.h"

namespace slipway::http {
namespace {

using testing::Client;
using testing::Gate;
using testing::Get;
using ::testing::HasSubstr;
using testing::Running;

/// Says what was asked.
Handler Echo() {
  return Blocking([](const Request& request) {
    std::string text = request.method;
    for (const auto& part : request.path) text += "/" + part;
    for (const auto& [name, value] : request.query) text += "?" + name + "=" + value;
    return Response{.body = text + "|" + request.body};
  });
}

void ExpectAlive(const Running& server) { EXPECT_EQ(Client(server).Ask(Get("/alive")).status, 200); }

TEST(Server, AnswersManyRequestsOnOneConnection) {
  Running server(Echo());
  Client client(server);
  EXPECT_EQ(client.Ask(Get("/a/b%2Fc?q=%C3%A9&q=2")).body, "GET/a/b/c?q=2|");
  EXPECT_EQ(client.Ask("POST /p HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello").body, "POST/p|hello");
  auto chunked =
      "PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: t\r\n\r\n";
  EXPECT_EQ(client.Ask(chunked).body, "PUT/c|abcde");
  EXPECT_EQ(client.Ask(Get("/last")).headers.count("Connection"), 0U);
}

TEST(Server, TakesRequestsInOnePieceAndByteByByte) {
  Running server(Echo());
  auto request =
      "POST /x HTTP/1.1\r\nContent-Length: 2\r\n\r\nok" + Get("/y") + "GET /z HTTP/1.1\r\nConnection: close\r\n\r\n";
  Client together(server), single(server);
  together.Send(request);
  for (char byte : request) single.Send({&byte, 1});
  for (auto* client : {&together, &single}) {
    EXPECT_EQ(client->Next().body, "POST/x|ok");
    EXPECT_EQ(client->Next().body, "GET/y|");
    auto last = client->Next();
    EXPECT_EQ(last.body, "GET/z|");
    EXPECT_EQ(last.headers["Connection"], "close");
    EXPECT_EQ(client->Rest(), "");
  }
}

TEST(Server, Http10ClosesUnlessAskedOtherwise) {
  Running server(Echo());
  Client kept(server);
  EXPECT_EQ(kept.Ask("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").headers["Connection"], "keep-alive");
  EXPECT_EQ(kept.Ask("GET /b HTTP/1.0\r\n\r\n").body, "GET/b|");
  EXPECT_EQ(kept.Rest(), "");
}

TEST(Server, NamesRequests) {
  Running server(Echo());
  Client client(server);
  EXPECT_EQ(client.Ask("GET / HTTP/1.1\r\nX-Request-Id: job-7\r\n\r\n").headers["X-Request-Id"], "job-7");
  for (const auto& strange : {std::string("two words"), std::string(), std::string("<script>"), std::string(129, 'x')})
    EXPECT_EQ(client.Ask("GET / HTTP/1.1\r\nX-Request-Id: " + strange + "\r\n\r\n").headers["X-Request-Id"].size(),
              36U);
}

struct Hostile {
  std::string name, bytes;
  int status;
};

class HostileRequests : public ::testing::TestWithParam<Hostile> {};

TEST_P(HostileRequests, AreRefusedAndTheServerGoesOn) {
  Running server(Echo());
  Client client(server);
  auto answer = client.Ask(GetParam().bytes);
  EXPECT_EQ(answer.status, GetParam().status);
  EXPECT_EQ(answer.headers["Connection"], "close");
  EXPECT_EQ(client.Rest(), "");  // what followed was not taken for a request
  ExpectAlive(server);
}

std::string Post(const std::string& fields, const std::string& body = "") {
  return "POST /p HTTP/1.1\r\n" + fields + "\r\n\r\n" + body;
}

std::string Many(const std::string& what, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += what;
  return text;
}

INSTANTIATE_TEST_SUITE_P(
    Http, HostileRequests,
    ::testing::Values(
        Hostile{"Nonsense", "nonsense\r\n\r\n", 400}, Hostile{"OtherVersion", "GET / HTTP/9.9\r\n\r\n", 400},
        Hostile{"BadEscape", Get("/%zz"), 400}, Hostile{"Nul", std::string("GET /\0 HTTP/1.1\r\n\r\n", 18), 400},
        Hostile{"NulInPath", Get("/a%00b"), 400}, Hostile{"NulInQuery", Get("/?a=b%00"), 400},
        Hostile{"NulInQueryName", Get("/?%00=b"), 400},
        Hostile{"NulInHeader", std::string("GET / HTTP/1.1\r\nA: b\0c\r\n\r\n", 27), 400},
        Hostile{"Asterisk", Get("*"), 400}, Hostile{"AbsoluteUri", Get("http://elsewhere/"), 400},
        Hostile{"BareLineFeeds", "GET / HTTP/1.1\nHost: x\n\n\r\n\r\n", 400},
        Hostile{"SpaceBeforeColon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400},
        Hostile{"LongField", "GET / HTTP/1.1\r\nA: " + std::string(70'000, 'x') + "\r\n\r\n", 431},
        Hostile{"ManyFields", "GET / HTTP/1.1\r\n" + Many("A: b\r\n", 20'000) + "\r\n", 431},
        Hostile{"LongTarget", Get("/" + std::string(70'000, 'x')), 431},
        Hostile{"LongToken", "GET / HTTP/1.1\r\nAuthorization: Bearer " + std::string(70'000, 'x') + "\r\n\r\n", 401},
        Hostile{"TwoCredentials", Post("Authorization: Bearer a\r\nauthorization: Bearer a"), 400},
        Hostile{"TwoKeys", Post("Authorization-PSK: a\r\nX: y\r\nAUTHORIZATION-PSK: b"), 400},
        Hostile{"NegativeLength", Post("Content-Length: -1"), 400},
        Hostile{"HugeLength", Post("Content-Length: 99999999999999999999999"), 400},
        Hostile{"TwoLengths", Post("Content-Length: 1\r\nContent-Length: 2", "ab"), 400},
        Hostile{"LengthAndChunked", Post("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), 400},
        Hostile{"ChunkedAndLength", Post("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"), 400},
        Hostile{"OtherCoding", Post("Transfer-Encoding: gzip", Get("/smuggled")), 400},
        Hostile{"ChunkedNotLast", Post("Transfer-Encoding: chunked, gzip", Get("/smuggled")), 400},
        Hostile{"BadChunk", Post("Transfer-Encoding: chunked", "zz\r\n"), 400},
        Hostile{"ChunkWithoutEnd", Post("Transfer-Encoding: chunked", "1\r\nabc\r\n0\r\n\r\n"), 400},
        Hostile{"HugeChunk", Post("Transfer-Encoding: chunked", "ffffffffffffffffffff\r\n"), 400},
        Hostile{"EndlessExtension", Post("Transfer-Encoding: chunked", "1;" + std::string(200'000, 'x')), 400},
        Hostile{"EndlessTrailer", Post("Transfer-Encoding: chunked", "0\r\n" + Many("A: b\r\n", 50'000)), 400},
        Hostile{"BodyTooLong", Post("Content-Length: 2000000"), 413},
        Hostile{"ChunksTooLong",
                Post("Transfer-Encoding: chunked", Many("1000\r\n" + std::string(4096, 'x') + "\r\n", 300)), 413}),
    [](const auto& info) { return info.param.name; });

TEST(Server, FieldsBehindTheBodyAreNotHeaders) {
  Running server(
      Blocking([](const Request& request) { return Response{.body = std::string(request.Header("authorization"))}; }));
  auto body = "0\r\nAuthorization: late\r\n\r\n";
  EXPECT_EQ(Client(server).Ask(Post("Authorization: early\r\nTransfer-Encoding: chunked", body)).body, "early");
}

TEST(Server, ABodyOfTheLimitIsTaken) {
  Running server(Echo(), {.body_bytes = 100});
  EXPECT_EQ(Client(server).Ask(Post("Content-Length: 100", std::string(100, 'x'))).status, 200);
  EXPECT_EQ(Client(server).Ask(Post("Content-Length: 101", std::string(101, 'x'))).status, 413);
}

TEST(Server, SaysContinueToAClientThatWaitsForIt) {
  Running server(Echo());
  Client client(server);
  client.Send(Post("Expect: 100-continue\r\nContent-Length: 2"));
  EXPECT_EQ(client.Until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("ok");
  EXPECT_EQ(client.Next().body, "POST/p|ok");
  EXPECT_EQ(Client(server).Ask(Post("Expect: 100-continue\r\nContent-Length: 2000000")).status, 413);
}

TEST(Server, AnswersCannotSmuggleFields) {
  Running server(Blocking([](const Request&) { return Response{.headers = {{"A", "b\r\nSet-Cookie: x"}}}; }));
  auto answer = Client(server).Ask(Get("/"));
  EXPECT_EQ(answer.headers["A"], "b  Set-Cookie: x");
  EXPECT_EQ(answer.headers.count("Set-Cookie"), 0U);
}

TEST(Server, AnswersWithoutBody) {
  Running server(Blocking([](const Request& request) {
    return Response{.status = std::stoi(request.path.at(0)), .body = "words", .content_type = "text/plain"};
  }));
  Client client(server);
  client.Send("HEAD /200 HTTP/1.1\r\n\r\n" + Get("/204") + Get("/304") + Get("/200"));
  EXPECT_EQ(client.Next(false).headers["Content-Length"], "5");
  for (int status : {204, 304}) {
    auto answer = client.Next(false);
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(answer.headers.count("Content-Length"), 0U);
  }
  EXPECT_EQ(client.Next().body, "words");
}

TEST(Server, AHandlerThatThrowsIsA500) {
  Running server(Blocking([](const Request& request) -> Response {
    if (request.path.at(0) == "bad") throw std::runtime_error("secret");
    return {};
  }));
  Client client(server);
  auto answer = client.Ask(Get("/bad"));
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.body, R"({"detail":"Internal Server Error"})");
  EXPECT_EQ(client.Ask(Get("/good")).status, 200);
}

TEST(Server, ALargeAnswerArrivesWhole) {
  std::string large(5'000'000, 'x');
  Running server(Blocking([&](const Request&) { return Response{.body = large}; }));
  Client client(server);
  EXPECT_EQ(client.Ask(Get("/")).body, large);
  EXPECT_EQ(client.Ask(Get("/")).body, large);
}

TEST(Server, IsBusyWhenAllThreadsAreAndTheQueueIsFull) {
  Gate gate;
  Running server(gate.handler(), {.threads = 1, .queue = 0});
  Client first(server), second(server);
  first.Send(Get("/wait"));
  gate.waits.get_future().wait();
  auto busy = second.Ask(Get("/x"));
  EXPECT_EQ(busy.status, 429);
  EXPECT_EQ(busy.headers["Retry-After"], "1");
  gate.go.set_value();
  EXPECT_EQ(first.Next().body, "done");
  EXPECT_EQ(second.Ask(Get("/x")).body, "done");
}

TEST(Server, RequestsInTheQueueAreAnsweredInTheEnd) {
  Gate gate;
  Running server(gate.handler(), {.threads = 1, .queue = 3});
  Client first(server);
  first.Send(Get("/wait"));
  gate.waits.get_future().wait();
  std::vector<std::unique_ptr<Client>> queued;
  for (int i = 0; i < 3; ++i) queued.emplace_back(std::make_unique<Client>(server))->Send(Get("/x"));
  gate.go.set_value();
  EXPECT_EQ(first.Next().body, "done");
  for (auto& client : queued) EXPECT_EQ(client->Next().body, "done");
}

TEST(Server, HangsUpOnAClientThatNeverFinishes) {
  Running server(Echo(), {.read_seconds = 1});
  Client nothing(server), half_head(server), half_body(server), done(server);
  half_head.Send("GET / HTTP/1.1\r\nHost: x\r\n");
  half_body.Send(Post("Content-Length: 100", "abc"));
  EXPECT_EQ(done.Ask(Get("/")).status, 200);
  for (auto* client : {&nothing, &half_head, &half_body, &done}) EXPECT_EQ(client->Rest(), "");
  ExpectAlive(server);
}

TEST(Server, StopFinishesWhatIsBeingAnswered) {
  Gate gate;
  Running server(gate.handler());
  Client client(server), idle(server);
  EXPECT_EQ(idle.Ask(Get("/x")).status, 200);
  client.Send(Get("/wait"));
  gate.waits.get_future().wait();
  server.Stop();
  while (true) {  // until the door is closed
    try {
      Client late(server.port());
    } catch (const std::exception&) {
      break;
    }
  }
  gate.go.set_value();
  auto answer = client.Next();
  EXPECT_EQ(answer.body, "done");
  EXPECT_EQ(answer.headers["Connection"], "close");
  server.Join();
}

TEST(Server, RefusesAddressesThatItMayNotUse) {
  auto listen = [](const std::string& host, Limits limits) { return Server::Listen(host, 0, limits, {}, Echo()); };
  EXPECT_THAT(listen("nowhere", {}).error().message, HasSubstr("'nowhere' is not an address"));
  EXPECT_THAT(listen("0.0.0.0", {}).error().message, HasSubstr("not loopback"));
  EXPECT_THAT(listen("0.0.0.0", {.loopback_only = false}).error().message, HasSubstr("server.insecure"));
  EXPECT_TRUE(listen("0.0.0.0", {.loopback_only = false, .insecure = true}));
  EXPECT_TRUE(listen("::1", {}));
  auto first = listen("localhost", {});
  EXPECT_EQ(Server::Listen("127.0.0.1", (*first)->port(), {}, {}, Echo()).error().kind, ErrorKind::kUnavailable);
}

/// Of all internet sockets of this process, how many a program that it starts would inherit.
int InheritedSockets() {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    int file = std::stoi(entry.path().filename().string());
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getsockname(file, reinterpret_cast<sockaddr*>(&address), &size) != 0) continue;
    if (address.ss_family == AF_INET && (::fcntl(file, F_GETFD) & FD_CLOEXEC) == 0) ++count;
  }
  return count;
}

TEST(Server, NoSocketIsInheritedByPrograms) {
  int inherited = -1;
  Running server(Blocking([&](const Request&) {
    inherited = InheritedSockets();  // the listening one, this connection, and the client's of libcurl
    return Response{};
  }));
  auto answer = SendHttp({.url = "http://127.0.0.1:" + std::to_string(server.port()) + "/"});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(inherited, 0);
}

}  // namespace
}  // namespace slipway::http
