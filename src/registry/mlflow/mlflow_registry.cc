#include "registry/mlflow/mlflow_registry.h"

#include <boost/json/serialize.hpp>
#include <fstream>

#include "base/encoding.h"
#include "base/format.h"
#include "base/http_client.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/url.h"
#include "registry/mlflow/artifacts.h"

namespace slipway::registry {
namespace {

constexpr int kMostHops = 4;  // from source to source
constexpr size_t kLargestAnswer = size_t{4} << 20, kMostAnswerMemory = size_t{32} << 20;
constexpr size_t kAnswerDepth = 64;

/// MLflow's words for what went wrong: `{"error_code": …, "message": …}`.
std::string MessageIn(const HttpAnswer& answer) {
  if (auto value = ParseJson(answer.body); value && value->is_object())
    if (const auto* message = value->get_object().if_contains("message"); message != nullptr && message->is_string())
      return std::string(message->get_string().subview(0, 300));
  return fmt::format("it answered {}", answer.status);
}

Failure Refused(const std::string& url, const HttpAnswer& answer) {
  auto message = MessageIn(answer);
  auto kind = KindOf(answer.status);
  if (kind == ErrorKind::kDenied)
    return Fail(ErrorKind::kUnavailable,
                "the MLflow server refused Slipway's credentials ({}): check registry.username and registry.password, "
                "or registry.token",
                answer.status);
  if (kind == ErrorKind::kNotFound || answer.status == 400) return Fail(kind, "MLflow: {}", message);
  return Fail(ErrorKind::kUnavailable, "the MLflow server at {}: {}", url, message);
}

Result<std::string> TextIn(const json::value& answer, const char* object, const char* field) {
  ASSIGN(auto root, JsonObject::From(answer, "MLflow's answer"));
  if (object == nullptr) return root.String(field);
  ASSIGN(auto inner, root.Object(object));
  return inner.String(field);
}

}  // namespace

MlflowServer::MlflowServer(std::string url, const RegistryCredentials& credentials) : url_(std::move(url)) {
  if (!credentials.token.empty())
    headers_["Authorization"] = "Bearer " + credentials.token;
  else if (!credentials.username.empty())
    headers_["Authorization"] = "Basic " + Base64(credentials.username + ":" + credentials.password);
}

Result<json::value> MlflowServer::GetUrl(const std::string& url) const {
  ASSIGN(auto answer, SendHttpPatiently({.url = url, .headers = headers_, .most_bytes = kLargestAnswer}));
  if (answer.status != 200) return Refused(url_, answer);
  auto value = ParseJson(answer.body, kAnswerDepth, kMostAnswerMemory);
  if (!value) return Fail(ErrorKind::kUnavailable, "{} answered no JSON: is an MLflow server there?", url_);
  return value;
}

Result<json::value> MlflowServer::Get(const std::string& path) const {
  return GetUrl(url_ + "/api/2.0/mlflow/" + path);
}

Result<> MlflowServer::Download(const std::string& url, const std::filesystem::path& file,
                                const std::function<Result<>(int64_t bytes)>& take) const {
  // A download that broke starts again: the file is made anew for each try.
  Result<HttpAnswer> answer = Fail(ErrorKind::kUnavailable, "not tried");
  for (int attempt = 0; attempt < 3; ++attempt) {
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    auto sink = [&](std::string_view bytes) -> Result<> {
      TRY(take(static_cast<int64_t>(bytes.size())));
      out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
      if (!out) return Fail(ErrorKind::kIo, "write {}: is the disk full?", file.string());
      return {};
    };
    answer = SendHttp({.url = url, .headers = headers_, .timeout_seconds = 0, .sink = sink});
    out.close();
    if (answer && answer->status == 200 && !out)
      return Fail(ErrorKind::kIo, "write {}: is the disk full?", file.string());
    if (answer ? answer->status < 500 : answer.error().kind != ErrorKind::kUnavailable) break;
  }
  TRY(answer);
  if (answer->status != 200) return Refused(url_, *answer);
  return {};
}

Result<std::string> MlflowRegistry::SourceOf(const std::string& name, const std::string& version) const {
  ASSIGN(auto answer, server_.Get(fmt::format("model-versions/get-download-uri?name={}&version={}", UrlEncode(name),
                                              UrlEncode(version))));
  return TextIn(answer, nullptr, "artifact_uri");
}

/// Follows `models:/` and `runs:/` to where the files are.
Result<std::string> MlflowRegistry::Locate(std::string source) const {
  for (int hop = 0; hop < kMostHops; ++hop) {
    if (source.starts_with("runs:/")) {
      auto rest = source.substr(6);
      auto slash = std::min(rest.find('/'), rest.size());
      ASSIGN(auto answer, server_.Get("runs/get?run_id=" + UrlEncode(rest.substr(0, slash))));
      ASSIGN(auto root, JsonObject::From(answer, "MLflow's answer"));
      ASSIGN(auto run, root.Object("run"));
      ASSIGN(auto info, run.Object("info"));
      ASSIGN(auto artifacts, info.String("artifact_uri"));
      source = artifacts + rest.substr(slash);
    } else if (source.starts_with("models:/m-")) {
      ASSIGN(auto answer, server_.Get("logged-models/" + UrlEncode(source.substr(8))));
      ASSIGN(auto root, JsonObject::From(answer, "MLflow's answer"));
      ASSIGN(auto model, root.Object("model"));
      ASSIGN(auto info, model.Object("info"));
      ASSIGN(source, info.String("artifact_uri"));
    } else if (source.starts_with("models:/")) {
      auto slash = source.rfind('/');
      if (slash < 8) return Fail(ErrorKind::kUnsupported, "the model's source {} names no version", source);
      ASSIGN(source, SourceOf(source.substr(8, slash - 8), source.substr(slash + 1)));
    } else {
      return source;
    }
  }
  return Fail(ErrorKind::kInvalid, "the model's source leads in a circle, last to {}", source);
}

Result<ModelVersion> MlflowRegistry::Resolve(const ModelReference& reference) {
  auto path = reference.version ? fmt::format("model-versions/get?name={}&version={}", UrlEncode(reference.name),
                                              UrlEncode(*reference.version))
                                : fmt::format("registered-models/alias?name={}&alias={}", UrlEncode(reference.name),
                                              UrlEncode(reference.alias.value_or("")));
  auto asked = Wrap(server_.Get(path), fmt::format("model '{}'", reference.name));
  // MLflow answers 400 for an alias that is not there, and for a version that is not a number.
  if (!asked && asked.error().kind == ErrorKind::kInvalid)
    return Fail(ErrorKind::kNotFound, std::move(asked.error().message));
  ASSIGN(auto answer, std::move(asked));
  ASSIGN(auto root, JsonObject::From(answer, "MLflow's answer"));
  ASSIGN(auto found, root.Object("model_version"));
  ModelVersion version;
  ASSIGN(version.name, found.String("name"));
  ASSIGN(version.version, found.String("version"));
  ASSIGN(auto status, found.String("status", "READY"));
  if (status != "READY")
    return Fail(ErrorKind::kInvalid, "model {} version {} is {} in MLflow, not READY", version.name, version.version,
                status);
  ASSIGN(version.source, found.String("source", ""));
  const auto* created = found.Find("creation_timestamp");
  // A version that was deleted and registered again has the same number, and other files.
  version.key = Sha256(fmt::format("{}\n{}\n{}\n{}\n{}", server_.url(), version.name, version.version, version.source,
                                   created == nullptr ? "" : json::serialize(*created)));
  return version;
}

Result<> MlflowRegistry::Fetch(ModelVersion& version) {
  auto download = [&](const std::filesystem::path& folder) -> Result<> {
    ASSIGN(auto source, SourceOf(version.name, version.version));
    ASSIGN(auto location, Locate(source));
    TRY(DownloadArtifacts(server_, location, folder));
    if (!std::filesystem::exists(folder / "MLmodel"))
      return Fail(ErrorKind::kNotFound, "there is no MLmodel file at {}: the artifact is missing", location);
    return {};
  };
  return cache_.Fetch(version, download);
}

}  // namespace slipway::registry
