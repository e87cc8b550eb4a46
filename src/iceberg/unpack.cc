#include "iceberg/unpack.h"

#include <arrow/util/compression.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "base/arrow.h"
#include "base/format.h"

namespace slipway::iceberg {
namespace {

constexpr size_t kPiece = size_t{1} << 16;
constexpr int kGzipWindow = MAX_WBITS + 16;

Failure Damaged() { return Fail(ErrorKind::kCorrupt, "packed bytes are damaged or cut off"); }

Result<> Take(std::string& out, const char* piece, size_t size, size_t most) {
  if (size > most - out.size())
    return Fail(ErrorKind::kTooLarge, "packed bytes hold more than {} bytes, the most that is unpacked here", most);
  out.append(piece, size);
  return {};
}

Result<std::string> Inflate(std::string_view bytes, int window, size_t most) {
  z_stream stream{};
  if (inflateInit2(&stream, window) != Z_OK) return Fail(ErrorKind::kInternal, "zlib could not start");
  auto end = [](z_stream* open) { inflateEnd(open); };
  const std::unique_ptr<z_stream, decltype(end)> ended(&stream, end);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  while (true) {
    char piece[kPiece];
    stream.next_out = reinterpret_cast<Bytef*>(piece);
    stream.avail_out = sizeof piece;
    int code = inflate(&stream, Z_NO_FLUSH);
    TRY(Take(out, piece, sizeof piece - stream.avail_out, most));
    if (code == Z_STREAM_END && (window < 0 || stream.avail_in == 0)) return out;
    if (code == Z_STREAM_END) code = inflateReset(&stream);  // the next member
    if (code != Z_OK) return Damaged();
  }
}

Result<std::string> Unzstd(std::string_view bytes, size_t most) {
  const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  std::string out;
  for (size_t left = 1; left != 0;) {
    char buffer[kPiece];
    ZSTD_outBuffer piece{buffer, sizeof buffer, 0};
    auto before = in.pos;
    left = ZSTD_decompressStream(context.get(), &piece, &in);
    if (ZSTD_isError(left) != 0 || (left != 0 && piece.pos == 0 && in.pos == before)) return Damaged();
    TRY(Take(out, buffer, piece.pos, most));
  }
  return out;
}

/// How much a block of snappy says it holds: a varint in front (its format description, section 1); absent: cut off.
std::optional<uint64_t> SizeOfSnappy(std::string_view bytes) {
  constexpr size_t kMostBytes = 5;  // of 32 bits
  uint64_t size = 0;
  for (size_t i = 0; i < std::min(bytes.size(), kMostBytes); ++i) {
    const auto byte = static_cast<uint8_t>(bytes[i]);
    size |= uint64_t{byte & 0x7fu} << (7 * i);
    if ((byte & 0x80) == 0) return size;
  }
  return std::nullopt;
}

Result<std::string> Unsnappy(std::string_view bytes, size_t most) {
  auto size = SizeOfSnappy(bytes);
  if (!size) return Damaged();
  if (*size > most)
    return Fail(ErrorKind::kTooLarge, "packed bytes hold more than {} bytes, the most that is unpacked here", most);
  ARROW_ASSIGN(auto codec, arrow::util::Codec::Create(arrow::Compression::SNAPPY));
  std::string out(*size, '\0');
  auto written = codec->Decompress(static_cast<int64_t>(bytes.size()), reinterpret_cast<const uint8_t*>(bytes.data()),
                                   static_cast<int64_t>(out.size()), reinterpret_cast<uint8_t*>(out.data()));
  if (!written.ok() || *written != static_cast<int64_t>(out.size())) return Damaged();
  return out;
}

}  // namespace

Result<std::string> Unpack(Packing packing, std::string_view bytes, size_t most) {
  if (packing == Packing::kZstandard) return Unzstd(bytes, most);
  if (packing == Packing::kSnappy) return Unsnappy(bytes, most);
  return Inflate(bytes, packing == Packing::kGzip ? kGzipWindow : -MAX_WBITS, most);
}

bool IsGzip(std::string_view bytes) { return bytes.starts_with("\x1f\x8b"); }

}  // namespace slipway::iceberg
