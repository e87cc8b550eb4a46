#include "contract/shortened.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cmath>

namespace slipway::contract {
namespace {

namespace json = boost::json;

constexpr size_t kMostBytes = size_t{4} << 10;  // of the text that comes out, about
constexpr size_t kPunctuation = 4;              // of each value in it, about
constexpr auto kRest = "…";

class Shortener {
 public:
  json::value Short(const json::value& value) {
    Take(kPunctuation);
    if (value.is_double() && !std::isfinite(value.get_double())) return nullptr;
    if (value.is_string()) return json::value(ShortText(value.get_string()));
    if (value.is_array()) return ShortArray(value.get_array());
    if (value.is_object()) return ShortObject(value.get_object());
    return value;
  }

 private:
  void Take(size_t bytes) { left_ -= std::min(left_, bytes); }

  std::string ShortText(std::string_view text) {
    if (text.size() <= left_) return Take(text.size()), std::string(text);
    auto end = left_;
    while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xc0) == 0x80) --end;  // at a whole character
    left_ = 0;
    return std::string(text.substr(0, end)) + kRest;
  }

  json::array ShortArray(const json::array& array) {
    json::array made;
    for (const auto& item : array) {
      if (left_ == 0) return made.emplace_back(kRest), made;
      made.push_back(Short(item));
    }
    return made;
  }

  json::object ShortObject(const json::object& object) {
    json::object made;
    for (const auto& member : object) {
      if (left_ == 0) return made.emplace(kRest, kRest), made;
      auto key = ShortText(member.key());
      made.insert_or_assign(key, Short(member.value()));
    }
    return made;
  }

  size_t left_ = kMostBytes;
};

}  // namespace

json::value Shortened(const json::value& input) { return Shortener().Short(input); }

}  // namespace slipway::contract
