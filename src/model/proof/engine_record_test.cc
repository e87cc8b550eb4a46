#include "model/proof/engine_record.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"

namespace slipway::model {
namespace {

namespace fs = std::filesystem;

class EngineRecordTest : public testing::Test {
 protected:
  EngineRecordTest() {
    python_.cache = fs::path(testing::TempDir()) / ("record-test-" + std::to_string(::getpid()));
    python_.zygotes = nullptr;
  }
  ~EngineRecordTest() override { fs::remove_all(python_.cache); }
  PythonEngine python_;
};

TEST_F(EngineRecordTest, IsKeptByTheModelsDigestUntilItIsForgotten) {
  EXPECT_FALSE(FindRecord(python_, "d"));
  for (auto evidence : {Evidence::kBits, Evidence::kRounding, Evidence::kLibraryOnly, Evidence::kDiffers,
                        Evidence::kRefused, Evidence::kUnproven, Evidence::kNotCompared}) {
    ASSERT_TRUE(KeepRecord(python_, "d", {Engine::kLinear, evidence, "for \"a\" reason"}));
    auto found = FindRecord(python_, "d");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->engine, Engine::kLinear);
    EXPECT_EQ(found->evidence, evidence);
    EXPECT_EQ(found->why, "for \"a\" reason");
  }
  EXPECT_FALSE(FindRecord(python_, "another"));
  ASSERT_TRUE(ForgetRecord(python_, "d"));
  EXPECT_FALSE(FindRecord(python_, "d"));
}

TEST_F(EngineRecordTest, OneWithoutEvidenceCanBeComparedAgainAndADamagedOneIsNone) {
  ASSERT_TRUE(KeepRecord(python_, "d", {Engine::kForest, Evidence::kBits, ""}));
  auto file = fs::directory_iterator(python_.cache)->path();
  ASSERT_TRUE(WriteFileAtomically(file, R"({"engine": "forest", "why": "of an older version"})"));
  auto found = FindRecord(python_, "d");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->evidence, Evidence::kNotCompared);
  for (const char* damaged : {"", "{", R"({"why": "x"})", R"({"engine": "steam"})", R"({"engine": 3})"}) {
    ASSERT_TRUE(WriteFileAtomically(file, damaged));
    EXPECT_FALSE(FindRecord(python_, "d")) << damaged;
  }
}

}  // namespace
}  // namespace slipway::model
