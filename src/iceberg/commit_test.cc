#include "iceberg/commit.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>
#include <filesystem>

#include "base/file.h"
#include "base/ids.h"
#include "iceberg/copy_file.h"
#include "iceberg/orphans.h"
#include "iceberg/partitioned_writer.h"
#include "iceberg/retry.h"
#include "iceberg/scan_reader.h"

namespace slipway::iceberg {
namespace {

constexpr size_t kLargestGolden = size_t{1} << 20;

TableMetadata Golden(const std::string& name) {
  auto text = ReadFile(std::string(SLIPWAY_GOLDEN) + "/iceberg/" + name, kLargestGolden);
  EXPECT_TRUE(text) << name;
  auto metadata = ParseMetadata(*text);
  EXPECT_TRUE(metadata) << metadata.error().message;
  return *metadata;
}

int64_t At(const boost::json::value& entry, const char* key) { return entry.at(key).as_int64(); }

// clock_ahead.metadata.json: two appends by PyIceberg 0.12 whose clock was an hour ahead. What Iceberg's Java library
// asks of a table when it opens it (TableMetadata's constructor): a sorted snapshot log, and a last update that is not
// before its last entry, nor before the metadata log's.
TEST(Commit, TimeInATableNeverGoesBack) {
  auto base = Golden("clock_ahead.metadata.json");
  const auto hour_ago = base.raw.at("last-updated-ms").as_int64() - 3'600'000;
  auto metadata = base;
  for (int round = 0; round < 3; ++round) {  // also one after another within a millisecond
    Snapshot snapshot{.snapshot_id = 100 + round,
                      .sequence_number = metadata.last_sequence_number + 1,
                      .timestamp_ms = NextTimestamp(metadata, hour_ago)};
    snapshot.summary["operation"] = "append";
    auto next = WithSnapshot(metadata, "file:///lake/metadata/00002.metadata.json", snapshot);
    ASSERT_TRUE(next) << next.error().message;
    metadata = *next;
  }
  int64_t last = 0;
  for (const auto& entry : metadata.raw.at("snapshot-log").as_array()) {
    EXPECT_GT(At(entry, "timestamp-ms"), last);
    last = At(entry, "timestamp-ms");
  }
  EXPECT_EQ(metadata.raw.at("snapshot-log").as_array().size(), 5U);
  EXPECT_GE(metadata.raw.at("last-updated-ms").as_int64(), last);
  int64_t written = 0;
  for (const auto& entry : metadata.raw.at("metadata-log").as_array()) {
    EXPECT_GE(At(entry, "timestamp-ms"), written);
    written = At(entry, "timestamp-ms");
  }
  EXPECT_GE(metadata.raw.at("last-updated-ms").as_int64(), written);
}

TEST(Commit, ATimestampIsNowWhereNothingIsLater) {
  auto base = Golden("clock_ahead.metadata.json");
  const auto later = base.raw.at("last-updated-ms").as_int64() + 5'000;
  EXPECT_EQ(NextTimestamp(base, later), later);
}

/// A catalog whose commits a test may meddle with.
class Meddled final : public Catalog {
 public:
  explicit Meddled(Catalog& real) : real_(real) {}
  Result<Table> Load(const TableIdentifier& id) override {
    return unreadable ? Fail(ErrorKind::kUnavailable, "not now") : real_.Load(id);
  }
  Result<std::vector<TableIdentifier>> List() override { return real_.List(); }
  Result<Table> Stage(const TableIdentifier& id, const TableMetadata& wanted) override {
    return real_.Stage(id, wanted);
  }
  Result<NewPlace> NewTablePlace(const TableIdentifier& id) override { return real_.NewTablePlace(id); }
  Result<> Publish(const TableUpdate& update) override {
    ++publishes;
    if (before) before();
    if (instead) return instead(update);
    return real_.Publish(update);
  }

  int publishes = 0;
  bool unreadable = false;
  std::function<void()> before;  ///< each compare-and-swap
  std::function<Result<>(const TableUpdate& update)> instead;

