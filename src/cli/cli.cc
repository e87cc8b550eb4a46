#include <arrow/compute/initialize.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "base/s3.h"
#include "cli/commands.h"
#include "database/database.h"

namespace slipway::cli {

int Main(int argc, char** argv) {
  Database::PrepareProcess();
  if (auto status = arrow::compute::Initialize(); !status.ok()) {
    fmt::print(stderr, "slipway: {}\n", status.ToString());
    return 1;
  }
  Context context;
  std::error_code code;
  context.program = std::filesystem::read_symlink("/proc/self/exe", code).string();
  Command app("slipway", "Slipway deploys registered models onto data tables.");
  app.set_version_flag("--version", "slipway 0.1.0");
  app.require_subcommand();
  app.footer(
      "A first deployment:\n"
      "  slipway serve &\n"
      "  slipway models register churn ./model --alias champion\n"
      "  slipway deploy deployment.yaml\n"
      "  slipway trigger churn churn-daily --wait");
  app.add_option("--server", context.server, "the server's URL").envname("SLIPWAY_SERVER").capture_default_str();
  app.add_option("--data-dir", context.data_dir, "the server's data directory, for commands that work on it directly")
      .envname("SLIPWAY_DATA_DIR")
      .capture_default_str();
  app.add_option("--psk-file", context.psk_file,
                 "the file with the platform PSK (default: platform.psk in the data directory)");
  app.add_option("--ca-file", context.ca_file, "a PEM file with the certificates to trust").envname("SLIPWAY_CA_FILE");
  app.add_flag("--json", context.json, "print JSON, for programs");
  AddServe(app, context);
  AddDeployments(app, context);
  AddOperations(app, context);
  AddLogs(app, context);
  AddKeys(app, context);
  AddAccess(app, context);
  AddLogin(app, context);
  AddScore(app, context);
  AddModels(app, context);
  AddTables(app, context);
  AddDoctor(app, context);
  AddCompletion(app, context);
  if (auto status = app.Parse(argc, argv)) return *status;
  auto done = context.chosen();
  CloseS3();
  if (done) return 0;
  if (!done.error().message.empty()) fmt::print(stderr, "slipway: {}\n", done.error().message);
  return done.error().kind == ErrorKind::kInvalid ? 2 : done.error().kind == ErrorKind::kNotFound ? 3 : 1;
}

}  // namespace slipway::cli
