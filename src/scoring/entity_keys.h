#pragma once

#include <arrow/type_fwd.h>

#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"

namespace slipway::scoring {

/// The keys of rows, as 128-bit hashes (XXH3): the values of the named columns, nulls equal to each other. About 20
/// bytes a key, so memory grows with the rows of the partitions concerned, not with the table.
class EntityKeys {
 public:
  explicit EntityKeys(std::vector<std::string> columns) : columns_(std::move(columns)) {}

  /// Adds every row's key.
  Result<> Add(const arrow::RecordBatch& batch);

  /// The rows whose key is new, in order; their keys are added.
  Result<std::shared_ptr<arrow::RecordBatch>> TakeNew(const std::shared_ptr<arrow::RecordBatch>& batch);

  /// The rows whose key is not among these, in order; nothing is added.
  Result<std::shared_ptr<arrow::RecordBatch>> LeaveOut(const std::shared_ptr<arrow::RecordBatch>& batch) const;

  /// Whether some key is among the other's too.
  bool Meets(const EntityKeys& other) const;

  size_t size() const { return keys_.size(); }

 private:
  struct Key {
    uint64_t low, high;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    using is_avalanching = void;  // it is a hash already
    size_t operator()(const Key& key) const { return key.low; }
  };
  Result<std::vector<Key>> KeysOf(const arrow::RecordBatch& batch) const;

  std::vector<std::string> columns_;
  boost::unordered_flat_set<Key, KeyHash> keys_;
};

}  // namespace slipway::scoring
