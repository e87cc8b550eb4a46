#pragma once

#include <span>
#include <string>
#include <vector>

#include "access/decide.h"
#include "auth/identity.h"
#include "auth/service_accounts.h"
#include "auth/user_keys.h"
#include "deployments/store.h"

namespace slipway::server {

/// Who may touch which tables and models here: the rules, how strictly they are kept, and whose roles count.
/// Thread-safe. docs/decisions/0015-rights.md tells why it is as it is.
class Rights {
 public:
  /// kOff: without sign-in and without rules, where the platform PSK is the one credential.
  enum class Mode { kOff, kWarn, kEnforce };
  struct Options {
    access::Rules rules;
    Mode mode = Mode::kOff;
    std::string admin_role, contact;
  };
  /// `people` and `services` say who has which roles.
  Rights(Options options, auth::UserKeys& people, auth::ServiceAccounts& services)
      : options_(std::move(options)), people_(people), services_(services) {}

  /// The table that tells a store from before there were rules.
  static std::span<const Migration> Migrations();
  /// kWarn for a store that had deployments before there were rules, so that an upgraded server goes on; else kEnforce.
  static Result<Mode> StandardMode(Database& database);

  const Options& options() const { return options_; }

  /// What a run of `work` touches.
  static std::vector<access::Use> UsesOf(const scoring::Work& work);
  static access::Holder HolderOf(const auth::Identity& who) { return {who.roles, who.admin}; }
  /// With the roles that a person's last token had, or a service account was given; somebody unknown has none.
  Result<access::Holder> HolderOf(const Subject& subject) const;

  /// Whether somebody may have a deployment do `work`. kDenied names what is missing, and who can give it; with kWarn
  /// that is logged, and allowed.
  Result<> Require(const auth::Identity& who, const scoring::Work& work) const;
  /// The same of a deployment, by the rights that its runs have. It is asked often: with kWarn it says nothing.
  Result<> RequireOf(const deployments::Deployment& deployment) const;

  /// Logs each deployment whose runs the rules refuse, or would refuse.
  Result<> TellWhatIsRefused(deployments::Store& store) const;

 private:
  Result<std::optional<std::string>> MissingOf(const deployments::Deployment& deployment) const;
  Result<std::optional<auth::Person>> Find(const Subject& subject) const;
  Options options_;
  auth::UserKeys& people_;
  auth::ServiceAccounts& services_;
};

}  // namespace slipway::server
