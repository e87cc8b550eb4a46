#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "contract/description.h"
#include "database/sql.h"

/// One line for each column of a record: from it come what is read, inserted, updated and, where it has a `text`, shown
/// and described. For the .cc files of the store.
namespace slipway::deployments {

enum class Use { kGiven, kInserted, kChanged };  ///< by the store itself; once; with each change

template <typename Record>
struct Column {
  const char* name;  ///< in the table and, where it is shown, in answers
  Use use;
  std::string (*bind)(sql::Values& values, const Record& record);
  Result<> (*read)(Record& record, const soci::row& row, size_t i);
  const char* text;  ///< for people; null for what is not shown
  boost::json::value (*show)(const Record& record);
  contract::TypeDescription (*describe)();
};

/// How a member of type T is bound, read, shown and described: overloads beside the types, found in column_types.h.
template <auto Member>
struct MemberOf;
template <typename R, typename T, T R::* Member>
struct MemberOf<Member> {
  using Record = R;
  using Type = T;
};

/// Reads every column of `row`, from `first` on. A column that cannot be read leaves its member as it is; the first
/// such one is told.
template <typename Record, size_t N>
std::optional<std::string> ReadColumns(const std::array<Column<Record>, N>& columns, Record& record,
                                       const soci::row& row, size_t first) {
  std::optional<std::string> damage;
  for (size_t i = 0; i < N; ++i) {
    std::string why;
    try {
      if (auto read = columns[i].read(record, row, first + i); !read) why = read.error().message;
    } catch (const std::exception& error) {  // SOCI's, of another type
      why = error.what();
    }
    if (!why.empty() && !damage) damage = std::string(columns[i].name) + ": " + why;
  }
  return damage;
}

/// "r.run_id, r.status, …"
template <typename Record, size_t N>
std::string Names(const std::array<Column<Record>, N>& columns, std::string_view prefix) {
  std::string names;
  for (const auto& column : columns) names += (names.empty() ? "" : ", ") + std::string(prefix) + "." + column.name;
  return names;
}

/// "INSERT INTO table (…) VALUES (…) ON CONFLICT DO NOTHING"; `others`: columns beside them, with their placeholders.
template <typename Record, size_t N>
std::string Insert(const char* table, const std::array<Column<Record>, N>& columns, sql::Values& values,
                   const Record& record, std::vector<std::pair<std::string, std::string>> others) {
  for (const auto& column : columns)
    if (column.use != Use::kGiven) others.emplace_back(column.name, column.bind(values, record));
  std::string names, placeholders;
  for (const auto& [name, placeholder] : others) {
    names += (names.empty() ? "" : ", ") + name;
    placeholders += (placeholders.empty() ? "" : ", ") + placeholder;
  }
  return std::string("INSERT INTO ") + table + " (" + names + ") VALUES (" + placeholders + ") ON CONFLICT DO NOTHING";
}

/// "status = …, attempt = …"
template <typename Record, size_t N>
std::string Assignments(const std::array<Column<Record>, N>& columns, sql::Values& values, const Record& record) {
  std::string text;
  for (const auto& column : columns)
    if (column.use == Use::kChanged)
      text += (text.empty() ? "" : ", ") + std::string(column.name) + " = " + column.bind(values, record);
  return text;
}

}  // namespace slipway::deployments
