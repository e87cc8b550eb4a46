#include "model/python/worker.h"

#include <arrow/buffer.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstring>

#include "base/arrow.h"
#include "base/file.h"
#include "base/format.h"
#include "base/json.h"
#include "base/own_process.h"
#include "base/time.h"
#include "model/python/environment.h"
#include "model/python/printed.h"
#include "model/python/zygote.h"

namespace slipway::model {
namespace {

constexpr int kWatchMilliseconds = 20;
constexpr double kSecondsToEnd = 2;
constexpr const char* kOutput = "output";  // of a program, in its folder
constexpr size_t kLongestAnswer = size_t{1} << 20;

Failure System(const char* what) { return Fail(ErrorKind::kIo, "{}: {}", what, std::strerror(errno)); }

/// Replaces what the shared file holds by a stream of one batch, or of none.
Result<> WriteStream(int file, const std::shared_ptr<arrow::Schema>& schema, const arrow::RecordBatch* batch) {
  if (::ftruncate(file, 0) != 0 || ::lseek(file, 0, SEEK_SET) != 0) return System("shared memory");
  int copy = ::fcntl(file, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return System("shared memory");
  ARROW_ASSIGN(auto output, arrow::io::FileOutputStream::Open(copy));
  ARROW_ASSIGN(auto writer, arrow::ipc::MakeStreamWriter(output, schema));
  if (batch != nullptr) ARROW_TRY(writer->WriteRecordBatch(*batch));
  ARROW_TRY(writer->Close());
  ARROW_TRY(output->Close());
  return {};
}

/// The batch in the shared file, checked all through: another process wrote it.
Result<std::shared_ptr<arrow::RecordBatch>> ReadStream(int file) {
  int copy = ::fcntl(file, F_DUPFD_CLOEXEC, 0);
  if (copy < 0 || ::lseek(file, 0, SEEK_SET) != 0) return System("shared memory");
  ARROW_ASSIGN(auto input, arrow::io::ReadableFile::Open(copy));
  ARROW_ASSIGN(auto reader, arrow::ipc::RecordBatchStreamReader::Open(input));
  std::shared_ptr<arrow::RecordBatch> batch;
  ARROW_TRY(reader->ReadNext(&batch));
  if (batch == nullptr) return Fail(ErrorKind::kCorrupt, "no predictions");
  ARROW_TRY(batch->ValidateFull());
  return batch;
}

json::array Paths(const std::vector<std::string>& paths) {
  json::array all;
  for (const auto& path : paths) all.emplace_back(std::filesystem::absolute(path).string());
  return all;
}

}  // namespace

std::shared_ptr<Zygotes> MakeZygotes() { return std::make_shared<Zygotes>(); }

Result<std::unique_ptr<Worker>> Worker::Start(const PythonEngine& engine, const MlModel& model,
                                              const std::shared_ptr<arrow::Schema>& outputs) {
  std::unique_ptr<Worker> worker(new Worker(engine));
  ASSIGN(worker->engine_.interpreter, InterpreterFor(engine, model.folder));
  TRY(worker->Spawn(model));
  TRY(worker->Load(model.folder, outputs));
  return worker;
}

Result<> Worker::Load(const std::filesystem::path& model, const std::shared_ptr<arrow::Schema>& outputs) {
  outputs_ = outputs;
  TRY(WriteStream(predictions_, outputs, nullptr));
  ASSIGN(auto folder, ModelOf(model));
  return Begin({{"model", folder.string()}, {"box", Box(folder, {})}});
}

Result<std::unique_ptr<Worker>> Worker::Run(const PythonEngine& engine, const MlModel& model,
                                            const PythonProgram& program, const std::filesystem::path& output) {
  std::unique_ptr<Worker> worker(new Worker(engine));
  ASSIGN(worker->engine_.interpreter, InterpreterFor(engine, model.folder));
  TRY(worker->Spawn(model));
  json::object modules;
  for (const auto& [name, text] : program.modules) modules[name] = text;
  auto made = program.installs_in.empty() ? worker->home_ / kOutput : std::filesystem::absolute(output);
  ASSIGN(auto folder, worker->ModelOf(model.folder));
  TRY(worker->Begin({{"model", folder.string()},
                     {"box", worker->Box(folder, program.installs_in)},
                     {"program", program.main},
                     {"modules", std::move(modules)},
                     {"output", made.string()}}));
  if (program.installs_in.empty()) TRY(worker->TakeOutput(output));
  return worker;
}

Result<std::filesystem::path> Worker::ModelOf(const std::filesystem::path& folder) {
  if (!model_) {
    model_ = std::filesystem::absolute(folder);
    if (user_) {
      ASSIGN(model_, ReadableModel(*user_, *model_, folder_->path()));
    }
  }
  return *model_;
}

json::object Worker::Box(const std::filesystem::path& model, const std::filesystem::path& installs_in) const {
  auto readable = engine_.readable, writable = engine_.writable;
  if (!installs_in.empty()) {
    writable.push_back(installs_in.string());
    readable.insert(readable.end(), {"/etc/pip.conf", "/etc/xdg"});
  }
  return {{"model", model.string()},
          {"network", engine_.network},
          {"readable", Paths(readable)},
          {"writable", Paths(writable)},
          {"installs", !installs_in.empty()},
          {"user", user_ ? json::value(json::array{user_->user, user_->group}) : json::value(nullptr)},
          {"owners", json::array{::getpid(), ::getppid()}},
          {"memory_mib", engine_.memory_mib},
          {"disk_mib", engine_.disk_mib},
          {"tasks", engine_.tasks}};
}

Result<> Worker::TakeOutput(const std::filesystem::path& output) const {
  auto made = home_ / kOutput;
  int from = ::open(made.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  struct stat about = {};
  int to = -1;
  bool done = from >= 0 && ::fstat(from, &about) == 0 && S_ISREG(about.st_mode) &&
              (to = ::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) >= 0;
  for (off_t taken = 0; done && taken < about.st_size;) {
    auto count = ::sendfile(to, from, nullptr, static_cast<size_t>(about.st_size - taken));
    done = count > 0;
    taken += count;
  }
  auto failure = System("take what the program has written");
  for (int file : {from, to})
    if (file >= 0) ::close(file);
  if (!done) return failure;
  return {};
}

Result<> Worker::Begin(const json::object& settings) {
  TRY(Send(json::serialize(settings)));
  ASSIGN(auto line, Receive(engine_.load_seconds, "loading the model"));
  ASSIGN(auto value, Wrap(ParseJson(line), "the Python worker's answer"));
  ASSIGN(auto answer, JsonObject::From(value, "the Python worker's answer"));
  ASSIGN(auto error, answer.String("error", ""));
  for (const char* module : {"mlflow", "pyarrow"})
    if (error == fmt::format("ModuleNotFoundError: No module named '{}'", module))
      return Fail(ErrorKind::kUnsupported,
                  "{}: {}; set python.interpreter to one that has mlflow, pyarrow and what the model needs",
                  engine_.interpreter, error);
  ASSIGN(auto refused, answer.String("refused", ""));
  if (!refused.empty()) return Fail(ErrorKind::kInvalid, refused);
  if (!error.empty())
    return Fail(settings.contains("program") ? ErrorKind::kUnsupported : ErrorKind::kInvalid,
                "{} cannot load the model: {}", engine_.interpreter, error);
  return {};
}

Result<> Worker::Spawn(const MlModel& model) {
  if (engine_.interpreter.empty())
    return Fail(ErrorKind::kUnsupported,
                "this model needs Python, and no interpreter is configured (python.interpreter)");
  MakeUndumpable();
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return System("socketpair");
  socket_ = ends[0];
  rows_ = ::memfd_create("slipway-rows", MFD_CLOEXEC);
  predictions_ = ::memfd_create("slipway-predictions", MFD_CLOEXEC);
  auto started = StartWith(model, ends[1]);
  ::close(ends[1]);
  if (started && !engine_.cgroup.empty()) {
    auto cgroup = Cgroup::Make(engine_.cgroup, engine_.memory_mib << 20, engine_.tasks, process_->id());
    if (!cgroup) {
      process_->Kill();
      process_ = nullptr;
      return Failure(cgroup.error());
    }
    cgroup_ = std::move(*cgroup);
  }
  if (started) watch_ = std::make_unique<Watch>(engine_, *process_, home_, std::array{rows_, predictions_});
  return started;
}

Result<> Worker::StartWith(const MlModel& model, int socket) {
  if (rows_ < 0 || predictions_ < 0) return System("shared memory");
  ASSIGN(folder_, PrivateFolder::Make());
  home_ = folder_->path();
  if (!engine_.user.empty()) {
    ASSIGN(user_, FindUser(engine_.user));
    ASSIGN(home_, MakeHome(*user_, folder_->path()));
  }
  ASSIGN(int printed, engine_.printed->File(engine_.output_mib));
  WorkerFiles files{socket, rows_, predictions_, printed, home_};
  if (engine_.zygotes != nullptr) {
    ZygoteRequest request{.interpreter = engine_.interpreter,
                          .network = engine_.network,
                          .seconds = static_cast<double>(engine_.load_seconds)};
    for (const auto& [flavor, settings] : model.flavors) {
      request.libraries.push_back(flavor);
      if (auto found = settings.find("serialization_format"); found != settings.end())
        request.libraries.push_back(found->second);  // "skops" is a library too
    }
    if (auto forked = engine_.zygotes->Fork(request, files)) {
      process_ = std::move(*forked);
      return {};
    }
  }
  ASSIGN(process_, StartWorker(engine_.interpreter, files));
  return {};
}

Worker::~Worker() {
  End();
  for (int file : {socket_, rows_, predictions_})
    if (file >= 0) ::close(file);
}

std::string Worker::End() {
  if (process_ == nullptr) return " was gone";
  auto reason = watch_->reason();
  watch_.reset();
  auto process = std::move(process_);
  auto end = process->AwaitEnd(0);
  // It may be on its way out: its end of the socket closes first. Or a model has closed it and stays.
  pollfd closing{socket_, POLLIN, 0};
  if (!end && ::poll(&closing, 1, 0) > 0 && (closing.revents & POLLHUP) != 0) end = process->AwaitEnd(kSecondsToEnd);
  if (!end) end = process->Kill();
  if (!reason && cgroup_ && cgroup_->WasOutOfMemory())
    reason = fmt::format(" took more than python.memory_mib = {}", engine_.memory_mib);
  cgroup_.reset();
  return reason ? *reason : " " + end->ToString();
}

Result<> Worker::Send(const std::string& line) {
  auto text = line + "\n";
  for (size_t sent = 0; sent < text.size();) {
    auto count = ::send(socket_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (count < 0) return Fail(ErrorKind::kUnavailable, "the Python process{}", End());
    sent += static_cast<size_t>(count);
  }
  return {};
}

Result<std::string> Worker::Receive(int64_t seconds, const char* doing) {
  double deadline = MonotonicSeconds() + static_cast<double>(seconds);
  while (true) {
    if (auto end = received_.find('\n'); end != std::string::npos) {
      auto line = received_.substr(0, end);
      received_.erase(0, end + 1);
      return line;
    }
    if (received_.size() > kLongestAnswer) return GiveUp("wrote something to its socket that is not an answer", doing);
    pollfd ready{socket_, POLLIN, 0};
    if (::poll(&ready, 1, kWatchMilliseconds) > 0) {
      std::array<char, 4096> piece{};
      auto count = ::recv(socket_, piece.data(), piece.size(), 0);
      if (count <= 0) return Fail(ErrorKind::kUnavailable, "the Python process{}, {}", End(), doing);
      received_.append(piece.data(), static_cast<size_t>(count));
    }
    if (MonotonicSeconds() > deadline) {
      End();
      return Fail(ErrorKind::kUnavailable, "the Python process took longer than {} s, {}", seconds, doing);
    }
  }
}

Failure Worker::GiveUp(const char* what, const std::string& doing) {
  End();
  return Fail(ErrorKind::kUnavailable, "the Python process {}, {}", what, doing);
}

Result<std::shared_ptr<arrow::RecordBatch>> Worker::Ask(const json::object& request, const std::string& doing,
                                                        const char* failing) {
  TRY(Send(json::serialize(request)));
  ASSIGN(auto line, Receive(engine_.batch_seconds, doing.c_str()));
  auto value = ParseJson(line);
  auto answer = value ? JsonObject::From(*value, "answer") : Result<JsonObject>(Failure(value.error()));
  if (!answer) return GiveUp("wrote something to its socket that is not an answer", doing);
  ASSIGN(auto error, answer->String("error", ""));
  if (!error.empty()) return Fail(ErrorKind::kInvalid, "{}: {}", failing, error);
  ASSIGN(auto unfit, answer->String("unfit", ""));
  if (!unfit.empty()) return Fail(ErrorKind::kUnsupported, "{}: {}", failing, unfit);
  auto batch = ReadStream(predictions_);
  if (!batch) return GiveUp("gave rows that do not fit", doing);
  return batch;
}

Result<std::shared_ptr<arrow::RecordBatch>> Worker::Score(const arrow::RecordBatch& rows) {
  return AskToScore(rows, {{"rows", rows.num_rows()}});
}

Result<std::shared_ptr<arrow::RecordBatch>> Worker::ScoreByLibrary(const arrow::RecordBatch& rows,
                                                                   const std::vector<std::string>& categories) {
  return AskToScore(rows, {{"rows", rows.num_rows()}, {"library", json::array(categories.begin(), categories.end())}});
}

Result<std::shared_ptr<arrow::RecordBatch>> Worker::AskToScore(const arrow::RecordBatch& rows,
                                                               const json::object& request) {
  TRY(WriteStream(rows_, rows.schema(), &rows));
  auto doing = fmt::format("scoring {} rows", rows.num_rows());
  ASSIGN(auto predictions, Ask(request, doing, "the model failed"));
  if (predictions->num_rows() != rows.num_rows() || !predictions->schema()->Equals(*outputs_, false))
    return GiveUp("gave predictions that do not fit", doing);
  return predictions;
}

Result<std::shared_ptr<arrow::RecordBatch>> Worker::Example(const std::shared_ptr<arrow::Schema>& inputs) {
  TRY(WriteStream(rows_, inputs, nullptr));
  ASSIGN(auto rows, Ask({{"example", true}}, "reading its input example", "the input example cannot be read"));
  for (const auto& field : rows->schema()->fields())
    if (auto wanted = inputs->GetFieldByName(field->name());
        wanted == nullptr || !wanted->type()->Equals(*field->type()))
      return GiveUp("gave an input example that does not fit", "reading its input example");
  return rows;
}

}  // namespace slipway::model
