#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace slipway {

/// A random UUID (version 4), lower case: 3f0c1a52-….
std::string NewUuid();

/// The UUID of a name within a namespace, itself a UUID (version 5, RFC 9562): always the same for the same two.
std::string UuidOf(std::string_view name_space, std::string_view name);

/// Whether `text` has the form of a UUID.
bool IsUuid(std::string_view text);

/// Lower-case hexadecimal.
std::string Hex(const unsigned char* bytes, size_t count);

/// `bytes` random bytes from the system, as lower-case hexadecimal.
std::string RandomHex(size_t bytes);

/// A random positive 63-bit number: what Iceberg takes as a snapshot id.
int64_t NewSnapshotId();

/// SHA-256 of `bytes`, as lower-case hexadecimal.
std::string Sha256(std::string_view bytes);

/// Whether both are equal, in a time that does not depend on where they differ.
bool ConstantTimeEqual(std::string_view a, std::string_view b);

}  // namespace slipway
