#include "iceberg/live_rows.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/arrow.h"
#include "base/format.h"
#include "iceberg/delete_index.h"
#include "iceberg/limits.h"
#include "iceberg/parquet_reader.h"

namespace slipway::iceberg {
namespace {

using Content = DataFile::Content;
using Batch = std::shared_ptr<arrow::RecordBatch>;

constexpr int64_t kBatchRows = 65536;
constexpr size_t kBytesOfAKey = 64;  // beside its text

/// Calls `take` with each batch of a file of deletes.
template <typename F>
Result<> ForEachBatch(const Table& table, const DataFile& file, const std::vector<Field>& columns, F&& take) {
  if (file.format != "PARQUET")
    return Fail(ErrorKind::kUnsupported, "{} holds deletes in the format {}; Slipway reads those in Parquet",
                file.file_path, file.format);
  const auto* spec = table.metadata.FindSpec(file.spec_id);
  if (spec == nullptr)
    return Fail(ErrorKind::kCorrupt, "{}: the table has no partition spec {}", file.file_path, file.spec_id);
  ASSIGN(auto reader, ParquetReader::Open(*table.io, file, *spec, columns));
  for (int group = 0; group < reader->row_groups(); ++group) {
    ASSIGN(auto next, reader->ReadRowGroup(group, kBatchRows));
    while (true) {
      ASSIGN(auto batch, next());
      if (batch == nullptr) break;
      TRY(take(*batch));
    }
  }
  return {};
}

void AppendBytes(std::string& key, const auto& value) {
  key.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void AppendText(std::string& key, std::string_view text) {
  AppendBytes(key, text.size());
  key += text;
}

/// Appends one value so that equal ones have equal bytes: nulls are equal, and so is NaN (spec, "Equality Delete
/// Files").
Result<> AppendValue(std::string& key, const arrow::Array& column, int64_t row) {
  key += column.IsNull(row) ? '\0' : '\1';
  if (column.IsNull(row)) return {};
  ASSIGN(auto value, LiteralAt(column, row));
  if (const auto* number = std::get_if<int64_t>(&value))
    AppendBytes(key, *number);
  else if (const auto* real = std::get_if<double>(&value))
    AppendBytes(key, std::isnan(*real) ? std::numeric_limits<double>::quiet_NaN() : *real);
  else if (const auto* flag = std::get_if<bool>(&value))
    AppendBytes(key, *flag);
  else
    AppendText(key, std::get<std::string>(value));
  return {};
}

Result<> SetKey(std::string& key, const arrow::RecordBatch& batch, const std::vector<int>& columns, int64_t row) {
  key.clear();
  for (int column : columns) TRY(AppendValue(key, *batch.column(column), row));
  return {};
}

std::vector<int> FirstNumbers(size_t count) {
  std::vector<int> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

}  // namespace

Result<LiveRows> LiveRows::Of(const Table& table, const std::vector<DataFile>& files, std::vector<Field> wanted) {
  LiveRows rows(table);
  rows.wanted_ = wanted.size();
  rows.columns_ = std::move(wanted);
  std::set<int> ids;
  for (const auto& file : files)
    for (const auto& deletes : file.deletes) ids.insert(deletes->equality_ids.begin(), deletes->equality_ids.end());
  for (int id : ids) {
    if (std::ranges::find(rows.columns_, id, &Field::id) != rows.columns_.end()) continue;
    ASSIGN(auto field, Wrap(table.metadata.FieldOfAnySchema(id), "rows were deleted by their values"));
    rows.columns_.push_back(std::move(field));
  }
  return rows;
}

Result<> LiveRows::Begin(const DataFile& file) {
  sequence_number_ = file.sequence_number;
  row_ = 0;
  deleted_.clear();
  by_key_.clear();
  for (const auto& deletes : file.deletes) {
    if (deletes->content == Content::kEqualityDeletes) {
      ASSIGN(const auto* by_key, ReadKeys(*deletes));
      if (std::ranges::find(by_key_, by_key) == by_key_.end()) by_key_.push_back(by_key);
      continue;
    }
    TRY(ReadPositions(*deletes));
    auto of_file = positions_[deletes->file_path].extract(file.file_path);
    if (of_file.empty()) continue;
    held_ -= of_file.mapped().size() * sizeof(int64_t);
    deleted_.insert(deleted_.end(), of_file.mapped().begin(), of_file.mapped().end());
  }
  std::ranges::sort(deleted_);
  return {};
}

Result<Batch> LiveRows::Take(const Batch& batch) {
  const auto first = row_, rows = batch->num_rows();
  row_ += rows;
  auto begin = std::ranges::lower_bound(deleted_, first), end = std::ranges::lower_bound(deleted_, first + rows);
  if (columns_.size() == wanted_ && begin == end && by_key_.empty()) return batch;
  std::vector<uint8_t> lives(static_cast<size_t>(rows), 1);
  for (; begin != end; ++begin) lives[static_cast<size_t>(*begin - first)] = 0;
  std::string key;
  for (const auto* by_key : by_key_) {
    for (int64_t row = 0; row < rows; ++row) {
      TRY(SetKey(key, *batch, by_key->columns, row));
      auto found = by_key->newest.find(key);
      if (found != by_key->newest.end() && found->second > sequence_number_) lives[static_cast<size_t>(row)] = 0;
    }
  }
  auto wanted = batch;
  if (columns_.size() != wanted_) {
    ARROW_ASSIGN(wanted, batch->SelectColumns(FirstNumbers(wanted_)));
  }
  if (std::ranges::find(lives, 0) == lives.end()) return wanted;
  arrow::BooleanBuilder builder;
  ARROW_TRY(builder.AppendValues(lives.data(), rows));
  ARROW_ASSIGN(auto mask, builder.Finish());
  ARROW_ASSIGN(auto taken, arrow::compute::Filter(arrow::Datum(wanted), arrow::Datum(mask)));
  return taken.record_batch();
}

Result<> LiveRows::ReadPositions(const DataFile& deletes) {
  auto [found, is_new] = positions_.try_emplace(deletes.file_path);
  if (!is_new) return {};
  const std::vector<Field> columns = {{kDeletedPath, "file_path", true, {TypeId::kString}},
                                      {kDeletedPosition, "pos", true, {TypeId::kLong}}};
  return ForEachBatch(*table_, deletes, columns, [&](const arrow::RecordBatch& batch) -> Result<> {
    const auto& paths = static_cast<const arrow::StringArray&>(*batch.column(0));
    const auto& positions = static_cast<const arrow::Int64Array&>(*batch.column(1));
    if (paths.null_count() != 0 || positions.null_count() != 0)
      return Fail(ErrorKind::kCorrupt, "{}: a deleted position is null", deletes.file_path);
    TRY(Hold(static_cast<size_t>(batch.num_rows()) * sizeof(int64_t)));
    std::vector<int64_t>* of_file = nullptr;  // rows are sorted by their file
    for (int64_t row = 0; row < batch.num_rows(); ++row) {
      if (of_file == nullptr || paths.GetView(row) != paths.GetView(row - 1))
        of_file = &found->second[std::string(paths.GetView(row))];
      of_file->push_back(positions.Value(row));
    }
    return {};
  });
}

/// All deletes of one partition and one set of columns are one table of keys, however many files hold them: whether a
/// delete is newer than a row, the sequence number beside the key tells.
Result<LiveRows::ByKey*> LiveRows::ReadKeys(const DataFile& deletes) {
  std::string group;
  for (int id : deletes.equality_ids) AppendBytes(group, id);
  AppendBytes(group, deletes.spec_id);
  group += KeyOf(deletes.partition);
  auto& by_key = keys_[group];
  if (!by_key.read.insert(deletes.file_path).second) return &by_key;
  std::vector<Field> fields;
  by_key.columns.clear();
  for (int id : deletes.equality_ids) {
    auto field = std::ranges::find(columns_, id, &Field::id);
    by_key.columns.push_back(static_cast<int>(field - columns_.begin()));
    fields.push_back(*field);
  }
  if (fields.empty())
    return Fail(ErrorKind::kCorrupt, "{} deletes rows by their values, but names no column", deletes.file_path);
  std::string key;
  const auto all = FirstNumbers(fields.size());
  TRY(ForEachBatch(*table_, deletes, fields, [&](const arrow::RecordBatch& batch) -> Result<> {
    for (int64_t row = 0; row < batch.num_rows(); ++row) {
      TRY(SetKey(key, batch, all, row));
      auto [known, is_new] = by_key.newest.try_emplace(key, deletes.sequence_number);
      if (is_new) TRY(Hold(key.size() + kBytesOfAKey));
      known->second = std::max(known->second, deletes.sequence_number);
    }
    return {};
  }));
  return &by_key;
}

Result<> LiveRows::Hold(size_t bytes) {
  held_ += bytes;
  if (held_ <= kMostDeleteBytes) return {};
  return Fail(ErrorKind::kTooLarge,
              "the deletes of the table {} take more than {} bytes of memory; compact it (Spark: rewrite_data_files)",
              ToString(table_->id), kMostDeleteBytes);
}

}  // namespace slipway::iceberg
