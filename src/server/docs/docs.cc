#include "server/api_state.h"

/// The files of the page, as cmake/EmbedFiles.cmake puts them into the program.
#define SLIPWAY_EMBEDDED(name) extern "C" const char slipway_##name[], slipway_##name##_end[]
SLIPWAY_EMBEDDED(docs_html);
SLIPWAY_EMBEDDED(docs_start_js);
SLIPWAY_EMBEDDED(docs_ui_js);
SLIPWAY_EMBEDDED(docs_ui_css);
SLIPWAY_EMBEDDED(docs_icon);

namespace slipway::server {
namespace {

struct File {
  std::string_view name, content_type, bytes;
};

#define SLIPWAY_BYTES(name) std::string_view(slipway_##name, static_cast<size_t>(slipway_##name##_end - slipway_##name))

const std::vector<File>& Files() {
  static const std::vector<File> kFiles = {
      {"swagger-ui.css", "text/css; charset=utf-8", SLIPWAY_BYTES(docs_ui_css)},
      {"swagger-ui-bundle.js", "text/javascript; charset=utf-8", SLIPWAY_BYTES(docs_ui_js)},
      {"start.js", "text/javascript; charset=utf-8", SLIPWAY_BYTES(docs_start_js)},
      {"favicon-32x32.png", "image/png", SLIPWAY_BYTES(docs_icon)},
  };
  return kFiles;
}

Response Page(std::string_view bytes, std::string_view content_type) {
  return {200,
          std::string(bytes),
          std::string(content_type),
          {{"Cache-Control", "max-age=3600"},
           {"X-Content-Type-Options", "nosniff"},
           {"Content-Security-Policy",
            "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"}}};
}

}  // namespace

Response Api::State::Docs(Call&) { return Page(SLIPWAY_BYTES(docs_html), "text/html; charset=utf-8"); }

std::optional<Response> DocsFile(const Request& request) {
  if (request.method != "GET" || request.path.size() != 2 || request.path[0] != "docs") return std::nullopt;
  for (const auto& file : Files())
    if (file.name == request.path[1]) return Page(file.bytes, file.content_type);
  return std::nullopt;
}

}  // namespace slipway::server
