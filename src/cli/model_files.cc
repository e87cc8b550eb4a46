#include "cli/model_files.h"

#include <arrow/compute/cast.h>
#include <arrow/io/file.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/writer.h>

#include "base/arrow.h"
#include "base/format.h"

namespace slipway::cli {
namespace {

/// What a column is, whichever way it is laid out: pandas writes large strings, and categories as dictionaries.
std::shared_ptr<arrow::DataType> PlainType(const std::shared_ptr<arrow::DataType>& type) {
  if (type->id() == arrow::Type::DICTIONARY) return PlainType(static_cast<const arrow::DictionaryType&>(*type).value_type());
  if (type->id() == arrow::Type::LARGE_STRING) return arrow::utf8();
  if (type->id() == arrow::Type::LARGE_BINARY) return arrow::binary();
  return type;
}

}  // namespace

Result<std::shared_ptr<arrow::RecordBatch>> ReadRowsFor(const model::Model& model, const std::filesystem::path& file) {
  ARROW_ASSIGN(auto input, arrow::io::ReadableFile::Open(file.string()));
  ARROW_ASSIGN(auto reader, parquet::arrow::OpenFile(input, arrow::default_memory_pool()));
  std::shared_ptr<arrow::Schema> schema;
  ARROW_TRY(reader->GetSchema(&schema));
  std::vector<int> columns;
  for (const auto& column : model.inputs()) {
    int index = schema->GetFieldIndex(column.name);
    if (index < 0 && !column.required) continue;
    if (index < 0) return Fail(ErrorKind::kInvalid, "{} lacks the column '{}', which the model needs", file.string(), column.name);
    if (!model::Feeds(*PlainType(schema->field(index)->type()), column.type))
      return Fail(ErrorKind::kInvalid, "{}: the model needs '{}' as {}, but it is {}, which would lose values", file.string(), column.name,
                  column.type, schema->field(index)->type()->ToString());
    columns.push_back(index);
  }
  ARROW_ASSIGN(auto table, reader->ReadTable(columns));
  ARROW_ASSIGN(auto rows, table->CombineChunksToBatch());
  for (int i = 0; i < rows->num_columns(); ++i) {
    auto type = PlainType(rows->schema()->field(i)->type());
    if (type->Equals(*rows->schema()->field(i)->type())) continue;
    ARROW_ASSIGN(auto plain, arrow::compute::Cast(*rows->column(i), type));
    ARROW_ASSIGN(rows, rows->SetColumn(i, rows->schema()->field(i)->WithType(type), plain));
  }
  return rows;
}

Result<> WriteRows(const std::shared_ptr<arrow::RecordBatch>& rows, const std::filesystem::path& file) {
  ARROW_ASSIGN(auto table, arrow::Table::FromRecordBatches({rows}));
  ARROW_ASSIGN(auto output, arrow::io::FileOutputStream::Open(file.string()));
  ARROW_TRY(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), output));
  ARROW_TRY(output->Close());
  return {};
}

}  // namespace slipway::cli
