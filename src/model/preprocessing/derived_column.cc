#include "model/preprocessing/derived_column.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"

namespace slipway::model {
namespace {

template <typename F>
void Each(std::span<double> values, F&& of) {
  for (double& value : values) value = of(value);
}

void Apply(const Step& step, std::span<double> values) {
  const double operand = step.operand;
  switch (step.operation) {
    case Operation::kFill: return Each(values, [=](double x) { return std::isnan(x) ? operand : x; });
    case Operation::kIsMissing: return Each(values, [](double x) { return std::isnan(x) ? 1.0 : 0.0; });
    case Operation::kSubtract: return Each(values, [=](double x) { return x - operand; });
    case Operation::kDivide: return Each(values, [=](double x) { return x / operand; });
    case Operation::kMultiply: return Each(values, [=](double x) { return x * operand; });
    case Operation::kAdd: return Each(values, [=](double x) { return x + operand; });
    case Operation::kAtLeast: return Each(values, [=](double x) { return x < operand ? operand : x; });
    case Operation::kAtMost: return Each(values, [=](double x) { return x > operand ? operand : x; });
    case Operation::kAbove: return Each(values, [=](double x) { return x > operand ? 1.0 : 0.0; });
    case Operation::kRound: return Each(values, [](double x) { return static_cast<double>(static_cast<float>(x)); });
  }
}

}  // namespace

Result<> Check(const std::vector<DerivedColumn>& columns, const Inputs& inputs) {
  for (const auto& column : columns) {
    if (column.input >= inputs.size())
      return Fail(ErrorKind::kCorrupt, "a column is made of input {}, which is not there", column.input);
    const auto& codes = inputs.codes[column.input];
    if (column.is_category() != codes.has_value())
      return Fail(ErrorKind::kCorrupt, "input {} is used as a number and as categories", column.input);
    if (codes && column.values.size() != codes->size() + 2)
      return Fail(ErrorKind::kCorrupt, "{} values for {} categories", column.values.size(), codes->size());
    for (const auto& [operation, operand] : column.steps) {
      bool scales = operation == Operation::kDivide || operation == Operation::kMultiply;
      if (!std::isfinite(operand) || (scales && operand <= 0))
        return Fail(ErrorKind::kCorrupt, "a step by {}, which does not keep the order of values", operand);
    }
  }
  return {};
}

void Apply(const std::vector<Step>& steps, std::span<double> values) {
  for (const auto& step : steps) Apply(step, values);
}

}  // namespace slipway::model
