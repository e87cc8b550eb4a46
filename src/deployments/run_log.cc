#include "deployments/run_log.h"

#include <algorithm>

#include "base/format.h"
#include "database/sql.h"
#include "deployments/store.h"

namespace slipway::deployments {
namespace {

/// The bytes of the UTF-8 character that starts here; 0 for none.
size_t Character(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const auto first = byte(0);
  const size_t length = first < 0x80   ? 1
                        : first < 0xc2 ? 0
                        : first < 0xe0 ? 2
                        : first < 0xf0 ? 3
                        : first < 0xf5 ? 4
                                       : 0;
  if (length == 0 || length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool beyond = (first == 0xed && byte(1) > 0x9f) || (first == 0xf4 && byte(1) > 0x8f);
  const bool control = (length == 1 && first < 0x20 && first != '\n' && first != '\t') || first == 0x7f;
  return overlong || beyond || control ? 0 : length;
}

}  // namespace

std::string_view RunLog::From(int64_t after) const {
  auto skipped = std::clamp<int64_t>(after - start(), 0, static_cast<int64_t>(text.size()));
  while (skipped < static_cast<int64_t>(text.size()) &&
         (static_cast<uint8_t>(text[static_cast<size_t>(skipped)]) & 0xc0) == 0x80)
    ++skipped;
  return std::string_view(text).substr(static_cast<size_t>(skipped));
}

RunLog MakeRunLog(std::string_view tail, int64_t end) {
  if (tail.size() > RunLog::kMost) tail.remove_prefix(tail.size() - RunLog::kMost);
  RunLog log{.text = {}, .end = end};
  log.text.reserve(tail.size());
  while (!tail.empty()) {
    auto length = Character(tail);
    log.text += length == 0 ? std::string_view("?") : tail.substr(0, length);
    tail.remove_prefix(std::max<size_t>(length, 1));
  }
  return log;
}

Result<> Store::KeepLog(const std::string& run_id, const RunLog& log) {
  return database_.Write([&](sql::Session& session) -> Result<> {
    sql::Values v;
    auto statement = fmt::format(
        "INSERT INTO run_logs (run_id, text, bytes) VALUES ({}, {}, {}) ON CONFLICT (run_id) DO UPDATE SET text = "
        "excluded.text, bytes = excluded.bytes",
        v(run_id), v(log.text), v(log.end));
    v.Execute(session, statement);
    return {};
  });
}

Result<RunLog> Store::FindLog(const std::string& run_id) {
  std::vector<RunLog> found;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values v;
    ASSIGN(found, v.Select<RunLog>(session, "SELECT l.text, l.bytes FROM run_logs l WHERE l.run_id = " + v(run_id),
                                   [](const soci::row& row) {
                                     return RunLog{sql::Text(row, 0).value_or(""), sql::Number(row, 1).value_or(0)};
                                   }));
    return {};
  }));
  return found.empty() ? RunLog{} : std::move(found.front());
}

}  // namespace slipway::deployments
