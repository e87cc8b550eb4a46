#pragma once

#include <soci/soci.h>

#include <concepts>
#include <optional>
#include <string>
#include <unordered_map>
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

/// A connection, with the statements that were prepared on it. Used by one thread at a time.
class Session : public soci::session {
 public:
  /// A statement with nothing bound, prepared at its first use.
  soci::statement& Prepared(const std::string& text);
  /// Drops the statements, and closes.
  void Close();

 private:
  std::unordered_map<std::string, std::unique_ptr<soci::statement>> prepared_;
};

/// Nothing stays bound to a statement beyond its use, nor open where it was not read to its end.
class Bound {
 public:
  explicit Bound(soci::statement& statement) : statement_(statement) {}
  Bound(const Bound&) = delete;
  Bound& operator=(const Bound&) = delete;
  ~Bound() { statement_.bind_clean_up(); }

 private:
  soci::statement& statement_;
};

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
  int64_t Execute(sql::Session& session, const std::string& statement);

  /// Runs a query; `read` makes a T of each row, or an error.
  template <typename T, typename F>
  Result<std::vector<T>> Select(sql::Session& session, const std::string& query, F&& read) {
    std::vector<T> items;
    std::optional<Error> unread;
    soci::row row;
    auto& statement = session.Prepared(query);
    Bound bound(statement);
    Bind(statement);
    statement.exchange(soci::into(row));
    statement.define_and_bind();
    statement.execute(false);
    while (statement.fetch()) {  // to the end, so that SQLite's snapshot does not stay open
      if (unread) continue;
      auto item = Result<T>(read(row));
      if (item)
        items.push_back(std::move(*item));
      else
        unread = item.error();
    }
    if (unread) return Failure(*unread);
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
