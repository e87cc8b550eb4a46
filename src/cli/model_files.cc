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
#include "registry/folder_registry.h"

namespace slipway::cli {
namespace {

/// What a column is, whichever way it is laid out: pandas writes large strings, and categories as dictionaries.
std::shared_ptr<arrow::DataType> PlainType(const std::shared_ptr<arrow::DataType>& type) {
  if (type->id() == arrow::Type::DICTIONARY)
    return PlainType(static_cast<const arrow::DictionaryType&>(*type).value_type());
  if (type->id() == arrow::Type::LARGE_STRING) return arrow::utf8();
  if (type->id() == arrow::Type::LARGE_BINARY) return arrow::binary();
  return type;
}

}  // namespace

Result<registry::ModelVersion> FindModel(const Context& context, const std::string& named) {
  if (std::filesystem::exists(std::filesystem::path(named) / "MLmodel")) return registry::ModelVersion{.folder = named};
  registry::FolderRegistry registry(std::filesystem::absolute(context.data_dir) / "models");
  registry::ModelReference reference{named.substr(0, named.find_first_of("/@")), std::nullopt, std::nullopt};
  if (auto at = named.find_first_of("/@"); at != std::string::npos)
    (named[at] == '/' ? reference.version : reference.alias) = named.substr(at + 1);
  if (!reference.version && !reference.alias) {
    ASSIGN(auto models, registry.List());
    for (const auto& model : models)
      if (model.name == reference.name && !model.versions.empty()) reference.version = model.versions.back();
    if (!reference.version)
      return Fail(ErrorKind::kNotFound,
                  "there is neither a registered model nor a folder with an MLmodel file called '" + named + "'");
  }
  ASSIGN(auto version, registry.Resolve(reference));
  TRY(registry.Fetch(version));
  return version;
}

Result<std::shared_ptr<arrow::RecordBatch>> ReadRowsFor(const model::Model& model, const std::filesystem::path& file) {
  ARROW_ASSIGN(auto input, arrow::io::ReadableFile::Open(file.string()));
  ARROW_ASSIGN(auto reader, parquet::arrow::OpenFile(input, arrow::default_memory_pool()));
  std::shared_ptr<arrow::Schema> schema;
  ARROW_TRY(reader->GetSchema(&schema));
  std::vector<int> columns;
  for (const auto& column : model.inputs()) {
    int index = schema->GetFieldIndex(column.name);
    if (index < 0 && !column.required) continue;
    if (index < 0)
      return Fail(ErrorKind::kInvalid, "{} lacks the column '{}', which the model needs", file.string(), column.name);
    if (!model::Feeds(*PlainType(schema->field(index)->type()), column.type))
      return Fail(ErrorKind::kInvalid, "{}: the model needs '{}' as {}, but it is {}, which would lose values",
                  file.string(), column.name, column.type, schema->field(index)->type()->ToString());
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
  return model::DecimalsAsDoubles(rows, model.inputs());
}

Result<std::shared_ptr<arrow::RecordBatch>> RowsMadeFor(const model::Model& model, int64_t count) {
  auto made = model.EdgeRows(count);
  if (!made && made.error().kind == ErrorKind::kUnsupported) made = model.ExampleRows();
  if (!made) return Fail(made.error().kind, "{}; name a Parquet file of rows with --input", made.error().message);
  auto rows = *made;
  if (rows->num_rows() == 0 || rows->num_rows() >= count) return rows;
  ARROW_ASSIGN(auto once, arrow::Table::FromRecordBatches({rows}));
  ARROW_ASSIGN(auto all,
               arrow::ConcatenateTables(std::vector(static_cast<size_t>(count / rows->num_rows() + 1), once)));
  ARROW_ASSIGN(rows, all->Slice(0, count)->CombineChunksToBatch());
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
