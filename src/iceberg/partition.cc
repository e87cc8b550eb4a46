#include "iceberg/partition.h"

#include <arrow/util/decimal.h>

#include <boost/json/array.hpp>
#include <charconv>
#include <chrono>
#include <cstring>

#include "base/format.h"
#include "base/json.h"
#include "base/time.h"

namespace slipway::iceberg {
namespace {

using namespace std::chrono;

constexpr int64_t kMicrosPerHour = 3'600'000'000;
constexpr int64_t kMicrosPerDay = 24 * kMicrosPerHour;

int64_t FloorDiv(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0); }

/// Murmur3, 32 bits, x86, seed 0 (spec, Appendix B).
int32_t Murmur3(std::string_view bytes) {
  auto rotate = [](uint32_t v, int by) { return (v << by) | (v >> (32 - by)); };
  auto mix = [&](uint32_t k) { return rotate(k * 0xcc9e2d51u, 15) * 0x1b873593u; };
  uint32_t hash = 0;
  size_t at = 0;
  for (; at + 4 <= bytes.size(); at += 4) {
    uint32_t k;
    std::memcpy(&k, bytes.data() + at, 4);
    hash = rotate(hash ^ mix(k), 13) * 5 + 0xe6546b64u;
  }
  uint32_t tail = 0;
  for (size_t i = bytes.size(); i > at; --i) tail = (tail << 8) | static_cast<uint8_t>(bytes[i - 1]);
  if (at < bytes.size()) hash ^= mix(tail);
  hash ^= static_cast<uint32_t>(bytes.size());
  hash = (hash ^ (hash >> 16)) * 0x85ebca6bu;
  hash = (hash ^ (hash >> 13)) * 0xc2b2ae35u;
  return static_cast<int32_t>(hash ^ (hash >> 16));
}

Result<Literal> Bucket(int buckets, const Type& source, const Literal& value) {
  std::string bytes;
  if (const auto* number = std::get_if<int64_t>(&value)) {
    bytes.assign(reinterpret_cast<const char*>(number), sizeof *number);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    bytes = source.id == TypeId::kDecimal ? ShortestDecimal(*text) : *text;
  } else {
    return Fail(ErrorKind::kUnsupported, "bucket of a {} column", ToString(source));
  }
  return Literal(int64_t{(Murmur3(bytes) & 0x7fffffff) % buckets});
}

/// The first `count` code points of UTF-8 text; binary is cut by bytes.
std::string Prefix(const std::string& text, int count, const Type& source) {
  if (source.id != TypeId::kString) return text.substr(0, static_cast<size_t>(count));
  size_t at = 0;
  for (; at < text.size(); ++at)
    if ((static_cast<uint8_t>(text[at]) & 0xc0) != 0x80 && count-- == 0) break;
  return text.substr(0, at);
}

Result<Literal> Truncate(int width, const Type& source, const Literal& value) {
  if (const auto* number = std::get_if<int64_t>(&value))
    return Literal(*number - (((*number % width) + width) % width));
  if (const auto* text = std::get_if<std::string>(&value); text != nullptr && source.id == TypeId::kDecimal) {
    ASSIGN(auto number, DecimalOf(*text));  // of the unscaled value, as of an integer
    const arrow::Decimal128 by(width);
    return Literal(BytesOf(number - (((number % by) + by) % by)));
  }
  if (const auto* text = std::get_if<std::string>(&value)) return Literal(Prefix(*text, width, source));
  return Fail(ErrorKind::kUnsupported, "truncate of a {} column", ToString(source));
}

int64_t Months(int64_t day) {
  year_month_day ymd{sys_days{days{day}}};
  return (static_cast<int>(ymd.year()) - 1970) * int64_t{12} + static_cast<unsigned>(ymd.month()) - 1;
}

int64_t FirstDayOfMonth(int64_t months) {
  auto y = FloorDiv(months, 12);
  year_month_day ymd{year{static_cast<int>(1970 + y)}, month{static_cast<unsigned>(months - y * 12 + 1)}, day{1}};
  return sys_days{ymd}.time_since_epoch().count();
}

/// The first instant (or day) of time partition `value`, in the source's unit.
int64_t StartOf(TransformKind kind, bool is_date, int64_t value) {
  if (kind == TransformKind::kHour) return value * kMicrosPerHour;
  int64_t first_day = value;
  if (kind == TransformKind::kMonth) first_day = FirstDayOfMonth(value);
  if (kind == TransformKind::kYear) first_day = FirstDayOfMonth(value * 12);
  return is_date ? first_day : first_day * kMicrosPerDay;
}

/// The earliest time partition whose rows may stand as `value`. Before 1970 older Java writers cut off towards zero,
/// which made the partition one later than it is (Java: ProjectionUtil.fixInclusiveTimeProjection); a date is its own
/// day, and was never cut.
int64_t EarliestOf(TransformKind kind, bool is_date, int64_t value) {
  const bool was_cut = value <= 0 && !(is_date && kind == TransformKind::kDay);
  return was_cut ? value - 1 : value;
}

std::string UrlQuotePlus(std::string_view text) {
  std::string quoted;
  for (char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) || std::string_view("_.-~").contains(c))
      quoted += c;
    else if (c == ' ')
      quoted += '+';
    else
      quoted += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return quoted;
}

