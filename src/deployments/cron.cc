#include "deployments/cron.h"

#include <date/tz.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include "base/format.h"

namespace slipway::deployments {
namespace {

using namespace std::chrono;

struct FieldRule {
  std::string_view name;
  int low, high;
  std::vector<std::string_view> names;  ///< of the values from `low` on
};

const std::vector<FieldRule>& Rules() {
  static const std::vector<FieldRule> kRules = {
      {"minute", 0, 59, {}},
      {"hour", 0, 23, {}},
      {"day of month", 1, 31, {}},
      {"month", 1, 12, {"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
      {"day of week", 0, 7, {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}}};
  return kRules;
}

Result<int> ParseValue(std::string_view text, const FieldRule& rule) {
  std::string upper(text);
  std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  for (size_t i = 0; i < rule.names.size(); ++i)
    if (rule.names[i] == upper) return rule.low + static_cast<int>(i);
  int value = 0;
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || code != std::errc{} || end != text.data() + text.size())
    return Fail(ErrorKind::kInvalid, "the {} field has '{}', which is not a value of it", rule.name, text);
  if (value < rule.low || value > rule.high)
    return Fail(ErrorKind::kInvalid, "the {} field has {}, but allows {} to {}", rule.name, value, rule.low, rule.high);
  return value;
}

/// One item of a list: `*`, `a`, `a-b`, each with an optional `/step`.
Result<> AddItem(std::string_view item, const FieldRule& rule, uint64_t& bits) {
  int step = 1;
  auto slash = item.find('/');
  auto range = item.substr(0, slash);
  if (slash != std::string_view::npos) {
    auto text = item.substr(slash + 1);
    auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), step);
    if (text.empty() || code != std::errc{} || end != text.data() + text.size() || step < 1)
      return Fail(ErrorKind::kInvalid, "the {} field has the step '{}'", rule.name, text);
  }
  int from = rule.low, to = rule.high;
  if (range != "*") {
    auto dash = range.find('-');
    ASSIGN(from, ParseValue(range.substr(0, dash), rule));
    to = slash == std::string_view::npos ? from : rule.high;
    if (dash != std::string_view::npos) {
      ASSIGN(to, ParseValue(range.substr(dash + 1), rule));
    }
    if (to < from)
      return Fail(ErrorKind::kInvalid, "the {} field has the range {}, which runs backwards", rule.name, range);
  }
  for (int value = from; value <= to; value = step > rule.high ? to + 1 : value + step) bits |= uint64_t{1} << value;
  return {};
}

Result<uint64_t> ParseField(std::string_view text, const FieldRule& rule) {
  uint64_t bits = 0;
  while (true) {
    auto comma = text.find(',');
    TRY(AddItem(text.substr(0, comma), rule, bits));
    if (comma == std::string_view::npos) return bits;
    text.remove_prefix(comma + 1);
  }
}

std::string_view Expand(std::string_view text) {
  static constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"},
      {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}};
  for (const auto& [name, meaning] : kNames)
    if (name == text) return meaning;
  return text;
}

bool Has(uint64_t bits, unsigned value) { return (bits >> value & 1) != 0; }

}  // namespace

