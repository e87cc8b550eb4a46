#include "iceberg/scan_reader.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <ranges>
#include <thread>
#include <utility>

#include "base/format.h"
#include "base/time.h"
#include "iceberg/live_rows.h"
#include "iceberg/parquet_reader.h"

namespace slipway::iceberg {

using Batch = std::shared_ptr<arrow::RecordBatch>;

/// Files are the unit of order: within a file the row groups follow each other. Two decoders share a file, each with
/// its part of the columns, for each column being read takes a few MiB: what both would need for a file each. Each
/// decoder takes the next part and fills its queue; the consumer empties the queues of a file's parts side by side, in
/// file order.
struct ScanReader::State {
  static constexpr size_t kMostParts = 2;

  struct Queue {
    std::deque<Result<Batch>> batches;
    bool done = false;
    bool is_ready() const { return done || !batches.empty(); }
  };
  struct File {
    std::once_flag once;
    Result<std::unique_ptr<ParquetReader>> reader;
    std::array<Queue, kMostParts> queues;
  };

  Table table;
  std::vector<DataFile> files;
  std::optional<LiveRows> live;
  std::vector<Field> columns;             ///< that are read
  std::vector<std::vector<Field>> parts;  ///< of the columns, in order
  std::shared_ptr<arrow::Schema> schema;  ///< of whole batches, once the first is there
  ScanOptions options;

  std::mutex mutex;
  std::condition_variable filled, emptied;
  std::map<size_t, File> reading;
  size_t next_to_read = 0;  ///< parts of files, counted
  size_t next_to_give = 0;  ///< a file
  bool stopped = false;
  std::atomic<double> cpu{0};
  std::vector<std::thread> threads;

  void DivideColumns() {
    const auto count =
        std::clamp<size_t>(std::min(columns.size(), static_cast<size_t>(options.threads)), 1, kMostParts);
    for (size_t part = 0; part < count; ++part)
      parts.emplace_back(columns.begin() + static_cast<std::ptrdiff_t>(part * columns.size() / count),
                         columns.begin() + static_cast<std::ptrdiff_t>((part + 1) * columns.size() / count));
  }

  void Decode() {
    while (true) {
      size_t index = 0;
      File* file = nullptr;
      {
        std::unique_lock lock(mutex);
        if (stopped || next_to_read == files.size() * parts.size()) return;
        index = next_to_read++;
        file = &reading[index / parts.size()];
      }
      const auto part = index % parts.size();
      auto& queue = file->queues[part];
      auto result = DecodePart(files[index / parts.size()], *file, parts[part], queue);
      std::lock_guard lock(mutex);
      if (!result) queue.batches.emplace_back(Failure(result.error()));
      queue.done = true;
      filled.notify_all();
    }
  }

  /// The first of a file's decoders opens it.
  Result<std::unique_ptr<ParquetReader>> Open(const DataFile& data_file, File& file, const std::vector<Field>& part) {
    std::call_once(file.once, [&] {
      file.reader = ParquetReader::Open(*table.io, data_file, *table.metadata.FindSpec(data_file.spec_id), columns);
    });
    if (!file.reader) return Failure(file.reader.error());
    return (*file.reader)->Again(part);
  }

  Result<> DecodePart(const DataFile& data_file, File& file, const std::vector<Field>& part, Queue& queue) {
    double started = ThreadCpuSeconds();
    ASSIGN(auto reader, Open(data_file, file, part));
    auto other = std::unique_ptr<ParquetReader>();
    if (FileIo::IsRemote(data_file.file_path) && reader->row_groups() > 1) {
      ASSIGN(other, reader->Again(part));  // it fetches the next row group while this one is decoded
    }
    auto open = [&](int group) {
      return (other && group % 2 == 1 ? other : reader)->ReadRowGroup(group, options.batch_rows);
    };
    std::optional<ParquetReader::BatchSource> ahead;
    for (int group = 0; group < reader->row_groups(); ++group) {
      auto next = std::exchange(ahead, std::nullopt);
      if (!next) {
        ASSIGN(next, open(group));
      }
      if (other && group + 1 < reader->row_groups()) {
        ASSIGN(ahead, open(group + 1));
      }
      while (true) {
        ASSIGN(auto batch, (*next)());
        double now = ThreadCpuSeconds();
        cpu += now - started;
        started = now;
        if (batch == nullptr) break;
        if (batch->num_rows() > 0 && !Push(queue, std::move(batch))) return {};
      }
    }
    return {};
  }

