#include "model/python/environment.h"

#include "base/file.h"
#include "base/format.h"
#include "base/ids.h"
#include "model/python/worker.h"

extern const char slipway_python_environment[], slipway_python_environment_end[];

namespace slipway::model {
namespace {

constexpr size_t kLargestText = size_t{1} << 20;

/// Where it stands which interpreter models with these requirements have.
Result<std::filesystem::path> RecordOf(const PythonEngine& engine, const std::filesystem::path& folder) {
  ASSIGN(auto requirements, ReadFile(folder / "requirements.txt", kLargestText));
  auto version = ReadFile(folder / "python_env.yaml", kLargestText);
  std::string script(slipway_python_environment, slipway_python_environment_end);
  auto hash = Sha256(script + '\0' + engine.interpreter + '\0' + requirements + '\0' + (version ? *version : ""));
  return std::filesystem::path(engine.cache) / "environments" / (hash.substr(0, 24) + ".interpreter");
}

}  // namespace

Result<std::string> InterpreterFor(const PythonEngine& engine, const std::filesystem::path& folder) {
  if (!engine.environment_of_model || engine.interpreter.empty()) return engine.interpreter;
  if (engine.cache.empty() || !std::filesystem::exists(folder / "requirements.txt"))
    return Fail(ErrorKind::kUnsupported, "python.environment = model, but the model has no requirements.txt");
  ASSIGN(auto record, RecordOf(engine, folder));
  auto known = ReadFile(record, kLargestText);
  if (known && std::filesystem::exists(*known)) return *known;
  TRY(CreateFolders(record.parent_path().string()));
  auto maker = engine;
  maker.environment_of_model = false;
  maker.network = true;
  maker.user = "";  // what it installs must not be the models' to change
  maker.load_seconds = engine.environment_seconds;
  maker.zygotes = nullptr;  // it needs nothing that they have imported
  TRY(Wrap(
      Worker::Run(maker, {.folder = folder},
                  {{slipway_python_environment, slipway_python_environment_end}, {}, record.parent_path()}, record),
      "the model's environment"));
  return ReadFile(record, kLargestText);
}

}  // namespace slipway::model
