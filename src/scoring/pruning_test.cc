#include "scoring/pruning.h"

#include <arrow/array.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include <set>

#include "base/testing/golden.h"
#include "expression/filter.h"
#include "iceberg/literal.h"

namespace slipway::scoring {
namespace {

using testing::GoldenCase;

std::shared_ptr<arrow::RecordBatch> Batch() {
  static const auto kBatch = [] {
    auto file = arrow::io::ReadableFile::Open(testing::GoldenPath("expression/batch.arrow")).ValueOrDie();
    return arrow::ipc::RecordBatchFileReader::Open(file).ValueOrDie()->ReadRecordBatch(0).ValueOrDie();
  }();
  return kBatch;
}

/// The batch's columns as a table has them; the 16-bit one is unknown to it.
iceberg::Schema TableOf(const arrow::RecordBatch& batch) {
  iceberg::Schema schema;
  for (int i = 0; i < batch.num_columns(); ++i) {
    auto type = iceberg::FromArrowType(*batch.column(i)->type());
    if (type && batch.column(i)->type_id() != arrow::Type::INT16)
      schema.fields.push_back({i + 1, batch.column_name(i), false, *type});
  }
  return schema;
}

Result<iceberg::Predicate> PredicateOf(const std::string& filter, const iceberg::Schema& schema) {
  ASSIGN(auto parsed,
         expression::Filter::Parse(filter, *Batch()->schema(), ParseTimestamp("2024-01-08T06:00:00Z").value()));
  return PruningPredicate(parsed.root(), schema);
}

bool MatchesRow(const iceberg::Predicate& predicate, int64_t row) {
  return Matches(predicate, [&](int id) { return iceberg::LiteralAt(*Batch()->column(id - 1), row).value(); });
}

class PruningGolden : public ::testing::TestWithParam<GoldenCase> {};

/// A file is skipped by a predicate that its filter implies: every row that DuckDB keeps satisfies it.
TEST_P(PruningGolden, NoRowThatTheFilterKeepsIsSkipped) {
  auto schema = TableOf(*Batch());
  auto predicate = PredicateOf(GetParam().text("filter"), schema);
  ASSERT_TRUE(predicate) << predicate.error().message;
  auto rows = GetParam().text("rows");
  for (size_t row = 0; row < rows.size(); ++row)
    EXPECT_TRUE(rows[row] != '1' || MatchesRow(*predicate, static_cast<int64_t>(row)))
        << "row " << row << " is skipped";
}

INSTANTIATE_TEST_SUITE_P(DuckDb, PruningGolden, ::testing::ValuesIn(testing::GoldenCases("expression/filters.json")),
                         testing::CaseName);

/// What can be pruned by is: the predicate is as strict as the filter, row by row.
TEST(PruningPredicate, ComparisonsOfColumnsAreExact) {
  auto schema = TableOf(*Batch());
  for (const auto& one : testing::GoldenCases("expression/filters.json")) {
    auto filter = one.text("filter");
    static const std::set<std::string> kExact = {"a > 3",
                                                 "a = 3 OR b < 0.5",
                                                 "a IN (1, 2, NULL)",
                                                 "a BETWEEN 2 AND 5",
                                                 "b > 1",
                                                 "b = 'NaN'",
                                                 "b <= 0",
                                                 "c IS NULL",
                                                 "c IS NOT NULL",
                                                 "d >= DATE '2024-01-10'",
                                                 "d = '2024-01-05'",
                                                 "t > '2024-01-05 12:00:00'",
                                                 "a >= 2.5",
                                                 "a = 2.0",
                                                 "b >= 'NaN'",
                                                 "l = 9007199254740993",
                                                 "l = 9223372036854775807",
                                                 "l = 1234567890123456789",
                                                 "l IN (1234567890123456788, 3)",
                                                 "c < 'b'",
                                                 "c IN ('ab', 'zz', '')",
                                                 "d < '1970-01-01'",
                                                 "t < '1970-01-01'",
                                                 "z > '2024-01-05 12:00:00+02:00'",
                                                 "NULL",
                                                 "false",
                                                 "true",
                                                 "a = 3 AND NULL",
                                                 "c BETWEEN 'a' AND 'b'"};
    if (!kExact.contains(filter)) continue;
    auto predicate = PredicateOf(filter, schema).value();
    auto rows = one.text("rows");
    size_t differs = 0;
    for (size_t row = 0; row < rows.size(); ++row)
      differs += static_cast<size_t>(MatchesRow(predicate, static_cast<int64_t>(row)) != (rows[row] == '1'));
    bool inexact =
        filter == "a IN (1, 2, NULL)" || filter == "a >= 2.5";  // taken to hold: nulls in lists, 2.5 of integers
    EXPECT_TRUE(differs == 0 || inexact) << filter << ": " << differs << " rows differ";
  }
}

}  // namespace
}  // namespace slipway::scoring
