#include "expression/filter.h"

#include <arrow/array.h>
#include <arrow/compute/initialize.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include "base/testing/golden.h"

namespace slipway::expression {
namespace {

using slipway::testing::GoldenCase;

const Timestamp kLogicalDate = ParseTimestamp("2024-01-08T06:00:00Z").value();

std::shared_ptr<arrow::RecordBatch> GoldenBatch() {
  static const auto kBatch = [] {
    auto file = arrow::io::ReadableFile::Open(slipway::testing::GoldenPath("expression/batch.arrow")).ValueOrDie();
    auto reader = arrow::ipc::RecordBatchFileReader::Open(file).ValueOrDie();
    return reader->ReadRecordBatch(0).ValueOrDie();
  }();
  return kBatch;
}

/// As the program does when it starts.
class ArrowFunctions : public ::testing::Environment {
  void SetUp() override { ASSERT_TRUE(arrow::compute::Initialize().ok()); }
};
const auto* const kArrowFunctions = ::testing::AddGlobalTestEnvironment(new ArrowFunctions);

std::string Letters(const arrow::BooleanArray& answers) {
  std::string letters;
  for (int64_t i = 0; i < answers.length(); ++i) letters += answers.IsNull(i) ? 'n' : answers.Value(i) ? '1' : '0';
  return letters;
}

/// The rows on which the answers differ, with all their columns.
std::string Differences(const std::string& want, const std::string& got, const arrow::RecordBatch& batch) {
  std::string text;
  for (size_t i = 0; i < want.size() && text.size() < 1000; ++i) {
    if (i < got.size() && want[i] == got[i]) continue;
    text += "row " + std::to_string(i) + ": DuckDB " + want[i] + ", here " + (i < got.size() ? got[i] : '?') + " of";
    for (int c = 1; c < batch.num_columns(); ++c)
      text += " " + batch.column_name(c) + "=" +
              batch.column(c)->GetScalar(static_cast<int64_t>(i)).ValueOrDie()->ToString();
    text += "\n";
  }
  return text;
}

class FilterGolden : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(FilterGolden, TrueFalseOrNullOnEachRowAsInDuckDb) {
  auto batch = GoldenBatch();
  auto filter = Filter::Parse(GetParam().text("filter"), *batch->schema(), kLogicalDate);
  ASSERT_TRUE(filter) << filter.error().message;
  auto answers = filter->Evaluate(*batch);
  ASSERT_TRUE(answers) << answers.error().message;
  auto want = GetParam().text("rows"), got = Letters(**answers);
  EXPECT_EQ(want, got) << Differences(want, got, *batch);
}

TEST_P(FilterGolden, KeepsTheTrueRowsInTheirOrder) {
  auto batch = GoldenBatch();
  auto filter = Filter::Parse(GetParam().text("filter"), *batch->schema(), kLogicalDate);
  ASSERT_TRUE(filter) << filter.error().message;
  auto kept = filter->Apply(batch);
  ASSERT_TRUE(kept) << kept.error().message;
  std::vector<int64_t> want, got;
  auto rows = GetParam().text("rows");
  for (size_t i = 0; i < rows.size(); ++i)
    if (rows[i] == '1') want.push_back(static_cast<int64_t>(i));
  const auto& ids = static_cast<const arrow::Int64Array&>(*(*kept)->GetColumnByName("id"));
  for (int64_t i = 0; i < ids.length(); ++i) got.push_back(ids.Value(i));
  EXPECT_EQ(want, got);
  EXPECT_EQ((*kept)->num_columns(), batch->num_columns());
}

TEST_P(FilterGolden, NoRowsGiveNoAnswers) {
  auto none = GoldenBatch()->Slice(0, 0);
  auto filter = Filter::Parse(GetParam().text("filter"), *none->schema(), kLogicalDate);
  ASSERT_TRUE(filter) << filter.error().message;
  auto answers = filter->Evaluate(*none);
  ASSERT_TRUE(answers) << answers.error().message;
  EXPECT_EQ((*answers)->length(), 0);
}

INSTANTIATE_TEST_SUITE_P(DuckDb, FilterGolden,
                         ::testing::ValuesIn(slipway::testing::GoldenCases("expression/filters.json")),
                         slipway::testing::CaseName);

std::shared_ptr<arrow::Schema> ColumnsOfEveryType() {
  return arrow::schema({arrow::field("a", arrow::int32()), arrow::field("b", arrow::float64()),
                        arrow::field("c", arrow::utf8()), arrow::field("d", arrow::date32()),
                        arrow::field("t", arrow::timestamp(arrow::TimeUnit::MICRO)),
                        arrow::field("e", arrow::boolean()), arrow::field("m", arrow::decimal128(9, 2)),
                        arrow::field("bin", arrow::binary()), arrow::field("list", arrow::list(arrow::int32())),
                        arrow::field("time", arrow::time64(arrow::TimeUnit::MICRO))});
}

struct Refused {
  std::string_view filter;
  int position;  ///< from 1; 0: the whole filter is meant
  std::string_view words;
  ErrorKind kind = ErrorKind::kInvalid;
};

void PrintTo(const Refused& refused, std::ostream* out) { *out << refused.filter.substr(0, 200); }

class RefusedFilter : public ::testing::TestWithParam<Refused> {};

TEST_P(RefusedFilter, SaysWhatAndWhere) {
  const auto& [text, position, words, kind] = GetParam();
  auto filter = Filter::Parse(text, *ColumnsOfEveryType(), kLogicalDate);
  ASSERT_FALSE(filter);
  EXPECT_EQ(ToString(filter.error().kind), ToString(kind)) << filter.error().message;
  EXPECT_NE(filter.error().message.find(words), std::string::npos) << filter.error().message;
  if (position > 0) {
    EXPECT_TRUE(filter.error().message.starts_with("at character " + std::to_string(position) + ":"))
        << filter.error().message;
  }
}

constexpr auto kUnsupported = ErrorKind::kUnsupported;
const Refused kRefused[] = {
    {"a >", 4, "syntax error"},
    {"nope = 1", 1, "no column 'nope'"},
    {"a = 1 AND nope(a) > 1", 11, "no function 'nope'"},
    {"a + 1", 3, "boolean"},
    {"a > 'x'", 5, "'x'"},
    {"a IN (SELECT 1)", 3, "subqueries", kUnsupported},
    {"count(*) > 1", 1, "aggregates", kUnsupported},
    {"a > 1; DROP TABLE x", 0, "several statements", kUnsupported},
    {"row_number() OVER () = 1", 1, "window", kUnsupported},
    {"a = 1 UNION SELECT 1", 0, "UNION", kUnsupported},
    {"", 1, "empty"},
    {"a = c", 3, "do not go together"},
    {"a > 1 ORDER BY a", 0, "ORDER BY", kUnsupported},
    {" \t\n ", 1, "empty"},
    {"a > 3 = e", 7, "syntax error"},
    {"a > 1 GROUP BY a", 0, "GROUP BY", kUnsupported},
    {"a > 1 LIMIT 1", 0, "limitCount", kUnsupported},
    {"a > 1 INTERSECT SELECT 1", 0, "INTERSECT", kUnsupported},
    {"EXISTS (SELECT 1)", 1, "subqueries", kUnsupported},
    {"a > (SELECT 1)", 5, "subqueries", kUnsupported},
    {"a > ALL (SELECT 1)", 3, "subqueries", kUnsupported},
    {"sum(a) > 1", 1, "aggregates", kUnsupported},
    {"max(b) > 1", 1, "aggregates", kUnsupported},
    {"count(DISTINCT a) > 1", 1, "aggregates", kUnsupported},
    {"string_agg(c, ',') = 'x'", 1, "aggregates", kUnsupported},
    {"lag(a) OVER (ORDER BY b) > 1", 1, "window", kUnsupported},
    {"sum(a) FILTER (WHERE a > 1) > 2", 1, "aggregates", kUnsupported},
    {"a > $1", 5, "parameters", kUnsupported},
    {"a = ANY (ARRAY[1, 2])", 3, "OP_ANY", kUnsupported},
    {"a = ARRAY[1]", 5, "arrays", kUnsupported},
    {"list[1] = 1", 1, "field or array access", kUnsupported},
    {"(a, b) = (1, 2)", 10, "rows", kUnsupported},
    {"c COLLATE \"C\" = 'a'", 3, "COLLATE", kUnsupported},
    {"c ~ 'a'", 3, "operator ~", kUnsupported},
    {"c SIMILAR TO 'a'", 3, "SIMILAR", kUnsupported},
    {"m > 1", 1, "column 'm': columns of type decimal128(9, 2)", kUnsupported},
    {"bin = 'x'", 1, "column 'bin': columns of type binary", kUnsupported},
    {"list IS NULL", 1, "column 'list'", kUnsupported},
    {"time > '10:00'", 1, "column 'time'", kUnsupported},
    {"x.a = 1", 1, "without its table"},
    {"x.y.a = 1", 1, "without its table"},
    {"pg_sleep(10) IS NULL", 1, "no function 'pg_sleep'"},
    {"pg_read_file('/etc/passwd') = c", 1, "no function 'pg_read_file'"},
    {"random() < 0.5", 1, "no function 'random'"},
    {"a = 1 AND gen_random_uuid() IS NULL", 11, "no function 'gen_random_uuid'"},
    {"substr(c) = 'a'", 1, "substr takes 3 arguments"},
    {"lower(c, c) = 'a'", 1, "lower takes 1 arguments"},
    {"lower(a) = 'a'", 7, "integer"},
    {"abs(c) = 1", 5, "text"},
    {"abs(a, a) = 1", 1, "abs takes one argument"},
    {"date_trunc('fortnight', t) = t", 12, "no unit 'fortnight'"},
    {"date_trunc(c, t) = t", 12, "unit must be quoted text"},
    {"extract(nope FROM t) = 1", 9, "no unit 'nope'"},
    {"date_trunc('day', a) = t", 19, "integer"},
    {"a + c > 1", 3, "do not go together"},
    {"c + 1 > 1", 3, "do not go together"},
    {"c + c = c", 3, "no operator +"},
    {"e + 1 > 0", 3, "do not go together"},
    {"d = a", 3, "do not go together"},
    {"d + b = d", 3, "do not go together"},
    {"d > '2024-02-30'", 5, "'2024-02-30'"},
    {"d = 'tomorrow'", 5, "'tomorrow'"},
    {"t > '2024-01-01 25:00:00'", 5, "'2024-01-01 25:00:00'"},
    {"t > INTERVAL '1 fortnight'", 14, "not an interval"},
    {"INTERVAL '1 day' > INTERVAL '1 hour'", 18, "intervals cannot be compared", kUnsupported},
    {"t + INTERVAL '1.5 months' > t", 14, "fractions"},
    {"b % 2 = 0", 3, "% needs integers"},
    {"NOT a", 5, "integer where boolean is needed"},
    {"a AND e", 1, "integer where boolean is needed"},
    {"a", 1, "boolean"},
    {"'x'", 1, "'x'"},
    {"CASE WHEN a THEN e END", 11, "integer where boolean is needed"},
    {"CASE WHEN e THEN a ELSE c END = 1", 1, "do not go together"},
    {"a IN (1, 'x')", 10, "'x'"},
    {"a IN (1, c)", 3, "do not go together"},
    {"COALESCE(a, c) = 1", 1, "do not go together"},
    {"CAST(a AS money) = 1", 1, "no type 'money'"},
    {"CAST(a AS int[]) IS NULL", 1, "array types", kUnsupported},
    {"CAST(d AS int) = 1", 1, "no cast from date to integer"},
    {"CAST('abc' AS int) = 1", 6, "'abc'"},
    {"CAST(b AS text) = '1'", 1, "no cast from double to text"},
    {"c LIKE a", 8, "pattern of LIKE"},
    {"c LIKE c", 8, "pattern of LIKE"},
    {"a LIKE '1%'", 1, "integer where text is needed"},
    {"a BETWEEN 1 AND 'x'", 17, "'x'"},
    {"a BETWEEN SYMMETRIC 3 AND 1", 3, "BETWEEN_SYM", kUnsupported},
    {"a ! 2", 3, "operator !", kUnsupported},
    {"a @> 2", 3, "operator @>", kUnsupported},
    {"B'101' = c", 1, "bit strings", kUnsupported},
    {"current_user = c", 1, "CURRENT_USER", kUnsupported},
    {"a = 1 -- comment\n AND nope", 23, "no column 'nope'"},
    {"c = 'unfinished", 5, "unterminated"},
    {"é = 1", 1, "no column 'é'"},
    {"a = 1 AND", 10, "syntax error"},
    {"SELECT 1", 1, "syntax error"},
    {"a = 1) OR (true", 6, "syntax error"},
    {"true INTO OUTFILE 'x'", 6, ""},
};

std::string RefusedName(const ::testing::TestParamInfo<Refused>& info) {
  GoldenCase named{info.index, {{"filter", info.param.filter}}};
  return slipway::testing::CaseName({named, info.index});
}

INSTANTIATE_TEST_SUITE_P(ByHand, RefusedFilter, ::testing::ValuesIn(kRefused), RefusedName);

TEST(Filter, NamesEachColumnOnce) {
  auto filter =
      Filter::Parse("a > 1 AND (b < a OR c = 'x') AND logical_date IS NOT NULL", *ColumnsOfEveryType(), kLogicalDate);
  ASSERT_TRUE(filter) << filter.error().message;
  EXPECT_EQ(filter->columns(), (std::vector<std::string>{"a", "b", "c"}));
}

/// PostgreSQL's parser cuts names to 63 bytes: of two columns that begin alike, the wrong one was read.
TEST(Filter, LongNamesAreReadWhole) {
  const std::string cut(63, 'a'), whole = cut + "_Of", plain = cut + "_of", halved = std::string(62, 'b') + "éé";
  auto schema = arrow::schema({arrow::field(cut, arrow::int64()), arrow::field(whole, arrow::int64()),
                               arrow::field(plain, arrow::int64()), arrow::field(halved, arrow::int64()),
                               arrow::field(cut + "\"q", arrow::int64())});
  for (const auto& [text, name] :
       std::initializer_list<std::pair<std::string, std::string>>{{cut + " > 1", cut},
                                                                  {"1 < \"" + whole + "\"", whole},
                                                                  {"NOT (" + cut + "_OF>1)", plain},
                                                                  {halved + " IS NULL", halved},
                                                                  {"\"" + cut + "\"\"q\" = 3", cut + "\"q"}}) {
    auto filter = Filter::Parse(text, *schema, kLogicalDate);
    ASSERT_TRUE(filter) << text << ": " << filter.error().message;
    EXPECT_EQ(filter->columns(), std::vector{name}) << text;
  }
  auto missing = Filter::Parse(cut + "_none = 1", *schema, kLogicalDate);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "at character 1: no column '" + cut + "_none'");
}

TEST(Filter, ANulByteIsRefusedAtItsPlace) {
  auto filter = Filter::Parse(std::string_view("a = 1\0 OR true", 14), *ColumnsOfEveryType(), kLogicalDate);
  ASSERT_FALSE(filter);
  EXPECT_EQ(filter.error().message, "at character 6: a NUL byte");
}

TEST(Filter, LengthAndDepthHaveLimits) {
  auto schema = ColumnsOfEveryType();
  std::string longest = "a = 1" + std::string(64 * 1024 - 5, ' ');
  EXPECT_TRUE(Filter::Parse(longest, *schema, kLogicalDate));
  EXPECT_EQ(Filter::Parse(longest + " ", *schema, kLogicalDate).error().kind, ErrorKind::kInvalid);
  auto nested = [](size_t depth) { return std::string(depth, '(') + "NOT true" + std::string(depth, ')'); };
  EXPECT_TRUE(Filter::Parse(nested(100), *schema, kLogicalDate));
  std::string deep = "e";
  for (int i = 0; i < 500; ++i) deep = "NOT (" + deep + ")";
  auto refused = Filter::Parse(deep, *schema, kLogicalDate);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kInvalid);
}

