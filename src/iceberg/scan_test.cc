#include "iceberg/scan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "iceberg/testing/values.h"

namespace slipway::iceberg {
namespace {

using Op = Predicate::Op;
using slipway::testing::FromHex;
using slipway::testing::GoldenCase;

const Schema& Columns() {
  static const auto kSchema = ParseSchema(slipway::testing::GoldenJson("iceberg/pruning_schema.json")).value();
  return kSchema;
}

Predicate PredicateOf(const json::object& node) {
  std::string op(node.at("op").as_string());
  if (op == "and" || op == "or") {
    std::vector<Predicate> children;
    for (const auto& child : node.at("of").as_array()) children.push_back(PredicateOf(child.as_object()));
    return op == "and" ? Predicate::And(std::move(children)) : Predicate::Or(std::move(children));
  }
  auto id = static_cast<int>(node.at("id").as_int64());
  if (op == "is_null" || op == "not_null") return Predicate::Null(id, op == "is_null");
  std::vector<Literal> literals;
  for (const auto& value : node.at("values").as_array())
    literals.push_back(testing::LiteralOf(value, Columns().Find(id)->type));
  if (op == "in") return Predicate::In(id, std::move(literals));
  static const std::map<std::string, Op> kOps = {{"lt", Op::kLess},    {"lt_eq", Op::kLessEqual},
                                                 {"gt", Op::kGreater}, {"gt_eq", Op::kGreaterEqual},
                                                 {"eq", Op::kEqual},   {"not_eq", Op::kNotEqual}};
  return Predicate::Compare(kOps.at(op), id, literals.front());
}

template <typename T>
std::map<int, T> ById(const json::value& object) {
  std::map<int, T> values;
  for (const auto& member : object.as_object()) {
    auto id = std::stoi(std::string(member.key()));
    if constexpr (std::is_same_v<T, std::string>)
      values[id] = FromHex(member.value().as_string());
    else
      values[id] = member.value().as_int64();
  }
  return values;
}

DataFile FileOf(const GoldenCase& one) {
  DataFile file;
  file.record_count = one.at("rows").as_int64();
  file.value_counts = ById<int64_t>(one.at("value_counts"));
  file.null_value_counts = ById<int64_t>(one.at("null_value_counts"));
  file.nan_value_counts = ById<int64_t>(one.at("nan_value_counts"));
  file.lower_bounds = ById<std::string>(one.at("lower_bounds"));
  file.upper_bounds = ById<std::string>(one.at("upper_bounds"));
  return file;
}

class PruningGolden : public ::testing::TestWithParam<GoldenCase> {};

/// Whether the file counts nulls and NaN of every column of a condition.
bool Counts(const DataFile& file, const Predicate& p) {
  if (!p.children.empty())
    return std::ranges::all_of(p.children, [&](const Predicate& child) { return Counts(file, child); });
  auto type = Columns().Find(p.field_id)->type.id;
  return file.null_value_counts.contains(p.field_id) &&
         ((type != TypeId::kFloat && type != TypeId::kDouble) || file.nan_value_counts.contains(p.field_id));
}

/// The statistics of 24 files under one condition, beside PyIceberg's inclusive and strict evaluators. They differ on
/// purpose where SQL does: <> is not true of a null, and NaN is above all numbers, so that it matters where NaN is not
/// counted. And where nulls are not counted, PyIceberg's strict evaluator takes it that there are none.
TEST_P(PruningGolden, StatisticsDecideAsInPyIceberg) {
  static const auto kFiles = slipway::testing::GoldenCases("iceberg/pruning_files.json");
  auto predicate = PredicateOf(GetParam().at("json").as_object());
  auto want_might = GetParam().text("might"), want_must = GetParam().text("must");
  bool not_equal = GetParam().at("not_equal").as_bool();
  for (size_t i = 0; i < kFiles.size(); ++i) {
    auto file = FileOf(kFiles[i]);
    PartitionSpec unpartitioned;
    auto ranges = RangesOf(file, unpartitioned, Columns());
    bool might = MightMatch(predicate, ranges), must = MustMatch(predicate, ranges);
    bool said_might = want_might[i] == '1', said_must = want_must[i] == '1';
    EXPECT_TRUE(said_might || !might || !Counts(file, predicate)) << "file " << i << ": only here rows might match";
    EXPECT_TRUE(said_must || !must) << "file " << i << ": only here all rows match";
    EXPECT_TRUE(not_equal || might || !said_might) << "file " << i << ": skipped, but in PyIceberg rows might match";
    EXPECT_TRUE(not_equal || !Counts(file, predicate) || must || !said_must)
        << "file " << i << ": in PyIceberg all rows match, here not";
    EXPECT_TRUE(might || !must) << "file " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(PyIceberg, PruningGolden,
                         ::testing::ValuesIn(slipway::testing::GoldenCases("iceberg/pruning.json")),
                         slipway::testing::CaseName);

class PartitionPruningGolden : public ::testing::TestWithParam<GoldenCase> {};

/// A file of one partition without statistics: never skipped where its row matches; skipped where PyIceberg skips it,
/// but for buckets and text prefixes, of which Slipway knows less, and for times before 1970 (PartitionsBefore1970…).
TEST_P(PartitionPruningGolden, PartitionsDecideAsInPyIceberg) {
  auto spec = ParsePartitionSpec(GetParam().at("spec")).value();
  auto predicate = PredicateOf(GetParam().at("json").as_object());
  const auto& field = spec.fields.front();
  auto type = Columns().Find(field.source_id)->type;
  bool knows_less =
      field.transform.kind == TransformKind::kBucket ||
      (field.transform.kind == TransformKind::kTruncate && type.id != TypeId::kInt && type.id != TypeId::kLong);
  const auto& partitions = GetParam().at("partitions").as_array();
  const auto& rows = GetParam().at("rows").as_array();
  auto want = GetParam().text("might"), matches = GetParam().text("matches");
  for (size_t i = 0; i < partitions.size(); ++i) {
    auto row = testing::LiteralOf(rows[i], type);
    bool not_equal_of_null = predicate.op == Op::kNotEqual && IsNull(row);  // true in Iceberg, not in SQL
    DataFile file;
    file.record_count = 1;
    file.partition = {testing::LiteralOf(partitions[i], ResultType(field.transform, type))};
    auto ranges = RangesOf(file, spec, Columns());
    auto where = "row " + testing::Shown(row, type) + ", partition " +
                 testing::Shown(file.partition[0], ResultType(field.transform, type));
    bool might = MightMatch(predicate, ranges);
    if (!not_equal_of_null) {
      EXPECT_EQ(Matches(predicate, [&](int) { return row; }), matches[i] == '1') << where;
      EXPECT_TRUE(might || matches[i] == '0') << where << ": skipped, but the row matches";
    }
    EXPECT_TRUE(matches[i] == '1' || !MustMatch(predicate, ranges))
        << where << ": taken whole, but the row does not match";
    const auto* number = std::get_if<int64_t>(&file.partition[0]);
    const bool old_java = number != nullptr && *number <= 0 && ResultType(field.transform, type) != type;
    EXPECT_TRUE(knows_less || old_java || want[i] == '1' || !might) << where << ": PyIceberg skips the file";
  }
}

INSTANTIATE_TEST_SUITE_P(PyIceberg, PartitionPruningGolden,
                         ::testing::ValuesIn(slipway::testing::GoldenCases("iceberg/partitions.json")),
                         slipway::testing::CaseName);

/// Bounds of NaN, as some older writers left them, say nothing (Java's InclusiveMetricsEvaluator).
TEST(RangesOf, BoundsThatAreNaNSayNothing) {
  constexpr int kDouble = 3;
  auto nan = ToBytes(Literal(std::nan("")), {TypeId::kDouble});
  auto five = ToBytes(Literal(5.0), {TypeId::kDouble}), nine = ToBytes(Literal(9.0), {TypeId::kDouble});
  for (const auto& [lower, upper] : {std::pair{nan, nine}, {five, nan}, {nan, nan}}) {
    DataFile file;
    file.record_count = 10;
    file.value_counts = {{kDouble, 10}};
    file.null_value_counts = {{kDouble, 0}};
    file.nan_value_counts = {{kDouble, 2}};
    file.lower_bounds = {{kDouble, lower}};
    file.upper_bounds = {{kDouble, upper}};
    PartitionSpec unpartitioned;
    auto ranges = RangesOf(file, unpartitioned, Columns());
    for (auto op : {Op::kLess, Op::kLessEqual, Op::kGreater, Op::kGreaterEqual, Op::kEqual, Op::kNotEqual}) {
      auto about_seven = Predicate::Compare(op, kDouble, Literal(7.0));
      EXPECT_TRUE(MightMatch(about_seven, ranges)) << static_cast<int>(op);
      EXPECT_FALSE(MustMatch(about_seven, ranges)) << static_cast<int>(op);
    }
  }
}

/// SQL's order in filters: NaN is above every number, so a file with NaN may match x > 100 whatever its bounds say.
TEST(RangesOf, NaNIsAboveTheUpperBound) {
  DataFile file;
  file.record_count = 10;
  file.null_value_counts = {{3, 0}};
  file.nan_value_counts = {{3, 1}};
  file.lower_bounds = {{3, ToBytes(Literal(1.0), {TypeId::kDouble})}};
  file.upper_bounds = {{3, ToBytes(Literal(2.0), {TypeId::kDouble})}};
  PartitionSpec unpartitioned;
  auto ranges = RangesOf(file, unpartitioned, Columns());
  EXPECT_TRUE(MightMatch(Predicate::Compare(Op::kGreater, 3, Literal(100.0)), ranges));
  EXPECT_FALSE(MightMatch(Predicate::Compare(Op::kLess, 3, Literal(1.0)), ranges));
  EXPECT_FALSE(MustMatch(Predicate::Compare(Op::kLess, 3, Literal(3.0)), ranges));
  EXPECT_TRUE(MustMatch(Predicate::Compare(Op::kGreaterEqual, 3, Literal(1.0)), ranges));
}

/// Older Java writers cut times before 1970 off towards zero, so that partition -1 holds rows of -2 too, and 0 of -1.
TEST(RangesOf, PartitionsBefore1970MayHoldOlderRows) {
  constexpr int kTime = 4;
  const auto hour = int64_t{3'600'000'000};
  const Schema schema{0, {{kTime, "at", false, {TypeId::kTimestamp}}}};
  const PartitionSpec spec{0, {{kTime, 1000, "at_hour", {TransformKind::kHour}}}};
  auto might = [&](int64_t partition, int64_t at) {
    DataFile file;
    file.record_count = 1;
    file.partition = {Literal(partition)};
    return MightMatch(Predicate::Compare(Op::kEqual, kTime, Literal(at)), RangesOf(file, spec, schema));
  };
  EXPECT_TRUE(might(0, -1));
  EXPECT_TRUE(might(-1, -hour - 1));
  EXPECT_FALSE(might(-1, -2 * hour - 1));
  EXPECT_FALSE(might(-1, 0));
  EXPECT_FALSE(might(1, hour - 1)) << "after 1970 nothing was ever wrong";
}

/// A transform of another vendor or version: its partitions are read, whatever their values are.
TEST(RangesOf, UnknownTransformsSayNothing) {
  auto fields =
      json::array{json::object{{"source-id", 1}, {"field-id", 1000}, {"name", "z"}, {"transform", "zorder[3]"}}};
  auto spec = ParsePartitionSpec(json::object{{"spec-id", 0}, {"fields", fields}});
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(json::value(FieldsToJson(*spec)), json::value(fields)) << "it is written as it was";
  for (const auto& value : {Literal(int64_t{1}), Literal(std::string("a")), Literal{}}) {
    DataFile file;
    file.record_count = 1;
    file.partition = {value};
    auto ranges = RangesOf(file, *spec, Columns());
    EXPECT_TRUE(MightMatch(Predicate::Compare(Op::kEqual, 1, Literal(int64_t{77})), ranges));
    EXPECT_TRUE(MightMatch(Predicate::Null(1, true), ranges));
    EXPECT_FALSE(MustMatch(Predicate::Null(1, true), ranges));
  }
  auto written = Apply(spec->fields[0].transform, {TypeId::kLong}, Literal(int64_t{1}));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message, "the partition transform 'zorder[3]' is not supported");
}

TEST(RangesOf, DamagedBoundsAndUnknownColumnsSayNothing) {
  DataFile file;
  file.record_count = 10;
  file.lower_bounds = {{1, "abc"}};
  file.upper_bounds = {{1, "abcde"}};
  PartitionSpec unpartitioned;
  auto ranges = RangesOf(file, unpartitioned, Columns());
  EXPECT_TRUE(MightMatch(Predicate::Compare(Op::kEqual, 1, Literal(int64_t{5})), ranges));
  EXPECT_TRUE(MightMatch(Predicate::Compare(Op::kEqual, 999, Literal(int64_t{5})), ranges));
  EXPECT_FALSE(MustMatch(Predicate::Compare(Op::kEqual, 999, Literal(int64_t{5})), ranges));
}

}  // namespace
}  // namespace slipway::iceberg
