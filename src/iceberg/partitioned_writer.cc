#include "iceberg/partitioned_writer.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>

#include <algorithm>

#include "base/arrow.h"
#include "base/format.h"
#include "iceberg/locations.h"

namespace slipway::iceberg {

namespace {

/// Tells partitions apart, which their folders do not always: a null and the text "null" have the same.
std::string KeyOf(const PartitionTuple& partition) {
  std::string key;
  auto append = [&key](const auto& value) { key.append(reinterpret_cast<const char*>(&value), sizeof value); };
  for (const auto& value : partition) {
    key += static_cast<char>(value.index());
    if (const auto* text = std::get_if<std::string>(&value)) {
      append(text->size());
      key += *text;
    } else if (const auto* number = std::get_if<int64_t>(&value)) {
      append(*number);
    } else if (const auto* real = std::get_if<double>(&value)) {
      append(*real);
    } else if (const auto* flag = std::get_if<bool>(&value)) {
      append(*flag);
    }
  }
  return key;
}

}  // namespace

PartitionedWriter::PartitionedWriter(const Table& table, std::string run_id, size_t open_files, int64_t file_bytes)
    : table_(table),
      spec_(table.metadata.DefaultSpec()),
      run_id_(std::move(run_id)),
      open_files_(open_files),
      file_bytes_(file_bytes) {}

Result<PartitionTuple> PartitionedWriter::PartitionOf(const arrow::RecordBatch& batch, int64_t row) const {
  PartitionTuple tuple;
  const auto& fields = table_.metadata.schema.fields;
  for (const auto& partition : spec_.fields) {
    Literal value;
    for (size_t i = 0; i < fields.size(); ++i) {
      if (fields[i].id != partition.source_id) continue;
      ASSIGN(auto source, LiteralAt(*batch.column(static_cast<int>(i)), row));
      ASSIGN(value, Apply(partition.transform, fields[i].type, source));
    }
    tuple.push_back(std::move(value));
  }
  return tuple;
}

/// Whether each row has its neighbour's values in all columns that partitions are made of: so it is for a whole run, by
/// default.
bool PartitionedWriter::IsOnePartition(const arrow::RecordBatch& batch) const {
  const auto& fields = table_.metadata.schema.fields;
  for (const auto& partition : spec_.fields) {
    auto found = std::ranges::find(fields, partition.source_id, &Field::id);
    if (found == fields.end()) continue;
    const auto& column = *batch.column(static_cast<int>(found - fields.begin()));
    if (!column.RangeEquals(column, 0, column.length() - 1, 1, arrow::EqualOptions::Defaults().nans_equal(true)))
      return false;
  }
  return true;
}

Result<> PartitionedWriter::Write(const std::shared_ptr<arrow::RecordBatch>& batch) {
  if (batch->num_rows() == 0) return {};
  if (IsOnePartition(*batch)) {
    ASSIGN(auto partition, PartitionOf(*batch, 0));
    return WriteTo(partition, *batch);
  }
  struct Group {
    PartitionTuple partition;
    arrow::Int64Builder rows;
  };
  std::map<std::string, Group> groups;
  Group* last = nullptr;  // neighbours mostly share their partition
  for (int64_t row = 0; row < batch->num_rows(); ++row) {
    ASSIGN(auto partition, PartitionOf(*batch, row));
    if (last == nullptr || last->partition != partition) {
      last = &groups[KeyOf(partition)];
      last->partition = std::move(partition);
    }
    ARROW_TRY(last->rows.Append(row));
  }
  if (groups.size() == 1) return WriteTo(groups.begin()->second.partition, *batch);
  for (auto& [key, group] : groups) {
    ARROW_ASSIGN(auto rows, group.rows.Finish());
    ARROW_ASSIGN(auto taken, arrow::compute::Take(arrow::Datum(batch), arrow::Datum(rows)));
    TRY(WriteTo(group.partition, *taken.record_batch()));
  }
  return {};
}

Result<> PartitionedWriter::WriteTo(const PartitionTuple& partition, const arrow::RecordBatch& rows) {
  auto key = KeyOf(partition);
  auto found = files_.find(key);
  if (found == files_.end()) {
    if (files_.size() >= open_files_) {
      auto largest = std::ranges::max_element(files_, {}, [](const auto& item) { return item.second.writer->bytes(); });
      TRY(Close(std::string(largest->first)));
    }
    auto path = PartitionPath(spec_, table_.metadata.schema, partition);
    locations_.push_back(NewDataFileLocation(table_, path, run_id_));
    ASSIGN(auto writer, DataFileWriter::Open(*table_.io, locations_.back(), table_.metadata.schema.fields));
    found = files_.emplace(key, OpenFile{partition, std::move(writer)}).first;
  }
  TRY(found->second.writer->Write(rows));
  if (found->second.writer->bytes() >= file_bytes_) TRY(Close(key));
  return {};
}

Result<> PartitionedWriter::Close(const std::string& key) {
  auto found = files_.find(key);
  ASSIGN(auto file, found->second.writer->Finish());
  file.spec_id = spec_.spec_id;
  file.partition = found->second.partition;
  finished_.push_back(std::move(file));
  files_.erase(found);
  return {};
}

Result<std::vector<DataFile>> PartitionedWriter::Finish() {
  while (!files_.empty()) TRY(Close(std::string(files_.begin()->first)));
  return std::move(finished_);
}

}  // namespace slipway::iceberg
