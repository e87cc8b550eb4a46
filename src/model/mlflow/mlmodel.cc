#include "model/mlflow/mlmodel.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "base/file.h"
#include "base/format.h"

namespace slipway::model {
namespace {

std::string TextOf(const YAML::Node& node, const char* key) {
  auto child = node[key];
  return child && child.IsScalar() ? child.as<std::string>() : "";
}

}  // namespace

Result<MlModel> ReadMlModel(const std::filesystem::path& folder) {
  ASSIGN(auto text, ReadFile(folder / "MLmodel", size_t{1} << 20));
  return ParseMlModel(text, folder);
}

Result<MlModel> ParseMlModel(const std::string& text, const std::filesystem::path& folder) {
  MlModel model{folder, std::nullopt, {}, {}};
  std::string inputs, outputs, parameters;
  std::vector<std::string> names;
  try {
    auto root = YAML::Load(text);
    for (const auto& flavor : root["flavors"]) {
      auto& settings = model.flavors[flavor.first.as<std::string>()];
      if (!flavor.second.IsMap()) continue;
      for (const auto& item : flavor.second)
        if (item.second.IsScalar()) settings[item.first.as<std::string>()] = item.second.as<std::string>();
    }
    if (auto metadata = root["metadata"]; metadata && metadata.IsMap()) {
      auto wanted = [&](const char* key) { return metadata[key] && metadata[key].as<bool>(); };
      for (const auto& name : metadata["slipway.columns"]) names.push_back(name.as<std::string>());
      model.extras = {wanted("slipway.contributions"), wanted("slipway.probabilities")};
    }
    if (auto signature = root["signature"]; signature && signature.IsMap()) {
      inputs = TextOf(signature, "inputs");
      outputs = TextOf(signature, "outputs");
      parameters = TextOf(signature, "params");
    }
  } catch (const YAML::Exception& error) {
    return Fail(ErrorKind::kCorrupt, "{}: {}", (folder / "MLmodel").string(), error.what());
  }
  if (model.flavors.empty()) return Fail(ErrorKind::kCorrupt, "{} names no flavor", (folder / "MLmodel").string());
  if (!inputs.empty()) {
    ASSIGN(model.signature, ParseSignature(inputs, outputs, parameters, names));
  }
  return model;
}

Result<std::vector<ColumnSpec>> InputsFor(const MlModel& model, const std::vector<std::string>& features) {
  std::vector<ColumnSpec> inputs;
  if (model.signature) inputs = model.signature->inputs;
  if (inputs.empty())
    for (const auto& name : features) inputs.push_back({name, "double", true});
  if (inputs.size() != features.size())
    return Fail(ErrorKind::kInvalid, "the signature has {} inputs, but the model {} features", inputs.size(),
                features.size());
  return inputs;
}

Result<std::vector<ColumnSpec>> InputsByName(const MlModel& model, const std::vector<std::string>& features) {
  ASSIGN(auto inputs, InputsFor(model, features));
  std::vector<ColumnSpec> ordered;
  for (const auto& feature : features) {
    auto found = std::ranges::find(inputs, feature, &ColumnSpec::name);
    if (found == inputs.end())
      return Fail(ErrorKind::kUnsupported,
                  "the model was trained with a feature '{}', which its signature does not name", feature);
    ordered.push_back(*found);
  }
  return ordered;
}

}  // namespace slipway::model
