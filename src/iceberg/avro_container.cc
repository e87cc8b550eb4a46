#include <zlib.h>
#include <zstd.h>

#include "base/format.h"
#include "base/ids.h"
#include "iceberg/avro_container.h"

namespace slipway::iceberg::avro {
namespace {

constexpr std::string_view kMagic{"Obj\1", 4};
constexpr size_t kSyncSize = 16;
constexpr size_t kLargestBlock = size_t{1} << 30;
constexpr int64_t kValuesPerBlock = 4096;

/// Raw deflate (RFC 1951), as Avro's codec of that name.
Result<std::string> Inflate(std::string_view bytes) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return Fail(ErrorKind::kInternal, "zlib could not start");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  int code = Z_OK;
  while (code == Z_OK && out.size() < kLargestBlock) {
    char buffer[1 << 16];
    stream.next_out = reinterpret_cast<Bytef*>(buffer);
    stream.avail_out = sizeof buffer;
    code = inflate(&stream, Z_NO_FLUSH);
    out.append(buffer, sizeof buffer - stream.avail_out);
  }
  inflateEnd(&stream);
  if (code != Z_STREAM_END) return Fail(ErrorKind::kCorrupt, "Avro: a deflate block is damaged or too large");
  return out;
}

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

Result<std::string> Unzstd(std::string_view bytes) {
  ZSTD_DCtx* context = ZSTD_createDCtx();
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  std::string out;
  size_t left = 1;
  while (left != 0 && out.size() < kLargestBlock) {
    char buffer[1 << 16];
    ZSTD_outBuffer piece{buffer, sizeof buffer, 0};
    auto before = in.pos;
    left = ZSTD_decompressStream(context, &piece, &in);
    if (ZSTD_isError(left) || (piece.pos == 0 && in.pos == before)) break;
    out.append(buffer, piece.pos);
  }
  ZSTD_freeDCtx(context);
  if (left != 0) return Fail(ErrorKind::kCorrupt, "Avro: a zstandard block is damaged or too large");
  return out;
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
  if (!codec.empty() && codec != "null" && codec != "deflate" && codec != "zstandard")
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
    ASSIGN(block.bytes, Inflate(body));
  } else if (codec == "zstandard") {
    ASSIGN(block.bytes, Unzstd(body));
  } else {
    block.bytes = std::string(body);
  }
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
