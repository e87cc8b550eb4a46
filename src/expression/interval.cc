#include "expression/interval.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <string>
#include <vector>

#include "base/format.h"

namespace slipway::expression {
namespace {

using namespace std::chrono;

constexpr int64_t kSecond = 1'000'000, kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;

struct Unit {
  std::string_view name;
  int months;
  int days;
  int64_t micros;
};
constexpr std::array kUnits = {
    Unit{"microsecond", 0, 0, 1},  Unit{"millisecond", 0, 0, 1000},
    Unit{"second", 0, 0, kSecond}, Unit{"sec", 0, 0, kSecond},
    Unit{"minute", 0, 0, kMinute}, Unit{"min", 0, 0, kMinute},
    Unit{"hour", 0, 0, kHour},     Unit{"day", 0, 1, 0},
    Unit{"week", 0, 7, 0},         Unit{"month", 1, 0, 0},
    Unit{"mon", 1, 0, 0},          Unit{"year", 12, 0, 0},
    Unit{"decade", 120, 0, 0},
};

const Unit* FindUnit(std::string_view name) {
  for (const auto& unit : kUnits) {
    if (unit.name == name) return &unit;
    if (name.size() == unit.name.size() + 1 && name.ends_with('s') && name.starts_with(unit.name)) return &unit;
  }
  return nullptr;
}

bool ParseClock(std::string_view word, Interval& interval) {
  int sign = word.starts_with('-') ? -1 : 1;
  if (word.starts_with('-') || word.starts_with('+')) word.remove_prefix(1);
  std::array<double, 3> part{};
  size_t count = 0;
  while (count < 3) {
    auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), part[count]);
    if (code != std::errc{} || part[count] < 0 || part[count] > 1e6) return false;
    word.remove_prefix(static_cast<size_t>(end - word.data()));
    ++count;
    if (word.empty()) break;
    if (word.front() != ':') return false;
    word.remove_prefix(1);
  }
  if (count < 2 || !word.empty()) return false;
  interval.micros += sign * std::llround((part[0] * 3600 + part[1] * 60 + part[2]) * kSecond);
  return true;
}

year_month_day DateOf(int64_t micros) { return year_month_day{sys_days{floor<days>(microseconds{micros})}}; }

int64_t MicrosOf(year_month_day ymd) { return sys_days{ymd}.time_since_epoch().count() * kDay; }

/// ISO 8601's week: its number, and the year it belongs to.
std::pair<int, int> IsoWeek(int64_t micros) {
  sys_days day{floor<days>(microseconds{micros})};
  auto thursday = day - (weekday{day} - Monday) + days{3};
  auto y = year_month_day{thursday}.year();
  auto week = (thursday - sys_days{y / January / 1}).count() / 7 + 1;
  return {static_cast<int>(week), static_cast<int>(y)};
}

}  // namespace

Result<Interval> ParseInterval(std::string_view text) {
  auto bad = [&] { return Fail(ErrorKind::kInvalid, "'{}' is not an interval such as '7 days' or '1 month'", text); };
  Interval interval;
  std::vector<std::string> words;
  std::string word;
  for (char c : std::string(text) + " ") {
    bool digit = (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+' || c == ':';
    bool was_digit = !word.empty() && !std::isalpha(static_cast<unsigned char>(word.back()));
    if (c == ' ' || (!word.empty() && digit != was_digit)) {
      if (!word.empty()) words.push_back(std::move(word));
      word.clear();
    }
    if (c != ' ') word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  if (words.empty()) return bad();
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i].find(':') != std::string::npos) {
      if (!ParseClock(words[i], interval)) return bad();
      continue;
    }
    double count = 0;
    auto begin = words[i].data() + (words[i].starts_with('+') ? 1 : 0);
    auto [end, code] = std::from_chars(begin, words[i].data() + words[i].size(), count);
    if (code != std::errc{} || end != words[i].data() + words[i].size() || !(std::abs(count) <= 1e6) ||
        ++i == words.size())
      return bad();
    const auto* unit = FindUnit(words[i]);
    if (unit == nullptr) return bad();
    if (unit->micros != 0) {
      interval.micros += std::llround(count * static_cast<double>(unit->micros));
    } else if (count != std::trunc(count)) {
      return Fail(ErrorKind::kInvalid, "'{}': fractions are allowed for hours and smaller units only", text);
    } else {
      interval.months += static_cast<int32_t>(count) * unit->months;
      interval.days += static_cast<int32_t>(count) * unit->days;
    }
  }
  return interval;
}

