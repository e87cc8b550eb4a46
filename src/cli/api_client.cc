#include "cli/api_client.h"

#include <boost/json/serialize.hpp>
#include <cstdlib>

#include "base/file.h"
#include "base/format.h"
#include "base/http_client.h"
#include "base/json.h"

namespace slipway::cli {
namespace {

Result<std::string> LoadPsk(const Context& context) {
  if (const char* psk = std::getenv("SLIPWAY_PSK")) return std::string(psk);
  auto file = context.psk_file.empty() ? context.data_dir + "/platform.psk" : context.psk_file;
  auto psk = ReadFile(file, 4096);
  if (!psk) return Fail(psk.error().kind, "{}. Say where the key is: --psk-file, --data-dir or $SLIPWAY_PSK", psk.error().message);
  return psk->substr(0, psk->find_first_of(" \r\n"));  // the first line is the current key
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

Result<json::value> CallApi(const Context& context, const std::string& method, const std::string& path, const std::string& body) {
  ASSIGN(auto psk, LoadPsk(context));
  HttpRequest request{method, context.server + path, {{"Authorization-PSK", psk}, {"Content-Type", "application/json"}}, body, 120};
  auto answer = SendHttp(request);
  if (!answer) return Fail(answer.error().kind, "{}. Is the server running? Start it with: slipway serve", answer.error().message);
  auto value = ParseJson(answer->body);
  if (answer->status < 400) return value;
  auto text = value ? DetailText(*value) : answer->body.substr(0, 200);
  auto kind = answer->status == 404 ? ErrorKind::kNotFound : answer->status == 422 ? ErrorKind::kInvalid : ErrorKind::kDenied;
  return Fail(kind, "{} {} answered {}:\n  {}", method, path, answer->status, text);
}

}  // namespace slipway::cli
