#include "iceberg/table_place.h"

#include <filesystem>
#include <mutex>
#include <optional>

#include "base/format.h"

namespace slipway::iceberg {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kS3 = "s3://";

/// A step of a path as a gateway may read it.
bool StepsOut(std::string_view step) {
  std::string plain;
  for (size_t i = 0; i < step.size(); ++i) {
    bool dot = step.substr(i, 2) == "%2" && i + 2 < step.size() && (step[i + 2] == 'e' || step[i + 2] == 'E');
    plain += dot ? '.' : step[i];
    if (dot) i += 2;
  }
  return plain == "." || plain == "..";
}

Result<std::string> ComparableKey(std::string_view path, std::string_view location) {
  std::string key;
  for (size_t start = 0; start < path.size();) {
    auto end = std::min(path.find('/', start), path.size());
    auto step = path.substr(start, end - start);
    if (StepsOut(step)) return Fail(ErrorKind::kInvalid, "the location '{}' steps out of its folder", location);
    if (!step.empty()) key += (key.empty() ? "" : "/") + std::string(step);
    start = end + 1;
  }
  return key;
}

}  // namespace

Result<std::string> ComparableLocation(std::string_view location) {
  for (unsigned char c : location)
    if (c < 0x20 || c == 0x7f) return Fail(ErrorKind::kInvalid, "a location holds a control character");
  auto canonical = FileIo::Canonical(location);
  if (canonical.starts_with(kS3)) {
    ASSIGN(auto key, ComparableKey(std::string_view(canonical).substr(kS3.size()), location));
    if (key.empty()) return Fail(ErrorKind::kInvalid, "the location '{}' names no bucket", location);
    return std::string(kS3) + key;
  }
  if (!canonical.starts_with('/'))
    return Fail(ErrorKind::kUnsupported, "the location '{}' is neither on a local disk (file:) nor in S3 (s3:)",
                location);
  std::error_code code;
  auto path = fs::weakly_canonical(canonical, code).string();
  if (code) return Fail(ErrorKind::kIo, "the location '{}': {}", location, code.message());
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

bool LiesIn(std::string_view location, std::string_view folder) {
  return !folder.empty() && location.starts_with(folder) &&
         (location.size() == folder.size() || folder == "/" || location[folder.size()] == '/');
}

std::string FolderOfTable(std::string_view metadata_location) {
  auto folder = metadata_location.substr(0, std::min(metadata_location.rfind('/'), metadata_location.size()));
  while (folder.ends_with('/')) folder.remove_suffix(1);
  constexpr std::string_view kMetadata = "/metadata";
  if (folder.ends_with(kMetadata)) folder.remove_suffix(kMetadata.size());
  return std::string(folder);
}

struct TablePlace::State {
  Rules rules;
  std::string warehouse;
  std::vector<std::string> own, admitted;
  std::optional<Error> broken;  ///< a folder of the rules that cannot be compared
  std::once_flag asked;
  Result<std::map<std::string, std::string>> neighbours;

  std::string Comparable(const std::string& location) {
    if (location.empty()) return "";
    auto made = ComparableLocation(location);
    if (!made && !broken) broken = made.error().Wrap("catalog '" + rules.catalog + "'");
    return made.value_or("");
  }

  bool IsAdmitted(const std::string& location) const {
    for (const auto& folder : admitted)
      if (LiesIn(location, folder)) return true;
    return false;
  }

  /// The folder that the table of this name has by default holds nobody else's files.
  bool LiesInDefault(const std::string& location) const {
    for (const auto& folder : own)
      if (LiesIn(location, folder) && folder == warehouse + "/" + DefaultPath()) return true;
    return false;
  }
  std::string DefaultPath() const {
    auto dot = rules.table.rfind('.');
    return rules.table.substr(0, dot) + "/" + rules.table.substr(dot + 1);
  }

  /// Whose files lie there: of folders within each other the innermost counts.
  Result<std::string> OwnerOf(const std::string& location) {
    std::call_once(asked, [&] { neighbours = rules.neighbours(); });
    TRY(neighbours);
    for (auto folder = location; LiesIn(folder, warehouse) && folder != warehouse;
         folder = folder.substr(0, folder.rfind('/'))) {
      for (const auto& mine : own)
        if (folder == mine) return std::string();
      if (auto found = neighbours->find(folder); found != neighbours->end()) return found->second;
    }
    return std::string();
  }

  Failure Outside(std::string_view location) const {
    return Fail(
        ErrorKind::kDenied,
        "the table {} names {}, which lies outside of its place{}{}: if that is right, an administrator can admit "
        "the folder by the setting {}",
        rules.table, location, rules.warehouse.empty() ? "" : " and of the warehouse ", rules.warehouse, rules.setting);
  }
};

TablePlace::TablePlace(Rules rules) : state_(std::make_shared<State>()) {
  auto& state = *state_;
  state.rules = std::move(rules);
  state.warehouse = state.Comparable(state.rules.warehouse);
  for (const auto& folder : state.rules.own) state.own.push_back(state.Comparable(folder));
  for (const auto& folder : state.rules.admitted) state.admitted.push_back(state.Comparable(folder));
}

Result<> TablePlace::Check(std::string_view location) const {
  auto& state = *state_;
  if (state.broken) return Failure(*state.broken);
  ASSIGN(auto comparable, ComparableLocation(location));
  if (state.IsAdmitted(comparable)) return {};
  if (state.rules.any_of_s3 && FileIo::IsRemote(location)) return {};
  if (!state.rules.neighbours) {
    for (const auto& folder : state.own)
      if (LiesIn(comparable, folder)) return {};
    if (LiesIn(comparable, state.warehouse)) return {};
    return state.Outside(location);
  }
  if (!LiesIn(comparable, state.warehouse) || comparable == state.warehouse) return state.Outside(location);
  if (state.LiesInDefault(comparable)) return {};
  ASSIGN(auto owner, state.OwnerOf(comparable));
  if (owner.empty()) return {};
  return Fail(
      ErrorKind::kDenied,
      "the table {} names {}, which is a file of the table {}: if that is right, an administrator can admit the "
      "folder by the setting {}",
      state.rules.table, location, owner, state.rules.setting);
}

std::shared_ptr<FileIo> TablePlace::Hold(const FileIo& io, Rules rules) {
  return io.Within([place = TablePlace(std::move(rules))](std::string_view location) { return place.Check(location); });
}

}  // namespace slipway::iceberg
