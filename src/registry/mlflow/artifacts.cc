#include "registry/mlflow/artifacts.h"

#include "base/format.h"
#include "base/json.h"
#include "base/url.h"

namespace slipway::registry {
namespace {

namespace fs = std::filesystem;

std::string EncodePath(std::string_view path) {
  std::string encoded;
  for (size_t start = 0; start <= path.size();) {
    auto end = std::min(path.find('/', start), path.size());
    encoded += UrlEncode(path.substr(start, end - start)) + (end < path.size() ? "/" : "");
    start = end + 1;
  }
  return encoded;
}

/// The artifact proxy: `GET …/mlflow-artifacts/artifacts?path=` lists one folder, `…/artifacts/<path>` is a file.
class Proxied {
 public:
  Proxied(const MlflowServer& server, std::string root, fs::path folder)
      : server_(server), root_(std::move(root)), folder_(std::move(folder)) {}

  Result<> Walk(const std::string& below) {
    const auto base = server_.url() + "/api/2.0/mlflow-artifacts/artifacts";
    auto path = below.empty() ? root_ : root_ + "/" + below;
    ASSIGN(auto answer, server_.GetUrl(base + "?path=" + UrlEncode(path)));
    ASSIGN(auto listing, JsonObject::From(answer, "MLflow's list of artifacts"));
    if (listing.Find("files") == nullptr) return {};
    ASSIGN(const auto* files, listing.Array("files"));
    for (const auto& item : *files) {
      ASSIGN(auto file, JsonObject::From(item, "MLflow's artifact"));
      ASSIGN(auto name, file.String("path"));
      ASSIGN(auto is_folder, file.Bool("is_dir", false));
      TRY(CheckArtifactName(name));
      auto relative = below.empty() ? name : below + "/" + name;
      if (is_folder) {
        if (++folders_ > kMostModelFiles)
          return Fail(ErrorKind::kInvalid, "the model has more than {} folders", kMostModelFiles);
        TRY(Walk(relative));
        continue;
      }
      if (++files_ > kMostModelFiles)
        return Fail(ErrorKind::kInvalid, "the model has more than {} files", kMostModelFiles);
      TRY(CreateFolders((folder_ / relative).parent_path()));
      TRY(server_.Download(base + "/" + EncodePath(root_ + "/" + relative), folder_ / relative));
    }
    return {};
  }

 private:
  const MlflowServer& server_;
  std::string root_;
  fs::path folder_;
  int64_t files_ = 0, folders_ = 0;
};

Result<> Copy(const fs::path& from, const fs::path& folder) {
  if (!fs::is_directory(from))
    return Fail(ErrorKind::kNotFound, "the folder {} is not there: the artifact is missing, or is on another machine",
                from.string());
  std::error_code code;
  fs::copy(from, folder, fs::copy_options::recursive, code);
  if (code) return Fail(ErrorKind::kIo, "copy {}: {}", from.string(), code.message());
  return {};
}

}  // namespace

Result<> CheckArtifactName(const std::string& name) {
  fs::path path(name);
  bool steps_out = name.empty() || path.is_absolute();
  for (const auto& part : path) steps_out |= part == ".." || part == ".";
  if (steps_out || name.find('\0') != std::string::npos)
    return Fail(ErrorKind::kInvalid, "the artifact's name '{}' leaves the model's folder", name);
  return {};
}

Result<> DownloadArtifacts(const MlflowServer& server, const std::string& location, const fs::path& folder) {
  auto scheme = location.substr(0, std::min(location.find(':'), location.size()));
  auto rest = scheme.size() < location.size() ? location.substr(scheme.size() + 1) : std::string();
  if (scheme == "mlflow-artifacts") {
    if (rest.starts_with("//"))
      rest = rest.substr(std::min(rest.find('/', 2), rest.size()));  // a host: the server's own
    while (rest.starts_with('/')) rest.erase(0, 1);
    return Proxied(server, rest, folder).Walk("");
  }
  if (location.starts_with('/')) return Copy(location, folder);
  if (scheme == "file")
    return Copy(rest.substr(rest.starts_with("//") ? std::min(rest.find('/', 2), rest.size()) : 0), folder);
  if (scheme == "s3") return DownloadFromS3(location, folder);
  return Fail(ErrorKind::kUnsupported,
              "the model's files are at {}: Slipway reads mlflow-artifacts:, file: and s3: locations", location);
}

}  // namespace slipway::registry
