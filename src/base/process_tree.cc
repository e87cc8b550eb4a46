#include "base/process_tree.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/file.h"
#include "base/format.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLargestText = size_t{1} << 16;

/// The number behind a label of /proc/…/status and its kin, as it stands there; 0: there is no such line.
int64_t Number(std::string_view text, std::string_view label) {
  for (size_t at = 0; (at = text.find(label, at)) != std::string_view::npos; at += label.size())
    if (at == 0 || text[at - 1] == '\n') return std::strtoll(text.data() + at + label.size(), nullptr, 10);
  return 0;
}

std::string Read(int process, std::string_view name) {
  return ReadFile(fmt::format("/proc/{}/{}", process, name), kLargestText).value_or("");
}

void AddChildren(int process, std::vector<int>& to) {
  std::error_code code;
  for (fs::directory_iterator at(fmt::format("/proc/{}/task", process), code), end; !code && at != end;
       at.increment(code)) {
    auto text = ReadFile(at->path() / "children", size_t{1} << 20).value_or("");
    for (char *next = text.data(), *end_of_number = next;; next = end_of_number) {
      auto child = static_cast<int>(std::strtol(next, &end_of_number, 10));
      if (end_of_number == next) break;
      to.push_back(child);
    }
  }
}

}  // namespace

std::vector<int> TreeOf(int process) {
  std::vector<int> found{process}, tree;
  std::unordered_set<int> seen;
  for (size_t i = 0; i < found.size(); ++i) {
    if (!seen.insert(found[i]).second) continue;  // its parent has ended meanwhile, and another one has it now
    tree.push_back(found[i]);
    AddChildren(tree.back(), found);
  }
  return tree;
}

TreeUse UseOf(int process, int64_t enough) {
  TreeUse use;
  const auto tree = TreeOf(process);
  int64_t kib = 0;
  for (int one : tree) {
    auto status = Read(one, "status");
    if (status.empty()) continue;
    ++use.processes;
    use.tasks += std::max<int64_t>(1, Number(status, "Threads:"));
    for (const char* label : {"RssAnon:", "RssShmem:", "VmSwap:", "VmPTE:"}) kib += Number(status, label);
  }
  use.bytes = kib << 10;
  if (use.bytes <= enough || use.processes < 2) return use;
  int64_t shared_out = 0;
  for (int one : tree) {
    auto parts = Read(one, "smaps_rollup"), status = Read(one, "status");
    if (parts.find("Pss_Anon:") != std::string::npos)
      for (const char* label : {"Pss_Anon:", "Pss_Shmem:", "SwapPss:"}) shared_out += Number(parts, label);
    else  // it does not let itself be looked at
      for (const char* label : {"RssAnon:", "RssShmem:", "VmSwap:"}) shared_out += Number(status, label);
    shared_out += Number(status, "VmPTE:");
  }
  use.bytes = shared_out << 10;
  return use;
}

FolderUse UseOf(const fs::path& folder, int64_t most) {
  FolderUse use;
  std::error_code code;
  fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied, code);
  for (; !code && at != fs::recursive_directory_iterator() && use.entries < most; at.increment(code)) {
    struct stat about = {};
    ++use.entries;
    constexpr int64_t kBlock = 512;  // of st_blocks, whatever the file system's own are
    if (::lstat(at->path().c_str(), &about) == 0) use.bytes += about.st_blocks * kBlock;
  }
  return use;
}

}  // namespace slipway
