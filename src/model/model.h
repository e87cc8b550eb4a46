#pragma once

#include <arrow/type_fwd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "model/python/python_engine.h"
#include "model/signature.h"

namespace slipway::model {

/// Something to show of a model: {"trees", "500"}.
struct Fact {
  std::string name, value;
};

/// For each prediction column and row how far away from it the library's own may lie; empty: not at all. See
/// Model::SpreadOf.
using Spread = std::vector<std::vector<double>>;

/// A loaded model. Thread-safe: many threads may score at once.
class Model {
 public:
  virtual ~Model() = default;

  /// Names and types of the columns that rows must have, in the model's order.
  virtual const std::vector<ColumnSpec>& inputs() const = 0;

  /// The prediction columns, as `mlflow.pyfunc` gives them: one output is `prediction`, several are `prediction_0`, ….
  virtual const std::shared_ptr<arrow::Schema>& outputs() const = 0;

  /// At most `most` rows whose values lie on and around everything that the model decides by, for comparing engines.
  /// kUnsupported: it cannot tell.
  virtual Result<std::shared_ptr<arrow::RecordBatch>> EdgeRows(int64_t most) const = 0;

  /// The rows that the model was saved with (MLflow's input example), in the types of its inputs. kUnsupported: it has
  /// none, or the engine does not read it.
  virtual Result<std::shared_ptr<arrow::RecordBatch>> ExampleRows() const;

  /// What the library itself leaves open for such rows: sums whose order depends on the batch, functions whose last
  /// bits depend on the machine. Of a label, above 0: one as good may stand there.
  virtual Result<Spread> SpreadOf(const arrow::RecordBatch&) const { return Spread(); }

  /// Whether columns stand behind the predictions that pyfunc does not give.
  virtual bool has_extras() const { return false; }

  /// Whether scoring reads the model's folder.
  virtual bool needs_files() const { return false; }

  /// What people want to know of it: which engine scores it, how many trees it has, ….
  virtual std::vector<Fact> facts() const = 0;

  /// `[rows, outputs]`. `rows` has the inputs by name, in types that Feeds accepts; a null is a missing value.
  virtual Result<std::shared_ptr<arrow::RecordBatch>> Score(const arrow::RecordBatch& rows) const = 0;
};

/// Whether a table's column type can be given for a signature's type: widening is silent, losing is refused.
bool Feeds(const arrow::DataType& column, const std::string& signature_type);

struct Extras;

/// Loads the MLflow model in `folder`, with the fastest exact engine for its flavor (see flavors.cc), or with Python
/// where there is none. kUnsupported: neither can score it, or not with these extras (see MlModel). kCorrupt: a file
/// that is not what MLmodel says.
Result<std::unique_ptr<Model>> LoadModel(const std::filesystem::path& folder, const PythonEngine& python,
                                         const Extras& extras);
Result<std::unique_ptr<Model>> LoadModel(const std::filesystem::path& folder, const PythonEngine& python);

}  // namespace slipway::model
