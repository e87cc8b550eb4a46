#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <filesystem>
#include <iostream>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/environment.h"
#include "cli/terminal.h"
#include "model/proof.h"
#include "registry/folder_registry.h"

namespace slipway::cli {
namespace {

registry::FolderRegistry Registry(const Context& context) {
  return registry::FolderRegistry(std::filesystem::absolute(context.data_dir) / "models");
}

Result<> List(const Context& context) {
  ASSIGN(auto models, Registry(context).List());
  json::array all;
  std::vector<std::vector<std::string>> rows;
  for (const auto& model : models) {
    std::string versions, aliases;
    json::object names;
    for (const auto& version : model.versions) versions += (versions.empty() ? "" : " ") + version;
    for (const auto& [alias, version] : model.aliases) {
      aliases += (aliases.empty() ? "" : " ") + alias + "=" + version;
      names[alias] = version;
    }
    rows.push_back({model.name, versions, aliases});
    all.push_back(json::object{{"name", model.name},
                               {"versions", json::array(model.versions.begin(), model.versions.end())},
                               {"aliases", names}});
  }
  if (context.json)
    std::cout << json::serialize(all) << "\n";
  else
    PrintTable({"NAME", "VERSIONS", "ALIASES"}, rows);
  return {};
}

}  // namespace

void AddModels(Command& app, Context& context) {
  struct Arguments {
    std::string name, path, alias, version;
    bool unproven = false;
  };
  auto args = std::make_shared<Arguments>();
  auto* models = app.add_subcommand("models", "the embedded model registry");
  models->require_subcommand();
  auto* add = models->add_subcommand("register", "copy an MLflow model as the next version");
  add->add_option("name", args->name, "the model's name").required();
  add->add_option("path", args->path, "the folder that save_model wrote").required();
  add->add_option("--alias", args->alias, "point this alias at the new version");
  add->add_flag("--unproven,--no-check", args->unproven,
                "let a native engine score that was not compared with mlflow.pyfunc");
  add->footer("Example:\n  slipway models register churn ./model --alias champion");
  add->callback([&context, args] {
    context.chosen = [&context, args]() -> Result<> {
      model::EngineRecord engine;
      registry::Registration registration{args->alias, {}};
      registration.accept = [&](const std::filesystem::path& copy) -> Result<> {
        auto prove = args->unproven ? model::TakeUnproven : model::ProveModel;
        ASSIGN(engine, Wrap(prove(copy, EngineOf(context)), "nothing was registered"));
        return {};
      };
      ASSIGN(auto version, Registry(context).Register(args->name, args->path, SystemClock(), registration));
      if (context.json)
        std::cout << json::serialize(json::object{{"name", version.name},
                                                  {"version", version.version},
                                                  {"digest", version.digest},
                                                  {"engine", args->unproven ? "" : ToString(engine.engine)},
                                                  {"proof", ToString(engine.evidence)},
                                                  {"why", engine.why}})
                  << "\n";
      else
        fmt::print("{} version {} (sha256 {})\n", version.name, version.version, version.digest.substr(0, 12));
      if (!context.json && !args->unproven)
        fmt::print("scored by the {} engine: {}\n", ToString(engine.engine), engine.why);
      return {};
    };
  });
  auto* alias = models->add_subcommand("alias", "point an alias at a version");
  alias->add_option("name", args->name, "the model's name").required();
  alias->add_option("alias", args->alias, "the alias").required();
  alias->add_option("version", args->version, "the version").required();
  alias->callback([&context, args] {
    context.chosen = [&context, args] { return Registry(context).SetAlias(args->name, args->alias, args->version); };
  });
  AddModelTools(*models, context);
  auto* list = models->add_subcommand("list", "all models with their versions and aliases");
  list->callback([&context] { context.chosen = [&context] { return List(context); }; });
}

}  // namespace slipway::cli