 private:
  Catalog& real_;
};

/// A table `ml.p` of (id long, day long) in a folder, partitioned by day or not at all.
class CommitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) / NewUuid();
    std::filesystem::create_directories(folder_);
    CatalogPlace place{.uri = "sqlite:///" + (folder_ / "catalog.db").string(), .warehouse = folder_.string()};
    auto opened = OpenSqlCatalog(place, {});
    ASSERT_TRUE(opened) << opened.error().message;
    catalog_ = std::move(*opened);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Table Staged(bool by_day, const std::map<std::string, std::string>& properties = {}) {
    Schema schema;
    schema.fields = {{1, "id", false, {TypeId::kLong}}, {2, "day", false, {TypeId::kLong}}};
    PartitionSpec spec;
    if (by_day) spec.fields.push_back({2, 1000, "day", {}});
    auto metadata = NewMetadata("", schema, spec, 0);
    for (const auto& [name, value] : properties) metadata->raw["properties"].as_object()[name] = value;
    auto staged = catalog_->Stage(id_, ParseMetadata(Serialize(*metadata)).value());
    EXPECT_TRUE(staged) << staged.error().message;
    return *staged;
  }

  /// A file of rows (id, day) of a run.
  static std::vector<DataFile> Write(const Table& table, const std::string& run_id,
                                     const std::vector<std::pair<int64_t, int64_t>>& rows) {
    arrow::Int64Builder ids, days;
    for (const auto& [id, day] : rows) EXPECT_TRUE(ids.Append(id).ok() && days.Append(day).ok());
    auto schema = ToArrow(table.metadata.schema.fields).value();
    auto batch = arrow::RecordBatch::Make(schema, static_cast<int64_t>(rows.size()),
                                          {ids.Finish().ValueOrDie(), days.Finish().ValueOrDie()});
    PartitionedWriter writer(table, run_id);
    EXPECT_TRUE(writer.Write(batch));
    auto files = writer.Finish();
    EXPECT_TRUE(files);
    return *files;
  }

  static SnapshotUpdate Append(const std::string& run_id, std::vector<DataFile> files) {
    SnapshotUpdate update;
    update.run_id = run_id;
    update.added_files = [files = std::move(files)](const Table&) { return files; };
    return update;
  }

  /// Another writer's commit of one row.
  void Add(int64_t id, int64_t day) {
    auto table = catalog_->Load(id_);
    ASSERT_TRUE(table) << table.error().message;
    auto run = NewUuid();
    auto done = Commit(*catalog_, *table, Append(run, Write(*table, run, {{id, day}})), clock_);
    ASSERT_TRUE(done) << done.error().message;
  }

  Table Load() { return catalog_->Load(id_).value(); }

  /// The ids in the table, sorted; reads every file.
  std::vector<int64_t> Ids() {
    auto table = Load();
    auto plan = PlanScan(table, std::nullopt, Predicate::Always()).value();
    auto reader = ScanReader::Start(table, plan, {table.metadata.schema.fields[0]}, {}).value();
    std::vector<int64_t> ids;
    while (true) {
      auto batch = reader->Next();
      if (!batch) {
        ADD_FAILURE() << batch.error().message;
        return ids;
      }
      if (*batch == nullptr) break;
      const auto& column = static_cast<const arrow::Int64Array&>(*(*batch)->column(0));
      for (int64_t row = 0; row < column.length(); ++row) ids.push_back(column.Value(row));
    }
    std::ranges::sort(ids);
    return ids;
  }

  /// The files of a run below the table's folder.
  int FilesOf(const std::string& run_id) const {
    int count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_))
      count += entry.is_regular_file() && entry.path().filename().string().find(run_id) != std::string::npos;
    return count;
  }
  int Orphans(const std::string& run_id) {
    auto table = Load();
    auto deleted = DeleteOrphans(*table.io, table.metadata.location, &table, run_id);
    EXPECT_TRUE(deleted) << deleted.error().message;
    return *deleted;
  }

  const TableIdentifier id_{"ml", "p"};
  const SystemClock clock_;
  std::filesystem::path folder_;
  std::unique_ptr<Catalog> catalog_;
};

TEST_F(CommitTest, BesideAWriterWhoIsFasterItGetsItsTurn) {
  auto staged = Staged(false, {{"commit.retry.min-wait-ms", "0"}, {"commit.retry.max-wait-ms", "1"}});
  auto first = NewUuid();
  ASSERT_TRUE(Commit(*catalog_, staged, Append(first, Write(staged, first, {{1, 1}, {2, 2}})), clock_));
  Meddled busy(*catalog_);
  int theirs = 0;
  busy.before = [&] {
    if (theirs < 15) Add(100 + theirs++, 3);  // more than the ten tries of old
  };
  auto run = NewUuid();
  auto base = Load();
  auto update = Append(run, Write(base, run, {{5, 1}}));
  update.replaced_rows = Predicate::Compare(Predicate::Op::kEqual, 2, Literal(int64_t{1}));
  auto done = Commit(busy, base, update, clock_);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->attempts, 16);
  std::vector<int64_t> wanted{2, 5};
  for (int i = 0; i < 15; ++i) wanted.push_back(100 + i);
  EXPECT_EQ(Ids(), wanted);
  EXPECT_EQ(Orphans(run), 0) << "nothing of the tries before is left";
  // Data file, copy of the file with both days, manifests for these, the rewritten one, list, metadata.
  EXPECT_LE(FilesOf(run), 6) << "the file with both days was copied once";
}

