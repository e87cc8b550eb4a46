#pragma once

#include <functional>
#include <string>

#include "base/error.h"
#include "cli/command.h"

namespace slipway::cli {

/// What all commands share.
struct Context {
  std::string program;  ///< the path of this binary
  std::string server = "http://127.0.0.1:8080";
  std::string data_dir = "./slipway-data";
  std::string psk_file;              ///< default: platform.psk in the data directory
  std::string ca_file;               ///< certificates to trust instead of the system's
  bool json = false;                 ///< for programs: JSON instead of tables
  std::function<Result<>()> chosen;  ///< the command that the arguments name
};

void AddServe(Command& app, Context& context);
void AddDeployments(Command& app, Context& context);  ///< deploy, deployments, trigger, runs
void AddOperations(Command& app, Context& context);   ///< stop, start, archive, cancel, backfill, roles, audit
void AddLogs(Command& app, Context& context);         ///< logs
void AddKeys(Command& app, Context& context);         ///< keys, service-accounts
void AddAccess(Command& app, Context& context);       ///< access explain
void AddLogin(Command& app, Context& context);        ///< login, logout
void AddScore(Command& app, Context& context);
void AddModels(Command& app, Context& context);
void AddModelTools(Command& models, Context& context);  ///< models inspect, predict, bench
void AddDoctor(Command& app, Context& context);
void AddTables(Command& app, Context& context);
void AddCompletion(Command& app, Context& context);

/// The whole program; its exit status: 0, 1 for a failure, 2 for wrong arguments, 3 for something that is not there.
int Main(int argc, char** argv);

}  // namespace slipway::cli
