#include "model/python/exporter.h"

#include "base/ids.h"

#define SLIPWAY_EMBEDDED(name) extern const char slipway_python_##name[], slipway_python_##name##_end[];

SLIPWAY_EMBEDDED(export)
SLIPWAY_EMBEDDED(preprocessing)
SLIPWAY_EMBEDDED(linear)
SLIPWAY_EMBEDDED(files)
SLIPWAY_EMBEDDED(sklearn_trees)
SLIPWAY_EMBEDDED(catboost_trees)
SLIPWAY_EMBEDDED(boosters)
#undef SLIPWAY_EMBEDDED

namespace slipway::model {

PythonProgram Exporter() {
  // Each may import those before it.
  return {{slipway_python_export, slipway_python_export_end},
          {{"slipway_preprocessing", {slipway_python_preprocessing, slipway_python_preprocessing_end}},
           {"slipway_linear", {slipway_python_linear, slipway_python_linear_end}},
           {"slipway_files", {slipway_python_files, slipway_python_files_end}},
           {"slipway_sklearn_trees", {slipway_python_sklearn_trees, slipway_python_sklearn_trees_end}},
           {"slipway_catboost_trees", {slipway_python_catboost_trees, slipway_python_catboost_trees_end}},
           {"slipway_boosters", {slipway_python_boosters, slipway_python_boosters_end}}}};
}

std::string ExporterVersion() {
  static const std::string version = [] {
    auto program = Exporter();
    auto all = program.main;
    for (const auto& [name, text] : program.modules) all += text;
    return Sha256(all).substr(0, 8);
  }();
  return version;
}

}  // namespace slipway::model
