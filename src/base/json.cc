#include "base/json.h"

#include <boost/json/parser.hpp>
#include <boost/json/storage_ptr.hpp>
#include <limits>
#include <memory>
#include <new>

#include "base/format.h"

namespace slipway {

namespace {

/// The heap, but for no more than so many bytes at once, until the document is there.
class Capped final : public boost::container::pmr::memory_resource {
 public:
  explicit Capped(std::shared_ptr<size_t> left) : left_(std::move(left)) {}

 private:
  void* do_allocate(size_t bytes, size_t) override {
    if (bytes > *left_) throw std::bad_alloc();
    *left_ -= bytes;
    return ::operator new(bytes);
  }
  void do_deallocate(void* memory, size_t bytes, size_t) override {
    ::operator delete(memory);
    *left_ += bytes;
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  std::shared_ptr<size_t> left_;
};

}  // namespace

Result<json::value> ParseJson(std::string_view text, size_t max_depth, size_t most_memory) {
  json::parse_options options;
  options.max_depth = max_depth;
  auto left = std::make_shared<size_t>(most_memory);
  auto storage = most_memory == kAnyMemory ? json::storage_ptr() : json::make_shared_resource<Capped>(left);
  json::parser parser({}, options);
  parser.reset(storage);
  boost::system::error_code code;
  size_t used = 0;
  try {
    used = parser.write_some(text, code);
  } catch (const std::bad_alloc&) {
    return Fail(ErrorKind::kTooLarge, "JSON: the document of {} bytes takes more than {} bytes of memory", text.size(),
                most_memory);
  }
  if (!code && text.find_first_not_of(" \t\r\n", used) != std::string_view::npos)
    return Fail(ErrorKind::kInvalid, "JSON: extra data at byte {}", used);
  if (code) return Fail(ErrorKind::kInvalid, "JSON: {} at byte {}", code.message(), used);
  auto value = parser.release();
  *left = SIZE_MAX / 2;  // what is done with it afterwards is not the document's doing
  return value;
}

Result<JsonObject> JsonObject::From(const json::value& value, std::string where) {
  if (!value.is_object()) return Fail(ErrorKind::kInvalid, "{}: not a JSON object", where);
  return JsonObject(value.get_object(), std::move(where));
}

const json::value* JsonObject::Find(std::string_view key) const {
  const auto* value = object_->if_contains(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

Failure JsonObject::Wrong(std::string_view key, std::string_view want) const {
  if (Find(key) == nullptr) return Fail(ErrorKind::kInvalid, "{}: '{}' is missing", where_, key);
  return Fail(ErrorKind::kInvalid, "{}: '{}' is not {}", where_, key, want);
}

Result<std::string> JsonObject::String(std::string_view key) const {
  const auto* value = Find(key);
  if (value == nullptr || !value->is_string()) return Wrong(key, "a string");
  return std::string(value->get_string());
}

Result<int64_t> JsonObject::Int(std::string_view key) const {
  const auto* value = Find(key);
  if (value != nullptr && value->is_int64()) return value->get_int64();
  return Wrong(key, "a 64-bit integer");
}

Result<int32_t> JsonObject::Int32(std::string_view key) const {
  ASSIGN(auto value, Int(key));
  if (value < std::numeric_limits<int32_t>::min() || value > std::numeric_limits<int32_t>::max())
    return Wrong(key, "a 32-bit integer");
  return static_cast<int32_t>(value);
}

Result<bool> JsonObject::Bool(std::string_view key) const {
  const auto* value = Find(key);
  if (value == nullptr || !value->is_bool()) return Wrong(key, "a boolean");
  return value->get_bool();
}

Result<const json::array*> JsonObject::Array(std::string_view key) const {
  const auto* value = Find(key);
  if (value == nullptr || !value->is_array()) return Wrong(key, "an array");
  return &value->get_array();
}

Result<JsonObject> JsonObject::Object(std::string_view key) const {
  const auto* value = Find(key);
  if (value == nullptr || !value->is_object()) return Wrong(key, "an object");
  return From(*value, where_ + "." + std::string(key));
}

Result<std::string> JsonObject::String(std::string_view key, std::string fallback) const {
  if (Find(key) == nullptr) return fallback;
  return String(key);
}

Result<int64_t> JsonObject::Int(std::string_view key, int64_t fallback) const {
  if (Find(key) == nullptr) return fallback;
  return Int(key);
}

Result<bool> JsonObject::Bool(std::string_view key, bool fallback) const {
  if (Find(key) == nullptr) return fallback;
  return Bool(key);
}

Result<std::optional<std::string>> JsonObject::OptionalString(std::string_view key) const {
  if (Find(key) == nullptr) return std::nullopt;
  ASSIGN(auto value, String(key));
  return value;
}

Result<std::optional<int64_t>> JsonObject::OptionalInt(std::string_view key) const {
  if (Find(key) == nullptr) return std::nullopt;
  ASSIGN(auto value, Int(key));
  return value;
}

Result<std::vector<std::string>> JsonStrings(const json::array& array, std::string_view where) {
  std::vector<std::string> strings;
  for (const auto& item : array) {
    if (!item.is_string()) return Fail(ErrorKind::kInvalid, "{}: an item is not a string", where);
    strings.emplace_back(item.get_string());
  }
  return strings;
}

}  // namespace slipway
