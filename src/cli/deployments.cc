#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <boost/json/serialize.hpp>
#include <iostream>
#include <thread>

#include "base/file.h"
#include "base/format.h"
#include "base/json.h"
#include "base/time.h"
#include "base/url.h"
#include "cli/answers.h"
#include "cli/api_client.h"
#include "cli/terminal.h"

namespace slipway::cli {
namespace {

constexpr int kMostNodes = 10'000, kMostDepth = 32;

/// YAML's plain scalars as JSON has them; a quoted one is always text. `left`: nodes, counted as often as they are
/// named: a few aliases of aliases stand for billions, and one within what it names for no end of them.
json::value FromYaml(const YAML::Node& node, int& left, int depth = 0) {
  if (--left < 0 || depth > kMostDepth) throw YAML::Exception(node.Mark(), "too many nodes, or nested too deeply");
  if (node.IsMap()) {
    json::object object;
    for (const auto& item : node)
      if (auto name = item.first.as<std::string>();
          !object.emplace(name, FromYaml(item.second, left, depth + 1)).second)
        throw YAML::Exception(item.first.Mark(), "'" + name + "' is said twice");
    return object;
  }
  if (node.IsSequence()) {
    json::array array;
    for (const auto& item : node) array.push_back(FromYaml(item, left, depth + 1));
    return array;
  }
  if (node.IsNull()) return nullptr;
  auto text = node.as<std::string>();
  if (node.Tag() == "!") return json::value(text);
  if (text == "true" || text == "false") return text == "true";
  if (auto value = ParseJson(text); value && value->is_number()) return *value;
  return json::value(text);
}

Result<std::string> ReadBody(const std::string& file) {
  ASSIGN(auto text, ReadFile(file, size_t{1} << 20));
  if (text.find_first_not_of(" \t\r\n") != std::string::npos && text[text.find_first_not_of(" \t\r\n")] == '{')
    return text;
  try {
    int left = kMostNodes;
    auto documents = YAML::LoadAll(text);
    if (documents.size() != 1)
      return Fail(ErrorKind::kInvalid, "{}: holds {} documents: write each deployment into a file of its own", file,
                  documents.size());
    return json::serialize(FromYaml(documents.front(), left));
  } catch (const YAML::Exception& error) {
    return Fail(ErrorKind::kInvalid, "{}: {}", file, error.what());
  }
}

/// Polls a run until it is over, with a bar of the rows scored.
Result<json::value> WaitFor(const Context& context, const std::string& path) {
  ProgressBar bar;
  double started = MonotonicSeconds();
  while (true) {
    ASSIGN(auto run, CallApi(context, "GET", path));
    auto status = std::string(run.at("status").as_string());
    auto rows = run.at("rows_scored").is_int64() ? run.at("rows_scored").get_int64() : 0;
    auto text = fmt::format("{}: {} rows, {:.1f} s", status, rows, MonotonicSeconds() - started);
    if (status == "succeeded" || status == "failed") {
      bar.Finish(text);
      return run;
    }
    bar.Show(rows, 0, text);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

}  // namespace

void AddDeployments(Command& app, Context& context) {
  struct Arguments {
    std::string file, model, name, logical_date, run_id;
    bool wait = false, validate_only = false;
  };
  auto args = std::make_shared<Arguments>();
  auto* deploy = app.add_subcommand("deploy", "create a deployment from a YAML or JSON file");
  deploy->add_option("file", args->file, "the deployment, as the API takes it").required();
  deploy->add_flag("--validate-only", args->validate_only, "check everything, store nothing");
  deploy->footer("Example:\n  slipway deploy deployment.yaml");
  deploy->callback([&context, args] {
    context.chosen = [&context, args]() -> Result<> {
      ASSIGN(auto body, ReadBody(args->file));
      ASSIGN(auto value, Wrap(ParseJson(body), args->file));
      const auto* model = value.is_object() ? value.get_object().if_contains("model") : nullptr;
      const auto* name =
          model != nullptr && model->is_object() ? model->get_object().if_contains("model_name") : nullptr;
      if (name == nullptr || !name->is_string())
        return Fail(ErrorKind::kInvalid, "{}: model.model_name is missing", args->file);
      auto path = "/api/models/" + UrlEncode(std::string(name->get_string())) + "/deployments" +
                  (args->validate_only ? "?validate_only=true" : "");
      ASSIGN(auto answer, CallApi(context, "POST", path, body));
      PrintRecord(context, answer);
      return {};
    };
  });
  auto* list = app.add_subcommand("deployments", "list deployments, of one model or of all; or show one");
  list->add_option("model", args->model, "the model");
  list->add_option("name", args->name, "the deployment");
  list->callback([&context, args] {
    context.chosen = [&context, args]() -> Result<> {
      auto path = args->model.empty()  ? "/api/deployments"
                  : args->name.empty() ? "/api/models/" + UrlEncode(args->model) + "/deployments"
                                       : DeploymentPath(args->model, args->name);
      ASSIGN(auto answer, CallApi(context, "GET", path));
      if (!args->name.empty()) return PrintRecord(context, answer), Result<>();
      PrintItems(context, answer,
                 {"model", "name", "status", "schedule", "resolved_model_version", "last_run", "owner"});
      return {};
    };
  });
  auto* trigger = app.add_subcommand("trigger", "start a run now");
  trigger->add_option("model", args->model, "the model").required();
  trigger->add_option("name", args->name, "the deployment").required();
  trigger->add_option("--logical-date", args->logical_date,
                      "the instant the run stands for (RFC 3339); a rerun repeats it");
  trigger->add_flag("--wait", args->wait, "show progress until the run is over; fails when it fails");
  trigger->footer("Example:\n  slipway trigger churn churn-daily --wait");
  trigger->callback([&context, args] {
    context.chosen = [&context, args]() -> Result<> {
      json::object body;
      if (!args->logical_date.empty()) body["logical_date"] = args->logical_date;
      ASSIGN(auto run,
             CallApi(context, "POST", DeploymentPath(args->model, args->name) + "/trigger", json::serialize(body)));
      if (args->wait) {
        ASSIGN(run, WaitFor(context, DeploymentPath(args->model, args->name) + "/runs/" +
                                         std::string(run.at("run_id").as_string())));
      }
      PrintRecord(context, run);
      if (IsWarned(run)) std::cerr << "warning: " << Cell(run.at("warning")) << "\n";
      if (run.at("status") == "failed")
        return Fail(ErrorKind::kInternal, "the run failed: {}", Cell(run.at("error_message")));
      return {};
    };
  });
  auto* runs = app.add_subcommand("runs", "list a deployment's runs, newest first; or show one");
  runs->add_option("model", args->model, "the model").required();
  runs->add_option("name", args->name, "the deployment").required();
  runs->add_option("run_id", args->run_id, "one run");
  runs->callback([&context, args] {
    context.chosen = [&context, args]() -> Result<> {
      auto path = DeploymentPath(args->model, args->name) + "/runs" +
                  (args->run_id.empty() ? "" : "/" + UrlEncode(args->run_id));
      ASSIGN(auto answer, CallApi(context, "GET", path));
      if (!args->run_id.empty()) return PrintRecord(context, answer), Result<>();
      PrintItems(context, answer,
                 {"run_id", "status", "logical_date", "rows_scored", "model_version", "finished_at", "error_message"});
      return {};
    };
  });
}

}  // namespace slipway::cli
