#include <boost/json/serialize.hpp>
#include <iostream>

#include "base/json.h"
#include "base/url.h"
#include "cli/api_client.h"
#include "cli/terminal.h"

namespace slipway::cli {
namespace {

struct Arguments {
  std::string who, roles, table, model, deployment;
};

Result<> Explain(const Context& context, const Arguments& args) {
  std::string query;
  auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) query += (query.empty() ? "?" : "&") + std::string(name) + "=" + UrlEncode(value);
  };
  add("who", args.who);
  add("roles", args.roles);
  add("table", args.table);
  add("model", args.model);
  add("deployment", args.deployment);
  ASSIGN(auto answer, CallApi(context, "GET", "/api/access/explain" + query));
  if (context.json) {
    std::cout << json::serialize(answer) << "\n";
    return {};
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& item : answer.at("items").as_array()) {
    auto text = [&](const char* name) { return std::string(item.at(name).as_string()); };
    rows.push_back(
        {text("who"), text("right"), text("what"), item.at("allowed").as_bool() ? "yes" : "no", text("because")});
  }
  PrintTable({"who", "right", "what", "allowed", "because"}, rows);
  return {};
}

}  // namespace

void AddAccess(Command& app, Context& context) {
  auto args = std::make_shared<Arguments>();
  auto* access = app.add_subcommand("access", "who may touch which tables and models");
  access->require_subcommand();
  auto* explain = access->add_subcommand(
      "explain",
      "who may touch something, and by which rule, or what is missing; of nothing named, all that is allowed");
  auto who = explain->add_option("--who", args->who, "a person, by subject or name; only administrators ask of others");
  explain->add_option("--roles", args->roles, "somebody with these roles: a,b").excludes(who);
  auto* what = explain->add_option_group("What it is about", "");
  what->add_option("--table", args->table, "catalog.schema.table");
  what->add_option("--model", args->model, "a model");
  what->add_option("--deployment", args->deployment, "model/name: what it touches, by the rights of its runs too");
  what->require_option(0, 1);
  explain->footer("Example:\n  slipway access explain --roles risk --table lake.risk.scores");
  explain->callback([&context, args] { context.chosen = [&context, args] { return Explain(context, *args); }; });
}

}  // namespace slipway::cli
