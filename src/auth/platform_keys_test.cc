#include "auth/platform_keys.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/ids.h"

namespace slipway::auth {
namespace {

namespace fs = std::filesystem;

class KeyFile : public ::testing::Test {
 protected:
  ~KeyFile() override { fs::remove(file_); }
  std::string Text() const { return ReadFile(file_).value(); }
  /// Another time of change than the one before, however fast the test is.
  void Write(std::string_view text, int mode = 0600) {
    ASSERT_TRUE(WriteFileAtomically(file_, text));
    fs::permissions(file_, static_cast<fs::perms>(mode));
    fs::last_write_time(file_, fs::file_time_type::clock::now() + std::chrono::seconds(++changes_));
  }
  fs::path file_ = fs::temp_directory_path() / ("slipway-platform-keys-" + NewUuid());
  int changes_ = 0;
};

TEST_F(KeyFile, IsMadeForItsOwnerAlone) {
  auto keys = PlatformKeys::Open(file_);
  ASSERT_TRUE(keys) << keys.error().message;
  EXPECT_EQ(fs::status(file_).permissions() & fs::perms::all, fs::perms::owner_read | fs::perms::owner_write);
  auto key = Text().substr(0, 64);
  EXPECT_EQ(Text().size(), 65);
  EXPECT_TRUE((*keys)->Accepts(key));
  for (const auto& other : {std::string(), key.substr(1), key + "0", key + "\n", std::string(64, '0')})
    EXPECT_FALSE((*keys)->Accepts(other)) << other;
}

TEST_F(KeyFile, TheKeyBeforeWorksUntilTheNextRotation) {
  std::string one(64, 'a'), two(64, 'b'), three(64, 'c');
  Write(one + "\n");
  auto keys = PlatformKeys::Open(file_).value();
  Write(two + "\n" + one + "\n");
  EXPECT_TRUE(keys->Accepts(one));
  EXPECT_TRUE(keys->Accepts(two));
  Write(three + "\n" + two + "\n");
  EXPECT_FALSE(keys->Accepts(one));
  EXPECT_TRUE(keys->Accepts(two));
  EXPECT_TRUE(keys->Accepts(three));
}

TEST_F(KeyFile, RotationKeepsOneKeyOrNone) {
  std::string one(64, 'a');
  Write(one + "\n");
  ASSERT_TRUE(PlatformKeys::Rotate(file_, false));
  EXPECT_EQ(Text().substr(65), one + "\n");
  auto current = Text().substr(0, 64);
  ASSERT_TRUE(PlatformKeys::Rotate(file_, false));
  EXPECT_EQ(Text().substr(65), current + "\n");
  ASSERT_TRUE(PlatformKeys::Rotate(file_, true));
  EXPECT_EQ(Text().size(), 65);
}

TEST_F(KeyFile, WhatOthersMayReadIsRefused) {
  for (int mode : {0644, 0604, 0660, 0777, 0620}) {
    Write(std::string(64, 'a') + "\n", mode);
    auto keys = PlatformKeys::Open(file_);
    ASSERT_FALSE(keys) << mode;
    EXPECT_EQ(keys.error().kind, ErrorKind::kDenied);
  }
  Write(std::string(64, 'a') + "\n", 0640);
  EXPECT_TRUE(PlatformKeys::Open(file_));
}

TEST_F(KeyFile, ADamagedFileIsRefusedAndKeepsTheKeysThatWereRead) {
  std::string one(64, 'a');
  for (const auto& text :
       {std::string(), std::string("\n\n"), std::string("short\n"), one + "\n" + one + "\n" + one + "\n"}) {
    Write(text);
    EXPECT_EQ(PlatformKeys::Open(file_).error().kind, ErrorKind::kInvalid) << text;
  }
  Write(one + "\n");
  auto keys = PlatformKeys::Open(file_).value();
  Write("short\n");
  EXPECT_TRUE(keys->Accepts(one));
  EXPECT_FALSE(keys->Accepts("short"));
}

TEST(BearerIn, TheSchemeIsReadInAnyCase) {
  EXPECT_EQ(BearerIn("Bearer x"), "x");
  EXPECT_EQ(BearerIn("bearer x y"), "x y");
  EXPECT_EQ(BearerIn("BEARER x"), "x");
  for (const auto* header : {"", "Bearer", "Bearer ", "Basic x", "Bearerx", " Bearer x"})
    EXPECT_EQ(BearerIn(header), "") << header;
  EXPECT_TRUE(HasScheme("Basic eA==", "basic"));
  EXPECT_FALSE(HasScheme("Basically x", "basic"));
}

}  // namespace
}  // namespace slipway::auth
