#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "base/error.h"

namespace slipway::model {

/// Whose a model's processes are (python.user).
struct OtherUser {
  uid_t user = 0;
  gid_t group = 0;
};

/// kInvalid: there is no such user, it is root, or this process may not become another user.
Result<OtherUser> FindUser(const std::string& name);

/// A new folder below `place`, which is this user's alone, as the other one's own; they may pass through `place`.
Result<std::filesystem::path> MakeHome(const OtherUser& user, const std::filesystem::path& place);

/// Where the other user can read the model: where it is, or else a copy below `place`.
Result<std::filesystem::path> ReadableModel(const OtherUser& user, const std::filesystem::path& model,
                                            const std::filesystem::path& place);

}  // namespace slipway::model
