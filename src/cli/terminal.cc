#include "cli/terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace slipway::cli {
namespace {

size_t Width(const std::string& text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

/// Control characters from data must not drive the terminal.
std::string Printable(std::string text) {
  for (auto& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return text;
}

}  // namespace

void PrintTable(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& name : header) widths.push_back(Width(name));
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  auto print = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (size_t i = 0; i < cells.size(); ++i) {
      line += Printable(cells[i]);
      if (i + 1 < cells.size()) line += std::string(widths[i] - Width(cells[i]) + 2, ' ');
    }
    fmt::print("{}\n", line);
  };
  print(header);
  for (const auto& row : rows) print(row);
}

void ProgressBar::Show(int64_t done, int64_t total, const std::string& text) {
  if (isatty(STDERR_FILENO) == 0) return;
  constexpr int kWidth = 30;
  auto filled = total <= 0 ? 0 : static_cast<int>(std::min<int64_t>(done, total) * kWidth / total);
  fmt::print(stderr, "\r[{}{}] {}\033[K", std::string(static_cast<size_t>(filled), '#'),
             std::string(static_cast<size_t>(kWidth - filled), ' '), text);
  std::fflush(stderr);
}

void ProgressBar::Finish(const std::string& text) {
  fmt::print(stderr, "{}{}\n", isatty(STDERR_FILENO) == 0 ? "" : "\r\033[K", text);
}

}  // namespace slipway::cli
