#include "server/own_process.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/ids.h"

namespace slipway::server {
namespace {

namespace fs = std::filesystem;

struct DataFolder : ::testing::Test {
  fs::path folder = fs::temp_directory_path() / ("slipway-own-" + NewUuid());
  ~DataFolder() override { fs::remove_all(folder); }
  static fs::perms Mode(const fs::path& path) { return fs::status(path).permissions() & fs::perms::mask; }
};

TEST_F(DataFolder, ANewOneIsItsUsersAlone) {
  ASSERT_TRUE(OpenDataFolder(folder.string()));
  EXPECT_EQ(Mode(folder), fs::perms::owner_all);
}

TEST_F(DataFolder, OfOneThatIsThereOnlyWhatIsOursIsClosed) {
  fs::create_directory(folder);
  fs::permissions(folder, static_cast<fs::perms>(0755));
  for (const char* name : {"slipway.db", "theirs"}) {
    std::ofstream(folder / name) << "x";
    fs::permissions(folder / name, static_cast<fs::perms>(0666));
  }
  ASSERT_TRUE(OpenDataFolder(folder.string()));
  EXPECT_EQ(Mode(folder), static_cast<fs::perms>(0755));
  EXPECT_EQ(Mode(folder / "slipway.db"), static_cast<fs::perms>(0640));
  EXPECT_EQ(Mode(folder / "theirs"), static_cast<fs::perms>(0666));
}

TEST_F(DataFolder, AFileIsNone) {
  std::ofstream(folder.string()) << "x";
  EXPECT_FALSE(OpenDataFolder(folder.string()));
}

}  // namespace
}  // namespace slipway::server
