#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/interface/model.h"

namespace slipway::model {

/// Which function of the sums probabilities are, or the predictions of a regressor. kSigmoid: of two labels, by one
/// sum; kNormalized: each label's sigmoid, by their sum.
enum class Link { kIdentity, kExp, kSigmoid, kSoftmax, kNormalized };

/// How sums become predictions, in this order.
struct AnswerSpec {
  std::optional<double> divide;  ///< sums are divided by it
  std::optional<double> scale;   ///< sums become scale * sum + bias
  std::vector<double> bias;      ///< [outputs]
  /// How far the library's own sums may lie from these: above 0 where its threads add in whatever order they finish.
  double any_order = 0;
  enum class Pick { kValues, kArgmax, kAtLeast } pick = Pick::kValues;
  bool shares = false;  ///< the sums are the labels' probabilities
  Link link = Link::kIdentity;
  double at_least = 0;                   ///< kAtLeast: the second label from this value on
  std::shared_ptr<arrow::Array> labels;  ///< null: predictions are values
};

/// Sums → shares, scaled sums, or what a link makes of them → values, or the labels that they pick and each label's
/// probability.
class Answers {
 public:
  /// kUnsupported: probabilities are wanted of a model that has none.
  static Result<Answers> Of(AnswerSpec spec, size_t outputs, bool single, bool probabilities, const std::string& where);

  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }

  /// `sums`: `[outputs, rows]` of doubles, which may be changed.
  Result<arrow::ArrayVector> Convert(const std::shared_ptr<arrow::Buffer>& sums, int64_t rows) const;

  bool has_extras() const { return probabilities_; }

  /// How far the library's own answers may lie from these where its sums lie within `of_sums` (`[outputs, rows]`; null:
  /// AnswerSpec::any_order).
  Spread SpreadOf(const double* sums, const double* of_sums, size_t rows) const;

  /// Whether the library's answers to the same sums are these, to the last bit.
  bool exact() const { return spec_.link == Link::kIdentity && spec_.any_order == 0; }

 private:
  Answers(AnswerSpec spec, size_t outputs, bool single, bool probabilities);
  void Scale(double* sums, size_t rows) const;

  AnswerSpec spec_;
  size_t outputs_ = 1;
  bool single_ = false, probabilities_ = false;
  std::shared_ptr<arrow::Schema> schema_;
};

}  // namespace slipway::model
