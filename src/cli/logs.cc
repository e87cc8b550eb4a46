#include <boost/json/serialize.hpp>
#include <iostream>
#include <thread>

#include "base/format.h"
#include "base/json.h"
#include "base/url.h"
#include "cli/answers.h"
#include "cli/api_client.h"

namespace slipway::cli {
namespace {

struct Arguments {
  std::string model, name, run_id;
  bool follow = false;
};

bool IsOver(const json::value& run) { return run.at("status") == "succeeded" || run.at("status") == "failed"; }

/// The run that was asked for, or the deployment's last one.
Result<json::value> FindRun(const Context& context, const Arguments& args) {
  auto runs = DeploymentPath(args.model, args.name) + "/runs";
  if (!args.run_id.empty()) return CallApi(context, "GET", runs + "/" + UrlEncode(args.run_id));
  ASSIGN(auto page, CallApi(context, "GET", runs + "?limit=1"));
  if (page.at("items").as_array().empty())
    return Fail(ErrorKind::kNotFound, "{}/{} has no run yet: start one with slipway trigger", args.model, args.name);
  return page.at("items").as_array().front();
}

/// How it stands, and why: the last line, on standard error.
void Tell(const json::value& run) {
  const auto* at = IsOver(run) ? "finished_at" : "next_attempt_at";
  std::cerr << "run " << Cell(run.at("run_id")) << ": " << Cell(run.at("status"));
  if (!run.at(at).is_null()) std::cerr << (IsOver(run) ? " at " : ", tried again at ") << Cell(run.at(at));
  for (const auto* why : {"error_message", "warning"})
    if (!run.at(why).is_null()) std::cerr << "\n" << Cell(run.at(why));
  std::cerr << "\n";
}

Result<> Show(const Context& context, const Arguments& args) {
  ASSIGN(auto run, FindRun(context, args));
  auto one = DeploymentPath(args.model, args.name) + "/runs/" + UrlEncode(Cell(run.at("run_id")));
  int64_t end = 0;
  while (true) {
    bool over = IsOver(run);  // before the last look, so that nothing is missed
    ASSIGN(auto log, CallApi(context, "GET", fmt::format("{}/log?after={}", one, end)));
    if (context.json)
      std::cout << json::serialize(log) << "\n";
    else
      std::cout << std::string_view(log.at("text").as_string());
    std::cout << std::flush;
    end = log.at("end").as_int64();
    if (over || !args.follow) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    ASSIGN(run, CallApi(context, "GET", one));
  }
  if (!context.json) Tell(run);
  return {};
}

}  // namespace

void AddLogs(Command& app, Context& context) {
  auto args = std::make_shared<Arguments>();
  auto* logs = app.add_subcommand("logs", "what a run and its model wrote, a traceback too; and why it failed");
  logs->add_option("model", args->model, "the model").required();
  logs->add_option("name", args->name, "the deployment").required();
  logs->add_option("run_id", args->run_id, "the run; by default the last one");
  logs->add_flag("-f,--follow", args->follow, "go on until the run is over");
  logs->footer("Example:\n  slipway logs churn churn-daily -f");
  logs->callback([&context, args] { context.chosen = [&context, args] { return Show(context, *args); }; });
}

}  // namespace slipway::cli
