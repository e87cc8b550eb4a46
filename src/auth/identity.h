#pragma once

#include <optional>
#include <set>
#include <string>

#include "base/subject.h"

namespace slipway::auth {

/// The one run that a run token can tell of.
struct RunGrant {
  std::string deployment_id, run_id;
};

/// What a key of a service account may be used for.
struct KeyScope {
  std::set<std::string> scopes;                 ///< words of the table in permissions.cc
  std::optional<std::set<std::string>> models;  ///< absent: all models

  bool operator==(const KeyScope&) const = default;
};

/// Who is asking.
struct Identity {
  enum class Kind { kNobody, kUserKey, kToken, kPlatform, kServiceKey, kRunToken };
  Kind kind = Kind::kNobody;
  /// Keycloak's `sub`; "platform" for the platform PSK, "service-account:<name>", "run:<id>"
  std::string subject;
  std::string username;  ///< for people
  std::set<std::string> roles;
  bool admin = false;             ///< has the configured admin role
  std::optional<KeyScope> scope;  ///< of kServiceKey
  std::optional<RunGrant> run;    ///< of kRunToken

  /// Whether what the caller may do at all reaches this model.
  bool Covers(const std::string& model) const { return !scope || !scope->models || scope->models->contains(model); }

  /// Who stays on the record.
  Subject named() const {
    auto known_as = kind == Kind::kPlatform                                ? SubjectKind::kPlatform
                    : kind == Kind::kServiceKey || kind == Kind::kRunToken ? SubjectKind::kService
                                                                           : SubjectKind::kPerson;
    return {known_as, subject};
  }
};

inline const char* ToString(Identity::Kind kind) {
  switch (kind) {
    case Identity::Kind::kNobody: return "nobody";
    case Identity::Kind::kUserKey: return "user_psk";
    case Identity::Kind::kToken: return "token";
    case Identity::Kind::kPlatform: return "platform_psk";
    case Identity::Kind::kServiceKey: return "service_key";
    case Identity::Kind::kRunToken: return "run_token";
  }
  return "";
}

}  // namespace slipway::auth
