#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"

namespace slipway::server {

/// What keeps the server from working, as threads of its own have last found it: whoever asks waits for nothing, and
/// hears of what does not answer by the age of its last answer.
class Readiness {
 public:
  struct Check {
    std::string name;                ///< "store"
    std::function<Result<>()> look;  ///< may take as long as it likes
  };
  /// Looks at each at once and then every second. Waits a moment for the first answers.
  explicit Readiness(std::vector<Check> checks);
  ~Readiness();

  /// What does not work, or has not answered for a while: its name, and why.
  Result<> Now() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A check that the folder can be written to: a small file is, and there is room for more.
Result<> CheckDisk(const std::string& folder);

}  // namespace slipway::server
