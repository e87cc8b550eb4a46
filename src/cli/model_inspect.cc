#include "cli/model_inspect.h"

#include <arrow/type.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <iostream>

#include "base/file.h"
#include "base/format.h"
#include "base/json.h"
#include "cli/environment.h"
#include "cli/model_files.h"
#include "cli/terminal.h"
#include "model/mlflow/mlmodel.h"
#include "model/model.h"
#include "model/proof.h"

namespace slipway::cli {
namespace {

/// "lightgbm 4.6.0": the library's own flavor and version, or python_function where it has no other.
std::string FlavorOf(const model::MlModel& mlmodel) {
  std::string text;
  for (const auto& [name, settings] : mlmodel.flavors) {
    if (name == "python_function") continue;
    text += (text.empty() ? "" : ", ") + name;
    auto version = std::ranges::find_if(settings, [](const auto& item) { return item.first.ends_with("_version"); });
    if (version != settings.end()) text += " " + version->second;
  }
  return text.empty() ? "python_function" : text;
}

struct Size {
  uintmax_t bytes = 0, files = 0;
};

Result<Size> SizeOf(const std::filesystem::path& folder) {
  Size size;
  std::error_code code;
  for (std::filesystem::recursive_directory_iterator entry(folder, code), end; !code && entry != end;
       entry.increment(code)) {
    if (!entry->is_regular_file(code) || code) continue;
    size.bytes += entry->file_size(code);
    ++size.files;
  }
  if (code) return Fail(ErrorKind::kIo, "read {}: {}", folder.string(), code.message());
  return size;
}

std::string Text(uintmax_t bytes) {
  if (bytes < 1024) return fmt::format("{} bytes", bytes);
  auto value = static_cast<double>(bytes) / 1024;
  for (const char* unit : {"KiB", "MiB"}) {
    if (value < 1024) return fmt::format("{:.1f} {}", value, unit);
    value /= 1024;
  }
  return fmt::format("{:.1f} GiB", value);
}

/// Why the engine scores it, as far as that is known here.
model::EngineRecord Proof(const Context& context, const std::filesystem::path& folder) {
  auto digest = HashFolder(folder);
  auto record = digest ? model::FindRecord(EngineOf(context), *digest) : std::nullopt;
  return record.value_or(model::EngineRecord{.why = "not compared with mlflow.pyfunc yet: slipway models check"});
}

}  // namespace

Result<> InspectModel(const Context& context, const std::string& named) {
  ASSIGN(auto version, FindModel(context, named));
  ASSIGN(auto mlmodel, model::ReadMlModel(version.folder));
  ASSIGN(auto model, model::LoadModel(version.folder, EngineOf(context)));
  ASSIGN(auto size, SizeOf(version.folder));
  json::object all;
  std::vector<std::vector<std::string>> rows;
  auto say = [&](const std::string& what, const std::string& value) {
    rows.push_back({what, value});
    all[what] = value;
  };
  if (!version.name.empty()) say("model", fmt::format("{}/{}", version.name, version.version));
  say("flavor", FlavorOf(mlmodel));
  rows.push_back({"size", fmt::format("{} in {} files", Text(size.bytes), size.files)});
  all["size"] = size.bytes;
  for (const auto& fact : model->facts()) {
    say(fact.name, fact.value);
    if (fact.name != "engine") continue;
    auto proof = Proof(context, version.folder);
    say("proof", std::string(ToString(proof.evidence)));
    if (!model->needs_files()) say("why", proof.why);
  }
  json::array inputs, outputs, parameters;
  for (const auto& column : model->inputs()) {
    rows.push_back({"input", fmt::format("{} {}{}", column.name, column.type, column.required ? "" : " (optional)")});
    inputs.push_back(json::object{{"name", column.name}, {"type", column.type}, {"required", column.required}});
  }
  for (const auto& parameter :
       mlmodel.signature ? mlmodel.signature->parameters : std::vector<model::ParameterSpec>()) {
    rows.push_back({"parameter", fmt::format("{} {} = {}", parameter.name, parameter.type, parameter.fallback)});
    parameters.push_back(
        json::object{{"name", parameter.name}, {"type", parameter.type}, {"default", parameter.fallback}});
  }
  for (const auto& field : model->outputs()->fields()) {
    rows.push_back({"output", fmt::format("{} {}", field->name(), field->type()->ToString())});
    outputs.push_back(json::object{{"name", field->name()}, {"type", field->type()->ToString()}});
  }
  all["inputs"] = inputs;
  all["parameters"] = parameters;
  all["outputs"] = outputs;
  if (context.json)
    std::cout << json::serialize(all) << "\n";
  else
    PrintTable({"WHAT", "VALUE"}, rows);
  return {};
}

}  // namespace slipway::cli
