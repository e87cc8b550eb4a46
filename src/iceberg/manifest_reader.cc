#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cctype>
#include <limits>
#include <set>

#include "base/format.h"
#include "base/json.h"
#include "iceberg/avro_container.h"
#include "iceberg/manifest.h"

namespace slipway::iceberg {
namespace {

using avro::Decoder;
using Kind = avro::Schema::Kind;

std::optional<int64_t> ReadLong(Decoder& in, const avro::Schema& schema) {
  const auto* actual = in.Resolve(schema);
  if (actual == nullptr || actual->kind == Kind::kNull) return std::nullopt;
  if (actual->kind == Kind::kInt || actual->kind == Kind::kLong) return in.Long();
  in.Fail();
  return std::nullopt;
}

std::optional<std::string> ReadBytes(Decoder& in, const avro::Schema& schema) {
  const auto* actual = in.Resolve(schema);
  if (actual == nullptr || actual->kind == Kind::kNull) return std::nullopt;
  if (actual->kind == Kind::kString || actual->kind == Kind::kBytes) return std::string(in.Bytes());
  in.Fail();
  return std::nullopt;
}

std::optional<bool> ReadBoolean(Decoder& in, const avro::Schema& schema) {
  const auto* actual = in.Resolve(schema);
  if (actual == nullptr || actual->kind == Kind::kNull) return std::nullopt;
  if (actual->kind == Kind::kBoolean) return in.Boolean();
  in.Fail();
  return std::nullopt;
}

/// A partition value, whatever Avro type its writer chose.
Literal ReadLiteral(Decoder& in, const avro::Schema& schema) {
  const auto* actual = in.Resolve(schema);
  if (actual == nullptr) return {};
  switch (actual->kind) {
    case Kind::kNull: return {};
    case Kind::kBoolean: return in.Boolean();
    case Kind::kInt:
    case Kind::kLong: return in.Long();
    case Kind::kFloat: return static_cast<double>(in.Float());
    case Kind::kDouble: return in.Double();
    case Kind::kBytes:
    case Kind::kString: return std::string(in.Bytes());
    case Kind::kFixed: return std::string(in.Fixed(actual->size));
    default: in.Fail(); return {};
  }
}

/// Iceberg maps with integer keys are arrays of key-value records; `take` reads the value.
template <typename F>
void ReadMap(Decoder& in, const avro::Schema& schema, F&& take) {
  const auto* array = in.Resolve(schema);
  if (array == nullptr || array->kind == Kind::kNull) return;
  if (array->kind != Kind::kArray || array->items->kind != Kind::kRecord || array->items->fields.size() != 2) {
    in.Fail();
    return;
  }
  const auto& fields = array->items->fields;
  in.Array([&] {
    auto key = ReadLong(in, *fields[0].type);
    take(static_cast<int>(key.value_or(0)), *fields[1].type);
  });
}

template <typename F>
void ReadArray(Decoder& in, const avro::Schema& schema, F&& item) {
  const auto* array = in.Resolve(schema);
  if (array == nullptr || array->kind == Kind::kNull) return;
  if (array->kind != Kind::kArray) {
    in.Fail();
    return;
  }
  in.Array([&] { item(*array->items); });
}

std::map<int, int64_t> ReadCounts(Decoder& in, const avro::Schema& schema) {
  std::map<int, int64_t> counts;
  ReadMap(in, schema, [&](int key, const avro::Schema& value) { counts[key] = ReadLong(in, value).value_or(0); });
  return counts;
}

std::map<int, std::string> ReadBounds(Decoder& in, const avro::Schema& schema) {
  std::map<int, std::string> bounds;
  ReadMap(in, schema, [&](int key, const avro::Schema& value) { bounds[key] = ReadBytes(in, value).value_or(""); });
  return bounds;
}

/// Calls `field(id, schema)` for each field of a record; it must consume the value.
template <typename F>
void ReadRecord(Decoder& in, const avro::Schema& schema, F&& field) {
  const auto* record = in.Resolve(schema);
  if (record == nullptr || record->kind != Kind::kRecord) {
    in.Fail();
    return;
  }
  for (const auto& f : record->fields) field(f.id, *f.type);
}

PartitionTuple ReadPartition(Decoder& in, const avro::Schema& schema, const PartitionSpec& spec) {
  PartitionTuple tuple(spec.fields.size());
  ReadRecord(in, schema, [&](int id, const avro::Schema& type) {
    const auto value = ReadLiteral(in, type);
    for (size_t i = 0; i < spec.fields.size(); ++i)
      if (spec.fields[i].field_id == id) tuple[i] = value;
  });
  return tuple;
}

/// Field ids: spec, "Data File Fields".
void ReadDataFile(Decoder& in, const avro::Schema& schema, const PartitionSpec& spec, DataFile& file) {
  ReadRecord(in, schema, [&](int id, const avro::Schema& type) {
    switch (id) {
      case 134: file.content = static_cast<DataFile::Content>(ReadLong(in, type).value_or(0)); break;
      case 100: file.file_path = ReadBytes(in, type).value_or(""); break;
      case 101:
        file.format = ReadBytes(in, type).value_or("");
        std::ranges::transform(file.format, file.format.begin(), [](unsigned char c) { return std::toupper(c); });
        break;
      case 102: file.partition = ReadPartition(in, type, spec); break;
      case 103: file.record_count = ReadLong(in, type).value_or(0); break;
      case 104: file.file_size_in_bytes = ReadLong(in, type).value_or(0); break;
      case 108: file.column_sizes = ReadCounts(in, type); break;
      case 109: file.value_counts = ReadCounts(in, type); break;
      case 110: file.null_value_counts = ReadCounts(in, type); break;
      case 137: file.nan_value_counts = ReadCounts(in, type); break;
      case 125: file.lower_bounds = ReadBounds(in, type); break;
      case 128: file.upper_bounds = ReadBounds(in, type); break;
      case 132:
        ReadArray(in, type,
                  [&](const avro::Schema& item) { file.split_offsets.push_back(ReadLong(in, item).value_or(0)); });
        break;
      case 135:
        ReadArray(in, type, [&](const avro::Schema& item) {
          file.equality_ids.push_back(static_cast<int>(ReadLong(in, item).value_or(0)));
        });
        break;
      case 143: file.referenced_data_file = ReadBytes(in, type).value_or(""); break;
      case 140:
        if (auto order = ReadLong(in, type)) file.sort_order_id = static_cast<int>(*order);
        break;
      default: in.Skip(type);
    }
  });
}

void Inherit(ManifestEntry& entry, const ManifestFile& manifest) {
  if (!entry.snapshot_id) entry.snapshot_id = manifest.added_snapshot_id;
  if (!entry.sequence_number && (entry.status == ManifestEntry::Status::kAdded || manifest.sequence_number == 0))
    entry.sequence_number = manifest.sequence_number;
  if (!entry.file_sequence_number && (entry.status == ManifestEntry::Status::kAdded || manifest.sequence_number == 0))
    entry.file_sequence_number = manifest.sequence_number;
  entry.file.sequence_number = entry.sequence_number.value_or(0);
}

/// What a manifest of data, or of deletes, may not hold.
Result<> CheckContent(const ManifestEntry& entry, const ManifestFile& manifest) {
  const auto& file = entry.file;
  const bool deletes = file.content != DataFile::Content::kData;
  if (deletes != (manifest.content != 0))
    return Fail(ErrorKind::kCorrupt, "a manifest of {} holds {}, a file of {}", deletes ? "data" : "deletes",
                file.file_path, deletes ? "deletes" : "data");
  if (!deletes && file.format != "PARQUET" && entry.status != ManifestEntry::Status::kDeleted)
    return Fail(ErrorKind::kUnsupported, "{} is a {} file; Slipway reads Parquet only", file.file_path, file.format);
  return {};
}

/// The bytes of a value that is not null.
void ReadUnknown(Decoder& in, const avro::Schema& schema, std::string& bytes) {
  const auto* actual = in.Resolve(schema);
  if (actual == nullptr || actual->kind == Kind::kNull) return;
  auto before = in.rest();
  in.Skip(*actual);
  if (in.ok()) bytes = before.substr(0, before.size() - in.rest().size());
}

ManifestFile ReadManifestFile(Decoder& in, const avro::Schema& schema) {
  ManifestFile m;
  auto count = [&](const avro::Schema& type) { return ReadLong(in, type).value_or(-1); };
  ReadRecord(in, schema, [&](int id, const avro::Schema& type) {
    switch (id) {
      case 500: m.manifest_path = ReadBytes(in, type).value_or(""); break;
      case 501: m.manifest_length = count(type); break;
      case 502: m.partition_spec_id = static_cast<int>(count(type)); break;
      case 517: m.content = static_cast<int>(ReadLong(in, type).value_or(0)); break;
      case 515: m.sequence_number = ReadLong(in, type).value_or(0); break;
      case 516: m.min_sequence_number = ReadLong(in, type).value_or(0); break;
      case 503: m.added_snapshot_id = count(type); break;
      case 504: m.added_files_count = static_cast<int>(count(type)); break;
      case 505: m.existing_files_count = static_cast<int>(count(type)); break;
      case 506: m.deleted_files_count = static_cast<int>(count(type)); break;
      case 512: m.added_rows_count = count(type); break;
      case 513: m.existing_rows_count = count(type); break;
      case 514: m.deleted_rows_count = count(type); break;
      case 507:
        ReadArray(in, type, [&](const avro::Schema& item) {
          FieldSummary summary;
          ReadRecord(in, item, [&](int field, const avro::Schema& value) {
            if (field == 509)
              summary.contains_null = ReadBoolean(in, value).value_or(true);
            else if (field == 518)
              summary.contains_nan = ReadBoolean(in, value);
            else if (field == 510)
              summary.lower_bound = ReadBytes(in, value);
            else if (field == 511)
              summary.upper_bound = ReadBytes(in, value);
            else
              in.Skip(value);
          });
          m.partitions.push_back(std::move(summary));
        });
        break;
      default: ReadUnknown(in, type, m.unknown[id].bytes);
    }
  });
  std::erase_if(m.unknown, [](const auto& item) { return item.second.bytes.empty(); });
  return m;
}

/// The Avro fields of what was not known, from the list's own schema.
Result<> DescribeUnknown(std::vector<ManifestFile>& manifests, const std::string& avro_schema) {
  if (std::ranges::all_of(manifests, [](const auto& m) { return m.unknown.empty(); })) return {};
  ASSIGN(auto value, ParseJson(avro_schema));
  ASSIGN(auto record, JsonObject::From(value, "the manifest list's schema"));
  ASSIGN(auto fields, record.Array("fields"));
  std::map<int, std::string> by_id;
  for (const auto& field : *fields) {
    ASSIGN(auto object, JsonObject::From(field, "the manifest list's schema"));
    ASSIGN(auto id, object.Int("field-id", -1));
    by_id[static_cast<int>(id)] = json::serialize(field);
  }
  for (auto& manifest : manifests)
    for (auto& [id, unknown] : manifest.unknown) unknown.field = by_id[id];
  return {};
}

/// Sums over all files of a table fit into 64 bits.
bool SoundSize(const DataFile& file) {
  constexpr auto kMost = std::numeric_limits<int64_t>::max() >> 24;
  return file.record_count >= 0 && file.record_count <= kMost && file.file_size_in_bytes >= 0 &&
         file.file_size_in_bytes <= kMost;
}

}  // namespace

Result<std::vector<ManifestFile>> ReadManifestList(std::string bytes, int64_t most) {
  ASSIGN(auto reader, avro::ContainerReader::Open(std::move(bytes)));
  std::vector<ManifestFile> manifests;
  std::set<std::string> named;
  while (true) {
    ASSIGN(auto block, reader.Next());
    if (block.count == 0) {
      TRY(DescribeUnknown(manifests, reader.metadata().at("avro.schema")));
      return manifests;
    }
    if (block.count > most - std::ssize(manifests))
      return Fail(ErrorKind::kTooLarge,
                  "the manifest list names more than {} manifests: rewrite the table's manifests, or raise the setting "
                  "tables.manifests",
                  most);
    Decoder in(block.bytes);
    for (int64_t i = 0; i < block.count; ++i) {
      manifests.push_back(ReadManifestFile(in, reader.schema()));
      const auto& path = manifests.back().manifest_path;
      if (!in.ok() || path.empty())
        return Fail(ErrorKind::kCorrupt, "the manifest list is damaged at entry {}", manifests.size() - 1);
      if (!named.insert(path).second) return Fail(ErrorKind::kCorrupt, "the manifest list names {} twice", path);
    }
  }
}

Result<std::vector<ManifestEntry>> ReadManifest(std::string bytes, const ManifestFile& manifest,
                                                const PartitionSpec& spec, ManifestOrigin* origin, int64_t most) {
  ASSIGN(auto reader, avro::ContainerReader::Open(std::move(bytes)));
  if (origin != nullptr) *origin = {reader.metadata().at("avro.schema"), reader.metadata()};
  std::vector<ManifestEntry> entries;
  while (true) {
    ASSIGN(auto block, reader.Next());
    if (block.count == 0) return entries;
    if (block.count > most - std::ssize(entries))
      return Fail(
          ErrorKind::kTooLarge,
          "there are more than {} further data files: compact the table, or raise the setting tables.data_files", most);
    Decoder in(block.bytes);
    for (int64_t i = 0; i < block.count; ++i) {
      ManifestEntry entry;
      entry.file.spec_id = spec.spec_id;
      int64_t status = 0;
      std::string others;
      ReadRecord(in, reader.schema(), [&](int id, const avro::Schema& type) {
        switch (id) {
          case 0: status = ReadLong(in, type).value_or(-1); break;
          case 1: entry.snapshot_id = ReadLong(in, type); break;
          case 3: entry.sequence_number = ReadLong(in, type); break;
          case 4: entry.file_sequence_number = ReadLong(in, type); break;
          case 2: {
            auto before = in.rest();
            ReadDataFile(in, type, spec, entry.file);
            if (origin != nullptr) entry.as_written = before.substr(0, before.size() - in.rest().size());
            break;
          }
          default: {
            auto before = in.rest();
            in.Skip(type);
            if (origin != nullptr) others += before.substr(0, before.size() - in.rest().size());
          }
        }
      });
      entry.as_written += others;
      if (!in.ok() || status < 0 || status > 2 || entry.file.file_path.empty() || !SoundSize(entry.file) ||
          entry.file.partition.size() != spec.fields.size() || entry.file.content < DataFile::Content::kData ||
          entry.file.content > DataFile::Content::kEqualityDeletes)
        return Fail(ErrorKind::kCorrupt, "the manifest is damaged at entry {}", entries.size());
      entry.status = static_cast<ManifestEntry::Status>(status);
      TRY(CheckContent(entry, manifest));
      Inherit(entry, manifest);
      entries.push_back(std::move(entry));
    }
  }
}

}  // namespace slipway::iceberg
