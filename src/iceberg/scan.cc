#include "iceberg/scan.h"

#include <cmath>

#include "base/file_io.h"
#include "base/format.h"
#include "iceberg/delete_index.h"

namespace slipway::iceberg {
namespace {

void Narrow(ColumnRange& range, const SourceRange& by) {
  if (by.lower && (!range.lower || Compare(*by.lower, *range.lower) > 0)) range.lower = by.lower;
  if (by.upper && (!range.upper || Compare(*by.upper, *range.upper) < 0)) range.upper = by.upper;
}

/// NaN is no bound, though some older writers left it as one; what they say is then unknown.
bool IsNaN(const Literal& literal) {
  const auto* real = std::get_if<double>(&literal);
  return real != nullptr && std::isnan(*real);
}

std::optional<Literal> Bound(const std::map<int, std::string>& bounds, const Field& field) {
  auto found = bounds.find(field.id);
  if (found == bounds.end() || field.type.id == TypeId::kDecimal) return std::nullopt;
  auto literal = FromBytes(found->second, field.type);
  return literal && !IsNaN(*literal) ? std::optional(*literal) : std::nullopt;
}

bool IsFloat(const Type& type) { return type.id == TypeId::kFloat || type.id == TypeId::kDouble; }

/// Whether a partition's value says something of its rows' values.
bool TellsOfRows(const Transform& transform) {
  return transform.kind != TransformKind::kVoid && transform.kind != TransformKind::kUnknown;
}

ColumnRange FromStatistics(const DataFile& file, const Field& field) {
  ColumnRange range;
  range.lower = Bound(file.lower_bounds, field);
  range.upper = Bound(file.upper_bounds, field);
  range.may_have_nan = IsFloat(field.type);
  if (auto nans = file.nan_value_counts.find(field.id); nans != file.nan_value_counts.end())
    range.may_have_nan = nans->second != 0;
  auto nulls = file.null_value_counts.find(field.id);
  if (nulls != file.null_value_counts.end()) {
    range.may_have_null = nulls->second != 0;
    range.may_have_value = nulls->second < file.record_count;
  }
  return range;
}

/// Of a decimal one value alone has bounds that mean something: predicates compare bytes, which are the same where the
/// numbers are, but are not in their order. Filters ask for no order of decimals.
SourceRange SourceOf(const Transform& transform, const Type& source, const Literal& value) {
  if (source.id != TypeId::kDecimal) return InvertTransform(transform, source, value, value);
  const auto* bytes = std::get_if<std::string>(&value);
  if (transform.kind != TransformKind::kIdentity || bytes == nullptr) return {};
  Literal shortest(ShortestDecimal(*bytes));
  return {shortest, shortest};
}

}  // namespace

RangeOf RangesOf(const ManifestFile& manifest, const PartitionSpec& spec, const Schema& schema) {
  return [&](int field_id) {
    ColumnRange range;
    const auto* source = schema.Find(field_id);
    for (size_t i = 0; source != nullptr && i < spec.fields.size() && i < manifest.partitions.size(); ++i) {
      const auto& field = spec.fields[i];
      const auto& summary = manifest.partitions[i];
      if (field.source_id != field_id || !TellsOfRows(field.transform)) continue;
      range.may_have_null = range.may_have_null && summary.contains_null;
      if (!summary.lower_bound || !summary.upper_bound) continue;
      auto type = ResultType(field.transform, source->type);
      auto lower = FromBytes(*summary.lower_bound, type), upper = FromBytes(*summary.upper_bound, type);
      if (lower && upper && type.id != TypeId::kDecimal && !IsNaN(*lower) && !IsNaN(*upper))
        Narrow(range, InvertTransform(field.transform, source->type, *lower, *upper));
    }
    range.may_have_nan = source != nullptr && IsFloat(source->type);
    return range;
  };
}

RangeOf RangesOf(const DataFile& file, const PartitionSpec& spec, const Schema& schema) {
  return [&](int field_id) {
    const auto* source = schema.Find(field_id);
    if (source == nullptr) return ColumnRange{};
    auto range = FromStatistics(file, *source);
    for (size_t i = 0; i < spec.fields.size(); ++i) {
      const auto& field = spec.fields[i];
      if (field.source_id != field_id || !TellsOfRows(field.transform)) continue;
      const auto& value = file.partition[i];
      const auto* real = std::get_if<double>(&value);
      if (IsNull(value)) {
        range.may_have_value = range.may_have_nan = false;
      } else if (real != nullptr && *real != *real) {
        range.may_have_null = false;
      } else {
        range.may_have_null = range.may_have_nan = false;
        Narrow(range, SourceOf(field.transform, source->type, value));
      }
    }
    return range;
  };
}

Result<std::vector<ManifestFile>> LoadManifests(const Table& table, const Snapshot& snapshot) {
  if (snapshot.manifest_list.empty())
    return Fail(ErrorKind::kUnsupported, "snapshot {} has no manifest list (written by a very old version 1 writer)",
                snapshot.snapshot_id);
  ASSIGN(auto bytes, Wrap(table.io->Read(snapshot.manifest_list, kLargestManifestList), "manifest list"));
  return Wrap(ReadManifestList(std::move(bytes), table.limits.manifests), snapshot.manifest_list);
}

Result<std::vector<ManifestEntry>> LoadEntries(const Table& table, const ManifestFile& manifest, ManifestOrigin* origin,
                                               int64_t known) {
  const auto* spec = table.metadata.FindSpec(manifest.partition_spec_id);
  if (spec == nullptr)
    return Fail(ErrorKind::kCorrupt, "{}: the table has no partition spec {}", manifest.manifest_path,
                manifest.partition_spec_id);
  ASSIGN(auto bytes, Wrap(table.io->Read(manifest.manifest_path, kLargestManifest), "manifest"));
  return Wrap(ReadManifest(std::move(bytes), manifest, *spec, origin, table.limits.data_files - known),
              manifest.manifest_path);
}

Result<ScanPlan> PlanScan(const Table& table, std::optional<int64_t> snapshot_id, const Predicate& predicate) {
  const auto& metadata = table.metadata;
  const auto* snapshot = snapshot_id ? metadata.FindSnapshot(*snapshot_id) : metadata.CurrentSnapshot();
  if (snapshot_id && snapshot == nullptr)
    return Fail(ErrorKind::kNotFound, "table {} has no snapshot {}", ToString(table.id), *snapshot_id);
  ScanPlan plan;
  if (snapshot == nullptr) return plan;
  plan.snapshot_id = snapshot->snapshot_id;
  auto where = "table " + ToString(table.id);
  ASSIGN(auto manifests, Wrap(LoadManifests(table, *snapshot), where));
  for (const auto& manifest : manifests) {
    if (manifest.content != 0) continue;
    const auto* spec = metadata.FindSpec(manifest.partition_spec_id);
    if (spec != nullptr && !MightMatch(predicate, RangesOf(manifest, *spec, metadata.schema))) {
      plan.skipped_files += std::max(0, manifest.added_files_count) + std::max(0, manifest.existing_files_count);
      continue;
    }
    ASSIGN(auto entries, Wrap(LoadEntries(table, manifest, nullptr, std::ssize(plan.files)), where));
    for (auto& entry : entries) {
      if (entry.status == ManifestEntry::Status::kDeleted) continue;
      if (!MightMatch(predicate, RangesOf(entry.file, *spec, metadata.schema))) {
        ++plan.skipped_files;
        continue;
      }
      plan.rows += entry.file.record_count;
      plan.files.push_back(std::move(entry.file));
    }
  }
  if (plan.files.empty()) return plan;
  ASSIGN(auto deletes, Wrap(DeleteIndex::Load(table, manifests), where));
  for (auto& file : plan.files) file.deletes = deletes.Of(file);
  return plan;
}

}  // namespace slipway::iceberg
