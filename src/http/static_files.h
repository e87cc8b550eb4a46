#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "http/message.h"

namespace slipway::http {

/// Files that the program carries, in one archive that cmake/make_archive.py makes.
class StaticFiles {
 public:
  /// `archive` must outlive this. kCorrupt when it is not such an archive.
  static Result<StaticFiles> Open(std::string_view archive);

  /// The file of that name: packed where the client takes gzip, and 304 without a body where the client has it already
  /// (If-None-Match). Nothing when there is no such file.
  std::optional<Response> Answer(const Request& request, std::string_view name) const;

 private:
  struct File {
    std::string name, etag;
    std::string_view bytes, packed;  ///< packed: empty where that does not pay
  };
  std::vector<File> files_;
};

/// What the end of a file's name says of its content; application/octet-stream where it is unknown.
std::string_view ContentTypeOf(std::string_view name);

}  // namespace slipway::http

/// The bytes that slipway_archive() and slipway_embed() of cmake/EmbedFiles.cmake put into the program.
#define SLIPWAY_EMBEDDED(name) extern "C" const char slipway_##name[], slipway_##name##_end[]
#define SLIPWAY_BYTES(name) std::string_view(slipway_##name, static_cast<size_t>(slipway_##name##_end - slipway_##name))
