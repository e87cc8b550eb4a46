#pragma once

#include <cstddef>
#include <cstdint>

namespace slipway::iceberg {

// How much of a table is believed. What its files say of themselves comes from whoever may write them: no number in
// them is taken for a size, a count or an address before it was held against these, or against the bytes there are.

/// What an honest table may exceed: settings (tables.*), which go with a job.
struct TableLimits {
  /// Of a metadata.json, unpacked. A snapshot takes about 1 KiB, and a table keeps those that nobody expires.
  int64_t metadata_bytes = int64_t{256} << 20;
  /// Of one snapshot. Writers merge them to about 8 MiB each.
  int64_t manifests = 100'000;
  /// Live ones of one snapshot: each takes about 1 KiB here while a scan is planned.
  int64_t data_files = 2'000'000;
};

/// A line of a manifest list has about 200 bytes, packed about 50.
inline constexpr int64_t kLargestManifestList = int64_t{64} << 20;
/// Iceberg's own writers aim at 8 MiB.
inline constexpr int64_t kLargestManifest = int64_t{256} << 20;

/// One block of an Avro file, unpacked. Java writes 64 KiB; PyIceberg writes all entries of an append as one block.
inline constexpr size_t kLargestBlock = size_t{512} << 20;
/// All blocks of a file, unpacked.
inline constexpr size_t kLargestUnpacked = size_t{2} << 30;
/// A block may be `kFreeBytes + kMostRatio * packed` bytes: manifests of like files pack to about a fiftieth, a bomb to
/// a hundred-thousandth.
inline constexpr size_t kMostRatio = 200, kFreeBytes = size_t{1} << 20;
/// Nodes of an Avro schema, counted as often as they are named: named records within each other grow by powers.
inline constexpr size_t kMostSchemaNodes = 100'000;

/// Memory of a parsed JSON document: an honest metadata.json takes about twice its text, `[[],[],…` eight times.
inline constexpr size_t kJsonFreeBytes = size_t{4} << 20, kJsonRatio = 5;

/// A data file may claim so many rows for each of its bytes: a page of one value, repeated, is about a thousand.
inline constexpr int64_t kMostRowsPerByte = 1'000'000;
/// What is held of deleted positions and keys while a scan reads.
inline constexpr size_t kMostDeleteBytes = size_t{1} << 30;
/// What decoding may hold at once, over all open data files. A page that claims gigabytes ends here.
inline constexpr int64_t kMostDecodingBytes = int64_t{2} << 30;
/// The footer of a Parquet file: about 100 bytes for each column of each row group.
inline constexpr int64_t kLargestFooter = int64_t{64} << 20;

}  // namespace slipway::iceberg
