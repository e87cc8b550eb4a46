#include "iceberg/metadata.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slipway::iceberg;
  auto metadata = ParseMetadata({reinterpret_cast<const char*>(data), size});
  if (!metadata) return 0;
  (void)metadata->FindRun("x");
  Snapshot snapshot{.snapshot_id = 7, .timestamp_ms = 1, .manifest_list = "s3://b/m.avro"};
  if (auto next = WithSnapshot(*metadata, "s3://b/v1.metadata.json", snapshot)) (void)ParseMetadata(Serialize(*next));
  return 0;
}
