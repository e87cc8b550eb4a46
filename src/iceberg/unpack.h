#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace slipway::iceberg {

/// Raw deflate (RFC 1951), gzip of one member or more (RFC 1952), zstandard (RFC 8878), a raw block of snappy.
enum class Packing { kDeflate, kGzip, kZstandard, kSnappy };

/// kTooLarge as soon as there are more than `most` bytes; kCorrupt for what is damaged or cut off.
Result<std::string> Unpack(Packing packing, std::string_view bytes, size_t most);

bool IsGzip(std::string_view bytes);

}  // namespace slipway::iceberg
