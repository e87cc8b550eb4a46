#include "model/python/probe.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <map>
#include <sstream>

#include "base/file.h"
#include "base/format.h"
#include "base/json.h"
#include "model/python/worker.h"

extern const char slipway_python_probe[], slipway_python_probe_end[];

namespace slipway::model {

int LandlockVersion() {
  constexpr int kCreateRuleset = 444, kAskForVersion = 1;  // linux/landlock.h
  auto version = ::syscall(kCreateRuleset, nullptr, 0, kAskForVersion);
  return version < 0 ? 0 : static_cast<int>(version);
}

Result<BoxProbe> ProbeBox(PythonEngine engine) {
  engine.zygotes = nullptr;  // nothing is imported
  engine.environment_of_model = false;
  ASSIGN(auto place, PrivateFolder::Make());
  auto model = place.path() / "model", output = place.path() / "found";
  TRY(CreateFolders(model));
  auto outside = place.path() / "outside";
  TRY(WriteFileAtomically(outside, "not a model's\n", 0600));
  PythonProgram program{{slipway_python_probe, slipway_python_probe_end}, {}};
  program.main +=
      fmt::format("\nOUTSIDE, OWNER = {}, {}\n", json::serialize(json::value(outside.string())), ::geteuid());
  TRY(Worker::Run(engine, {.folder = model}, program, output));
  ASSIGN(auto text, ReadFile(output, size_t{1} << 16));
  std::map<std::string, std::string> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (auto space = line.find(' '); space != std::string::npos) found[line.substr(0, space)] = line.substr(space + 1);
  auto holds = [&](const char* name) { return found[name] == "yes"; };
  return BoxProbe{.files = holds("files"),
                  .sockets = holds("sockets"),
                  .calls = holds("calls"),
                  .signals = holds("signals"),
                  .user = holds("user"),
                  .packages = holds("packages"),
                  .packages_folder = found["folder"]};
}

}  // namespace slipway::model
