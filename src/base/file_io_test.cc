#include "base/file_io.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/file.h"
#include "base/ids.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

TEST(FileIo, LocationsOfTheSameFileAreEqualInTheirCanonicalForm) {
  for (const auto* same : {"/a/b c/d%2Fe", "file:/a/b c/d%2Fe", "file:///a/b c/d%2Fe", "file://localhost/a/b c/d%2Fe"})
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
  std::string Text(const std::string& name) { return io_.Read(Location(name), 100).value(); }
  fs::path folder_ = fs::temp_directory_path() / ("slipway-file-io-" + NewUuid());
  FileIo io_;
};

TEST_F(LocalFiles, ANewFileIsNeverWrittenOverAnOldOne) {
  ASSERT_TRUE(io_.WriteNew(Location("a/b/x"), "one"));
  auto again = io_.WriteNew(Location("a/b/x"), "two");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::kConflict) << again.error().message;
  EXPECT_EQ(Text("a/b/x"), "one");
  ASSERT_TRUE(io_.Replace(Location("a/b/x"), "three"));
  EXPECT_EQ(Text("a/b/x"), "three");
}

TEST_F(LocalFiles, WhatIsGoneIsSaidSo) {
  EXPECT_EQ(io_.Read(Location("gone"), 100).error().kind, ErrorKind::kNotFound);
  EXPECT_FALSE(io_.OpenInput(Location("gone")));
  EXPECT_TRUE(io_.Delete(Location("gone")));
  EXPECT_TRUE(io_.List(Location("gone")).value().empty());
}

TEST_F(LocalFiles, NamesAreTakenAsTheyStand) {
  ASSERT_TRUE(io_.WriteNew(Location("region=a%2Fb c/é"), "x"));
  EXPECT_TRUE(fs::exists(folder_ / "region=a%2Fb c" / "é"));
  auto listed = io_.List(Location("")).value();
  ASSERT_EQ(listed.size(), 1);
  EXPECT_EQ(io_.Read(listed[0], 100).value(), "x") << listed[0];
  EXPECT_TRUE(io_.Delete(listed[0]));
  EXPECT_TRUE(io_.List(Location("")).value().empty());
}

TEST_F(LocalFiles, OtherSchemesAreRefusedByName) {
  for (const auto* location : {"gs://b/k", "hdfs://n/p", "abfss://c@a/p", "relative/path", ""}) {
    auto bytes = io_.Read(location, 100);
    ASSERT_FALSE(bytes) << location;
    EXPECT_EQ(bytes.error().kind, ErrorKind::kUnsupported) << bytes.error().message;
    EXPECT_NE(bytes.error().message.find("'" + std::string(location) + "'"), std::string::npos);
  }
}

TEST_F(LocalFiles, OnlyRegularFilesAreOpened) {
  auto pipe = folder_ / "pipe", socket = folder_ / "socket";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  ASSERT_EQ(::mknod(socket.c_str(), S_IFSOCK | 0600, 0), 0);
  fs::create_symlink("/dev/zero", folder_ / "zero");
  const std::pair<fs::path, std::string> others[] = {{pipe, "a pipe"},
                                                     {socket, "a socket"},
                                                     {folder_ / "zero", "a device"},
                                                     {"/dev/zero", "a device"},
                                                     {folder_, "a folder"}};
  for (const auto& [path, kind] : others) {
    for (const auto& error : {io_.Read(path.string(), 100).error(), io_.OpenInput(path.string()).error(),
                              ReadFile(path).error(), OpenToRead(path).error()}) {
      EXPECT_EQ(error.kind, ErrorKind::kInvalid) << path;
      EXPECT_NE(error.message.find(path.string() + " is " + kind), std::string::npos) << error.message;
    }
  }
}

TEST_F(LocalFiles, AFileThatIsTooLargeIsNotRead) {
  ASSERT_TRUE(io_.WriteNew(Location("x"), "12345"));
  fs::resize_file(folder_ / "x", uint64_t{1} << 40);  // sparse: reading it would take a terabyte
  auto bytes = io_.Read(Location("x"), 1 << 20);
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().kind, ErrorKind::kTooLarge) << bytes.error().message;
  EXPECT_EQ(ReadFile("/proc/self/status").value().substr(0, 5), "Name:") << "files of /proc have no size";
}

TEST_F(LocalFiles, NothingPassesAGate) {
  ASSERT_TRUE(io_.WriteNew(Location("in/x"), "1"));
  ASSERT_TRUE(io_.WriteNew(Location("out/x"), "1"));
  auto io = io_.Within([&](std::string_view location) -> Result<> {
    if (location.starts_with(Location("in/"))) return {};
    return Fail(ErrorKind::kDenied, "not there");
  });
  EXPECT_TRUE(io->Read(Location("in/x"), 10));
  const auto out = Location("out/x");
  for (auto kind :
       {io->Read(out, 10).error().kind, io->WriteNew(Location("out/y"), "").error().kind,
        io->Replace(out, "").error().kind, io->OpenInput(out).error().kind, io->OpenOutput(out).error().kind,
        io->Sync(out).error().kind, io->Delete(out).error().kind, io->List(Location("out")).error().kind})
    EXPECT_EQ(kind, ErrorKind::kDenied);
  EXPECT_EQ(Text("out/x"), "1");
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
