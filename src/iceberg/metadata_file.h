#pragma once

#include "base/file_io.h"
#include "iceberg/limits.h"
#include "iceberg/metadata.h"

namespace slipway::iceberg {

/// Reads a metadata.json, also one that is packed by gzip. kTooLarge, before it takes memory: more than
/// `limits.metadata_bytes`, packed or unpacked, or a document that takes many times its own size; the errors of
/// ParseMetadata. All name the file.
Result<TableMetadata> ReadMetadata(FileIo& io, const std::string& location, const TableLimits& limits);

}  // namespace slipway::iceberg
