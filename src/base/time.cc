#include "base/time.h"

#include <ctime>

#include "base/format.h"

namespace slipway {
namespace {

using namespace std::chrono;

/// Reads `digits` decimal digits from the front of `text`, or returns -1.
int TakeNumber(std::string_view& text, size_t digits) {
  if (text.size() < digits) return -1;
  int value = 0;
  for (size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool Take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

bool TakeDate(std::string_view& text, sys_days& day) {
  int y = TakeNumber(text, 4);
  if (y < 0 || !Take(text, '-')) return false;
  int m = TakeNumber(text, 2);
  if (m < 0 || !Take(text, '-')) return false;
  int d = TakeNumber(text, 2);
  if (d < 0) return false;
  year_month_day ymd{year{y}, month{static_cast<unsigned>(m)}, std::chrono::day{static_cast<unsigned>(d)}};
  if (!ymd.ok()) return false;
  day = sys_days{ymd};
  return true;
}

/// Microseconds after a decimal point; further digits are cut.
microseconds TakeFraction(std::string_view& text) {
  int64_t value = 0;
  int digits = 0;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    if (digits < 6) value = value * 10 + (text.front() - '0');
    ++digits;
    text.remove_prefix(1);
  }
  for (int i = digits; i < 6; ++i) value *= 10;
  return microseconds{value};
}

bool TakeOffset(std::string_view& text, minutes& offset) {
  if (text.empty() || Take(text, 'Z') || Take(text, 'z')) return true;
  int sign = Take(text, '+') ? 1 : Take(text, '-') ? -1 : 0;
  if (sign == 0) return false;
  int h = TakeNumber(text, 2);
  if (h < 0 || h > 23) return false;
  int m = 0;
  if (!text.empty()) {
    Take(text, ':');
    m = TakeNumber(text, 2);
    if (m < 0 || m > 59) return false;
  }
  offset = sign * minutes{h * 60 + m};
  return true;
}

bool TakeTimestamp(std::string_view& text, Timestamp& result) {
  sys_days day;
  if (!TakeDate(text, day)) return false;
  if (text.empty()) {
    result = day;
    return true;
  }
  if (!Take(text, 'T') && !Take(text, 't') && !Take(text, ' ')) return false;
  int h = TakeNumber(text, 2);
  if (h < 0 || h > 23 || !Take(text, ':')) return false;
  int m = TakeNumber(text, 2);
  if (m < 0 || m > 59) return false;
  int s = 0;
  microseconds fraction{0};
  if (Take(text, ':')) {
    s = TakeNumber(text, 2);
    if (s < 0 || s > 59) return false;
    if (Take(text, '.')) fraction = TakeFraction(text);
  }
  minutes offset{0};
  if (!TakeOffset(text, offset)) return false;
  result = day + hours{h} + minutes{m} + seconds{s} + fraction - offset;
  return true;
}

}  // namespace

std::string FormatDate(sys_days day) {
  year_month_day ymd{day};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(ymd.year()), static_cast<unsigned>(ymd.month()),
                     static_cast<unsigned>(ymd.day()));
}

std::string FormatTimestamp(Timestamp t) {
  auto day = floor<days>(t);
  hh_mm_ss time{t - day};
  auto text = fmt::format("{}T{:02}:{:02}:{:02}", FormatDate(day), time.hours().count(), time.minutes().count(),
                          time.seconds().count());
  if (time.subseconds().count() != 0) text += fmt::format(".{:06}", time.subseconds().count());
  return text + "Z";
}

Result<Timestamp> ParseTimestamp(std::string_view text) {
  auto rest = text;
  Timestamp result;
  if (!TakeTimestamp(rest, result) || !rest.empty())
    return Fail(ErrorKind::kInvalid, "'{}' is not an RFC 3339 date-time such as 2024-01-31T06:00:00Z", text);
  return result;
}

Result<sys_days> ParseDate(std::string_view text) {
  auto rest = text;
  sys_days day;
  if (!TakeDate(rest, day) || !rest.empty())
    return Fail(ErrorKind::kInvalid, "'{}' is not a date such as 2024-01-31", text);
  return day;
}

Timestamp SystemClock::Now() const { return time_point_cast<microseconds>(system_clock::now()); }

double ThreadCpuSeconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

double MonotonicSeconds() { return duration<double>(steady_clock::now().time_since_epoch()).count(); }

}  // namespace slipway
