#pragma once

#include <string>
#include <vector>

namespace slipway::cli {

/// Prints rows under a header line, columns aligned.
void PrintTable(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows);

/// A bar on standard error, redrawn in place on a terminal, a line at the end elsewhere.
class ProgressBar {
 public:
  void Show(int64_t done, int64_t total, const std::string& text);
  void Finish(const std::string& text);
};

}  // namespace slipway::cli
