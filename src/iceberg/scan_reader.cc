#include "iceberg/scan_reader.h"

#include <arrow/record_batch.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/time.h"
#include "iceberg/parquet_reader.h"

namespace slipway::iceberg {

using Batch = std::shared_ptr<arrow::RecordBatch>;

/// Files are the unit of order: each decoder takes the next file and fills its queue; the consumer empties the queues in
/// file order. Within a file the row groups follow each other.
struct ScanReader::State {
  struct Queue {
    std::deque<Result<Batch>> batches;
    bool done = false;
  };

  Table table;
  std::vector<DataFile> files;
  std::vector<Field> columns;
  ScanOptions options;

  std::mutex mutex;
  std::condition_variable filled, emptied;
  std::map<size_t, Queue> queues;  // of the files being read
  size_t next_to_read = 0, next_to_give = 0;
  bool stopped = false;
  std::atomic<double> cpu{0};
  std::vector<std::thread> threads;

  void Decode() {
    while (true) {
      size_t index = 0;
      {
        std::unique_lock lock(mutex);
        if (stopped || next_to_read == files.size()) return;
        index = next_to_read++;
        queues[index];
      }
      auto result = DecodeFile(index);
      std::lock_guard lock(mutex);
      if (!result) queues[index].batches.emplace_back(Failure(result.error()));
      queues[index].done = true;
      filled.notify_all();
    }
  }

  Result<> DecodeFile(size_t index) {
    const auto& file = files[index];
    double started = ThreadCpuSeconds();
    ASSIGN(auto reader, ParquetReader::Open(*table.io, file, *table.metadata.FindSpec(file.spec_id), columns));
    auto other = std::unique_ptr<ParquetReader>();
    if (FileIo::IsRemote(file.file_path) && reader->row_groups() > 1) {
      ASSIGN(other, reader->Again());  // it fetches the next row group while this one is decoded
    }
    auto open = [&](int group) { return (other && group % 2 == 1 ? other : reader)->ReadRowGroup(group, options.batch_rows); };
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
        if (batch->num_rows() > 0 && !Push(index, std::move(batch))) return {};
      }
    }
    return {};
  }

  /// False when the reader was stopped.
  bool Push(size_t index, Batch batch) {
    std::unique_lock lock(mutex);
    auto& queue = queues[index];
    emptied.wait(lock, [&] { return stopped || queue.batches.size() < static_cast<size_t>(options.batches_ahead); });
    if (stopped) return false;
    queue.batches.emplace_back(std::move(batch));
    filled.notify_all();
    return true;
  }
};

ScanReader::ScanReader(std::unique_ptr<State> state) : state_(std::move(state)) {}

std::unique_ptr<ScanReader> ScanReader::Start(const Table& table, const ScanPlan& plan, std::vector<Field> columns,
                                              const ScanOptions& options) {
  auto state = std::make_unique<State>();
  state->table = table;
  state->files = plan.files;
  state->columns = std::move(columns);
  state->options = options;
  auto threads = std::min(static_cast<size_t>(options.threads), plan.files.size());
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
  std::unique_lock lock(state_->mutex);
  while (state_->next_to_give < state_->files.size()) {
    auto index = state_->next_to_give;
    state_->filled.wait(lock, [&] {
      auto found = state_->queues.find(index);
      return found != state_->queues.end() && (found->second.done || !found->second.batches.empty());
    });
    auto& queue = state_->queues[index];
    if (!queue.batches.empty()) {
      auto batch = std::move(queue.batches.front());
      queue.batches.pop_front();
      state_->emptied.notify_all();
      return batch;
    }
    state_->queues.erase(index);
    ++state_->next_to_give;
  }
  return Batch();
}

double ScanReader::cpu_seconds() const { return state_->cpu; }

}  // namespace slipway::iceberg
