#include "registry/folder_registry.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "base/file.h"
#include "base/ids.h"

namespace slipway::registry {
namespace {

namespace fs = std::filesystem;

class Folder : public ::testing::Test {
 protected:
  Folder() {
    fs::create_directories(model_ / "data");
    Write("MLmodel", "flavors: {}");
    Write("data/model.txt", "one");
  }
  ~Folder() override { fs::remove_all(root_); }
  void Write(const std::string& name, std::string_view text) const {
    ASSERT_TRUE(WriteFileAtomically(model_ / name, text));
  }

  fs::path root_ = fs::temp_directory_path() / ("slipway-registry-" + NewUuid());
  fs::path model_ = root_ / "model";
  FolderRegistry registry_{root_ / "models"};
  ManualClock clock_{ParseTimestamp("2024-01-31T06:00:00Z").value()};
};

TEST_F(Folder, VersionsAreCountedFromOneAndKeepTheirFiles) {
  auto one = registry_.Register("churn", model_, clock_);
  ASSERT_TRUE(one) << one.error().message;
  Write("data/model.txt", "two");
  auto two = registry_.Register("churn", model_, clock_);
  ASSERT_TRUE(two) << two.error().message;
  EXPECT_EQ(one->version, "1");
  EXPECT_EQ(two->version, "2");
  EXPECT_NE(one->digest, two->digest);
  auto resolved = registry_.Resolve({"churn", "1", std::nullopt}).value();
  ASSERT_TRUE(registry_.Fetch(resolved));
  EXPECT_EQ(ReadFile(resolved.folder / "data" / "model.txt").value(), "one");
  EXPECT_EQ(resolved.digest, one->digest);
}

TEST_F(Folder, AnAliasIsLookedUpWhenItIsAsked) {
  ASSERT_TRUE(registry_.Register("churn", model_, clock_));
  ASSERT_TRUE(registry_.Register("churn", model_, clock_));
  ASSERT_TRUE(registry_.SetAlias("churn", "champion", "1"));
  EXPECT_EQ(registry_.Resolve({"churn", std::nullopt, "champion"})->version, "1");
  ASSERT_TRUE(registry_.SetAlias("churn", "champion", "2"));
  EXPECT_EQ(registry_.Resolve({"churn", std::nullopt, "champion"})->version, "2");
  EXPECT_EQ(registry_.SetAlias("churn", "champion", "3").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(registry_.Resolve({"churn", std::nullopt, "champion"})->version, "2");
}

TEST_F(Folder, WhatIsRefusedLeavesNothing) {
  Registration refuses{"champion", [](const fs::path& copy) -> Result<> {
                         EXPECT_EQ(ReadFile(copy / "data/model.txt").value(), "one");
                         return Fail(ErrorKind::kInvalid, "not this one");
                       }};
  auto refused = registry_.Register("churn", model_, clock_, refuses);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "not this one");
  EXPECT_TRUE(registry_.List()->empty());
  ASSERT_TRUE(registry_.Register("churn", model_, clock_, {"champion", {}}));
  EXPECT_FALSE(registry_.Register("churn", model_, clock_, refuses));
  EXPECT_FALSE(registry_.Register("churn", model_, clock_, {"no/alias", {}}));
  EXPECT_EQ(registry_.List()->at(0).versions, (std::vector<std::string>{"1"}));
  EXPECT_EQ(registry_.Resolve({"churn", std::nullopt, "champion"})->version, "1");
}

TEST_F(Folder, AnAliasThatCannotBeWrittenTakesTheVersionBack) {
  fs::create_directories(root_ / "models/churn/aliases/champion");  // a folder in the way
  EXPECT_FALSE(registry_.Register("churn", model_, clock_, {"champion", {}}));
  EXPECT_TRUE(fs::is_empty(root_ / "models/churn/versions"));
}

TEST_F(Folder, WhatAKilledRegistrationLeftGoesWithTheNextOne) {
  auto left = root_ / "models/churn/versions/.new-aaaaaa", at_work = root_ / "models/churn/versions/.new-bbbbbb";
  fs::create_directories(left / "model");
  fs::create_directories(at_work / "model");
  auto lock = FileLock::TryTake(at_work / "lock");
  ASSERT_TRUE(registry_.Register("churn", model_, clock_));
  EXPECT_FALSE(fs::exists(left));
  EXPECT_TRUE(fs::exists(at_work));
}

TEST_F(Folder, WhatIsMissingIsNamed) {
  ASSERT_TRUE(registry_.Register("churn", model_, clock_));
  struct Case {
    ModelReference reference;
    std::string words;
  };
  for (const auto& [reference, words] :
       {Case{{"nope", "1", std::nullopt}, "no model 'nope'"}, Case{{"churn", "2", std::nullopt}, "no version '2'"},
        Case{{"churn", std::nullopt, "nobody"}, "no alias 'nobody'"},
        Case{{"churn", "../1", std::nullopt}, "no version"}, Case{{"../models/churn", "1", std::nullopt}, "no model"},
        Case{{"", "1", std::nullopt}, "no model ''"},
        Case{{"churn", std::nullopt, "../versions/1/version.json"}, "no alias"}}) {
    auto version = registry_.Resolve(reference);
    ASSERT_FALSE(version) << words;
    EXPECT_EQ(version.error().kind, ErrorKind::kNotFound);
    EXPECT_NE(version.error().message.find(words), std::string::npos) << version.error().message;
  }
}

TEST_F(Folder, NamesThatAreNoFoldersAreRefused) {
  const std::vector<std::string> names = {
      "", ".", "..", ".hidden", "a/b", "a b", "é", std::string("a\0b", 3), std::string(129, 'a')};
  for (const auto& name : names)
    EXPECT_EQ(registry_.Register(name, model_, clock_).error().kind, ErrorKind::kInvalid) << name;
  EXPECT_TRUE(registry_.Register(std::string(128, 'a'), model_, clock_));
  ASSERT_TRUE(registry_.Register("churn", model_, clock_));
  EXPECT_EQ(registry_.SetAlias("churn", "a/b", "1").error().kind, ErrorKind::kInvalid);
}

TEST_F(Folder, AFolderWithoutMlmodelIsNoModel) {
  fs::remove(model_ / "MLmodel");
  auto registered = registry_.Register("churn", model_, clock_);
  ASSERT_FALSE(registered);
  EXPECT_EQ(registered.error().kind, ErrorKind::kInvalid);
  EXPECT_TRUE(registry_.List().value().empty());
}

TEST_F(Folder, ChangedFilesAreNotLoaded) {
  auto version = registry_.Register("churn", model_, clock_).value();
  ASSERT_TRUE(WriteFileAtomically(version.folder / "data" / "model.txt", "tampered"));
  auto resolved = registry_.Resolve({"churn", "1", std::nullopt}).value();
  EXPECT_EQ(registry_.Fetch(resolved).error().kind, ErrorKind::kCorrupt);
}

TEST_F(Folder, TheListIsSortedByNumberNotByText) {
  for (int i = 0; i < 11; ++i) ASSERT_TRUE(registry_.Register("b", model_, clock_));
  ASSERT_TRUE(registry_.Register("a", model_, clock_));
  ASSERT_TRUE(registry_.SetAlias("b", "z", "10"));
  ASSERT_TRUE(registry_.SetAlias("b", "y", "2"));
  auto list = registry_.List().value();
  ASSERT_EQ(list.size(), 2);
  EXPECT_EQ(list[0].name, "a");
  EXPECT_EQ(list[1].versions.back(), "11");
  EXPECT_EQ(list[1].versions[1], "2");
  EXPECT_EQ(list[1].aliases, (std::vector<std::pair<std::string, std::string>>{{"y", "2"}, {"z", "10"}}));
}

TEST_F(Folder, TwoWhoRegisterAtOnceGetTwoVersions) {
  std::vector<std::string> made(2);
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < made.size(); ++i)
      threads.emplace_back([&, i] {
        for (int k = 0; k < 5; ++k) {
          auto version = registry_.Register("churn", model_, clock_);
          made[i] += version ? version->version + " " : version.error().message;
        }
      });
  }
  EXPECT_EQ(registry_.List().value()[0].versions.size(), 10) << made[0] << "; " << made[1];
}

TEST(OpenRegistry, TheLocationSaysWhichKind) {
  EXPECT_TRUE(OpenRegistry({.location = "/models"}, {}));
  EXPECT_TRUE(OpenRegistry({.location = "mlflow+https://host"}, {}));
  for (const auto* location : {"mlflow+ftp://host", "http://host", "s3://bucket"})
    EXPECT_EQ(OpenRegistry({.location = location}, {}).error().kind, ErrorKind::kInvalid) << location;
}

}  // namespace
}  // namespace slipway::registry