struct FailsOnARow {
  std::string_view filter, words;
};

/// Arithmetic that fails on a row ends the run with the place in the filter; it never becomes null or wraps around.
TEST(Filter, ArithmeticThatFailsOnARowIsAnError) {
  auto batch = GoldenBatch();
  for (const auto& [text, words] : std::initializer_list<FailsOnARow>{{"l + 1 > 0", "at character 3"},
                                                                      {"l * 2 > 0", "at character 3"},
                                                                      {"a / (a - a) = 1", "at character 3"},
                                                                      {"a % 0 = 1", "at character 3"},
                                                                      {"-l > 0", "at character 1"},
                                                                      {"abs(l) > 0", "at character 1"},
                                                                      {"CAST(c AS int) = 1", "at character 1"},
                                                                      {"CAST(b AS int) = 1", "at character 1"}}) {
    auto filter = Filter::Parse(text, *batch->schema(), kLogicalDate);
    ASSERT_TRUE(filter) << text << ": " << filter.error().message;
    auto answers = filter->Evaluate(*batch);
    ASSERT_FALSE(answers) << text;
    EXPECT_EQ(answers.error().kind, ErrorKind::kInvalid) << text;
    EXPECT_NE(answers.error().message.find(words), std::string::npos) << text << ": " << answers.error().message;
  }
}

}  // namespace
}  // namespace slipway::expression
