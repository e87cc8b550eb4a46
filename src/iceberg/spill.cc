#include "iceberg/spill.h"

#include <arrow/buffer.h>
#include <arrow/io/file.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/dictionary.h>
#include <arrow/ipc/options.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <unistd.h>

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/arrow.h"
#include "base/format.h"

namespace slipway::iceberg {

struct Spill::File {
  std::shared_ptr<arrow::io::FileOutputStream> output;
  std::shared_ptr<arrow::io::ReadableFile> input;
  std::shared_ptr<arrow::Schema> schema;

  static Result<std::unique_ptr<File>> Make(std::shared_ptr<arrow::Schema> schema) {
    auto file = std::make_unique<File>();
    file->schema = std::move(schema);
    auto name = (std::filesystem::temp_directory_path() / "slipway-rows-XXXXXX").string();
    int made = ::mkostemp(name.data(), O_CLOEXEC);
    if (made < 0) return Fail(ErrorKind::kIo, "{} cannot be made: {}", name, std::strerror(errno));
    ::unlink(name.c_str());
    ARROW_ASSIGN(file->output, arrow::io::FileOutputStream::Open(made));
    int again = ::fcntl(made, F_DUPFD_CLOEXEC, 0);
    if (again < 0) return Fail(ErrorKind::kIo, "{} cannot be read: {}", name, std::strerror(errno));
    ARROW_ASSIGN(file->input, arrow::io::ReadableFile::Open(again));
    return file;
  }
};

Spill::Spill() = default;
Spill::~Spill() = default;

Result<Spill::Range> Spill::Append(const arrow::RecordBatch& rows) {
  if (file_ == nullptr) {
    ASSIGN(file_, File::Make(rows.schema()));
  }
  ARROW_ASSIGN(auto bytes, arrow::ipc::SerializeRecordBatch(rows, arrow::ipc::IpcWriteOptions::Defaults()));
  ARROW_ASSIGN(auto offset, file_->output->Tell());
  if (auto written = file_->output->Write(bytes); !written.ok())
    return Fail(ErrorKind::kIo,
                "rows that wait for their partition have no room in {} (TMPDIR names another folder): {}",
                std::filesystem::temp_directory_path().string(), written.message());
  return Range{offset, bytes->size()};
}

Result<std::shared_ptr<arrow::RecordBatch>> Spill::Read(const Range& range) {
  ARROW_ASSIGN(auto bytes, file_->input->ReadAt(range.offset, range.length));
  arrow::io::BufferReader reader(bytes);
  arrow::ipc::DictionaryMemo none;
  return FromArrow(arrow::ipc::ReadRecordBatch(file_->schema, &none, arrow::ipc::IpcReadOptions::Defaults(), &reader));
}

}  // namespace slipway::iceberg
