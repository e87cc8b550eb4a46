#include "model/preprocessing/derived_column.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <map>

#include "base/testing/golden.h"

namespace slipway::model {
namespace {

double DoubleOf(const json::value& hex) {
  double value;
  std::memcpy(&value, testing::FromHex(hex.as_string()).data(), sizeof value);
  return value;
}

class TransformerGolden : public ::testing::TestWithParam<testing::GoldenCase> {};

TEST_P(TransformerGolden, StepsAreScikitLearnsToTheLastBit) {
  static const std::map<std::string_view, Operation> kOperations = {
      {"fill", Operation::kFill},        {"is_missing", Operation::kIsMissing}, {"subtract", Operation::kSubtract},
      {"divide", Operation::kDivide},    {"multiply", Operation::kMultiply},    {"add", Operation::kAdd},
      {"at_least", Operation::kAtLeast}, {"at_most", Operation::kAtMost},       {"above", Operation::kAbove},
      {"round", Operation::kRound}};
  std::vector<Step> steps;
  for (const auto& step : GetParam().at("steps").as_array())
    steps.push_back({kOperations.at(step.at(0).as_string()), DoubleOf(step.at(1))});
  std::vector<double> values;
  for (const auto& value : GetParam().at("values").as_array()) values.push_back(DoubleOf(value));
  auto before = values;
  Apply(steps, values);
  const auto& want = GetParam().at("want").as_array();
  ASSERT_EQ(values.size(), want.size());
  for (size_t i = 0; i < values.size(); ++i) {
    auto wanted = DoubleOf(want[i]);
    bool same = std::bit_cast<uint64_t>(values[i]) == std::bit_cast<uint64_t>(wanted) ||
                (std::isnan(values[i]) && std::isnan(wanted));
    EXPECT_TRUE(same) << "of " << before[i] << ": " << values[i] << " instead of " << wanted;
  }
}

INSTANTIATE_TEST_SUITE_P(ScikitLearn, TransformerGolden,
                         ::testing::ValuesIn(testing::GoldenCases("sklearn/transformers.json")), testing::CaseName);

}  // namespace
}  // namespace slipway::model
