#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>

#include "base/error.h"

namespace slipway::iceberg {

/// Rows that wait on disk: in a file without a name, in the folder for temporary files (TMPDIR), which is gone with
/// this at the latest. Dictionaries are not for it.
class Spill {
 public:
  struct Range {
    int64_t offset, length;
  };
  Spill();
  ~Spill();

  /// All batches have the schema of the first one. kIo: there is no room.
  Result<Range> Append(const arrow::RecordBatch& rows);
  Result<std::shared_ptr<arrow::RecordBatch>> Read(const Range& range);

 private:
  struct File;
  std::unique_ptr<File> file_;  ///< made when it is needed
};

}  // namespace slipway::iceberg
