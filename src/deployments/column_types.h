#pragma once

#include <optional>
#include <string>
#include <vector>

#include "deployments/columns.h"
#include "deployments/records.h"

/// How a member of each type is bound, read, shown and described.
namespace slipway::deployments {

template <typename T>
constexpr bool kIsOptional = false;
template <typename T>
constexpr bool kIsOptional<std::optional<T>> = true;

template <typename T>
std::string BindMember(sql::Values& values, const T& member) {
  if constexpr (std::is_enum_v<T>)
    return values(ToString(member));
  else
    return values(member);
}

template <typename T>
Result<> Assign(T& member, const Result<T>& value) {
  TRY(value);
  member = *value;
  return {};
}

template <typename T>
Result<> ReadMember(T& member, const soci::row& row, size_t i) {
  auto require = [&](auto value) -> Result<> {
    if (!value) return Fail(ErrorKind::kCorrupt, "is NULL");
    member = static_cast<T>(std::move(*value));
    return {};
  };
  if constexpr (std::is_same_v<T, std::optional<std::string>>)
    return member = sql::Text(row, i), Result<>();
  else if constexpr (std::is_same_v<T, std::optional<int64_t>>)
    return member = sql::Number(row, i), Result<>();
  else if constexpr (std::is_same_v<T, std::optional<Timestamp>>)
    return member = sql::Time(row, i), Result<>();
  else if constexpr (std::is_same_v<T, std::string>)
    return require(sql::Text(row, i));
  else if constexpr (std::is_same_v<T, Timestamp>)
    return require(sql::Time(row, i));
  else if constexpr (std::is_enum_v<T>)
    return Assign(member, ParseWord<T>(sql::Text(row, i).value_or("")));
  else
    return require(sql::Number(row, i));
}

template <typename T>
boost::json::value ShowMember(const T& member) {
  if constexpr (kIsOptional<T>)
    return member ? ShowMember(*member) : boost::json::value(nullptr);
  else if constexpr (std::is_same_v<T, Timestamp>)
    return boost::json::value(FormatTimestamp(member));
  else if constexpr (std::is_enum_v<T>)
    return boost::json::value(ToString(member));
  else
    return boost::json::value(member);
}

template <typename T>
contract::TypeDescription DescribeMember() {
  using Kind = contract::TypeDescription::Kind;
  if constexpr (kIsOptional<T>) {
    auto described = DescribeMember<typename T::value_type>();
    described.nullable = true;
    return described;
  } else if constexpr (std::is_enum_v<T>) {
    return {.kind = Kind::kLiteral, .literals = AllWords<T>()};
  } else {
    return {.kind = std::is_integral_v<T> ? Kind::kInteger : Kind::kString};
  }
}

/// A column that is the member `Member`; with `text` it is shown.
template <auto Member>
constexpr auto Field(const char* name, Use use, const char* text = nullptr) {
  using Record = typename MemberOf<Member>::Record;
  using Type = typename MemberOf<Member>::Type;
  return Column<Record>{
      name,
      use,
      [](sql::Values& values, const Record& record) { return BindMember(values, record.*Member); },
      [](Record& record, const soci::row& row, size_t i) { return ReadMember(record.*Member, row, i); },
      text,
      [](const Record& record) { return ShowMember(record.*Member); },
      [] { return DescribeMember<Type>(); }};
}

/// The same, shown as text: a number of 63 bits, which JavaScript cannot hold.
template <auto Member>
constexpr auto FieldShownAsText(const char* name, Use use, const char* text) {
  using Record = typename MemberOf<Member>::Record;
  auto column = Field<Member>(name, use, text);
  column.show = [](const Record& record) {
    const auto& member = record.*Member;
    return member ? boost::json::value(std::to_string(*member)) : boost::json::value(nullptr);
  };
  column.describe = [] { return DescribeMember<std::optional<std::string>>(); };
  return column;
}

/// A message, in whose place the damage of a record is shown where there is some.
template <auto Member>
constexpr auto DamageOr(const char* name, Use use, const char* text) {
  using Record = typename MemberOf<Member>::Record;
  auto column = Field<Member>(name, use, text);
  column.show = [](const Record& record) { return ShowMember(record.damage ? record.damage : record.*Member); };
  return column;
}

}  // namespace slipway::deployments
