#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/error.h"

namespace slipway::scoring {

/// The keys of rows, as 128-bit hashes (XXH3): the values of the named columns, nulls equal to each other. 16 bytes a
/// key and some overhead, so memory grows with the rows of the partitions concerned, not with the table.
class EntityKeys {
 public:
  explicit EntityKeys(std::vector<std::string> columns) : columns_(std::move(columns)) {}

  /// Adds every row's key.
  Result<> Add(const arrow::RecordBatch& batch);

  /// The rows whose key is new, in order; their keys are added when `remember`.
  Result<std::shared_ptr<arrow::RecordBatch>> TakeNew(const std::shared_ptr<arrow::RecordBatch>& batch, bool remember);

  size_t size() const { return keys_.size(); }

 private:
  struct Key {
    uint64_t low, high;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const { return key.low; }
  };
  Result<std::vector<Key>> KeysOf(const arrow::RecordBatch& batch) const;

  std::vector<std::string> columns_;
  std::unordered_set<Key, KeyHash> keys_;
};

}  // namespace slipway::scoring
