#include "server/read_body.h"

#include "contract/json_text.h"
#include "server/answers.h"

namespace slipway::server {
namespace {

bool IsJson(std::string_view content_type) {
  auto type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  return type.starts_with("application/") && (type == "application/json" || type.ends_with("+json"));
}

bool IsUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    auto c = static_cast<uint8_t>(text[i]);
    size_t length = c < 0x80                ? 1
                    : c >= 0xc2 && c < 0xe0 ? 2
                    : c >= 0xe0 && c < 0xf0 ? 3
                    : c >= 0xf0 && c < 0xf5 ? 4
                                            : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (size_t k = 1; k < length; ++k)
      if ((static_cast<uint8_t>(text[i + k]) & 0xc0) != 0x80) return false;
    auto second = length > 2 ? static_cast<uint8_t>(text[i + 1]) : uint8_t{0};
    if ((c == 0xe0 && second < 0xa0) || (c == 0xed && second > 0x9f) || (c == 0xf0 && second < 0x90) ||
        (c == 0xf4 && second > 0x8f))
      return false;
    i += length;
  }
  return true;
}

}  // namespace

bool WantsStrict(const Request& request) {
  // Preferences are separated by commas, their parameters by semicolons; a value may be quoted. Names have no case.
  std::string text;
  for (unsigned char c : request.Header("prefer"))
    if (!std::isspace(c) && c != '"') text += static_cast<char>(std::tolower(c));
  for (size_t start = 0; start <= text.size();) {
    auto preference = text.substr(start, text.find(',', start) - start);
    if (preference.substr(0, preference.find(';')) == "handling=strict") return true;
    start += preference.size() + 1;
  }
  return false;
}

std::expected<json::object, Response> ReadBody(const Request& request, const contract::ObjectDescription& description,
                                               contract::UnknownFields* unknown) {
  auto refuse = [](contract::ValidationError error) { return std::unexpected(ValidationAnswer({std::move(error)})); };
  if (request.body.empty()) return refuse({"missing", {"body"}, "Field required", nullptr, std::nullopt});
  if (!IsUtf8(request.body)) return std::unexpected(ErrorAnswer(400, "There was an error parsing the body"));
  json::value value(request.body);
  if (IsJson(request.Header("content-type"))) {
    auto read = contract::ParseJsonText(request.body);
    if (!read)
      return refuse({"json_invalid",
                     {"body", read.error().position},
                     "JSON decode error",
                     json::object{},
                     json::object{{"error", read.error().message}}});
    value = std::move(*read);
  }
  std::vector<contract::ValidationError> errors;
  auto parsed = Parse(description, value, {"body"}, errors, unknown);
  if (!errors.empty()) return std::unexpected(ValidationAnswer(errors));
  return parsed;
}

std::expected<json::object, Response> ReadQuery(const Request& request, const contract::ObjectDescription* description,
                                                contract::UnknownFields* unknown) {
  static const contract::ObjectDescription kNone{"Query", {}, {}};
  json::object given;
  for (const auto& [name, value] : request.query) given[name] = value;
  std::vector<contract::ValidationError> errors;
  auto query = Parse(description == nullptr ? kNone : *description, given, {"query"}, errors, unknown);
  if (!errors.empty()) return std::unexpected(ValidationAnswer(errors));
  return query;
}

Window ReadPage(const json::object& query) {
  Window window{static_cast<int>(query.at("limit").as_int64()), std::nullopt};
  if (const auto* cursor = query.if_contains("cursor")) window.cursor = std::stoll(std::string(cursor->get_string()));
  return window;
}

std::optional<std::string> QueryText(const json::object& query, const char* name) {
  const auto* found = query.if_contains(name);
  return found == nullptr ? std::nullopt : std::optional(std::string(found->get_string()));
}

}  // namespace slipway::server