int64_t AddInterval(int64_t micros, const Interval& interval, int sign) {
  if (interval.months != 0) {
    auto day = floor<days>(microseconds{micros});
    auto in_day = micros - day.count() * kDay;
    auto ymd = year_month_day{sys_days{day}} + months{sign * interval.months};
    if (!ymd.ok()) ymd = ymd.year() / ymd.month() / last;
    micros = MicrosOf(ymd) + in_day;
  }
  return micros + sign * (interval.days * kDay + interval.micros);
}

bool IsTruncUnit(std::string_view unit) {
  static constexpr std::string_view kNames[] = {"microseconds", "milliseconds", "second", "minute",
                                                "hour",         "day",          "week",   "month",
                                                "quarter",      "year",         "decade", "century"};
  return std::ranges::find(kNames, unit) != std::end(kNames);
}

int64_t Truncate(int64_t micros, std::string_view unit) {
  auto floor_to = [micros](int64_t size) { return micros - (((micros % size) + size) % size); };
  if (unit == "microseconds") return micros;
  if (unit == "milliseconds") return floor_to(1000);
  if (unit == "second") return floor_to(kSecond);
  if (unit == "minute") return floor_to(kMinute);
  if (unit == "hour") return floor_to(kHour);
  if (unit == "day") return floor_to(kDay);
  auto ymd = DateOf(micros);
  if (unit == "week") {
    sys_days day{ymd};
    return (day - (weekday{day} - Monday)).time_since_epoch().count() * kDay;
  }
  auto y = static_cast<int>(ymd.year());
  auto m = static_cast<unsigned>(ymd.month());
  if (unit == "quarter") m = (m - 1) / 3 * 3 + 1;
  if (unit == "year" || unit == "decade" || unit == "century") m = 1;
  if (unit == "decade") y -= ((y % 10) + 10) % 10;
  if (unit == "century") y -= (((y - 1) % 100) + 100) % 100;
  return MicrosOf(year{y} / month{m} / 1);
}

bool IsExtractUnit(std::string_view unit) {
  static constexpr std::string_view kNames[] = {"year",    "month", "day",     "hour",         "minute",
                                                "second",  "dow",   "isodow",  "doy",          "week",
                                                "quarter", "epoch", "isoyear", "milliseconds", "microseconds"};
  return std::ranges::find(kNames, unit) != std::end(kNames);
}

double Extract(int64_t micros, std::string_view unit) {
  auto ymd = DateOf(micros);
  sys_days day{ymd};
  auto in_day = micros - MicrosOf(ymd);
  if (unit == "year") return static_cast<int>(ymd.year());
  if (unit == "month") return static_cast<unsigned>(ymd.month());
  if (unit == "day") return static_cast<unsigned>(ymd.day());
  if (unit == "quarter") return (static_cast<unsigned>(ymd.month()) + 2) / 3;
  if (unit == "dow") return weekday{day}.c_encoding();
  if (unit == "isodow") return weekday{day}.iso_encoding();
  if (unit == "doy") return static_cast<double>((day - sys_days{ymd.year() / January / 1}).count() + 1);
  if (unit == "week") return IsoWeek(micros).first;
  if (unit == "isoyear") return IsoWeek(micros).second;
  if (unit == "epoch") return static_cast<double>(micros) / kSecond;
  if (unit == "hour") return static_cast<double>(in_day / kHour);
  if (unit == "minute") return static_cast<double>(in_day / kMinute % 60);
  if (unit == "second") return static_cast<double>(in_day % kMinute) / kSecond;
  if (unit == "milliseconds") return static_cast<double>(in_day % kMinute) / 1000;
  return static_cast<double>(in_day % kMinute);
}

}  // namespace slipway::expression
