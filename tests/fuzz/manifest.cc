#include "iceberg/manifest.h"
#include "iceberg/metadata.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slipway::iceberg;
  if (size == 0) return 0;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  PartitionSpec spec{0, {{1, 1000, "day", {TransformKind::kDay}}, {2, 1001, "name", {TransformKind::kIdentity}}}};
  if (data[0] % 3 == 0)
    (void)ReadManifestList(bytes);
  else if (data[0] % 3 == 1)
    (void)ReadManifest(bytes, {}, spec);
  else
    (void)ParseMetadata(bytes);
  return 0;
}
