#include "dispatch/given_up.h"

#include <signal.h>

#include <boost/json/serialize.hpp>
#include <set>

#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include "dispatch/child.h"

namespace slipway::dispatch {
namespace {

namespace fs = std::filesystem;

constexpr double kSecondsBetweenLooks = 5, kSecondsToTidy = 600;

fs::path FolderIn(const std::string& data_dir) { return fs::path(data_dir) / "clean-up"; }

}  // namespace

GivenUp::GivenUp(const std::string& data_dir, std::string program, std::vector<std::string> environment, double seconds)
    : folder_(FolderIn(data_dir)),
      program_(std::move(program)),
      environment_(std::move(environment)),
      seconds_(seconds) {}

Result<> GivenUp::Add(const std::string& data_dir, const scoring::Job& job) {
  TRY(CreateFolders(FolderIn(data_dir)));
  return WriteFileAtomically(FolderIn(data_dir) / (job.run_id + ".json"), boost::json::serialize(ToJson(job)));
}

Result<> GivenUp::Round() {
  if (pid_ != 0) return Watch();
  const auto now = MonotonicSeconds();
  if (now < next_look_) return {};
  next_look_ = now + kSecondsBetweenLooks;
  std::error_code error;
  std::set<fs::path> waiting;
  for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error))
    if (it->path().extension() == ".json") waiting.insert(it->path());
  std::erase_if(due_, [&](const auto& item) { return !waiting.contains(item.first); });
  for (const auto& file : waiting) {
    auto due = due_.try_emplace(file, now + seconds_).first->second;
    if (due > now) continue;
    ASSIGN(pid_, StartChild({program_, "score", "--job", file.string(), "--clean-up"}, environment_,
                            folder_ / "stdout.log", folder_ / "stderr.log"));
    file_ = file;
    kill_at_ = now + kSecondsToTidy;
    return {};
  }
  return {};
}

Result<> GivenUp::Watch() {
  auto ended = TryReap(pid_);
  if (!ended) {
    if (MonotonicSeconds() > kill_at_) ::kill(pid_, SIGKILL);
    return {};
  }
  pid_ = 0;
  next_look_ = 0;
  if (*ended == 0) {
    std::error_code error;
    fs::remove(file_, error);
    Log(LogLevel::kInfo, "given_up_run_tidied_up", {{"run_id", file_.stem().string()}});
  } else {
    due_[file_] = MonotonicSeconds() + seconds_;  // again, later
    Log(LogLevel::kWarning, "given_up_run_not_tidied_up",
        {{"run_id", file_.stem().string()},
         {"exit", std::to_string(*ended)},
         {"log", (folder_ / "stderr.log").string()}});
  }
  return {};
}

}  // namespace slipway::dispatch
