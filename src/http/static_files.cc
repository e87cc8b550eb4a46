#include "http/static_files.h"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>

#include "base/json.h"

namespace slipway::http {
namespace {

constexpr size_t kLengthBytes = 8;

Failure Damaged() { return Fail(ErrorKind::kCorrupt, "the archive of static files is damaged"); }

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Whether `what` is true of one of the parts between commas.
template <typename What>
bool AnyOf(std::string_view list, What&& what) {
  while (!list.empty()) {
    auto comma = std::min(list.find(','), list.size());
    if (what(Trim(list.substr(0, comma)))) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

/// RFC 9110, section 12.5.3: named, and not with the weight 0.
bool TakesGzip(std::string_view accept_encoding) {
  return AnyOf(accept_encoding, [](std::string_view coding) {
    auto semicolon = coding.find(';');
    auto name = Trim(coding.substr(0, semicolon));
    if (name != "gzip" && name != "*") return false;
    auto weight = semicolon == std::string_view::npos ? "q=1" : Trim(coding.substr(semicolon + 1));
    return !weight.starts_with("q=0") || weight.find_first_of("123456789") != std::string_view::npos;
  });
}

/// RFC 9110, section 13.1.2: compared without regard to W/, which says that a copy is only as good as the original.
bool HasAlready(std::string_view if_none_match, std::string_view etag) {
  return AnyOf(if_none_match, [&](std::string_view tag) {
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    return tag == "*" || tag == etag;
  });
}

}  // namespace

Result<StaticFiles> StaticFiles::Open(std::string_view archive) {
  if (archive.size() < kLengthBytes) return Damaged();
  uint64_t length = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) length |= uint64_t{static_cast<uint8_t>(archive[i])} << (8 * i);
  archive.remove_prefix(kLengthBytes);
  if (length > archive.size()) return Damaged();
  ASSIGN(auto index, ParseJson(archive.substr(0, length)));
  archive.remove_prefix(length);
  if (!index.is_array()) return Damaged();
  StaticFiles files;
  for (const auto& item : index.get_array()) {
    ASSIGN(auto entry, JsonObject::From(item, "static file"));
    File file;
    ASSIGN(file.name, entry.String("name"));
    ASSIGN(file.etag, entry.String("etag"));
    auto part = [&](const char* at, const char* size) -> Result<std::string_view> {
      ASSIGN(auto start, entry.Int(at, 0));
      ASSIGN(auto bytes, entry.Int(size, 0));
      if (start < 0 || bytes < 0 || static_cast<uint64_t>(start) > archive.size() ||
          static_cast<uint64_t>(bytes) > archive.size() - static_cast<uint64_t>(start))
        return Damaged();
      return archive.substr(static_cast<size_t>(start), static_cast<size_t>(bytes));
    };
    ASSIGN(file.bytes, part("at", "size"));
    ASSIGN(file.packed, part("gzip_at", "gzip_size"));
    files.files_.push_back(std::move(file));
  }
  return files;
}

std::optional<Response> StaticFiles::Answer(const Request& request, std::string_view name) const {
  auto file = std::ranges::find(files_, name, &File::name);
  if (file == files_.end()) return std::nullopt;
  bool packed = !file->packed.empty() && TakesGzip(request.Header("accept-encoding"));
  auto etag = "\"" + file->etag + (packed ? "-gzip\"" : "\"");
  Response response{.content_type = std::string(ContentTypeOf(name)), .headers = {{"ETag", etag}}};
  if (!file->packed.empty()) response.headers["Vary"] = "Accept-Encoding";
  if (HasAlready(request.Header("if-none-match"), etag)) {
    response.status = 304;
    response.content_type.clear();
    return response;
  }
  if (packed) response.headers["Content-Encoding"] = "gzip";
  response.body = packed ? file->packed : file->bytes;
  return response;
}

std::string_view ContentTypeOf(std::string_view name) {
  using Type = std::pair<std::string_view, std::string_view>;
  static constexpr std::array kTypes = {Type{".html", "text/html; charset=utf-8"},
                                        Type{".css", "text/css; charset=utf-8"},
                                        Type{".js", "text/javascript; charset=utf-8"},
                                        Type{".json", "application/json"},
                                        Type{".map", "application/json"},
                                        Type{".svg", "image/svg+xml"},
                                        Type{".png", "image/png"},
                                        Type{".ico", "image/x-icon"},
                                        Type{".woff2", "font/woff2"},
                                        Type{".txt", "text/plain; charset=utf-8"}};
  auto found = std::ranges::find_if(kTypes, [&](const Type& type) { return name.ends_with(type.first); });
  return found == kTypes.end() ? "application/octet-stream" : found->second;
}

}  // namespace slipway::http
