#include "registry/mlflow/mlflow_registry.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "base/ids.h"
#include "base/testing/golden.h"
#include "base/testing/recorded_http.h"

namespace slipway::registry {
namespace {

namespace fs = std::filesystem;

std::map<std::string, testing::RecordedHttp::Answer> Recorded() {
  std::map<std::string, testing::RecordedHttp::Answer> answers;
  auto file = testing::GoldenJson("registry/mlflow.json");
  for (const auto& member : file.as_object())
    answers[std::string(member.key())] = {static_cast<int>(member.value().at("status").as_int64()),
                                          std::string(member.value().at("body").as_string())};
  return answers;
}

/// A server that answers as MLflow 3.17 does (its own application's answers, recorded).
class Mlflow : public ::testing::Test {
 protected:
  ~Mlflow() override { fs::remove_all(folder_); }
  MlflowRegistry Registry(const RegistryCredentials& credentials = {}) {
    return MlflowRegistry(server_.url(), credentials, ModelCache(folder_, 1 << 20));
  }
  Result<ModelVersion> Resolve(const ModelReference& reference) { return Registry().Resolve(reference); }

  fs::path folder_ = fs::temp_directory_path() / ("slipway-mlflow-" + NewUuid());
  testing::RecordedHttp server_{Recorded()};
};

TEST_F(Mlflow, AVersionIsResolvedByItsNumber) {
  auto version = Resolve({"churn", "1", std::nullopt});
  ASSERT_TRUE(version) << version.error().message;
  EXPECT_EQ(version->name, "churn");
  EXPECT_EQ(version->version, "1");
  EXPECT_EQ(version->source, "mlflow-artifacts:/0/00000000000000000000000000000001/artifacts/model");
}

TEST_F(Mlflow, AnAliasIsTheVersionThatItNames) {
  auto version = Resolve({"churn", std::nullopt, "champion"});
  ASSERT_TRUE(version) << version.error().message;
  EXPECT_EQ(version->version, "2");
  EXPECT_EQ(version->key, Resolve({"churn", "2", std::nullopt})->key);
  EXPECT_NE(version->key, Resolve({"churn", "1", std::nullopt})->key);
}

TEST_F(Mlflow, WhatIsMissingIsSaidInItsWords) {
  struct Case {
    ModelReference reference;
    std::string words;
  };
  for (const auto& [reference, words] :
       {Case{{"churn", "9", std::nullopt}, "version=9"}, Case{{"churn", "x", std::nullopt}, "integer"},
        Case{{"nope", "1", std::nullopt}, "name=nope"}, Case{{"churn", std::nullopt, "nobody"}, "alias nobody"},
        Case{{"nope", std::nullopt, "champion"}, "name=nope"}}) {
    auto version = Resolve(reference);
    ASSERT_FALSE(version) << words;
    EXPECT_EQ(version.error().kind, ErrorKind::kNotFound) << version.error().message;
    EXPECT_NE(version.error().message.find(words), std::string::npos) << version.error().message;
  }
}

/// Version 1 lies in the server's artifact store; version 2 is a path of a run, which is asked where its files are.
TEST_F(Mlflow, FilesComeThroughTheProxyWhateverTheSourceSays) {
  for (const auto* number : {"1", "2"}) {
    auto registry = Registry();
    auto version = registry.Resolve({"churn", number, std::nullopt}).value();
    auto fetched = registry.Fetch(version);
    ASSERT_TRUE(fetched) << fetched.error().message;
    EXPECT_EQ(ReadFile(version.folder / "MLmodel").value(), "flavors: {}\n");
    EXPECT_EQ(ReadFile(version.folder / "data é" / "model.txt").value(), "tree");
    EXPECT_EQ(version.digest, HashFolder(version.folder).value());
  }
}

TEST_F(Mlflow, WhatIsKeptIsNotDownloadedAgain) {
  auto registry = Registry();
  auto version = registry.Resolve({"churn", "1", std::nullopt}).value();
  ASSERT_TRUE(registry.Fetch(version));
  auto asked = server_.requests().size();
  auto again = registry.Resolve({"churn", "1", std::nullopt}).value();
  ASSERT_TRUE(registry.Fetch(again));
  EXPECT_EQ(server_.requests().size(), asked + 1);  // only which version it is
  EXPECT_EQ(again.folder, version.folder);
}

TEST_F(Mlflow, ADamagedCopyIsDownloadedAgain) {
  auto registry = Registry();
  auto version = registry.Resolve({"churn", "1", std::nullopt}).value();
  ASSERT_TRUE(registry.Fetch(version));
  auto file = version.folder / "data é" / "model.txt";
  version.hold.reset();
  ASSERT_TRUE(WriteFileAtomically(file, "tampered"));
  auto again = registry.Resolve({"churn", "1", std::nullopt}).value();
  auto fetched = registry.Fetch(again);
  ASSERT_TRUE(fetched) << fetched.error().message;
  EXPECT_EQ(ReadFile(again.folder / "data é" / "model.txt").value(), "tree");
}

TEST_F(Mlflow, CredentialsAreSentAsMlflowTakesThem) {
  ASSERT_TRUE(Registry({.username = "ana", .password = "geheim", .token = ""}).Resolve({"churn", "1", std::nullopt}));
  EXPECT_NE(server_.requests().back().find("Authorization: Basic YW5hOmdlaGVpbQ=="), std::string::npos);
  ASSERT_TRUE(Registry({.username = "ana", .password = "x", .token = "t0k"}).Resolve({"churn", "1", std::nullopt}));
  EXPECT_NE(server_.requests().back().find("Authorization: Bearer t0k"), std::string::npos);
}

TEST(MlflowAnswers, RefusedCredentialsAndOtherServersAreUnavailable) {
  const std::string path = "/api/2.0/mlflow/model-versions/get?name=m&version=1";
  for (const auto& answer : {testing::RecordedHttp::Answer{401, "no"}, testing::RecordedHttp::Answer{403, "no"},
                             testing::RecordedHttp::Answer{500, "{}"}, testing::RecordedHttp::Answer{200, "<html>"}}) {
    testing::RecordedHttp server({{path, answer}});
    MlflowRegistry registry(server.url(), {}, ModelCache("/nowhere", 1));
    auto version = registry.Resolve({"m", "1", std::nullopt});
    ASSERT_FALSE(version) << answer.status;
    EXPECT_EQ(version.error().kind, ErrorKind::kUnavailable) << version.error().message;
  }
}

TEST(MlflowAnswers, AVersionThatIsNotReadyIsNotUsed) {
  testing::RecordedHttp server(
      {{"/api/2.0/mlflow/model-versions/get?name=m&version=1",
        {200, R"({"model_version": {"name": "m", "version": "1", "status": "PENDING_REGISTRATION"}})"}}});
  MlflowRegistry registry(server.url(), {}, ModelCache("/nowhere", 1));
  auto version = registry.Resolve({"m", "1", std::nullopt});
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().kind, ErrorKind::kInvalid);
  EXPECT_NE(version.error().message.find("PENDING_REGISTRATION"), std::string::npos) << version.error().message;
}

}  // namespace
}  // namespace slipway::registry
