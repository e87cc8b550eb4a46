#include "iceberg/partitioned_writer.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/compute/cast.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/byte_size.h>

#include <algorithm>
#include <utility>

#include "base/arrow.h"
#include "base/format.h"
#include "iceberg/locations.h"

namespace slipway::iceberg {

namespace {

constexpr int64_t kBytesOfAnArray = 256;  // beside its values, roughly

/// As files want it whose batches come from far apart: a column is a dictionary in all of a file's batches, or in none.
Result<std::shared_ptr<arrow::RecordBatch>> WithoutDictionaries(const arrow::RecordBatch& rows) {
  auto columns = rows.columns();
  auto fields = rows.schema()->fields();
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i]->type_id() != arrow::Type::DICTIONARY) continue;
    auto type = static_cast<const arrow::DictionaryType&>(*columns[i]->type()).value_type();
    ARROW_ASSIGN(columns[i], arrow::compute::Cast(*columns[i], type));
    fields[i] = fields[i]->WithType(type);
  }
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), rows.num_rows(), std::move(columns));
}

}  // namespace

PartitionedWriter::PartitionedWriter(const Table& table, std::string run_id, const Limits& limits)
    : table_(table), spec_(table.metadata.DefaultSpec()), run_id_(std::move(run_id)), limits_(limits) {}

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
  bool waits = waiting_.contains(key) || (!files_.contains(key) && files_.size() >= limits_.open_files);
  return waits ? Wait(key, partition, rows) : WriteToFile(key, partition, rows);
}

Result<> PartitionedWriter::WriteToFile(const std::string& key, const PartitionTuple& partition,
                                        const arrow::RecordBatch& rows) {
  auto found = files_.find(key);
  if (found == files_.end()) {
    auto path = PartitionPath(spec_, table_.metadata.schema, partition);
    locations_.push_back(NewDataFileLocation(table_, path, run_id_));
    ASSIGN(auto writer, DataFileWriter::Open(*table_.io, locations_.back(), table_.metadata.schema.fields));
    found = files_.emplace(key, OpenFile{partition, std::move(writer)}).first;
  }
  TRY(found->second.writer->Write(rows));
  if (found->second.writer->bytes() >= limits_.file_bytes) TRY(Close(key));
  return {};
}

Result<> PartitionedWriter::Wait(const std::string& key, const PartitionTuple& partition,
                                 const arrow::RecordBatch& rows) {
  ASSIGN(auto plain, WithoutDictionaries(rows));
  auto& waiting = waiting_[key];
  waiting.partition = partition;
  waiting_bytes_ += arrow::util::TotalBufferSize(*plain) + plain->num_columns() * kBytesOfAnArray;
  waiting.rows.push_back(std::move(plain));
  return waiting_bytes_ > limits_.waiting_bytes ? SpillWaiting() : Result<>();
}

Result<> PartitionedWriter::SpillWaiting() {
  for (auto& [key, waiting] : waiting_) {
    if (waiting.rows.empty()) continue;
    ARROW_ASSIGN(auto rows, arrow::ConcatenateRecordBatches(std::exchange(waiting.rows, {})));
    ASSIGN(auto range, spill_.Append(*rows));
    waiting.spilled.push_back(range);
  }
  waiting_bytes_ = 0;
  return {};
}

Result<> PartitionedWriter::WriteWaiting(const std::string& key, Waiting& waiting) {
  for (const auto& range : waiting.spilled) {
    ASSIGN(auto rows, spill_.Read(range));
    TRY(WriteToFile(key, waiting.partition, *rows));
  }
  if (!waiting.rows.empty()) {
    ARROW_ASSIGN(auto rows, arrow::ConcatenateRecordBatches(std::exchange(waiting.rows, {})));
    TRY(WriteToFile(key, waiting.partition, *rows));
  }
  return files_.contains(key) ? Close(key) : Result<>();
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
  for (auto& [key, waiting] : waiting_) TRY(WriteWaiting(key, waiting));
  return std::move(finished_);
}

}  // namespace slipway::iceberg
