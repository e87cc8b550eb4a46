#include "iceberg/avro_container.h"

#include <zlib.h>

#include <algorithm>

#include "base/format.h"
#include "base/ids.h"
#include "iceberg/limits.h"
#include "iceberg/unpack.h"

namespace slipway::iceberg::avro {
namespace {

constexpr std::string_view kMagic{"Obj\1", 4};
constexpr size_t kSyncSize = 16;
constexpr int64_t kValuesPerBlock = 4096;

std::string Deflate(const std::string& bytes) {
  z_stream stream{};
  deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// A block that unpacks to much more than its like is made to.
size_t MostUnpacked(size_t packed) {
  return std::min(kLargestBlock, kFreeBytes + kMostRatio * std::min(packed, kLargestBlock));
}

/// A block of snappy and the big-endian CRC of what it holds (Avro, "Required Codecs").
Result<std::string> UnpackSnappy(std::string_view body) {
  constexpr size_t kCrcBytes = 4;
  if (body.size() < kCrcBytes) return Fail(ErrorKind::kCorrupt, "a block of snappy is cut off");
  auto packed = body.substr(0, body.size() - kCrcBytes);
  ASSIGN(auto bytes, Unpack(Packing::kSnappy, packed, MostUnpacked(packed.size())));
  uint32_t told = 0;
  for (char byte : body.substr(packed.size())) told = (told << 8) | static_cast<uint8_t>(byte);
  if (crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()) != told)
    return Fail(ErrorKind::kCorrupt, "a block of snappy does not fit its checksum");
  return bytes;
}

}  // namespace

Result<ContainerReader> ContainerReader::Open(std::string bytes) {
  ContainerReader reader;
  reader.bytes_ = std::move(bytes);
  std::string_view view = reader.bytes_;
  if (!view.starts_with(kMagic)) return Fail(ErrorKind::kCorrupt, "not an Avro file");
  Decoder header(view.substr(kMagic.size()));
  header.Array([&] {
    auto key = std::string(header.Bytes());
    reader.metadata_[key] = std::string(header.Bytes());
  });
  auto sync = header.Fixed(kSyncSize);
  if (!header.ok()) return Fail(ErrorKind::kCorrupt, "Avro: the header is cut off");
  reader.sync_ = std::string(sync);
  reader.at_ = static_cast<size_t>(sync.data() + sync.size() - view.data());
  const auto& codec = reader.metadata_["avro.codec"];
  if (!codec.empty() && codec != "null" && codec != "deflate" && codec != "zstandard" && codec != "snappy")
    return Fail(ErrorKind::kUnsupported, "Avro: the codec '{}' is not supported", codec);
  ASSIGN(reader.schema_, Wrap(ParseSchema(reader.metadata_["avro.schema"]), "Avro"));
  return reader;
}

Result<ContainerReader::Block> ContainerReader::Next() {
  int64_t count = 0;
  std::string_view body;
  while (count == 0) {  // a block without values is valid: PyIceberg writes one when it appends no rows
    if (at_ >= bytes_.size()) return Block{};
    Decoder decoder(std::string_view(bytes_).substr(at_));
    count = decoder.Long();
    body = decoder.Bytes();
    auto sync = decoder.Fixed(kSyncSize);
    if (!decoder.ok() || count < 0 || sync != sync_)
      return Fail(ErrorKind::kCorrupt, "Avro: the file is cut off or damaged");
    at_ = static_cast<size_t>(sync.data() + sync.size() - bytes_.data());
  }
  Block block{count, {}};
  const auto& codec = metadata_["avro.codec"];
  if (codec == "deflate") {
    ASSIGN(block.bytes, Wrap(Unpack(Packing::kDeflate, body, MostUnpacked(body.size())), "Avro"));
  } else if (codec == "zstandard") {
    ASSIGN(block.bytes, Wrap(Unpack(Packing::kZstandard, body, MostUnpacked(body.size())), "Avro"));
  } else if (codec == "snappy") {
    ASSIGN(block.bytes, Wrap(UnpackSnappy(body), "Avro"));
  } else {
    block.bytes = std::string(body);
  }
  unpacked_ += block.bytes.size();
  if (unpacked_ > kLargestUnpacked)
    return Fail(ErrorKind::kTooLarge, "Avro: the file holds more than {} bytes unpacked", kLargestUnpacked);
  if (static_cast<size_t>(count) > block.bytes.size() / std::max<size_t>(schema_->least, 1))
    return Fail(ErrorKind::kCorrupt, "Avro: a block claims {} values, but has {} bytes for them", count,
                block.bytes.size());
  return block;
}

ContainerWriter::ContainerWriter(std::string_view schema, std::map<std::string, std::string> metadata) {
  metadata["avro.schema"] = schema;
  metadata["avro.codec"] = "deflate";
  file_.Fixed(kMagic);
  file_.Long(static_cast<int64_t>(metadata.size()));
  for (const auto& [key, value] : metadata) {
    file_.Bytes(key);
    file_.Bytes(value);
  }
  file_.Long(0);
  sync_ = RandomHex(kSyncSize / 2);
  file_.Fixed(sync_);
}

void ContainerWriter::Added() {
  if (++count_ == kValuesPerBlock) Flush();
}

void ContainerWriter::Flush() {
  if (count_ == 0) return;
  file_.Long(count_);
  file_.Bytes(Deflate(block_.Take()));
  file_.Fixed(sync_);
  count_ = 0;
}

std::string ContainerWriter::Finish() {
  Flush();
  return file_.Take();
}

}  // namespace slipway::iceberg::avro
