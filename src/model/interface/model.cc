#include "model/interface/model.h"

#include <utility>

#include "base/format.h"

namespace slipway::model {
namespace {

constexpr std::pair<Engine, std::string_view> kEngines[] = {
    {Engine::kForest, "forest"}, {Engine::kLinear, "linear"}, {Engine::kPython, "python"}};

}  // namespace

std::string_view ToString(Engine engine) {
  for (const auto& [known, word] : kEngines)
    if (known == engine) return word;
  return "";
}

Result<Engine> ParseEngine(std::string_view word) {
  for (const auto& [engine, known] : kEngines)
    if (known == word) return engine;
  return Fail(ErrorKind::kInvalid, "'{}' is not an engine: forest, linear or python", word);
}

Result<std::shared_ptr<arrow::RecordBatch>> Model::ExampleRows() const {
  return Fail(ErrorKind::kUnsupported, "this engine does not read input examples");
}

}  // namespace slipway::model
