#pragma once

#include <array>
#include <string>
#include <string_view>

namespace slipway {

/// What kind of somebody has done something.
enum class SubjectKind { kPlatform, kPerson, kService };
inline constexpr std::array<std::string_view, 3> kSubjectKinds = {"platform", "person", "service"};
constexpr std::string_view ToString(SubjectKind kind) { return kSubjectKinds.at(static_cast<size_t>(kind)); }

/// Who has done something: an id is unique only among those of its kind. An issuer may well call a person "platform".
struct Subject {
  SubjectKind kind = SubjectKind::kPerson;
  std::string id;

  bool operator==(const Subject&) const = default;
};

}  // namespace slipway
