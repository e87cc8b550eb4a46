#include <boost/json/serialize.hpp>
#include <iostream>

#include "base/json.h"
#include "base/url.h"
#include "cli/api_client.h"
#include "cli/commands.h"

namespace slipway::cli {
namespace {

struct Arguments {
  std::string description, id, owner, account;
  std::vector<std::string> roles, scopes, models;
  int days = 0;
};
using Given = std::shared_ptr<Arguments>;

void On(Command* command, Context& context, std::function<Result<json::value>()> call) {
  command->callback([&context, call = std::move(call)] {
    context.chosen = [call]() -> Result<> {
      ASSIGN(auto answer, call());
      std::cout << json::serialize(answer) << "\n";
      return {};
    };
  });
}

/// One's own keys, or with --of another person's.
std::string KeysOf(const Arguments& args) {
  return args.owner.empty() ? "/api/user/psk" : "/api/users/" + UrlEncode(args.owner) + "/psk";
}

std::string Account(const Arguments& args) { return "/api/service-accounts/" + UrlEncode(args.account); }

void AddDays(Command& command, const Given& args) {
  command.add_option("--days", args->days, "how long it works; else as long as the server usually lets keys")
      .positive();
}

json::array ToArray(const std::vector<std::string>& texts) { return json::array(texts.begin(), texts.end()); }

json::object NewKey(const Arguments& args) {
  json::object body{{"description", args.description}};
  if (args.days > 0) body["expires_in_days"] = args.days;
  return body;
}

void AddOwnKeys(Command& app, Context& context, const Given& args) {
  auto* keys = app.add_subcommand("keys", "pre-shared keys: your own ones need a sign-in, those of others an admin");
  keys->require_subcommand();
  auto* list = keys->add_subcommand("list", "list your keys, or another person's");
  list->add_option("--of", args->owner, "the person's subject, as the audit log shows it");
  On(list, context, [&context, args] { return CallApi(context, "GET", KeysOf(*args)); });
  auto* create = keys->add_subcommand("create", "make a key; it is shown only now");
  create->add_option("description", args->description, "what the key is for").required();
  AddDays(*create, args);
  On(create, context,
     [&context, args] { return CallApi(context, "POST", "/api/user/psk", json::serialize(NewKey(*args))); });
  auto* revoke = keys->add_subcommand("revoke", "revoke a key: it stops working");
  revoke->add_option("id", args->id, "the key's id, as `keys list` shows it").required();
  revoke->add_option("--of", args->owner, "the subject of the person whose key it is");
  On(revoke, context,
     [&context, args] { return CallApi(context, "DELETE", KeysOf(*args) + "/" + UrlEncode(args->id)); });
}

void AddAccountKeys(Command& accounts, Context& context, const Given& args) {
  auto* keys = accounts.add_subcommand("keys", "the keys of a service account");
  keys->require_subcommand();
  auto* list = keys->add_subcommand("list", "list them");
  list->add_option("account", args->account, "the service account").required();
  On(list, context, [&context, args] { return CallApi(context, "GET", Account(*args) + "/keys"); });
  auto* create = keys->add_subcommand("create", "make one; it is shown only now");
  create->add_option("account", args->account, "the service account").required();
  create->add_option("description", args->description, "what the key is for").required();
  create->add_option("--scope", args->scopes, "deployments:read, deployments:write, runs:trigger or runs:report")
      .required();
  create->add_option("--model", args->models, "the models that it reaches; without it all");
  AddDays(*create, args);
  On(create, context, [&context, args] {
    auto body = NewKey(*args);
    body["scopes"] = ToArray(args->scopes);
    if (!args->models.empty()) body["models"] = ToArray(args->models);
    return CallApi(context, "POST", Account(*args) + "/keys", json::serialize(body));
  });
  auto* revoke = keys->add_subcommand("revoke", "revoke one: it stops working");
  revoke->add_option("account", args->account, "the service account").required();
  revoke->add_option("id", args->id, "the key's id, as the list shows it").required();
  On(revoke, context,
     [&context, args] { return CallApi(context, "DELETE", Account(*args) + "/keys/" + UrlEncode(args->id)); });
}

void AddAccounts(Command& app, Context& context, const Given& args) {
  auto* accounts = app.add_subcommand("service-accounts", "callers that are machines, with keys of limited scopes");
  accounts->require_subcommand();
  accounts->footer(
      "Example:\n"
      "  slipway service-accounts create nightly 'starts the nightly runs; ask the risk team' --role risk\n"
      "  slipway service-accounts keys create nightly 'in the scheduler' --scope runs:trigger --model churn");
  auto* list = accounts->add_subcommand("list", "list them");
  On(list, context, [&context] { return CallApi(context, "GET", "/api/service-accounts"); });
  auto* create = accounts->add_subcommand("create", "make one");
  create->add_option("account", args->account, "its name").required();
  create->add_option("description", args->description, "what it is for, and who answers for it").required();
  create->add_option("--role", args->roles, "a role that it has, as a person has them");
  On(create, context, [&context, args] {
    json::object body{{"name", args->account}, {"description", args->description}, {"roles", ToArray(args->roles)}};
    return CallApi(context, "POST", "/api/service-accounts", json::serialize(body));
  });
  auto* remove = accounts->add_subcommand("remove", "remove one: its keys stop working");
  remove->add_option("account", args->account, "its name").required();
  On(remove, context, [&context, args] { return CallApi(context, "DELETE", Account(*args)); });
  AddAccountKeys(*accounts, context, args);
}

}  // namespace

void AddKeys(Command& app, Context& context) {
  auto args = std::make_shared<Arguments>();
  AddOwnKeys(app, context, args);
  AddAccounts(app, context, args);
}

}  // namespace slipway::cli
