#include "http/static_files.h"
#include "server/api_state.h"

SLIPWAY_EMBEDDED(docs);

namespace slipway::server {
namespace {

/// A file of the page with what a browser is to know of it.
std::optional<Response> PageFile(const Request& request, std::string_view name) {
  static const auto files = http::StaticFiles::Open(SLIPWAY_BYTES(docs));
  if (!files) return ErrorAnswer(files.error());
  auto answer = files->Answer(request, name);
  if (!answer) return std::nullopt;
  answer->headers["Cache-Control"] = "max-age=3600";
  answer->headers["X-Content-Type-Options"] = "nosniff";
  answer->headers["Content-Security-Policy"] =
      "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";
  return answer;
}

}  // namespace

Response Api::State::Docs(Call& call) { return PageFile(call.request, "docs.html").value(); }

std::optional<Response> DocsFile(const Request& request) {
  if (request.method != "GET" || request.path.size() != 2 || request.path[0] != "docs") return std::nullopt;
  return PageFile(request, request.path[1]);
}

}  // namespace slipway::server
