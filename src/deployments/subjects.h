#pragma once

#include "deployments/records.h"

/// Who made a deployment, and whose rights its runs have.
namespace slipway::deployments {

template <>
struct Words<SubjectKind> {
  static constexpr auto kName = "kind of subject";
  static constexpr auto kAll = kSubjectKinds;
};

inline Subject CreatorOf(const Deployment& deployment) { return {deployment.created_by_kind, deployment.created_by}; }
inline Subject RightsHolderOf(const Deployment& deployment) {
  return {deployment.rights_of_kind, deployment.rights_of};
}

}  // namespace slipway::deployments
