#include "http/static_files.h"

#include <gmock/gmock.h>

namespace slipway::http {
namespace {

/// As cmake/make_archive.py writes it: "page" as it is, "large.js" packed too.
std::string Archive() {
  std::string index = R"([{"name":"page.html","etag":"p","at":0,"size":4},)"
                      R"({"name":"large.js","etag":"l","at":4,"size":5,"gzip_at":9,"gzip_size":3}])";
  std::string length(8, '\0');
  length[0] = static_cast<char>(index.size());
  return length + index + "PAGELARGEPCK";
}

Request With(std::string name, std::string value) {
  Request request;
  request.headers[std::move(name)] = std::move(value);
  return request;
}

TEST(StaticFiles, AreAnsweredWithTypeAndTag) {
  auto archive = Archive();
  auto files = StaticFiles::Open(archive).value();
  auto page = files.Answer({}, "page.html").value();
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.body, "PAGE");
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_EQ(page.headers["ETag"], "\"p\"");
  EXPECT_EQ(files.Answer({}, "large.js")->body, "LARGE");
  EXPECT_FALSE(files.Answer({}, "page"));
  EXPECT_FALSE(files.Answer({}, "../page.html"));
}

TEST(StaticFiles, ArePackedForWhoTakesGzip) {
  auto archive = Archive();
  auto files = StaticFiles::Open(archive).value();
  for (const char* takes : {"gzip", "br, gzip;q=0.5", "deflate,gzip", "*", "gzip; q=1.000"}) {
    auto answer = files.Answer(With("accept-encoding", takes), "large.js").value();
    EXPECT_EQ(answer.body, "PCK") << takes;
    EXPECT_EQ(answer.headers["Content-Encoding"], "gzip");
    EXPECT_EQ(answer.headers["Vary"], "Accept-Encoding");
    EXPECT_EQ(answer.headers["ETag"], "\"l-gzip\"");
  }
  for (const char* does_not : {"", "br", "gzip;q=0", "gzip; q=0.000", "gzipped", "identity"}) {
    auto answer = files.Answer(With("accept-encoding", does_not), "large.js").value();
    EXPECT_EQ(answer.body, "LARGE") << does_not;
    EXPECT_EQ(answer.headers["ETag"], "\"l\"");
    EXPECT_EQ(answer.headers["Vary"], "Accept-Encoding");
  }
  EXPECT_EQ(files.Answer(With("accept-encoding", "gzip"), "page.html")->headers.count("Content-Encoding"), 0U);
}

TEST(StaticFiles, AreNotSentToWhoHasThem) {
  auto archive = Archive();
  auto files = StaticFiles::Open(archive).value();
  for (const char* has : {"\"p\"", "W/\"p\"", "\"old\", \"p\"", "*"}) {
    auto answer = files.Answer(With("if-none-match", has), "page.html").value();
    EXPECT_EQ(answer.status, 304) << has;
    EXPECT_EQ(answer.body, "");
    EXPECT_EQ(answer.headers["ETag"], "\"p\"");
  }
  for (const char* has_not : {"", "p", "\"P\"", "\"l\"", "\"p-gzip\""})
    EXPECT_EQ(files.Answer(With("if-none-match", has_not), "page.html")->status, 200) << has_not;
}

TEST(StaticFiles, ADamagedArchiveIsNone) {
  auto archive = Archive();
  for (size_t length = 0; length < archive.size(); ++length) EXPECT_FALSE(StaticFiles::Open({archive.data(), length}));
  archive[7] = '\x7f';
  EXPECT_EQ(StaticFiles::Open(archive).error().kind, ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace slipway::http
