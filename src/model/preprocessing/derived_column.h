#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/forest/features.h"

/// What a pipeline's preprocessing makes of the columns of the rows.
namespace slipway::model {

/// An elementary operation, as scikit-learn's transformers do it: kFill: NaN becomes the operand; kIsMissing: 1 for
/// NaN, else 0; kAtLeast, kAtMost: clipped; kAbove: 1 where above the operand, else 0; kRound: to float32.
enum class Operation : uint8_t {
  kFill,
  kIsMissing,
  kSubtract,
  kDivide,
  kMultiply,
  kAdd,
  kAtLeast,
  kAtMost,
  kAbove,
  kRound
};

struct Step {
  Operation operation = Operation::kRound;
  double operand = 0;
};

/// A function of one input: of a number its steps in this order; of a category its value.
struct DerivedColumn {
  uint32_t input = 0;
  std::vector<Step> steps;
  std::vector<double>
      values;  ///< [codes + 2]: by code; of a value that has none; of a missing one. Empty: the input is a number
  bool is_category() const { return !values.empty(); }
  bool is_plain() const { return !is_category() && steps.empty(); }
};

/// kCorrupt: an input that is not there, or that is used as a number and as categories; too few values; a step that is
/// no number, or does not keep the order of values.
Result<> Check(const std::vector<DerivedColumn>& columns, const Inputs& inputs);

/// The steps, over values in place.
void Apply(const std::vector<Step>& steps, std::span<double> values);

}  // namespace slipway::model
