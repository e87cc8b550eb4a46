#pragma once

#include <arrow/type_fwd.h>

#include "model/exported/exported_file.h"
#include "model/model.h"

namespace slipway::model {

/// Sums → shares, scaled sums, or what a link makes of them → values, or the labels that they pick and each label's probability.
class Answers {
 public:
  /// kUnsupported: probabilities are wanted of a model that has none.
  static Result<Answers> Of(AnswerSpec spec, size_t outputs, bool single, bool probabilities, const std::string& where);

  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }

  /// `sums`: `[outputs, rows]` of doubles, which may be changed.
  Result<arrow::ArrayVector> Convert(const std::shared_ptr<arrow::Buffer>& sums, int64_t rows) const;

  bool has_extras() const { return probabilities_; }

  /// How far the library's own answers may lie from these where its sums lie within `of_sums` (`[outputs, rows]`; null: are exactly these).
  Spread SpreadOf(const double* sums, const double* of_sums, size_t rows) const;

  /// Whether the library's answers to the same sums are these, to the last bit.
  bool exact() const { return spec_.link == Link::kIdentity; }

 private:
  Answers(AnswerSpec spec, size_t outputs, bool single, bool probabilities);
  void Scale(double* sums, size_t rows) const;

  AnswerSpec spec_;
  size_t outputs_ = 1;
  bool single_ = false, probabilities_ = false;
  std::shared_ptr<arrow::Schema> schema_;
};

}  // namespace slipway::model
