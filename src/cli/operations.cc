#include <boost/json/serialize.hpp>
#include <iostream>

#include "base/json.h"
#include "base/url.h"
#include "cli/api_client.h"
#include "cli/terminal.h"

namespace slipway::cli {
namespace {

struct Arguments {
  std::string model, name, run_id, from, to;
  std::vector<std::string> roles;
  int limit = 50;
};

std::string Path(const Arguments& args) {
  return "/api/models/" + UrlEncode(args.model) + "/deployments/" + UrlEncode(args.name);
}

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
  std::cout << json::serialize(answer) << "\n";
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
  backfill->add_option("--from", args->from, "the first instant (RFC 3339)").required();
  backfill->add_option("--to", args->to, "the last instant (RFC 3339)").required();
  backfill->callback([&context, args] {
    context.chosen = [&context, args] {
      return Call(context, "POST", Path(*args) + "/backfill",
                  json::serialize(json::object{{"from", args->from}, {"to", args->to}}));
    };
  });
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
