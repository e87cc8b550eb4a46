#include "iceberg/metadata_file.h"

#include "iceberg/unpack.h"

namespace slipway::iceberg {

Result<TableMetadata> ReadMetadata(FileIo& io, const std::string& location, const TableLimits& limits) {
  ASSIGN(auto text, io.Read(location, limits.metadata_bytes));
  if (IsGzip(text)) {
    ASSIGN(text, Wrap(Unpack(Packing::kGzip, text, static_cast<size_t>(limits.metadata_bytes)), location));
  }
  return Wrap(ParseMetadata(text), location);
}

}  // namespace slipway::iceberg
