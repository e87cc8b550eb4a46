#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "iceberg/avro.h"

namespace slipway::iceberg::avro {

/// An object container file, decompressed block by block (null, deflate, zstandard, snappy).
class ContainerReader {
 public:
  /// Reads the header. kCorrupt, or kUnsupported for another codec.
  static Result<ContainerReader> Open(std::string bytes);

  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const Schema& schema() const { return *schema_; }

  struct Block {
    int64_t count = 0;  ///< values in the block; 0 at the end of the file
    std::string bytes;
  };
  /// The next block, or an empty one at the end. kTooLarge: it unpacks to more than iceberg/limits.h allows; kCorrupt:
  /// it is damaged, or claims more values than it has bytes for.
  Result<Block> Next();

 private:
  std::string bytes_;
  size_t at_ = 0;
  std::map<std::string, std::string> metadata_;
  std::shared_ptr<const Schema> schema_;
  std::string sync_;
  size_t unpacked_ = 0;  ///< bytes so far
};

/// A container file of one deflated block per 4,096 values. `metadata` goes into the header beside schema and codec.
class ContainerWriter {
 public:
  ContainerWriter(std::string_view schema, std::map<std::string, std::string> metadata);
  /// The encoder for one further value; call Added() after it.
  Encoder& encoder() { return block_; }
  void Added();
  std::string Finish();

 private:
  void Flush();
  Encoder file_, block_;
  int64_t count_ = 0;
  std::string sync_;
};

}  // namespace slipway::iceberg::avro