std::string ToPathText(const Transform& transform, const Type& source, const Literal& value) {
  if (IsNull(value)) return "null";
  const auto* number = std::get_if<int64_t>(&value);
  if (number == nullptr) return ToString(value, source);
  switch (transform.kind) {
    case TransformKind::kYear: return fmt::format("{:04}", 1970 + *number);
    case TransformKind::kMonth: {
      auto y = FloorDiv(*number, 12);
      return fmt::format("{:04}-{:02}", 1970 + y, *number - y * 12 + 1);
    }
    case TransformKind::kDay: return FormatDate(sys_days{days{*number}});
    case TransformKind::kHour: {
      auto day = FloorDiv(*number, 24);
      return fmt::format("{}-{:02}", FormatDate(sys_days{days{day}}), *number - day * 24);
    }
    default: return ToString(value, ResultType(transform, source));
  }
}

}  // namespace

Result<Transform> ParseTransform(std::string_view text) {
  static constexpr std::pair<std::string_view, TransformKind> kPlain[] = {
      {"identity", TransformKind::kIdentity}, {"year", TransformKind::kYear}, {"month", TransformKind::kMonth},
      {"day", TransformKind::kDay},           {"hour", TransformKind::kHour}, {"void", TransformKind::kVoid}};
  for (const auto& [name, kind] : kPlain)
    if (name == text) return Transform{kind};
  for (const auto& [prefix, kind] : {std::pair{std::string_view("bucket["), TransformKind::kBucket},
                                     std::pair{std::string_view("truncate["), TransformKind::kTruncate}}) {
    if (!text.starts_with(prefix)) continue;
    int parameter = 0;
    std::from_chars(text.data() + prefix.size(), text.data() + text.size(), parameter);
    if (parameter > 0) return Transform{kind, parameter};
  }
  return Fail(ErrorKind::kUnsupported, "the partition transform '{}' is not supported", text);
}

std::string ToString(const Transform& transform) {
  switch (transform.kind) {
    case TransformKind::kIdentity: return "identity";
    case TransformKind::kBucket: return fmt::format("bucket[{}]", transform.parameter);
    case TransformKind::kTruncate: return fmt::format("truncate[{}]", transform.parameter);
    case TransformKind::kYear: return "year";
    case TransformKind::kMonth: return "month";
    case TransformKind::kDay: return "day";
    case TransformKind::kHour: return "hour";
    case TransformKind::kVoid: return "void";
    case TransformKind::kUnknown: return transform.unknown;
  }
  return "void";
}

Type ResultType(const Transform& transform, const Type& source) {
  switch (transform.kind) {
    case TransformKind::kDay: return {TypeId::kDate};
    case TransformKind::kBucket:
    case TransformKind::kYear:
    case TransformKind::kMonth:
    case TransformKind::kHour: return {TypeId::kInt};
    default: return source;
  }
}

