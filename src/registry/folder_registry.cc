#include "registry/folder_registry.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <charconv>

#include "base/file.h"
#include "base/format.h"
#include "base/ids.h"
#include "base/json.h"

namespace slipway::registry {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStaging = ".new-";

/// Names become folders: letters, digits, dot, dash and underscore, not starting with a dot.
bool IsName(std::string_view name) {
  auto allowed = [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '-' || c == '_'; };
  return !name.empty() && name.size() <= 128 && name.front() != '.' && std::ranges::all_of(name, allowed);
}

/// A copy would wait for what a pipe may bring, and never see the end of a device.
Result<> CheckFiles(const fs::path& folder) {
  std::error_code code;
  for (fs::recursive_directory_iterator it(folder, code), end; !code && it != end; it.increment(code))
    if (auto status = it->status(code); !code) TRY(CheckRegular(it->path(), status));
  return {};
}

std::vector<int> Versions(const fs::path& folder) {
  std::vector<int> versions;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(folder, code)) {
    auto name = entry.path().filename().string();
    int number = 0;
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc{} && end == name.data() + name.size() && number > 0) versions.push_back(number);
  }
  std::ranges::sort(versions);
  return versions;
}

/// What registrations that were killed have left; one at work holds its lock.
void Tidy(const fs::path& versions) {
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(versions, code)) {
    if (!entry.path().filename().string().starts_with(kStaging)) continue;
    if (auto lock = FileLock::TryTake(entry.path() / "lock")) fs::remove_all(entry.path(), code);
  }
}

Result<> CheckAlias(const std::string& alias) {
  if (IsName(alias)) return {};
  return Fail(ErrorKind::kInvalid, "'{}' is not an alias: use letters, digits, '.', '-' and '_'", alias);
}

}  // namespace

Result<> FolderRegistry::Fill(const fs::path& staging, const fs::path& folder, const Clock& clock,
                              const Registration& registration) const {
  TRY(CheckFiles(folder));
  std::error_code code;
  fs::copy(folder, staging / "model", fs::copy_options::recursive, code);
  if (code) return Fail(ErrorKind::kIo, "copy {}: {}", folder.string(), code.message());
  if (registration.accept) TRY(registration.accept(staging / "model"));
  ASSIGN(auto digest, HashFolder(staging / "model"));
  json::object about{{"digest", digest}, {"created_at", FormatTimestamp(clock.Now())}};
  return WriteFileAtomically(staging / "version.json", json::serialize(about));
}

Result<ModelVersion> FolderRegistry::Register(const std::string& name, const fs::path& folder, const Clock& clock,
                                              const Registration& registration) const {
  if (!IsName(name))
    return Fail(ErrorKind::kInvalid, "'{}' is not a model name: use letters, digits, '.', '-' and '_', at most 128",
                name);
  if (!registration.alias.empty()) TRY(CheckAlias(registration.alias));
  if (!fs::exists(folder / "MLmodel"))
    return Fail(ErrorKind::kInvalid, "{} has no MLmodel file: give the folder that mlflow's save_model wrote",
                folder.string());
  auto versions = root_ / name / "versions";
  bool is_new = !fs::exists(root_ / name);
  TRY(CreateFolders(versions));
  Tidy(versions);
  auto staging = versions / fmt::format("{}{}", kStaging, RandomHex(6));
  TRY(CreateFolders(staging));
  ASSIGN(auto at_work, FileLock::TryTake(staging / "lock"));
  std::error_code code;
  auto failed = [&](Error error) {
    fs::remove_all(staging, code);
    if (is_new)  // a model without versions would be listed; another registration's files keep these folders
      for (const auto& empty : {versions, root_ / name}) fs::remove(empty, code);
    return Failure(std::move(error));
  };
  if (auto filled = Fill(staging, folder, clock, registration); !filled) return failed(filled.error());
  // A rename onto a folder that is not empty fails: the number was taken by another process, so the next one is tried.
  for (int attempt = 0; attempt < 100; ++attempt) {
    auto taken = Versions(versions);
    auto number = std::to_string(taken.empty() ? 1 : taken.back() + 1);
    fs::rename(staging, versions / number, code);
    if (code) continue;
    TRY(SyncFolder(versions));
    auto version = Load(name, number);
    auto aliased = version && !registration.alias.empty() ? SetAlias(name, registration.alias, number) : Result<>();
    if (version && aliased) return version;
    staging = versions / number;
    return failed(version ? aliased.error() : version.error());
  }
  return failed({ErrorKind::kIo, fmt::format("register {}: {}", name, code.message())});
}

Result<> FolderRegistry::SetAlias(const std::string& name, const std::string& alias, const std::string& version) const {
  TRY(CheckAlias(alias));
  TRY(Load(name, version));
  TRY(CreateFolders(root_ / name / "aliases"));
  return WriteFileAtomically(root_ / name / "aliases" / alias, version);
}

Result<ModelVersion> FolderRegistry::Load(const std::string& name, const std::string& version) const {
  auto folder = root_ / name / "versions" / version;
  if (!IsName(name) || !fs::exists(root_ / name))
    return Fail(ErrorKind::kNotFound, "no model '{}' is registered", name);
  if (!IsName(version) || !fs::exists(folder))
    return Fail(ErrorKind::kNotFound, "model '{}' has no version '{}'", name, version);
  ASSIGN(auto text, ReadFile(folder / "version.json"));
  ASSIGN(auto value, ParseJson(text));
  ASSIGN(auto object, JsonObject::From(value, (folder / "version.json").string()));
  ASSIGN(auto digest, object.String("digest"));
  return ModelVersion{.name = name, .version = version, .key = digest, .folder = folder / "model", .digest = digest};
}

Result<ModelVersion> FolderRegistry::Resolve(const ModelReference& reference) {
  if (reference.version) return Load(reference.name, *reference.version);
  const auto& alias = reference.alias.value_or("");
  if (!IsName(reference.name) || !fs::exists(root_ / reference.name))
    return Fail(ErrorKind::kNotFound, "no model '{}' is registered", reference.name);
  if (!IsName(alias) || !fs::exists(root_ / reference.name / "aliases" / alias))
    return Fail(ErrorKind::kNotFound, "model '{}' has no alias '{}'", reference.name, alias);
  ASSIGN(auto version, ReadFile(root_ / reference.name / "aliases" / alias));
  return Load(reference.name, version);
}

Result<std::vector<RegisteredModel>> FolderRegistry::List() const {
  std::vector<RegisteredModel> models;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(root_, code)) {
    if (!entry.is_directory()) continue;
    RegisteredModel model{entry.path().filename().string(), {}, {}};
    for (int version : Versions(entry.path() / "versions")) model.versions.push_back(std::to_string(version));
    std::error_code none;
    for (const auto& alias : fs::directory_iterator(entry.path() / "aliases", none)) {
      ASSIGN(auto version, ReadFile(alias.path()));
      model.aliases.emplace_back(alias.path().filename().string(), version);
    }
    std::ranges::sort(model.aliases);
    models.push_back(std::move(model));
  }
  std::ranges::sort(models, {}, &RegisteredModel::name);
  return models;
}

Result<> FolderRegistry::Fetch(ModelVersion& version) {
  ASSIGN(auto digest, HashFolder(version.folder));
  if (digest != version.digest)
    return Fail(ErrorKind::kCorrupt,
                "the files of model {} version {} in {} are not those that were registered (digest {} instead of {})",
                version.name, version.version, version.folder.string(), digest.substr(0, 12),
                version.digest.substr(0, 12));
  return {};
}

}  // namespace slipway::registry
