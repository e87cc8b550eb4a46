#include "base/file_io.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "base/ids.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

TEST(FileIo, LocationsOfTheSameFileAreEqualInTheirCanonicalForm) {
  for (const auto* same : {"/a/b c/d%2Fe", "file:/a/b c/d%2Fe", "file:///a/b c/d%2Fe"})
    EXPECT_EQ(FileIo::Canonical(same), "/a/b c/d%2Fe") << same;
  for (const auto* same : {"s3://bucket/k/é", "s3a://bucket/k/é", "s3n://bucket/k/é"})
    EXPECT_EQ(FileIo::Canonical(same), "s3://bucket/k/é") << same;
  EXPECT_EQ(FileIo::Canonical("gs://bucket/key"), "gs://bucket/key");
}

TEST(FileIo, OnlyS3IsRemote) {
  EXPECT_TRUE(FileIo::IsRemote("s3://b/k"));
  EXPECT_TRUE(FileIo::IsRemote("s3a://b/k"));
  EXPECT_FALSE(FileIo::IsRemote("/s3://b/k"));
  EXPECT_FALSE(FileIo::IsRemote("file:///b"));
  EXPECT_FALSE(FileIo::IsRemote(""));
}

class LocalFiles : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  std::string Location(const std::string& name) const { return "file://" + (folder_ / name).string(); }
  fs::path folder_ = fs::temp_directory_path() / ("slipway-file-io-" + NewUuid());
  FileIo io_;
};

TEST_F(LocalFiles, ANewFileIsNeverWrittenOverAnOldOne) {
  ASSERT_TRUE(io_.WriteNew(Location("a/b/x"), "one"));
  auto again = io_.WriteNew(Location("a/b/x"), "two");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::kConflict) << again.error().message;
  EXPECT_EQ(io_.Read(Location("a/b/x")).value(), "one");
  ASSERT_TRUE(io_.Replace(Location("a/b/x"), "three"));
  EXPECT_EQ(io_.Read(Location("a/b/x")).value(), "three");
}

TEST_F(LocalFiles, WhatIsGoneIsSaidSo) {
  EXPECT_EQ(io_.Read(Location("gone")).error().kind, ErrorKind::kNotFound);
  EXPECT_FALSE(io_.OpenInput(Location("gone")));
  EXPECT_TRUE(io_.Delete(Location("gone")));
  EXPECT_TRUE(io_.List(Location("gone")).value().empty());
}

TEST_F(LocalFiles, NamesAreTakenAsTheyStand) {
  ASSERT_TRUE(io_.WriteNew(Location("region=a%2Fb c/é"), "x"));
  EXPECT_TRUE(fs::exists(folder_ / "region=a%2Fb c" / "é"));
  auto listed = io_.List(Location("")).value();
  ASSERT_EQ(listed.size(), 1);
  EXPECT_EQ(io_.Read(listed[0]).value(), "x") << listed[0];
  EXPECT_TRUE(io_.Delete(listed[0]));
  EXPECT_TRUE(io_.List(Location("")).value().empty());
}

TEST_F(LocalFiles, OtherSchemesAreRefusedByName) {
  for (const auto* location : {"gs://b/k", "hdfs://n/p", "abfss://c@a/p", "relative/path", ""}) {
    auto bytes = io_.Read(location);
    ASSERT_FALSE(bytes) << location;
    EXPECT_EQ(bytes.error().kind, ErrorKind::kUnsupported) << bytes.error().message;
    EXPECT_NE(bytes.error().message.find("'" + std::string(location) + "'"), std::string::npos);
  }
}

TEST_F(LocalFiles, AFolderHashDependsOnNamesAndBytesOnly) {
  ASSERT_TRUE(io_.WriteNew(Location("m/a"), "1"));
  ASSERT_TRUE(io_.WriteNew(Location("m/b/c"), "2"));
  auto hash = HashFolder(folder_ / "m").value();
  EXPECT_EQ(hash.size(), 64);
  fs::copy(folder_ / "m", folder_ / "copy", fs::copy_options::recursive);
  EXPECT_EQ(HashFolder(folder_ / "copy").value(), hash);
  ASSERT_TRUE(io_.Replace(Location("copy/a"), "3"));
  EXPECT_NE(HashFolder(folder_ / "copy").value(), hash);
  ASSERT_TRUE(io_.Replace(Location("copy/a"), "1"));
  EXPECT_EQ(HashFolder(folder_ / "copy").value(), hash);
  fs::rename(folder_ / "copy/a", folder_ / "copy/z");
  EXPECT_NE(HashFolder(folder_ / "copy").value(), hash);
}

TEST_F(LocalFiles, ALockIsOneHoldersOrSharedAndFallsWithIt) {
  auto path = folder_ / "lock";
  {
    auto mine = FileLock::TryTake(path);
    ASSERT_TRUE(mine) << mine.error().message;
    EXPECT_EQ(FileLock::TryTake(path).error().kind, ErrorKind::kConflict);
    EXPECT_EQ(FileLock::TryShare(path).error().kind, ErrorKind::kConflict);
  }
  auto one = FileLock::TryShare(path), other = FileLock::TryShare(path);
  EXPECT_TRUE(one);
  EXPECT_TRUE(other);
  EXPECT_EQ(FileLock::TryTake(path).error().kind, ErrorKind::kConflict);
}

}  // namespace
}  // namespace slipway
