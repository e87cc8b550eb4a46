#include <fmt/format.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/json/serialize.hpp>

#include "base/file.h"
#include "base/format.h"
#include "base/json.h"
#include "base/own_process.h"
#include "cli/commands.h"
#include "cli/config_flags.h"
#include "cli/environment.h"
#include "config/settings.h"
#include "model/python/cgroup.h"
#include "model/python/probe.h"

namespace slipway::cli {
namespace {

/// One boundary around models and secrets.
struct Check {
  std::string name;
  bool holds = false;
  std::string found;   ///< here
  std::string means;   ///< what it is good for
  std::string advice;  ///< where it does not hold
};

Check Landlock(const std::optional<model::BoxProbe>& probe) {
  int version = model::LandlockVersion();
  Check check{.name = "landlock",
              .holds = version > 0,
              .found = version > 0 ? fmt::format("version {}", version) : "this kernel has none, or it is switched off",
              .means =
                  "models read the system, the interpreter and their own folder, write to a scratch folder, and "
                  "reach no other file"};
  if (probe && !probe->files) {
    check.holds = false;
    check.found += "; a model in the box could read and write a file outside";
  }
  if (version == 0)
    check.advice =
        "take a kernel of 5.13 or later with lsm=landlock,…; until then set python.user, and trust whoever registers "
        "models";
  return check;
}

Check Signals(const std::optional<model::BoxProbe>& probe) {
  bool scoped = model::LandlockVersion() >= 6;
  return {.name = "signals",
          .holds = scoped && (!probe || probe->signals),
          .found = scoped ? "kept in by Landlock" : "kept from the scoring process only, by seccomp",
          .means = "models cannot end processes of the same user",
          .advice = "take a kernel of 6.12 or later, or set python.user"};
}

Check Seccomp(const std::optional<model::BoxProbe>& probe) {
  unsigned action = SECCOMP_RET_ERRNO;
  bool has = ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
  bool holds = has && (!probe || (probe->sockets && probe->calls));
  return {.name = "seccomp",
          .holds = holds,
          .found = !has    ? "this kernel has none"
                   : holds ? "there"
                           : "a model in the box opened a socket, or traced",
          .means = "models open no sockets, local ones included, trace nothing, and reach no rare part of the kernel",
          .advice = "python.network = yes opens sockets on purpose; else take a kernel with CONFIG_SECCOMP_FILTER"};
}

Check User(const config::Config& config, const std::optional<model::BoxProbe>& probe) {
  const auto& user = config.Text("python.user");
  return {.name = "user",
          .holds = probe && probe->user,
          .found = user.empty() ? "models run as the server's user" : "models run as " + user,
          .means = "what the kernel's other boundaries let through, this user's rights stop",
          .advice = ::geteuid() == 0 ? "set python.user to a user who owns nothing"
                                     : "only a server that is root can set python.user"};
}

Check Packages(const Result<model::BoxProbe>& probe) {
  bool landlock = model::LandlockVersion() > 0;
  return {.name = "site_packages",
          .holds = probe && (landlock || probe->packages),
          .found = !probe            ? "the box could not be tried: " + probe.error().message
                   : probe->packages ? probe->packages_folder + " is not writable by models' user"
                   : landlock ? probe->packages_folder + " is writable by models' user, but Landlock keeps them out"
                              : probe->packages_folder + " is writable by models' user",
          .means = "a model cannot plant code that the next model runs",
          .advice = probe ? "make the interpreter's folders root's, or set python.user"
                          : "set python.interpreter to a Python that models' user can start"};
}

Check OwnCgroup(const config::Config& config) {
  const auto& place = config.Text("python.cgroup");
  auto controllers = place.empty() ? "" : model::ControllersOf(place);
  return {.name = "cgroup",
          .holds = controllers == "memory pids",
          .found = place.empty() ? "python.cgroup is not set: memory and processes are counted 50 times a second"
                                 : fmt::format("{}: controllers that it gives: {}", place,
                                               controllers.empty() ? "none" : controllers),
          .means = "the kernel itself holds models to python.memory_mib and python.tasks",
          .advice =
              "delegate one (systemd: Delegate=memory pids, DelegateSubgroup=server; python.cgroup = the unit's "
              "own), or give the server's container or unit a limit"};
}

Check Dumpable() {
  MakeUndumpable();
  bool holds = ::prctl(PR_GET_DUMPABLE) == 0;
  auto pattern = ReadFile("/proc/sys/kernel/core_pattern", 4096).value_or("");
  while (pattern.ends_with('\n')) pattern.pop_back();
  return {.name = "undumpable",
          .holds = holds,
          .found = fmt::format("{}; core_pattern is '{}'", holds ? "there" : "refused by the system", pattern),
          .means =
              "other processes of the server's user cannot read its memory, environment or open files, and no core "
              "file holds keys",
          .advice = "the system refuses PR_SET_DUMPABLE: look at its security modules"};
}

Result<std::vector<Check>> Checks(const Context& context, const ConfigFlags& flags) {
  ASSIGN(auto config, LoadConfig(context, flags));
  ASSIGN(auto places, config::PlacesOf(config, context.data_dir));
  if (places.python.interpreter.empty()) places.python.interpreter = PythonInterpreter();
  auto probed = model::ProbeBox(places.python);
  if (!probed && probed.error().kind != ErrorKind::kUnsupported) return Failure(probed.error());
  auto probe = probed ? std::optional(*probed) : std::nullopt;
  return std::vector<Check>{Landlock(probe),  Signals(probe),    Seccomp(probe), User(config, probe),
                            Packages(probed), OwnCgroup(config), Dumpable()};
}

}  // namespace

void AddDoctor(Command& app, Context& context) {
  auto* doctor = app.add_subcommand(
      "doctor", "which boundaries around models and secrets hold on this machine, what each means, and what to do");
  auto flags = AddConfigFlags(*doctor);
  doctor->footer("Example:\n  slipway doctor --set python.user=nobody");
  doctor->callback([&context, flags] {
    context.chosen = [&context, flags]() -> Result<> {
      ASSIGN(auto checks, Checks(context, *flags));
      json::array all;
      for (const auto& [name, holds, found, means, advice] : checks) {
        all.push_back(json::object{{"name", name},
                                   {"holds", holds},
                                   {"found", found},
                                   {"means", means},
                                   {"advice", holds ? json::value(nullptr) : json::value(advice)}});
        if (context.json) continue;
        fmt::print("{:3} {:14} {}\n{:19}{}\n", holds ? "yes" : "NO", name, found, "", means);
        if (!holds && !advice.empty()) fmt::print("{:19}To do: {}\n", "", advice);
      }
      if (context.json) fmt::print("{}\n", json::serialize(json::object{{"checks", std::move(all)}}));
      return {};
    };
  });
}

}  // namespace slipway::cli
