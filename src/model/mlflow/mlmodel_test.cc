#include "model/mlflow/mlmodel.h"

#include <gtest/gtest.h>

#include "base/testing/golden.h"

namespace slipway::model {
namespace {

json::array Shown(const std::vector<ColumnSpec>& columns) {
  json::array shown;
  for (const auto& column : columns) shown.push_back(json::array{column.name, column.type, column.required});
  return shown;
}

class MlModelGolden : public ::testing::TestWithParam<testing::GoldenCase> {};

TEST_P(MlModelGolden, SaysWhatMlflowWrote) {
  auto model = ParseMlModel(GetParam().text("text"), "/m");
  if (!GetParam().at("accepted").as_bool()) {
    ASSERT_FALSE(model);
    EXPECT_EQ(model.error().kind, ErrorKind::kUnsupported) << model.error().message;
    return;
  }
  ASSERT_TRUE(model) << model.error().message;
  ASSERT_TRUE(model->signature);
  EXPECT_EQ(json::value(Shown(model->signature->inputs)), GetParam().at("inputs"));
  EXPECT_EQ(json::value(Shown(model->signature->outputs)), GetParam().at("outputs"));
  json::array parameters;
  for (const auto& parameter : model->signature->parameters)
    parameters.push_back(json::array{parameter.name, parameter.type});
  EXPECT_EQ(json::value(parameters), GetParam().at("parameters"));
  EXPECT_EQ(model->flavors.at("lightgbm").at("data"), "model.lgb");
  EXPECT_EQ(model->flavors.at("python_function").at("loader_module"), "mlflow.lightgbm");
  EXPECT_FALSE(model->extras);
}

INSTANTIATE_TEST_SUITE_P(Mlflow, MlModelGolden, ::testing::ValuesIn(testing::GoldenCases("model/mlmodel.json")),
                         testing::CaseName);

TEST(MlModel, DamageIsKnown) {
  for (const auto* text : {"", "[]", "a: [", "flavors:", "flavors: {}", "\x01\x02", "just text"}) {
    auto model = ParseMlModel(text, "/m");
    ASSERT_FALSE(model) << text;
    EXPECT_EQ(model.error().kind, ErrorKind::kCorrupt) << text << ": " << model.error().message;
  }
}

TEST(MlModel, MetadataAsksForExtrasAndNamesATensorsColumns) {
  auto model = ParseMlModel(R"(flavors: {sklearn: {pickled_model: model.pkl}}
metadata: {slipway.contributions: true, slipway.columns: [a, b]}
signature:
  inputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2]}}]'
  outputs: null
)",
                            "/m");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_TRUE(model->extras.contributions);
  EXPECT_FALSE(model->extras.probabilities);
  EXPECT_EQ(json::serialize(Shown(model->signature->inputs)), R"([["a","float",true],["b","float",true]])");
}

TEST(MlModel, FeaturesWithoutASignatureAreDoubles) {
  auto model = ParseMlModel("flavors: {lightgbm: {}}", "/m").value();
  EXPECT_EQ(json::serialize(Shown(InputsFor(model, {"x", "y"}).value())),
            R"([["x","double",true],["y","double",true]])");
  model.signature = Signature{{{"z", "long", false}}, {}, {}};
  EXPECT_EQ(InputsFor(model, {"x"}).value()[0].name, "z");
  EXPECT_EQ(InputsFor(model, {"x", "y"}).error().kind, ErrorKind::kInvalid);
}

}  // namespace
}  // namespace slipway::model
