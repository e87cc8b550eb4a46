#include "iceberg/table_place.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/ids.h"

namespace slipway::iceberg {
namespace {

namespace fs = std::filesystem;

ErrorKind KindOf(const Result<>& result) { return result ? ErrorKind::kInternal : result.error().kind; }

TEST(ComparableLocation, IsOneForAllWaysToWriteALocation) {
  for (const auto* same : {"s3://b/a/c", "s3a://b/a/c/", "s3n://b//a///c", "s3://b/a/c//"})
    EXPECT_EQ(ComparableLocation(same).value(), "s3://b/a/c") << same;
  for (const auto* same : {"/none/a", "file:/none/a", "file:///none/a/", "file:///none/x/../a", "/none//./a"})
    EXPECT_EQ(ComparableLocation(same).value(), "/none/a") << same;
}

TEST(ComparableLocation, StepsOutOfAFolderOfS3AreRefused) {
  for (const auto* out : {"s3://b/a/../c", "s3://b/./c", "s3://b/a/%2e%2E/c", "s3://b/a/.%2e", "s3://b/..", "s3://",
                          "s3:///", "s3://b/a\nc"})
    EXPECT_EQ(ComparableLocation(out).error().kind, ErrorKind::kInvalid) << out;
  EXPECT_TRUE(ComparableLocation("s3://b/p=a%2Fb/..x/%2e%2ex")) << "only whole steps count";
  EXPECT_EQ(ComparableLocation("gs://b/k").error().kind, ErrorKind::kUnsupported);
  EXPECT_EQ(ComparableLocation("S3://b/k").error().kind, ErrorKind::kUnsupported);
}

TEST(LiesIn, CountsWholeSteps) {
  EXPECT_TRUE(LiesIn("s3://a/b", "s3://a/b"));
  EXPECT_TRUE(LiesIn("s3://a/b/c", "s3://a/b"));
  EXPECT_FALSE(LiesIn("s3://a/bc", "s3://a/b"));
  EXPECT_FALSE(LiesIn("s3://a", "s3://a/b"));
  EXPECT_TRUE(LiesIn("/x", "/"));
  EXPECT_FALSE(LiesIn("/x", ""));
}

TEST(FolderOfTable, IsTheOneAboveItsMetadata) {
  EXPECT_EQ(FolderOfTable("s3://w/n/t/metadata/v1.metadata.json"), "s3://w/n/t");
  EXPECT_EQ(FolderOfTable("s3://w/n/t//metadata//v1.json"), "s3://w/n/t/");
  EXPECT_EQ(FolderOfTable("s3://w/meta/v1.json"), "s3://w/meta");
  EXPECT_EQ(FolderOfTable("v1.json"), "v1.json");
}

/// A table `n.t` of the warehouse s3://w, beside n.secret; a table that lies elsewhere in it, and one within another.
class InAWarehouse : public ::testing::Test {
 protected:
  TablePlace PlaceAt(const std::string& own) {
    return TablePlace({.table = "n.t",
                       .catalog = "lake",
                       .setting = "catalogs.lake.allowed_prefixes",
                       .own = {own},
                       .warehouse = "s3://w/lake",
                       .admitted = {"s3://shared/landing/"},
                       .neighbours = [this]() -> Result<std::map<std::string, std::string>> {
                         ++asked_;
                         return std::map<std::string, std::string>{{"s3://w/lake/n/secret", "n.secret"},
                                                                   {"s3://w/lake/odd", "n.odd"},
                                                                   {"s3://w/lake/odd/in/it", "n.within"}};
                       }});
  }
  int asked_ = 0;
};

TEST_F(InAWarehouse, ItsOwnFilesNeedNoLookAtOthers) {
  auto place = PlaceAt("s3a://w/lake/n/t/");
  for (const auto* fine : {"s3://w/lake/n/t/data/x.parquet", "s3a://w/lake/n/t//metadata/m.avro", "s3://w/lake/n/t",
                           "s3://shared/landing/day=1/x.parquet"})
    EXPECT_TRUE(place.Check(fine)) << fine;
  EXPECT_EQ(asked_, 0);
}

TEST_F(InAWarehouse, OtherTablesFilesAreDenied) {
  auto place = PlaceAt("s3://w/lake/n/t");
  for (const auto* theirs : {"s3://w/lake/n/secret/metadata/snap.avro", "s3://w/lake//n/secret/data/x.parquet",
                             "s3n://w/lake/n/secret", "s3://w/lake/odd/x.parquet", "s3://w/lake/odd/in/it/x"})
    EXPECT_EQ(KindOf(place.Check(theirs)), ErrorKind::kDenied) << theirs;
  auto denied = place.Check("s3://w/lake/n/secret/data/x.parquet");
  EXPECT_EQ(
      denied.error().message,
      "the table n.t names s3://w/lake/n/secret/data/x.parquet, which is a file of the table n.secret: if that is "
      "right, an administrator can admit the folder by the setting catalogs.lake.allowed_prefixes");
  EXPECT_TRUE(place.Check("s3://w/lake/staging/x.parquet")) << "nobody's: add_files leaves files where they are";
  EXPECT_EQ(asked_, 1);
}

TEST_F(InAWarehouse, ATableThatLiesWithinAnotherOnesFolderHasTheInnermost) {
  auto place = PlaceAt("s3://w/lake/odd/mine");
  EXPECT_TRUE(place.Check("s3://w/lake/odd/mine/data/x"));
  EXPECT_EQ(KindOf(place.Check("s3://w/lake/odd/x")), ErrorKind::kDenied);
  auto around = PlaceAt("s3://w/lake/n");  // registered at a folder that holds others
  EXPECT_TRUE(around.Check("s3://w/lake/n/x"));
  EXPECT_EQ(KindOf(around.Check("s3://w/lake/n/secret/x")), ErrorKind::kDenied);
}

TEST_F(InAWarehouse, WhatLiesElsewhereIsDenied) {
  auto place = PlaceAt("s3://w/lake/n/t");
  for (const auto* elsewhere : {"s3://w/lakeside/x", "s3://w/lake", "s3://w/x", "s3://other/x",
                                "s3://shared/landings/x", "file:///etc/passwd", "/proc/self/environ", "s3://shared/x"})
    EXPECT_EQ(KindOf(place.Check(elsewhere)), ErrorKind::kDenied) << elsewhere;
  EXPECT_EQ(KindOf(place.Check("s3://w/lake/n/t/../secret/x")), ErrorKind::kInvalid);
  auto outside = PlaceAt("s3://elsewhere/t");
  EXPECT_EQ(KindOf(outside.Check("s3://elsewhere/t/metadata/v1.json")), ErrorKind::kDenied) << "no matter who says so";
}

TEST(OfARestCatalog, TheTableIsWhereTheCatalogSays) {
  TablePlace::Rules rules{.table = "n.t", .catalog = "rest", .setting = "s", .own = {"s3://b/t"}, .warehouse = ""};
  EXPECT_TRUE(TablePlace(rules).Check("s3://b/t/data/x"));
  EXPECT_EQ(KindOf(TablePlace(rules).Check("s3://b/u/data/x")), ErrorKind::kDenied);
  EXPECT_EQ(KindOf(TablePlace(rules).Check("/etc/passwd")), ErrorKind::kDenied);
  rules.any_of_s3 = true;
  EXPECT_TRUE(TablePlace(rules).Check("s3://b/u/data/x")) << "the store decides what vended credentials open";
  EXPECT_EQ(KindOf(TablePlace(rules).Check("/etc/passwd")), ErrorKind::kDenied);
}

TEST(OnADisk, LinksAreFollowed) {
  auto folder = fs::temp_directory_path() / ("slipway-place-" + NewUuid());
  fs::create_directories(folder / "w/n/t/data");
  fs::create_directories(folder / "other");
  fs::create_directory_symlink(folder / "w", folder / "link");
  fs::create_symlink(folder / "other", folder / "w/n/t/data/out");
  auto at = [&](const char* path) { return "file://" + (folder / path).string(); };
  TablePlace place({.table = "n.t",
                    .catalog = "c",
                    .setting = "s",
                    .own = {at("link/n/t")},
                    .warehouse = at("link"),
                    .neighbours = [] { return std::map<std::string, std::string>(); }});
  EXPECT_TRUE(place.Check(at("link/n/t/data/x")));
  EXPECT_TRUE(place.Check(at("w/n/t/data/x")));
  EXPECT_EQ(KindOf(place.Check(at("w/n/t/data/out/x"))), ErrorKind::kDenied);
  EXPECT_EQ(KindOf(place.Check(at("link/n/t/../../../other/x"))), ErrorKind::kDenied);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace slipway::iceberg
