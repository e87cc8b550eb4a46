#include <algorithm>

#include "base/format.h"
#include "deployments/subjects.h"
#include "server/api_state.h"

namespace slipway::server {
namespace {

/// Whose rights are explained.
struct Asked {
  std::string name;
  access::Holder holder;
};

/// The items of "a, b".
std::set<std::string> Items(std::string_view text) {
  std::set<std::string> items;
  for (size_t at = 0; at <= text.size();) {
    auto comma = std::min(text.find(',', at), text.size());
    auto item = text.substr(at, comma - at);
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    if (!item.empty()) items.emplace(item);
    at = comma + 1;
  }
  return items;
}

/// Reading and writing of catalog.schema.table.
std::vector<access::Use> UsesOfTable(const std::string& name) {
  auto first = name.find('.'), last = name.rfind('.');
  auto catalog = name.substr(0, first), schema = name.substr(first + 1, last - first - 1),
       table = name.substr(last + 1);
  return {access::Use::Reads(catalog, schema, table), access::Use::Writes(catalog, schema, table)};
}

json::object ViewOf(const Asked& asked, const std::string& what, access::Right right, bool allowed,
                    const std::string& because) {
  return {{"who", asked.name},  {"roles", json::array(asked.holder.roles.begin(), asked.holder.roles.end())},
          {"what", what},       {"right", access::ToString(right)},
          {"allowed", allowed}, {"because", because}};
}

/// What a deployment touches, with the rights that its runs have. One that may not be seen is told of as one that is
/// not there.
std::expected<Asked, Response> AskAboutDeployment(const ApiParts& parts, const Call& call, const std::string& name,
                                                  std::vector<access::Use>& uses) {
  auto slash = name.find('/');
  auto found = parts.store.FindDeployment(name.substr(0, slash), name.substr(slash + 1));
  if (!found && found.error().kind != ErrorKind::kNotFound) return std::unexpected(ErrorAnswer(found.error()));
  auto guarded = found ? std::optional(GuardedOf(found->deployment)) : std::nullopt;
  if (!guarded || !call.who.Covers(found->deployment.model) ||
      Decide(auth::Permission::kSee, call.who, &*guarded) != auth::Verdict::kAllowed)
    return std::unexpected(ErrorAnswer(404, fmt::format("there is no deployment '{}' that you may see", name)));
  const auto& deployment = found->deployment;
  if (deployment.damage) return std::unexpected(ErrorAnswer(409, *deployment.damage));
  auto holder = parts.rights.HolderOf(deployments::RightsHolderOf(deployment));
  if (!holder) return std::unexpected(ErrorAnswer(holder.error()));
  for (auto& use : Rights::UsesOf(deployment.spec.batch)) uses.push_back(std::move(use));
  return Asked{"its runs, with the rights of " + deployment.rights_of, std::move(*holder)};
}

std::expected<Asked, Response> AskAboutPerson(const ApiParts& parts, const std::string& name) {
  auto person = parts.user_keys.FindPersonNamed(name);
  if (!person) return std::unexpected(ErrorAnswer(person.error()));
  auto kind = auth::IsReserved(person->subject) ? SubjectKind::kService : SubjectKind::kPerson;
  auto holder = parts.rights.HolderOf({kind, person->subject});
  if (!holder) return std::unexpected(ErrorAnswer(holder.error()));
  return Asked{person->username, std::move(*holder)};
}

}  // namespace

/// Who may touch what, and why. Whoever has all rights asks about anybody, others about themselves. It is told from the
/// rules alone: nobody learns by it what tables there are.
Response Api::State::ExplainAccess(Call& call) {
  auto who = QueryText(call.query, "who"), roles = QueryText(call.query, "roles");
  auto mine = Rights::HolderOf(call.who);
  if ((who || roles) && !mine.everything)
    return ErrorAnswer(403, "only an administrator asks about others: leave out who and roles to ask about yourself");
  std::vector<access::Use> uses;
  std::vector<Asked> asked;
  if (auto table = QueryText(call.query, "table")) uses = UsesOfTable(*table);
  if (auto model = QueryText(call.query, "model")) uses.push_back(access::Use::OfModel(*model));
  if (auto deployment = QueryText(call.query, "deployment")) {
    auto runs = AskAboutDeployment(parts, call, *deployment, uses);
    if (!runs) return runs.error();
    asked.push_back(std::move(*runs));
  }
  if (who) {
    auto person = AskAboutPerson(parts, *who);
    if (!person) return person.error();
    asked.push_back(std::move(*person));
  }
  if (roles) asked.push_back({"roles", {Items(*roles)}});
  if (!who && !roles) asked.push_back({call.who.username, mine});
  json::array items;
  const auto& rules = parts.rights.options().rules;
  for (const auto& one : asked) {
    for (const auto& use : uses) {
      auto decision = access::Decide(rules, one.holder, use);
      items.push_back(ViewOf(one, access::NameOf(use), use.right, decision.allowed, decision.because));
    }
    if (!uses.empty()) continue;
    for (const auto& grant : access::GrantsOf(rules, one.holder))
      items.push_back(ViewOf(one, grant.what, grant.right, true, grant.because));
  }
  return JsonAnswer(200, json::object{{"items", std::move(items)}, {"next_cursor", nullptr}});
}

}  // namespace slipway::server