TEST_F(CommitTest, TheTablesPropertiesBoundTheTries) {
  auto staged = Staged(false, {{"commit.retry.num-retries", "2"}, {"commit.retry.min-wait-ms", "0"}});
  auto first = NewUuid();
  ASSERT_TRUE(Commit(*catalog_, staged, Append(first, {}), clock_));
  Meddled busy(*catalog_);
  busy.before = [&] { Add(7, 7); };
  auto run = NewUuid();
  auto base = Load();
  auto done = Commit(busy, base, Append(run, {}), clock_);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::kConflict);
  EXPECT_EQ(busy.publishes, 3);
  EXPECT_EQ(FilesOf(run), 0);
}

TEST_F(CommitTest, ACommitWhoseAnswerWasLostIsFoundAndOurs) {
  auto staged = Staged(false);
  Meddled lossy(*catalog_);
  lossy.instead = [&](const TableUpdate& update) -> Result<> {
    TRY(catalog_->Publish(update));
    return Fail(ErrorKind::kPerhapsCommitted, "no answer");
  };
  auto run = NewUuid();
  auto done = Commit(lossy, staged, Append(run, Write(staged, run, {{1, 1}})), clock_);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_FALSE(done->already_committed);
  EXPECT_EQ(lossy.publishes, 1);
  EXPECT_EQ(Ids(), std::vector<int64_t>{1});
  EXPECT_EQ(Orphans(run), 0);
}

// Something on the way sends the request twice: the second one conflicts with the first.
TEST_F(CommitTest, AConflictWithItselfIsASuccess) {
  auto staged = Staged(false);
  Meddled twice(*catalog_);
  twice.instead = [&](const TableUpdate& update) -> Result<> {
    TRY(catalog_->Publish(update));
    return Fail(ErrorKind::kConflict, "the table has changed");
  };
  auto run = NewUuid();
  auto update = Append(run, Write(staged, run, {{1, 1}}));
  auto done = Commit(twice, staged, update, clock_);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_FALSE(done->already_committed);
  EXPECT_EQ(Ids(), std::vector<int64_t>{1});
  EXPECT_EQ(Orphans(run), 0);
}

// The same, while the table cannot be read for a while: nothing is deleted on a guess.
TEST_F(CommitTest, AfterAConflictThatNobodyCanExplainNoFileIsDeleted) {
  auto staged = Staged(false);
  Meddled twice(*catalog_);
  twice.instead = [&](const TableUpdate& update) -> Result<> {
    TRY(catalog_->Publish(update));
    twice.unreadable = true;
    return Fail(ErrorKind::kConflict, "the table has changed");
  };
  auto run = NewUuid();
  auto done = Commit(twice, staged, Append(run, Write(staged, run, {{1, 1}})), clock_);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::kPerhapsCommitted);
  EXPECT_EQ(Ids(), std::vector<int64_t>{1});
}

// A run that is cancelled while it waits after such a conflict is there all the same.
TEST_F(CommitTest, AConflictWithItselfIsASuccessAlsoWhereTheRunIsCancelledMeanwhile) {
  auto staged = Staged(false);
  Meddled twice(*catalog_);
  bool cancelled = false;
  twice.instead = [&](const TableUpdate& update) -> Result<> {
    TRY(catalog_->Publish(update));
    cancelled = true;
    return Fail(ErrorKind::kConflict, "the table has changed");
  };
  auto run = NewUuid();
  auto update = Append(run, Write(staged, run, {{1, 1}}));
  update.before_publish = [&] { return cancelled ? Fail(ErrorKind::kCancelled, "cancelled") : Result<>(); };
  auto done = Commit(twice, staged, update, clock_);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(Ids(), std::vector<int64_t>{1});
}

