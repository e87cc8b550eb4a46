#include "iceberg/manifest.h"

#include <cstdlib>

#include "iceberg/metadata.h"

namespace {

using namespace slipway::iceberg;

/// Of data, or of deletes. A manifest that is read says the same when it is rewritten and read again, but for what it
/// inherits.
void Rewrite(const std::string& bytes, const PartitionSpec& spec, int content) {
  ManifestOrigin origin;
  const ManifestFile manifest{.content = content};
  auto entries = ReadManifest(bytes, manifest, spec, &origin);
  if (!entries) return;
  auto rewritten = RewriteManifest(2, origin, *entries);
  if (!rewritten) return;
  auto again = ReadManifest(*rewritten, manifest, spec, &origin);
  if (!again || again->size() != entries->size()) std::abort();
  for (size_t i = 0; i < again->size(); ++i)
    if ((*again)[i].file.file_path != (*entries)[i].file.file_path) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slipway::iceberg;
  if (size == 0) return 0;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  PartitionSpec spec{0, {{1, 1000, "day", {TransformKind::kDay}}, {2, 1001, "name", {TransformKind::kIdentity}}}};
  if (data[0] % 3 == 0)
    (void)ReadManifestList(bytes);
  else if (data[0] % 3 == 1)
    Rewrite(bytes, spec, data[0] / 3 % 2);
  else
    (void)ParseMetadata(bytes);
  return 0;
}
