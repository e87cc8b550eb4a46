#include "contract/json_text.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <charconv>
#include <cmath>
#include <limits>

namespace slipway::contract {
namespace {

namespace json = boost::json;

constexpr int kDeepest = 100;
constexpr size_t kMostValues = 100'000;  // a megabyte of "[1,1,1,…" is fifty as values

struct Stop {};  // unwinds the recursive descent; never leaves this file

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  json::value Parse() {
    Space();
    auto value = Value(0);
    Space();
    if (at_ != text_.size()) Raise(at_, "Extra data");
    return value;
  }

  JsonTextError error() const { return error_; }

 private:
  [[noreturn]] void Raise(size_t at, std::string message) {
    size_t points = 0;
    for (size_t i = 0; i < at && i < text_.size(); ++i) points += (static_cast<uint8_t>(text_[i]) & 0xc0) != 0x80;
    error_ = {points, std::move(message)};
    throw Stop{};
  }

  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool Take(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  void Space() {
    while (at_ < text_.size() && std::string_view(" \t\n\r").find(text_[at_]) != std::string_view::npos) ++at_;
  }

  json::value Value(int depth) {
    if (depth > kDeepest) Raise(at_, "Nested too deeply");
    if (++values_ > kMostValues) Raise(at_, "Too many values");
    if (at_ >= text_.size()) Raise(at_, "Expecting value");
    char c = text_[at_];
    if (c == '"') return json::value(String());
    if (c == '{') return Object(depth);
    if (c == '[') return Array(depth);
    if (Take("null")) return nullptr;
    if (Take("true")) return true;
    if (Take("false")) return false;
    if (Take("NaN")) return std::numeric_limits<double>::quiet_NaN();
    if (Take("Infinity")) return std::numeric_limits<double>::infinity();
    if (Take("-Infinity")) return -std::numeric_limits<double>::infinity();
    return Number();
  }

  json::value Number() {
    auto start = at_, at = at_;
    auto digit = [&](size_t i) { return i < text_.size() && text_[i] >= '0' && text_[i] <= '9'; };
    if (at < text_.size() && text_[at] == '-') ++at;
    if (!digit(at)) Raise(start, "Expecting value");
    if (text_[at] == '0')
      ++at;
    else
      while (digit(at)) ++at;
    bool integer = true;
    if (at < text_.size() && text_[at] == '.' && digit(at + 1)) {
      integer = false;
      for (++at; digit(at);) ++at;
    }
    if (at < text_.size() && (text_[at] == 'e' || text_[at] == 'E')) {
      auto exponent = at + 1;
      if (exponent < text_.size() && (text_[exponent] == '+' || text_[exponent] == '-')) ++exponent;
      if (digit(exponent)) {
        integer = false;
        for (at = exponent; digit(at);) ++at;
      }
    }
    at_ = at;
    auto word = text_.substr(start, at - start);
    if (int64_t number = 0;
        integer && std::from_chars(word.data(), word.data() + word.size(), number).ec == std::errc{})
      return number;
    if (uint64_t number = 0;
        integer && std::from_chars(word.data(), word.data() + word.size(), number).ec == std::errc{})
      return number;
    double real = 0;
    auto code = std::from_chars(word.data(), word.data() + word.size(), real).ec;
    if (code != std::errc{})
      real = word.find("e-") != std::string_view::npos ? 0.0 : word.front() == '-' ? -HUGE_VAL : HUGE_VAL;
    return real;
  }

  uint32_t Hex4(size_t quote) {
    uint32_t value = 0;
    auto word = text_.substr(std::min(at_, text_.size()), 4);
    auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), value, 16);
    if (word.size() < 4 || code != std::errc{} || end != word.data() + 4) Raise(quote, "Invalid \\uXXXX escape");
    at_ += 4;
    return value;
  }

  static void AppendUtf8(uint32_t c, std::string& out) {
    if (c < 0x80)
      out += static_cast<char>(c);
    else if (c < 0x800)
      out += {static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 0x3f))};
    else if (c < 0x10000)
      out += {static_cast<char>(0xe0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3f)),
              static_cast<char>(0x80 | (c & 0x3f))};
    else
      out += {static_cast<char>(0xf0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 0x3f)),
              static_cast<char>(0x80 | (c >> 6 & 0x3f)), static_cast<char>(0x80 | (c & 0x3f))};
  }

  void Escape(std::string& out) {
    static constexpr std::string_view kNames = "\"\\/bfnrt", kValues = "\"\\/\b\f\n\r\t";
    auto backslash = at_ - 1;
    char c = Peek();
    if (at_ >= text_.size()) Raise(string_start_, "Unterminated string starting at");
    ++at_;
    if (auto known = kNames.find(c); known != std::string_view::npos) {
      out += kValues[known];
      return;
    }
    if (c != 'u') Raise(backslash, "Invalid \\escape");
    auto point = Hex4(backslash + 1);
    if (point == 0) Raise(backslash, "U+0000 is not allowed");  // PostgreSQL's texts, and C's, end with it
    if (point >= 0xd800 && point < 0xdc00 && text_.substr(at_, 2) == "\\u") {
      auto mark = at_;
      at_ += 2;
      auto low = Hex4(mark + 1);
      if (low >= 0xdc00 && low < 0xe000)
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
      else
        at_ = mark;
    }
    AppendUtf8(point >= 0xd800 && point < 0xe000 ? 0xfffd : point, out);  // a lone surrogate cannot be sent back
  }

  std::string String() {
    string_start_ = at_++;
    std::string out;
    while (true) {
      if (at_ >= text_.size()) Raise(string_start_, "Unterminated string starting at");
      char c = text_[at_++];
      if (c == '"') return out;
      if (static_cast<uint8_t>(c) < 0x20) Raise(at_ - 1, "Invalid control character at");
      if (c == '\\')
        Escape(out);
      else
        out += c;
    }
  }

  json::value Array(int depth) {
    json::array array;
    ++at_;
    Space();
    if (Peek() == ']') return ++at_, json::value(std::move(array));
    while (true) {
      Space();
      array.push_back(Value(depth + 1));
      Space();
      if (Peek() == ']' && at_ < text_.size()) return ++at_, json::value(std::move(array));
      if (Peek() != ',') Raise(at_, "Expecting ',' delimiter");
      ++at_;
    }
  }

  json::value Object(int depth) {
    json::object object;
    ++at_;
    Space();
    if (Peek() == '}') return ++at_, json::value(std::move(object));
    while (true) {
      Space();
      if (Peek() != '"') Raise(at_, "Expecting property name enclosed in double quotes");
      auto key = String();
      Space();
      if (Peek() != ':') Raise(at_, "Expecting ':' delimiter");
      ++at_;
      Space();
      object[key] = Value(depth + 1);
      Space();
      if (Peek() == '}') return ++at_, json::value(std::move(object));
      if (Peek() != ',') Raise(at_, "Expecting ',' delimiter");
      ++at_;
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  size_t values_ = 0;
  size_t string_start_ = 0;
  JsonTextError error_;
};

}  // namespace

std::expected<json::value, JsonTextError> ParseJsonText(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark is not part of the text
  Parser parser(text);
  try {
    return parser.Parse();
  } catch (const Stop&) {
    return std::unexpected(parser.error());
  }
}

}  // namespace slipway::contract