// A request that stands somewhere on the way, and arrives when its sender has given up already.
TEST_F(CommitTest, WhileATryMayStillArriveNoFileIsDeleted) {
  auto staged = Staged(false);
  auto first = NewUuid();
  ASSERT_TRUE(Commit(*catalog_, staged, Append(first, {}), clock_));
  auto base = Load();
  std::optional<TableMetadata> next;
  std::string location;
  std::optional<Snapshot> snapshot;
  Meddled slow(*catalog_);
  slow.instead = [&](const TableUpdate& update) {
    next = update.next;
    location = update.metadata_location;
    snapshot = update.snapshot;
    return Fail(ErrorKind::kPerhapsCommitted, "no answer");
  };
  auto run = NewUuid();
  auto update = Append(run, Write(base, run, {{1, 1}}));
  int asked = 0;
  update.before_publish = [&]() -> Result<> {
    return ++asked == 1 ? Result<>() : Fail(ErrorKind::kCancelled, "the lease has run out");
  };
  auto done = Commit(slow, base, update, clock_);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::kPerhapsCommitted);
  ASSERT_TRUE(catalog_->Publish({base, *next, *snapshot, location}));
  EXPECT_EQ(Ids(), std::vector<int64_t>{1});
}

// The same, but another writer was there meanwhile: that request can only fail now.
TEST_F(CommitTest, OnAnotherStateAnEarlierTryCannotArriveAnyMore) {
  auto staged = Staged(false, {{"commit.retry.num-retries", "0"}});
  auto first = NewUuid();
  ASSERT_TRUE(Commit(*catalog_, staged, Append(first, {}), clock_));
  Meddled slow(*catalog_);
  slow.instead = [&](const TableUpdate&) {
    Add(9, 9);
    return Fail(ErrorKind::kPerhapsCommitted, "no answer");
  };
  auto run = NewUuid();
  auto base = Load();
  auto done = Commit(slow, base, Append(run, {}), clock_);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::kConflict);
  EXPECT_EQ(FilesOf(run), 0);
}

TEST_F(CommitTest, TheCommitOfAnotherAttemptIsFoundAndOwnFilesGo) {
  auto staged = Staged(false);
  auto run = NewUuid();
  Meddled second(*catalog_);
  second.before = [&] {
    auto theirs = Commit(*catalog_, staged, Append(run, Write(staged, run, {{1, 1}})), clock_);
    ASSERT_TRUE(theirs) << theirs.error().message;
  };
  auto files = Write(staged, run, {{1, 1}});
  auto done = Commit(second, staged, Append(run, files), clock_);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_TRUE(done->already_committed);
  EXPECT_EQ(Ids(), std::vector<int64_t>{1});
  ASSERT_TRUE(staged.io->Delete(files.front().file_path));  // the caller's
  EXPECT_EQ(Orphans(run), 0);
}

// The other attempt tidies up when it has committed: what this one has written, and still reads, is gone.
TEST_F(CommitTest, FilesThatTheOtherAttemptHasTidiedAwayAreNoFailure) {
  auto staged = Staged(false);
  auto run = NewUuid();
  auto update = Append(run, {});
  update.added_files = [&](const Table&) -> Result<std::vector<DataFile>> {
    auto theirs = Commit(*catalog_, staged, Append(run, Write(staged, run, {{1, 1}})), clock_);
    EXPECT_TRUE(theirs) << theirs.error().message;
    return Fail(ErrorKind::kNotFound, "no such file");
  };
  auto done = Commit(*catalog_, staged, update, clock_);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_TRUE(done->already_committed);
  EXPECT_EQ(Ids(), std::vector<int64_t>{1});
}

TEST_F(CommitTest, BeforePublishEndsIt) {
  auto staged = Staged(false);
  Meddled watched(*catalog_);
  auto run = NewUuid();
  auto update = Append(run, {});
  update.before_publish = [] { return Result<>(Fail(ErrorKind::kCancelled, "not ours any more")); };
  auto done = Commit(watched, staged, update, clock_);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::kCancelled);
  EXPECT_EQ(watched.publishes, 0);
  EXPECT_EQ(FilesOf(run), 0);
}

TEST_F(CommitTest, AManifestOfAnUnknownSpecIsCorruptWhereRowsAreReplaced) {
  auto staged = Staged(true);
  auto first = NewUuid();
  ASSERT_TRUE(Commit(*catalog_, staged, Append(first, Write(staged, first, {{1, 1}})), clock_));
  auto base = Load();
  base.metadata.specs.front().spec_id = base.metadata.default_spec_id = 7;
  auto run = NewUuid();
  auto update = Append(run, {});
  update.replaced_rows = Predicate::Always();
  auto done = Commit(*catalog_, base, update, clock_);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::kCorrupt);
  EXPECT_NE(done.error().message.find("partition spec 0"), std::string::npos) << done.error().message;
  EXPECT_EQ(FilesOf(run), 0);
}