  /// False when the reader was stopped.
  bool Push(Queue& queue, Batch batch) {
    std::unique_lock lock(mutex);
    emptied.wait(lock, [&] { return stopped || queue.batches.size() < static_cast<size_t>(options.batches_ahead); });
    if (stopped) return false;
    queue.batches.emplace_back(std::move(batch));
    filled.notify_all();
    return true;
  }

  std::optional<size_t> live_of;  ///< the file that `live` has begun

  /// The next batch of a file, of all columns; null at its end.
  Result<Batch> Take(const DataFile& data_file, File& file) {
    std::vector<Batch> taken;
    for (size_t part = 0; part < parts.size(); ++part) {
      auto& batches = file.queues[part].batches;
      if (batches.empty()) continue;
      auto batch = std::move(batches.front());
      batches.pop_front();
      if (!batch) return batch;
      taken.push_back(std::move(*batch));
    }
    if (taken.empty() || parts.size() == 1) return taken.empty() ? Batch() : taken.front();
    auto is_short = [&](const Batch& batch) { return batch->num_rows() != taken.front()->num_rows(); };
    if (taken.size() != parts.size() || std::ranges::any_of(taken, is_short))
      return Fail(ErrorKind::kCorrupt, "read {}: its columns differ in their numbers of rows", data_file.file_path);
    arrow::ArrayVector arrays;
    arrow::FieldVector fields;
    for (const auto& batch : taken)
      for (int i = 0; i < batch->num_columns(); ++i) {
        arrays.push_back(batch->column(i));
        fields.push_back(batch->schema()->field(i));
      }
    if (schema == nullptr) schema = arrow::schema(std::move(fields));
    return arrow::RecordBatch::Make(schema, taken.front()->num_rows(), std::move(arrays));
  }

  /// The next batch of all files, and of which file it is; none at the end.
  struct FromFile {
    size_t file = 0;
    Batch batch;
  };
  Result<FromFile> Read() {
    std::unique_lock lock(mutex);
    for (; next_to_give < files.size(); ++next_to_give) {
      const auto index = next_to_give;
      filled.wait(lock, [&] {
        auto found = reading.find(index);
        return found != reading.end() &&
               std::ranges::all_of(found->second.queues | std::views::take(parts.size()), &Queue::is_ready);
      });
      ASSIGN(auto batch, Take(files[index], reading.at(index)));
      emptied.notify_all();
      if (batch != nullptr) return FromFile{index, std::move(batch)};
      reading.erase(index);
    }
    return FromFile{};
  }
};

ScanReader::ScanReader(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<ScanReader>> ScanReader::Start(const Table& table, const ScanPlan& plan,
                                                      std::vector<Field> columns, const ScanOptions& options) {
  auto state = std::make_unique<State>();
  state->table = table;
  state->files = plan.files;
  ASSIGN(state->live, LiveRows::Of(state->table, state->files, std::move(columns)));
  state->columns = state->live->columns();
  state->options = options;
  state->DivideColumns();
  auto threads = std::min(static_cast<size_t>(options.threads), plan.files.size() * state->parts.size());
  for (size_t i = 0; i < threads; ++i) state->threads.emplace_back([s = state.get()] { s->Decode(); });
  return std::unique_ptr<ScanReader>(new ScanReader(std::move(state)));
}

ScanReader::~ScanReader() {
  {
    std::lock_guard lock(state_->mutex);
    state_->stopped = true;
  }
  state_->emptied.notify_all();
  for (auto& thread : state_->threads) thread.join();
}

Result<Batch> ScanReader::Next() {
  auto& state = *state_;
  while (true) {
    ASSIGN(auto read, state.Read());
    if (read.batch == nullptr) return Batch();
    if (state.live_of != read.file) TRY(state.live->Begin(state.files[read.file]));
    state.live_of = read.file;
    ASSIGN(auto rows, state.live->Take(read.batch));
    if (rows->num_rows() > 0) return rows;
  }
}

double ScanReader::cpu_seconds() const { return state_->cpu; }

}  // namespace slipway::iceberg
