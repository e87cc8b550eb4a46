#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace slipway::iceberg::avro {

/// A node of a writer's schema (Avro 1.11 specification), with Iceberg's field ids (spec, Appendix A).
struct Schema {
  enum class Kind {
    kNull,
    kBoolean,
    kInt,
    kLong,
    kFloat,
    kDouble,
    kBytes,
    kString,
    kRecord,
    kEnum,
    kArray,
    kMap,
    kUnion,
    kFixed
  };
  struct Field {
    std::string name;
    int id = -1;  ///< `field-id`, or -1
    std::shared_ptr<const Schema> type;
  };
  Kind kind = Kind::kNull;
  std::vector<Field> fields;                            ///< record
  std::vector<std::shared_ptr<const Schema>> branches;  ///< union
  std::shared_ptr<const Schema> items;                  ///< array, map
  size_t size = 0;                                      ///< fixed
  size_t least = 0;                                     ///< bytes that any value takes
  size_t nodes = 1;                                     ///< below it, counted as often as they are named
};

/// Parses a schema; depth and nodes are limited. kCorrupt otherwise.
Result<std::shared_ptr<const Schema>> ParseSchema(std::string_view text);

/// Reads binary-encoded values from bytes it does not own. After an error `ok()` is false and every read gives a zero.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : rest_(bytes) {}
  bool ok() const { return ok_; }
  bool done() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }  ///< what was not read yet
  int64_t Long();
  bool Boolean();
  float Float();
  double Double();
  std::string_view Bytes();
  std::string_view Fixed(size_t size);
  /// The schema of the value that follows: the chosen branch of a union, else `schema` itself; null on an error.
  const Schema* Resolve(const Schema& schema);
  /// Passes over one value.
  void Skip(const Schema& schema, int depth = 0);
  /// Calls `item` for each item of an array; it must consume exactly one.
  template <typename F>
  void Array(F&& item) {
    for (int64_t count = BlockCount(); ok_ && count != 0; count = BlockCount())
      for (int64_t i = 0; i < count && ok_; ++i) item();
  }
  void Fail() { ok_ = false; }

 private:
  int64_t BlockCount();
  std::string_view rest_;
  bool ok_ = true;
};

/// Appends binary-encoded values.
class Encoder {
 public:
  void Long(int64_t value);
  void Boolean(bool value) { bytes_ += value ? '\1' : '\0'; }
  void Float(float value);
  void Double(double value);
  void Bytes(std::string_view value);
  void Fixed(std::string_view value) { bytes_ += value; }
  void Branch(int64_t index) { Long(index); }
  const std::string& bytes() const { return bytes_; }
  std::string Take() { return std::exchange(bytes_, {}); }

 private:
  std::string bytes_;
};

}  // namespace slipway::iceberg::avro