Result<Literal> Apply(const Transform& transform, const Type& source, const Literal& value) {
  if (IsNull(value) || transform.kind == TransformKind::kVoid) return Literal{};
  switch (transform.kind) {
    case TransformKind::kIdentity: return value;
    case TransformKind::kBucket: return Bucket(transform.parameter, source, value);
    case TransformKind::kTruncate: return Truncate(transform.parameter, source, value);
    case TransformKind::kUnknown:
      return Fail(ErrorKind::kUnsupported, "the partition transform '{}' is not supported", transform.unknown);
    default: break;
  }
  const auto* number = std::get_if<int64_t>(&value);
  if (number == nullptr) return Fail(ErrorKind::kCorrupt, "{} of a {} column", ToString(transform), ToString(source));
  if (transform.kind == TransformKind::kHour) return Literal(FloorDiv(*number, kMicrosPerHour));
  auto day = source.id == TypeId::kDate ? *number : FloorDiv(*number, kMicrosPerDay);
  if (transform.kind == TransformKind::kDay) return Literal(day);
  return Literal(transform.kind == TransformKind::kMonth ? Months(day) : FloorDiv(Months(day), 12));
}

Result<PartitionSpec> ParsePartitionSpec(const json::value& value) {
  ASSIGN(auto object, JsonObject::From(value, "partition spec"));
  PartitionSpec spec;
  ASSIGN(spec.spec_id, object.Int32("spec-id"));
  ASSIGN(auto fields, object.Array("fields"));
  for (const auto& item : *fields) {
    ASSIGN(auto json_field, JsonObject::From(item, "partition field"));
    PartitionField field;
    ASSIGN(field.source_id, json_field.Int32("source-id"));
    // Version 1 allows it to be absent: ids are then counted from 1000 (spec, "Partition Evolution").
    ASSIGN(auto field_id, json_field.Int("field-id", 1000 + static_cast<int64_t>(spec.fields.size())));
    field.field_id = static_cast<int>(field_id);
    ASSIGN(field.name, json_field.String("name"));
    ASSIGN(auto transform, json_field.String("transform"));
    field.transform = ParseTransform(transform).value_or(Transform{TransformKind::kUnknown, 0, transform});
    spec.fields.push_back(std::move(field));
  }
  return spec;
}

json::array FieldsToJson(const PartitionSpec& spec) {
  json::array fields;
  for (const auto& field : spec.fields) {
    fields.push_back(json::object{{"source-id", field.source_id},
                                  {"field-id", field.field_id},
                                  {"name", field.name},
                                  {"transform", ToString(field.transform)}});
  }
  return fields;
}

std::string PartitionPath(const PartitionSpec& spec, const Schema& schema, const PartitionTuple& tuple) {
  std::string path;
  for (size_t i = 0; i < spec.fields.size(); ++i) {
    const auto& field = spec.fields[i];
    const auto* source = schema.Find(field.source_id);
    if (!path.empty()) path += '/';
    path += UrlQuotePlus(field.name) + "=" +
            UrlQuotePlus(ToPathText(field.transform, source == nullptr ? Type{} : source->type, tuple[i]));
  }
  return path;
}

std::string KeyOf(const PartitionTuple& partition) {
  std::string key;
  auto append = [&key](const auto& value) { key.append(reinterpret_cast<const char*>(&value), sizeof value); };
  for (const auto& value : partition) {
    key += static_cast<char>(value.index());
    if (const auto* text = std::get_if<std::string>(&value)) {
      append(text->size());
      key += *text;
    } else if (const auto* number = std::get_if<int64_t>(&value)) {
      append(*number);
    } else if (const auto* real = std::get_if<double>(&value)) {
      append(*real);
    } else if (const auto* flag = std::get_if<bool>(&value)) {
      append(*flag);
    }
  }
  return key;
}

SourceRange InvertTransform(const Transform& transform, const Type& source, const Literal& lower,
                            const Literal& upper) {
  const auto* low = std::get_if<int64_t>(&lower);
  const auto* high = std::get_if<int64_t>(&upper);
  bool is_date = source.id == TypeId::kDate;
  switch (transform.kind) {
    case TransformKind::kIdentity: return {lower, upper};
    case TransformKind::kTruncate:
      if (low != nullptr && high != nullptr) return {lower, Literal(*high + transform.parameter - 1)};
      return {lower, std::nullopt};
    case TransformKind::kYear:
    case TransformKind::kMonth:
    case TransformKind::kDay:
    case TransformKind::kHour:
      if (low == nullptr || high == nullptr) return {};
      return {Literal(StartOf(transform.kind, is_date, EarliestOf(transform.kind, is_date, *low))),
              Literal(StartOf(transform.kind, is_date, *high + 1) - 1)};
    default: return {};
  }
}

}  // namespace slipway::iceberg
