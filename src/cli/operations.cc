#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <iostream>

#include "base/json.h"
#include "base/url.h"
#include "cli/answers.h"
#include "cli/api_client.h"

namespace slipway::cli {
namespace {

struct Arguments {
  std::string model, name, run_id, from, to;
  std::vector<std::string> roles;
  int limit = 50;
  bool dry_run = false;
};

std::string Path(const Arguments& args) { return DeploymentPath(args.model, args.name); }

/// A command on one deployment: what it is called, what it does, and the request that does it.
struct Operation {
  const char* name;
  const char* help;
  const char* method;
  const char* path;
};
constexpr Operation kOperations[] = {
    {"stop", "no more ticks and triggers of a deployment", "POST", "/stop"},
    {"start", "go on after a stop", "POST", "/start"},
    {"archive", "archive a deployment: its record and runs stay, its name is free again", "DELETE", ""},
};

void AddName(Command& command, const std::shared_ptr<Arguments>& args) {
  command.add_option("model", args->model, "the model").required();
  command.add_option("name", args->name, "the deployment").required();
}

Result<> Call(const Context& context, const std::string& method, const std::string& path,
              const std::string& body = "") {
  ASSIGN(auto answer, CallApi(context, method, path, body));
  PrintRecord(context, answer);
  return {};
}

/// What a backfill queues, or would queue.
Result<> Backfill(const Context& context, const Arguments& args) {
  ASSIGN(auto answer, CallApi(context, "POST", Path(args) + "/backfill" + (args.dry_run ? "?dry_run=true" : ""),
                              json::serialize(json::object{{"from", args.from}, {"to", args.to}})));
  auto count = answer.at("items").as_array().size();
  if (count > 0 || context.json)
    PrintItems(context, answer,
               args.dry_run ? std::vector<std::string>{"logical_date"}
                            : std::vector<std::string>{"logical_date", "run_id", "status"});
  if (count == 0)
    std::cerr << "every tick of that time has a run already, or there is none\n";
  else
    std::cerr << fmt::format("{} run{} {} queued\n", count, count == 1 ? "" : "s",
                             args.dry_run ? "would be"
                             : count == 1 ? "is"
                                          : "are");
  return {};
}

}  // namespace

void AddOperations(Command& app, Context& context) {
  auto args = std::make_shared<Arguments>();
  for (const auto& operation : kOperations) {
    auto* command = app.add_subcommand(operation.name, operation.help);
    AddName(*command, args);
    command->callback([&context, args, operation] {
      context.chosen = [&context, args, operation] {
        return Call(context, operation.method, Path(*args) + operation.path);
      };
    });
  }
  auto* cancel = app.add_subcommand("cancel", "end a queued or running run; nothing of it reaches the target");
  AddName(*cancel, args);
  cancel->add_option("run_id", args->run_id, "the run").required();
  cancel->callback([&context, args] {
    context.chosen = [&context, args] {
      return Call(context, "POST", Path(*args) + "/runs/" + UrlEncode(args->run_id) + "/cancel");
    };
  });
  auto* backfill = app.add_subcommand("backfill", "one run for each tick of the schedule that has none, oldest first");
  AddName(*backfill, args);
  backfill->add_option("--from", args->from, "the first day, or instant (RFC 3339)").required();
  backfill->add_option("--to", args->to, "the last day, all of it, or instant").required();
  backfill->add_flag("--dry-run", args->dry_run, "list the ticks, and queue nothing");
  backfill->footer("Example:\n  slipway backfill churn churn-daily --from 2024-01-01 --to 2024-01-31 --dry-run");
  backfill->callback([&context, args] { context.chosen = [&context, args] { return Backfill(context, *args); }; });
  auto* roles = app.add_subcommand("roles", "say which roles may use a deployment; none: the platform PSK only");
  AddName(*roles, args);
  roles->add_option("roles", args->roles, "roles of Keycloak");
  roles->callback([&context, args] {
    context.chosen = [&context, args] {
      json::object body{{"allowed_roles", json::array(args->roles.begin(), args->roles.end())}};
      return Call(context, "PUT", Path(*args) + "/allowed_roles", json::serialize(body));
    };
  });
  auto* audit = app.add_subcommand("audit", "who did what, newest first, as JSON lines");
  audit->add_option("--limit", args->limit, "lines, at most 500").capture_default_str();
  audit->callback([&context, args] {
    context.chosen = [&context, args]() -> Result<> {
      ASSIGN(auto answer, CallApi(context, "GET", "/api/audit?limit=" + std::to_string(args->limit)));
      for (const auto& entry : answer.at("items").as_array()) std::cout << json::serialize(entry) << "\n";
      return {};
    };
  });
}

}  // namespace slipway::cli
