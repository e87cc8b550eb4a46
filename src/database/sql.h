#pragma once

#include <soci/soci.h>

#include <concepts>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "database/database.h"

/// For the .cc files of stores: reading rows and binding values with SOCI.
namespace slipway::sql {

inline long long Micros(Timestamp t) { return t.time_since_epoch().count(); }

inline std::optional<int64_t> Number(const soci::row& row, size_t i) {
  if (row.get_indicator(i) == soci::i_null) return std::nullopt;
  if (row.get_properties(i).get_data_type() == soci::dt_integer) return row.get<int>(i);
  return row.get<long long>(i);
}

inline std::optional<std::string> Text(const soci::row& row, size_t i) {
  if (row.get_indicator(i) == soci::i_null) return std::nullopt;
  return row.get<std::string>(i);
}

inline std::optional<Timestamp> Time(const soci::row& row, size_t i) {
  auto micros = Number(row, i);
  return micros ? std::optional(Timestamp{std::chrono::microseconds{*micros}}) : std::nullopt;
}

/// The values of a statement, in the order of its placeholders `:p0`, `:p1`, …; they live as long as this does.
class Values {
 public:
  /// Adds a value (text, number, instant, or an optional of one) and returns its placeholder.
  std::string operator()(std::string_view text) { return Add(std::string(text)); }
  std::string operator()(const char* text) { return Add(std::string(text)); }
  std::string operator()(const std::string& text) { return Add(text); }
  std::string operator()(Timestamp t) { return Add(Micros(t)); }
  std::string operator()(std::integral auto number) { return Add(static_cast<long long>(number)); }
  template <typename T>
  std::string operator()(const std::optional<T>& value) {
    if (value) return (*this)(*value);
    return "NULL";
  }

  /// Runs a statement that gives no rows; how many rows it changed.
  int64_t Execute(soci::session& session, const std::string& statement);

  /// Runs a query; `read` makes a T of each row, or an error.
  template <typename T, typename F>
  Result<std::vector<T>> Select(soci::session& session, const std::string& query, F&& read) {
    std::vector<T> items;
    soci::row row;
    soci::statement statement(session);
    statement.alloc();
    statement.prepare(query);
    Bind(statement);
    statement.exchange(soci::into(row));
    statement.define_and_bind();
    statement.execute(false);
    while (statement.fetch()) {
      ASSIGN(auto item, Result<T>(read(row)));
      items.push_back(std::move(item));
    }
    return items;
  }

 private:
  struct Value {
    bool is_text;
    std::string text;
    long long number;
  };
  std::string Add(std::string text);
  std::string Add(long long number);
  void Bind(soci::statement& statement);
  std::vector<std::unique_ptr<Value>> values_;
};

}  // namespace slipway::sql