Result<Cron> Cron::Parse(std::string_view original) {
  if (original.size() > 1000) return Fail(ErrorKind::kInvalid, "the cron expression is longer than 1000 characters");
  auto text = Expand(original);
  std::vector<std::string_view> fields;
  for (size_t at = 0; at < text.size();) {
    auto end = std::min(text.find_first_of(" \t", at), text.size());
    if (end > at) fields.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  if (fields.size() != 5)
    return Fail(
        ErrorKind::kInvalid,
        "'{}' is not a cron expression: write five fields (minute hour day month weekday) or @daily and the like",
        original);
  Cron cron;
  uint64_t* bits[] = {&cron.minutes_, &cron.hours_, &cron.days_, &cron.months_, &cron.weekdays_};
  for (size_t i = 0; i < 5; ++i) {
    ASSIGN(*bits[i], Wrap(ParseField(fields[i], Rules()[i]), fmt::format("'{}'", original)));
  }
  if (Has(cron.weekdays_, 7)) cron.weekdays_ |= 1;
  cron.every_hour_ = fields[1].starts_with('*');
  cron.both_days_ = fields[2].starts_with('*') || fields[4].starts_with('*');
  if (!cron.Find(sys_days{year{2000} / 1 / 1}))
    return Fail(ErrorKind::kInvalid, "'{}' never comes: no date is like that", original);
  return cron;
}

bool Cron::DayMatches(year_month_day day) const {
  bool of_month = Has(days_, static_cast<unsigned>(day.day()));
  bool of_week = Has(weekdays_, weekday{sys_days{day}}.c_encoding());
  return both_days_ ? of_month && of_week : of_month || of_week;
}

std::optional<Timestamp> Cron::Find(Timestamp t) const {
  auto minute = floor<minutes>(t) + minutes{1};
  auto day = floor<days>(minute);
  // 29 February on a given weekday comes every 28 years, or 40 across 2100.
  for (auto last = day + years{41}; day < last; day += days{1}, minute = day) {
    year_month_day date{day};
    if (!Has(months_, static_cast<unsigned>(date.month())) || !DayMatches(date)) continue;
    for (; minute < day + days{1}; minute += minutes{1}) {
      hh_mm_ss time{minute - day};
      if (!Has(hours_, static_cast<unsigned>(time.hours().count()))) {
        minute += minutes{59 - time.minutes().count()};
        continue;
      }
      if (Has(minutes_, static_cast<unsigned>(time.minutes().count()))) return Timestamp{minute};
    }
  }
  return std::nullopt;
}

Timestamp Cron::Next(Timestamp t, const date::time_zone* zone) const {
  if (zone == nullptr) return Find(t).value_or(t + years{41});
  return every_hour_ ? NextInPassingTime(t, *zone) : NextAtFixedHours(t, *zone);
}

// In the two below a Timestamp named `wall` counts what a clock on the wall shows, as if it were UTC.

Timestamp Cron::NextAtFixedHours(Timestamp t, const date::time_zone& zone) const {
  Timestamp wall{zone.to_local(t).time_since_epoch()};
  while (true) {
    auto next = Find(wall);
    if (!next) return t + years{41};
    auto info = zone.get_info(date::local_time<microseconds>{next->time_since_epoch()});
    auto instant = info.result == date::local_info::nonexistent ? Timestamp{info.first.end} : *next - info.first.offset;
    if (instant > t) return instant;
    wall = *next;
  }
}

Timestamp Cron::NextInPassingTime(Timestamp t, const date::time_zone& zone) const {
  for (auto last = t + years{41}; t < last;) {
    auto info = zone.get_info(t);
    auto next = Find(t + info.offset);
    if (!next) break;
    if (*next - info.offset < info.end) return *next - info.offset;
    t = Timestamp{info.end} - microseconds{1};
    auto after = zone.get_info(Timestamp{info.end});
    auto shown = Find(t + after.offset);
    if (shown && *shown - after.offset < after.end) return *shown - after.offset;
    t = Timestamp{info.end};
  }
  return t + years{41};
}

Timestamp Cron::Last(Timestamp t, const date::time_zone* zone) const {
  for (microseconds back = hours{1}; back < years{82}; back *= 2) {
    auto last = Next(t - back, zone);
    if (last > t) continue;
    for (auto next = Next(last, zone); next <= t; next = Next(last, zone)) last = next;
    return last;
  }
  return t;
}

bool Cron::FiresTwiceOnSomeDay(const date::time_zone* zone) const {
  if (std::popcount(minutes_) * std::popcount(hours_) > 1) return true;
  if (zone == nullptr) return false;
  // Once a day by the clock on the wall: only where that clock changes can two ticks come within a day, and mostly the
  // time of day in UTC tells that they do not: the second one comes earlier by what the clock is put forward.
  constexpr Timestamp kFrom{sys_days{year{2000} / 1 / 1}}, kTo{sys_days{year{2037} / 12 / 1}};
  const seconds wall = hours{std::countr_zero(hours_)} + minutes{std::countr_zero(minutes_)};
  auto before = zone->get_info(kFrom);
  for (Timestamp change{before.end}; change < kTo; change = Timestamp{before.end}) {
    auto after = zone->get_info(change);
    auto first = (wall - before.offset + days{1}) % days{1}, forward = after.offset - before.offset;
    before = after;
    if (!every_hour_ && first >= forward && -hours{2} <= forward) continue;
    auto tick = Next(change - days{2}, zone);
    for (auto next = Next(tick, zone); tick < change + days{2}; tick = std::exchange(next, Next(next, zone)))
      if (floor<days>(tick) == floor<days>(next)) return true;
  }
  return false;
}

Timestamp StartOfDay(sys_days day, const date::time_zone* zone) {
  if (zone == nullptr) return day;
  return zone->to_sys(date::local_days{day.time_since_epoch()}, date::choose::earliest);
}

Result<const date::time_zone*> FindTimeZone(const std::string& name) {
  if (name == "UTC") return nullptr;
  try {
    return date::locate_zone(name);
  } catch (const std::runtime_error&) {
    return Fail(ErrorKind::kInvalid, "no time zone '{}': give a name of the IANA database, such as Europe/Paris", name);
  }
}

}  // namespace slipway::deployments