TEST_F(CommitTest, AColumnThatWasDroppedMeanwhileFailsTheCommit) {
  auto staged = Staged(false);
  auto first = NewUuid();
  ASSERT_TRUE(Commit(*catalog_, staged, Append(first, {}), clock_));
  auto planned = Load();
  planned.metadata.schema.fields.push_back({3, "gone", false, {TypeId::kLong}});
  Meddled busy(*catalog_);
  busy.before = [&] { Add(1, 1); };
  auto run = NewUuid();
  auto done = Commit(busy, planned, Append(run, {}), clock_);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("'gone'"), std::string::npos) << done.error().message;
  EXPECT_EQ(FilesOf(run), 0);
}

// An old snapshot has delete files, as merge-on-read leaves them; they were compacted since.
TEST_F(CommitTest, OrphansAreFoundInATableWithSuchAHistory) {
  auto staged = Staged(false);
  auto first = NewUuid();
  ASSERT_TRUE(Commit(*catalog_, staged, Append(first, Write(staged, first, {{1, 1}})), clock_));
  auto old = *Load().metadata.CurrentSnapshot();
  auto run = NewUuid();
  auto base = Load();
  auto update = Append(run, Write(base, run, {{2, 2}}));
  update.replaced_rows = Predicate::Always();
  ASSERT_TRUE(Commit(*catalog_, base, update, clock_));
  auto manifests = ReadManifestList(base.io->Read(old.manifest_list, kLargestManifestList).value()).value();
  for (auto& manifest : manifests) manifest.content = 1;
  auto bytes = WriteManifestList({.snapshot_id = old.snapshot_id, .sequence_number = 1}, manifests);
  ASSERT_TRUE(base.io->Replace(old.manifest_list, *bytes));
  Write(base, run, {{3, 3}});  // what a killed attempt left
  EXPECT_EQ(Orphans(run), 1);
  EXPECT_EQ(Ids(), std::vector<int64_t>{2});
  Write(base, first, {{3, 3}});
  EXPECT_EQ(Orphans(first), 1) << "also of a run from before it";
}

TEST_F(CommitTest, ACopyThatFailsLeavesNoFile) {
  auto staged = Staged(false);
  auto file = Write(staged, NewUuid(), {{1, 1}, {2, 2}}).front();
  auto run = NewUuid();
  auto fails = [](const std::shared_ptr<arrow::RecordBatch>&) -> Result<std::shared_ptr<arrow::RecordBatch>> {
    return Fail(ErrorKind::kIo, "in the middle");
  };
  auto copied = CopyFile(staged, file, run, fails);
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().message, "in the middle");
  EXPECT_EQ(FilesOf(run), 0);
  auto nothing = CopyWithout(staged, file, Predicate::Always(), run);
  ASSERT_TRUE(nothing && !*nothing);
  EXPECT_EQ(FilesOf(run), 0);
  auto one = CopyWithout(staged, file, Predicate::Compare(Predicate::Op::kEqual, 1, Literal(int64_t{1})), run);
  ASSERT_TRUE(one && *one);
  EXPECT_EQ((*one)->record_count, 1);
  EXPECT_EQ(FilesOf(run), 1);
}

TEST(RetryPolicy, IsWhatTheTableSays) {
  auto metadata = Golden("clock_ahead.metadata.json");
  auto of = [&](const boost::json::object& properties) {
    metadata.raw["properties"] = properties;
    return RetryPolicy::Of(metadata);
  };
  auto defaults = of({});
  EXPECT_EQ(defaults.retries, INT64_MAX) << "the time is the bound";
  EXPECT_EQ(defaults.total_timeout_ms, 1'800'000);
  EXPECT_EQ(defaults.WaitMs(2), 100);
  EXPECT_EQ(defaults.WaitMs(3), 200);
  EXPECT_EQ(defaults.WaitMs(1000), 60'000);
  auto set =
      of({{"commit.retry.num-retries", "4"}, {"commit.retry.min-wait-ms", "7"}, {"commit.retry.max-wait-ms", "9"}});
  EXPECT_EQ(set.retries, 4);
  EXPECT_EQ(set.WaitMs(2), 7);
  EXPECT_EQ(set.WaitMs(3), 9);
  auto odd =
      of({{"commit.retry.min-wait-ms", "soon"}, {"commit.retry.max-wait-ms", "-1"}, {"commit.retry.num-retries", 3}});
  EXPECT_EQ(odd.min_wait_ms, 100);
  EXPECT_EQ(odd.max_wait_ms, 60'000);
  EXPECT_EQ(odd.retries, INT64_MAX);
}

}  // namespace
}  // namespace slipway::iceberg
