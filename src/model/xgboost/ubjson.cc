#include "model/xgboost/ubjson.h"

#include <bit>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <concepts>
#include <cstring>

#include "base/format.h"

namespace slipway::model {
namespace {

namespace json = boost::json;

constexpr int kMostDepth = 64;

class Parser {
 public:
  explicit Parser(std::string_view bytes) : bytes_(bytes) {}

  Result<json::value> Parse() {
    ASSIGN(char type, Marker());
    ASSIGN(auto value, Value(type, 0));
    if (at_ != bytes_.size()) return Corrupt("extra data");
    return value;
  }

 private:
  Failure Corrupt(std::string_view what) const { return Fail(ErrorKind::kCorrupt, "UBJSON: {} at byte {}", what, at_); }

  /// The next type's marker; no-ops between values are passed over.
  Result<char> Marker() {
    while (at_ < bytes_.size() && bytes_[at_] == 'N') ++at_;
    if (at_ == bytes_.size()) return Corrupt("the file is cut off");
    return bytes_[at_++];
  }

  template <typename T>
  Result<T> Number() {
    if (bytes_.size() - at_ < sizeof(T)) return Corrupt("the file is cut off");
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  template <std::integral T>
  Result<T> Integer() {
    ASSIGN(auto value, Number<T>());
    auto bits = static_cast<std::make_unsigned_t<T>>(value);
    if constexpr (sizeof(T) == 2) bits = __builtin_bswap16(bits);
    if constexpr (sizeof(T) == 4) bits = __builtin_bswap32(bits);
    if constexpr (sizeof(T) == 8) bits = __builtin_bswap64(bits);
    return static_cast<T>(bits);
  }

  Result<int64_t> IntegerOf(char type) {
    auto widen = [](auto value) -> Result<int64_t> { return value ? Result<int64_t>(*value) : Failure(value.error()); };
    switch (type) {
      case 'i': return widen(Integer<int8_t>());
      case 'U': return widen(Integer<uint8_t>());
      case 'I': return widen(Integer<int16_t>());
      case 'l': return widen(Integer<int32_t>());
      case 'L': return Integer<int64_t>();
      default: return Corrupt("a length without an integer's type");
    }
  }

  Result<size_t> Length() {
    ASSIGN(char type, Marker());
    ASSIGN(auto length, IntegerOf(type));
    if (length < 0 || static_cast<size_t>(length) > bytes_.size()) return Corrupt("a length beyond the end");
    return static_cast<size_t>(length);
  }

  Result<std::string_view> Text() {
    ASSIGN(auto length, Length());
    if (bytes_.size() - at_ < length) return Corrupt("the file is cut off");
    auto text = bytes_.substr(at_, length);
    at_ += length;
    return text;
  }

  Result<json::value> Value(char type, int depth) {
    switch (type) {
      case 'Z': return json::value(nullptr);
      case 'T': return json::value(true);
      case 'F': return json::value(false);
      case 'd': {
        ASSIGN(auto bits, Integer<uint32_t>());
        return json::value(static_cast<double>(std::bit_cast<float>(bits)));
      }
      case 'D': {
        ASSIGN(auto bits, Integer<uint64_t>());
        return json::value(std::bit_cast<double>(bits));
      }
      case 'C':
      case 'S': {
        if (type == 'C') {
          ASSIGN(auto character, Number<char>());
          return json::value(json::string(1, character));
        }
        ASSIGN(auto text, Text());
        return json::value(json::string(text));
      }
      case '[': return Array(depth + 1);
      case '{': return Object(depth + 1);
      default: {
        ASSIGN(auto integer, IntegerOf(type));
        return json::value(integer);
      }
    }
  }

  /// After `[` or `{`: `$` and the type of all items, `#` and their count; neither is needed.
  struct Header {
    char type = 0;
    bool counted = false;
    size_t count = 0;
  };
  Result<Header> ReadHeader() {
    Header header;
    if (Peek() == '$') {
      ++at_;
      ASSIGN(header.type, Marker());
      if (Peek() != '#') return Corrupt("a type without a count");
    }
    if (Peek() == '#') {
      ++at_;
      header.counted = true;
      ASSIGN(header.count, Length());
    }
    return header;
  }
  char Peek() const { return at_ < bytes_.size() ? bytes_[at_] : 0; }

  /// Calls `item` with each item's type until the container ends. An item takes a byte at least, unless it is of a type
  /// without any.
  template <typename F>
  Result<> Items(const Header& header, char end, F&& item) {
    for (size_t i = 0; !header.counted || i < header.count; ++i) {
      if (!header.counted && Peek() == end) return ++at_, Result<>();
      TRY(item());
    }
    return {};
  }

  Result<json::value> Array(int depth) {
    if (depth > kMostDepth) return Corrupt("too many levels");
    ASSIGN(auto header, ReadHeader());
    if (header.type == 'Z' || header.type == 'T' || header.type == 'F')
      return Corrupt("an array of a type without bytes");
    json::array array;
    array.reserve(header.count);
    TRY(Items(header, ']', [&]() -> Result<> {
      char type = header.type;
      if (type == 0) {
        ASSIGN(type, Marker());
      }
      ASSIGN(auto value, Value(type, depth));
      array.push_back(std::move(value));
      return {};
    }));
    return json::value(std::move(array));
  }

  Result<json::value> Object(int depth) {
    if (depth > kMostDepth) return Corrupt("too many levels");
    ASSIGN(auto header, ReadHeader());
    json::object object;
    TRY(Items(header, '}', [&]() -> Result<> {
      ASSIGN(auto key, Text());
      char type = header.type;
      if (type == 0) {
        ASSIGN(type, Marker());
      }
      ASSIGN(auto value, Value(type, depth));
      object.insert_or_assign(key, std::move(value));
      return {};
    }));
    return json::value(std::move(object));
  }

  std::string_view bytes_;
  size_t at_ = 0;
};

}  // namespace

Result<json::value> ParseUbjson(std::string_view bytes) { return Parser(bytes).Parse(); }

}  // namespace slipway::model
