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
  Proxied(const MlflowServer& server, std::string root, fs::path folder, ModelLimits limits)
      : server_(server), root_(std::move(root)), folder_(std::move(folder)), limits_(limits) {}

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
      TRY(limits_.TakeFile());  // folders count too: a server that lies could nest them without end
      if (is_folder) {
        TRY(Walk(relative));
        continue;
      }
      TRY(CreateFolders((folder_ / relative).parent_path()));
      TRY(server_.Download(base + "/" + EncodePath(root_ + "/" + relative), folder_ / relative,
                           [&](int64_t bytes) { return limits_.TakeBytes(bytes); }));
    }
    return {};
  }

 private:
  const MlflowServer& server_;
  std::string root_;
  fs::path folder_;
  ModelLimits limits_;
};

/// Copies a folder of this machine: regular files only, and only of a folder that is a model.
Result<> Copy(const fs::path& from, const fs::path& folder, ModelLimits limits) {
  if (!fs::is_directory(from))
    return Fail(ErrorKind::kNotFound, "the folder {} is not there: the artifact is missing, or is on another machine",
                from.string());
  std::error_code code;
  if (!fs::is_regular_file(fs::symlink_status(from / "MLmodel", code)))
    return Fail(ErrorKind::kNotFound, "there is no MLmodel file at {}: the artifact is missing", from.string());
  for (fs::recursive_directory_iterator it(from, code), end; !code && it != end; it.increment(code)) {
    auto relative = it->path().lexically_relative(from);
    auto status = it->symlink_status(code);
    if (fs::is_directory(status)) {
      TRY(CreateFolders(folder / relative));
      continue;
    }
    if (!fs::is_regular_file(status))
      return Fail(ErrorKind::kInvalid, "{} is not a regular file: a model may hold neither links nor devices",
                  it->path().string());
    TRY(limits.TakeFile());
    TRY(limits.TakeBytes(static_cast<int64_t>(it->file_size(code))));
    if (!code) fs::copy_file(it->path(), folder / relative, code);
  }
  if (code) return Fail(ErrorKind::kIo, "copy {}: {}", from.string(), code.message());
  return {};
}

}  // namespace

Result<> ModelLimits::TakeFile() {
  return --files < 0
             ? Fail(ErrorKind::kInvalid, "the model has too many files and folders: more than {}", ModelLimits{}.files)
             : Result<>();
}

Result<> ModelLimits::TakeBytes(int64_t count) {
  bytes -= count;
  return bytes < 0 ? Fail(ErrorKind::kInvalid, "the model is too large: more than {} bytes", ModelLimits{}.bytes)
                   : Result<>();
}

Result<> CheckArtifactName(const std::string& name) {
  fs::path path(name);
  bool steps_out = name.empty() || path.is_absolute();
  for (const auto& part : path) steps_out |= part == ".." || part == ".";
  if (steps_out || name.find('\0') != std::string::npos)
    return Fail(ErrorKind::kInvalid, "the artifact's name '{}' leaves the model's folder", name);
  return {};
}

Result<> DownloadArtifacts(const MlflowServer& server, const std::string& location, const fs::path& folder,
                           ModelLimits limits) {
  auto scheme = location.substr(0, std::min(location.find(':'), location.size()));
  auto rest = scheme.size() < location.size() ? location.substr(scheme.size() + 1) : std::string();
  if (scheme == "mlflow-artifacts") {
    if (rest.starts_with("//"))
      rest = rest.substr(std::min(rest.find('/', 2), rest.size()));  // a host: the server's own
    while (rest.starts_with('/')) rest.erase(0, 1);
    return Proxied(server, rest, folder, limits).Walk("");
  }
  if (location.starts_with('/')) return Copy(location, folder, limits);
  if (scheme == "file")
    return Copy(rest.substr(rest.starts_with("//") ? std::min(rest.find('/', 2), rest.size()) : 0), folder, limits);
  if (scheme == "s3") return DownloadFromS3(location, folder, limits);
  return Fail(ErrorKind::kUnsupported,
              "the model's files are at {}: Slipway reads mlflow-artifacts:, file: and s3: locations", location);
}

}  // namespace slipway::registry
