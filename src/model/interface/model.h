#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/mlflow/signature.h"

namespace slipway::model {

/// What scores a model's rows.
enum class Engine : uint8_t { kForest, kLinear, kPython };

/// "forest", "linear", "python": as people, files and the API read it.
std::string_view ToString(Engine engine);
/// kInvalid: another word.
Result<Engine> ParseEngine(std::string_view word);

struct EngineChoice {
  Engine engine = Engine::kPython;
  std::string why;  ///< of Python, for a person: why no native engine scores the model
};

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
  /// bits depend on the machine. In a column of labels a number above 0 marks the rows for which the library may give
  /// another label that is as good.
  virtual Result<Spread> SpreadOf(const arrow::RecordBatch&) const { return Spread(); }

  /// Which of the inputs the model's library was given as pandas categories.
  virtual std::vector<std::string> pandas_categories() const { return {}; }

  /// Whether columns stand behind the predictions that pyfunc does not give.
  virtual bool has_extras() const { return false; }

  virtual EngineChoice engine() const = 0;

  /// Whether it can score at all: of a model that Python scores, its code and libraries are loaded, and it scores the
  /// input example, where it has one.
  virtual Result<> Try() const { return {}; }

  /// Whether scoring reads the model's folder.
  bool needs_files() const { return engine().engine == Engine::kPython; }

  /// What people want to know of it, its engine first: how many trees it has, ….
  virtual std::vector<Fact> facts() const = 0;

  /// `[rows, outputs]`. `rows` has the inputs by name, in types that Feeds accepts; a null is a missing value.
  virtual Result<std::shared_ptr<arrow::RecordBatch>> Score(const arrow::RecordBatch& rows) const = 0;
};

}  // namespace slipway::model
