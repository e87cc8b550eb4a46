#include "cli/api_client.h"

#include <boost/json/serialize.hpp>
#include <cstdlib>

#include "base/file.h"
#include "base/format.h"
#include "base/http_client.h"
#include "base/json.h"
#include "cli/login.h"

namespace slipway::cli {
namespace {

Result<std::string> ReadPsk(const std::string& file) {
  ASSIGN(auto psk, ReadFile(file, 4096));
  return psk.substr(0, psk.find_first_of(" \r\n"));  // the first line is the current key
}

/// The credential's header: $SLIPWAY_TOKEN, $SLIPWAY_PSK, --psk-file, an earlier `slipway login`, or the data
/// directory's platform PSK.
Result<std::pair<std::string, std::string>> Credential(const Context& context) {
  if (const char* token = std::getenv("SLIPWAY_TOKEN"))
    return std::pair("Authorization", "Bearer " + std::string(token));
  if (const char* psk = std::getenv("SLIPWAY_PSK")) return std::pair("Authorization-PSK", std::string(psk));
  if (!context.psk_file.empty()) {
    ASSIGN(auto psk, ReadPsk(context.psk_file));
    return std::pair("Authorization-PSK", psk);
  }
  ASSIGN(auto token, StoredToken(context));
  if (token) return std::pair("Authorization", "Bearer " + *token);
  auto psk = ReadPsk(context.data_dir + "/platform.psk");
  if (!psk)
    return Fail(
        psk.error().kind,
        "{}. Sign in with: slipway login. Or say where a key is: --psk-file, --data-dir, $SLIPWAY_PSK, $SLIPWAY_TOKEN",
        psk.error().message);
  return std::pair("Authorization-PSK", *psk);
}

/// "source.filter_sql: at character 3: …" for each entry of a 422.
std::string DetailText(const json::value& answer) {
  const auto* detail = answer.is_object() ? answer.get_object().if_contains("detail") : nullptr;
  if (detail == nullptr) return "";
  if (detail->is_string()) return std::string(detail->get_string());
  std::string text;
  for (const auto& item : detail->is_array() ? detail->get_array() : json::array{}) {
    std::string where;
    for (const auto& part : item.at("loc").as_array()) {
      auto name = part.is_string() ? std::string(part.get_string()) : json::serialize(part);
      if (name != "body" || !where.empty()) where += (where.empty() ? "" : ".") + name;
    }
    text += (text.empty() ? "" : "\n  ") + where + ": " + std::string(item.at("msg").as_string());
  }
  return text;
}

}  // namespace

Result<json::value> CallApi(const Context& context, const std::string& method, const std::string& path,
                            const std::string& body) {
  ASSIGN(auto credential, Credential(context));
  HttpRequest request{.method = method,
                      .url = context.server + path,
                      .headers = {credential, {"Content-Type", "application/json"}, {"Prefer", "handling=strict"}},
                      .body = body,
                      .timeout_seconds = 120,
                      .ca_file = context.ca_file};
  auto answer = SendHttp(request);
  if (!answer)
    return Fail(answer.error().kind, "{}. Is the server running? Start it with: slipway serve", answer.error().message);
  if (answer->status == 204) return json::value(json::object());
  auto value = ParseJson(answer->body);
  if (answer->status < 400) return value;
  auto text = value ? DetailText(*value) : answer->body.substr(0, 200);
  auto kind = answer->status == 404   ? ErrorKind::kNotFound
              : answer->status == 422 ? ErrorKind::kInvalid
                                      : ErrorKind::kDenied;
  return Fail(kind, "{} {} answered {}:\n  {}", method, path, answer->status, text);
}

}  // namespace slipway::cli
