#include "server/rights.h"

#include "base/format.h"
#include "base/log.h"
#include "database/sql.h"
#include "deployments/subjects.h"

namespace slipway::server {
namespace {

/// Never edit one that was released: add another, with the next number of all folders (see server/serve.cc).
constexpr Migration kMigrations[] = {
    {42, "CREATE TABLE access_standard (mode TEXT NOT NULL)"},
    {43, R"(INSERT INTO access_standard (mode)
              SELECT CASE WHEN EXISTS (SELECT 1 FROM deployments) THEN 'warn' ELSE 'enforce' END)"},
};

constexpr int kPage = 500;

}  // namespace

std::span<const Migration> Rights::Migrations() { return kMigrations; }

Result<Rights::Mode> Rights::StandardMode(Database& database) {
  std::string mode;
  TRY(database.Read([&](sql::Session& session) -> Result<> {
    session << "SELECT mode FROM access_standard", soci::into(mode);
    return {};
  }));
  return mode == "warn" ? Mode::kWarn : Mode::kEnforce;
}

std::vector<access::Use> Rights::UsesOf(const scoring::Work& work) {
  return {access::Use::OfModel(work.model.name),
          access::Use::Reads(work.source.catalog, work.source.schema, work.source.table),
          access::Use::Writes(work.target.catalog, work.target.schema, work.target.table)};
}

/// Nothing for somebody unknown, for a service account that was removed, and for the platform.
Result<std::optional<auth::Person>> Rights::Find(const Subject& subject) const {
  if (subject.kind == SubjectKind::kPlatform) return std::nullopt;
  auto found = people_.FindPerson(subject.id);
  if (found && subject.kind == SubjectKind::kService)
    if (auto account = services_.Find(found->username); !account) found = Failure(account.error());
  if (!found && found.error().kind == ErrorKind::kNotFound) return std::nullopt;
  return found;
}

Result<access::Holder> Rights::HolderOf(const Subject& subject) const {
  if (subject.kind == SubjectKind::kPlatform) return access::Holder{{}, true};
  ASSIGN(auto somebody, Find(subject));
  if (!somebody) return access::Holder{};
  // A service account is no administrator, whatever its roles.
  bool admin = subject.kind == SubjectKind::kPerson && !options_.admin_role.empty() &&
               somebody->roles.contains(options_.admin_role);
  return access::Holder{std::move(somebody->roles), admin};
}

Result<> Rights::Require(const auth::Identity& who, const scoring::Work& work) const {
  if (options_.mode == Mode::kOff) return {};
  auto missing = access::Missing(options_.rules, HolderOf(who), UsesOf(work));
  if (!missing) return {};
  auto message = fmt::format(
      "you have no right to that: no rule allows {} to one of your roles ({}). {} can allow it, by a rule in "
      "access.rules",
      *missing, who.roles.empty() ? "you have none" : fmt::format("{}", fmt::join(who.roles, ", ")),
      options_.contact.empty() ? "Whoever keeps this server's configuration" : options_.contact);
  if (options_.mode == Mode::kEnforce) return Fail(ErrorKind::kDenied, message);
  Log(LogLevel::kWarning, "access_would_refuse", {{"actor", who.subject}, {"error", message}});
  return {};
}

Result<std::optional<std::string>> Rights::MissingOf(const deployments::Deployment& deployment) const {
  ASSIGN(auto holder, HolderOf(deployments::RightsHolderOf(deployment)));
  auto missing = access::Missing(options_.rules, holder, UsesOf(deployment.spec.batch));
  if (!missing) return std::nullopt;
  ASSIGN(auto person, Find(deployments::RightsHolderOf(deployment)));
  return fmt::format(
      "the deployment has not the rights to run: it has those of {}, and no rule allows {} to their roles. {} can "
      "allow it, by a rule in access.rules; or somebody who has the rights says anew what it does (PATCH)",
      person ? person->username : deployment.rights_of, *missing,
      options_.contact.empty() ? "Whoever keeps this server's configuration" : options_.contact);
}

Result<> Rights::RequireOf(const deployments::Deployment& deployment) const {
  if (options_.mode != Mode::kEnforce) return {};
  ASSIGN(auto missing, MissingOf(deployment));
  if (missing) return Fail(ErrorKind::kDenied, *missing);
  return {};
}

Result<> Rights::TellWhatIsRefused(deployments::Store& store) const {
  if (options_.mode == Mode::kOff) return {};
  std::optional<int64_t> cursor;
  size_t refused = 0;
  do {
    ASSIGN(auto page, store.ListDeployments({}, kPage, cursor));
    for (const auto& [deployment, run] : page.items) {
      if (deployment.damage) continue;
      auto missing = MissingOf(deployment);
      if (missing && !*missing) continue;
      ++refused;
      Log(LogLevel::kWarning, options_.mode == Mode::kWarn ? "access_would_refuse" : "access_refuses",
          {{"model", deployment.model},
           {"deployment", deployment.name},
           {"error", missing ? **missing : missing.error().message}});
    }
    cursor = page.next;
  } while (cursor);
  if (options_.mode == Mode::kWarn)
    Log(LogLevel::kWarning, "access_not_enforced",
        {{"would_refuse", std::to_string(refused)},
         {"advice", "write access.rules for what shall go on, then set access.mode to enforce"}});
  return {};
}

}  // namespace slipway::server
