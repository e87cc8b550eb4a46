#include "scoring/entity_keys.h"

#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/arrow.h"
#include "base/format.h"
#include "iceberg/literal.h"

namespace slipway::scoring {
namespace {

/// A value with its kind and length, so that no two rows of different values have the same bytes. -0.0 is 0.0, and NaN
/// is one value, whatever its bits.
void AppendValue(const iceberg::Literal& literal, std::string& bytes) {
  bytes += static_cast<char>(literal.index());
  if (const auto* text = std::get_if<std::string>(&literal)) {
    auto size = static_cast<uint64_t>(text->size());
    bytes.append(reinterpret_cast<const char*>(&size), sizeof size);
    bytes += *text;
  } else if (const auto* number = std::get_if<int64_t>(&literal)) {
    bytes.append(reinterpret_cast<const char*>(number), sizeof *number);
  } else if (const auto* real = std::get_if<double>(&literal)) {
    double value = *real == 0 ? 0.0 : std::isnan(*real) ? std::numeric_limits<double>::quiet_NaN() : *real;
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  } else if (const auto* flag = std::get_if<bool>(&literal)) {
    bytes += *flag ? '\1' : '\0';
  }
}

/// The rows for whose keys `choose` holds, asked in order.
template <typename Keys, typename F>
Result<std::shared_ptr<arrow::RecordBatch>> Chosen(const std::shared_ptr<arrow::RecordBatch>& batch, const Keys& keys,
                                                   F&& choose) {
  arrow::BooleanBuilder chosen;
  for (const auto& key : keys) ARROW_TRY(chosen.Append(choose(key)));
  ARROW_ASSIGN(auto mask, chosen.Finish());
  ARROW_ASSIGN(auto kept, arrow::compute::Filter(arrow::Datum(batch), arrow::Datum(mask)));
  return kept.record_batch();
}

}  // namespace

Result<std::vector<EntityKeys::Key>> EntityKeys::KeysOf(const arrow::RecordBatch& batch) const {
  arrow::ArrayVector arrays;
  for (const auto& name : columns_) {
    auto column = batch.GetColumnByName(name);
    if (column == nullptr) return Fail(ErrorKind::kInternal, "the rows lack the key column '{}'", name);
    arrays.push_back(std::move(column));
  }
  std::vector<Key> keys;
  std::string bytes;
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    bytes.clear();
    for (const auto& array : arrays) {
      ASSIGN(auto literal, iceberg::LiteralAt(*array, row));
      AppendValue(literal, bytes);
    }
    auto hash = XXH3_128bits(bytes.data(), bytes.size());
    keys.push_back({hash.low64, hash.high64});
  }
  return keys;
}

Result<> EntityKeys::Add(const arrow::RecordBatch& batch) {
  ASSIGN(auto keys, KeysOf(batch));
  keys_.insert(keys.begin(), keys.end());
  return {};
}

Result<std::shared_ptr<arrow::RecordBatch>> EntityKeys::TakeNew(const std::shared_ptr<arrow::RecordBatch>& batch) {
  ASSIGN(auto keys, KeysOf(*batch));
  return Chosen(batch, keys, [&](const Key& key) { return keys_.insert(key).second; });
}

Result<std::shared_ptr<arrow::RecordBatch>> EntityKeys::LeaveOut(
    const std::shared_ptr<arrow::RecordBatch>& batch) const {
  ASSIGN(auto keys, KeysOf(*batch));
  return Chosen(batch, keys, [&](const Key& key) { return !keys_.contains(key); });
}

bool EntityKeys::Meets(const EntityKeys& other) const {
  const auto& fewer = keys_.size() < other.keys_.size() ? keys_ : other.keys_;
  const auto& more = &fewer == &keys_ ? other.keys_ : keys_;
  return std::ranges::any_of(fewer, [&](const Key& key) { return more.contains(key); });
}

}  // namespace slipway::scoring
