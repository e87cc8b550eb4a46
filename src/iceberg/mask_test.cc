#include "iceberg/mask.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace slipway::iceberg {
namespace {

using namespace std::string_literals;

using Op = Predicate::Op;

const std::vector<Field> kFields{{1, "a", false, {TypeId::kDouble}}, {2, "b", false, {TypeId::kString}}};

std::shared_ptr<arrow::RecordBatch> BatchOf(const std::vector<std::pair<std::optional<double>, std::string>>& rows) {
  arrow::DoubleBuilder a;
  arrow::StringBuilder b;
  for (const auto& [number, text] : rows)
    EXPECT_TRUE((number ? a.Append(*number) : a.AppendNull()).ok() && b.Append(text).ok());
  return arrow::RecordBatch::Make(ToArrow(kFields).value(), static_cast<int64_t>(rows.size()),
                                  {a.Finish().ValueOrDie(), b.Finish().ValueOrDie()});
}

/// Column by column it says what Matches says row by row.
TEST(Mask, SaysWhatMatchesSays) {
  std::mt19937 random(5);
  auto any = [&](int count) { return static_cast<int>(random() % static_cast<unsigned>(count)); };
  auto number = [&] { return any(6) == 0 ? std::nan("") : any(6) == 0 ? -0.0 : static_cast<double>(any(5)); };
  for (int round = 0; round < 500; ++round) {
    std::vector<std::pair<std::optional<double>, std::string>> rows;
    for (int i = 0; i < 20; ++i)
      rows.emplace_back(any(5) == 0 ? std::nullopt : std::optional(number()), std::string(1, char('a' + any(3))));
    auto leaf = [&]() -> Predicate {
      switch (any(6)) {
        case 0: return Predicate::Null(1, any(2) == 0);
        case 1: return Predicate::In(2, {Literal(std::string("a")), Literal(std::string("c")), Literal{}});
        case 2: return Predicate::In(1, {Literal(number()), Literal(number()), Literal(0.0)});
        case 3: return Predicate::Null(99, any(2) == 0);  // a column that is not there
        default: return Predicate::Compare(static_cast<Op>(static_cast<int>(Op::kLess) + any(6)), 1, number());
      }
    };
    auto predicate = Predicate::Or({Predicate::And({leaf(), leaf()}), leaf(), Predicate::Never()});
    auto batch = BatchOf(rows);
    auto mask = Mask(predicate, *batch, kFields);
    ASSERT_TRUE(mask) << mask.error().message;
    int64_t matching = 0;
    for (size_t row = 0; row < rows.size(); ++row) {
      bool matches = Matches(predicate, [&](int field) {
        if (field == 99) return Literal{};
        return field == 1 ? (rows[row].first ? Literal(*rows[row].first) : Literal{}) : Literal(rows[row].second);
      });
      EXPECT_EQ((*mask)->Value(static_cast<int64_t>(row)), matches) << round << ", row " << row;
      matching += matches;
    }
    EXPECT_EQ(Take(Rows::kMatching, predicate, batch, kFields).value()->num_rows(), matching);
    EXPECT_EQ(Take(Rows::kOthers, predicate, batch, kFields).value()->num_rows(), batch->num_rows() - matching);
  }
}

// What cannot be compared is an error: taken for null, rows that are to be replaced would stay.
TEST(Mask, DecimalsAreEqualOrNotButHaveNoOrder) {
  std::vector<Field> fields{{1, "price", false, {.id = TypeId::kDecimal, .precision = 9, .scale = 2}}};
  auto type = ToArrow(fields[0].type).value();
  auto array = arrow::MakeBuilder(type).ValueOrDie();
  ASSERT_TRUE(array->AppendEmptyValue().ok());
  auto batch = arrow::RecordBatch::Make(ToArrow(fields).value(), 1, {array->Finish().ValueOrDie()});
  for (const auto& [bytes, equal] : {std::pair{"\1"s, false}, {"\0"s, true}}) {
    auto same = Mask(Predicate::Compare(Op::kEqual, 1, Literal(bytes)), *batch, fields);
    ASSERT_TRUE(same) << same.error().message;
    EXPECT_EQ((*same)->Value(0), equal);
    EXPECT_EQ((*Mask(Predicate::In(1, {Literal(bytes)}), *batch, fields))->Value(0), equal);
  }
  for (auto op : {Op::kLess, Op::kLessEqual, Op::kGreater, Op::kGreaterEqual}) {
    auto mask = Mask(Predicate::Compare(op, 1, Literal("\1"s)), *batch, fields);
    ASSERT_FALSE(mask);
    EXPECT_EQ(mask.error().kind, ErrorKind::kUnsupported);
  }
  EXPECT_TRUE(Mask(Predicate::Null(1, true), *batch, fields)) << "a null is a null in any type";
}

TEST(Predicate, AnInListIsSearchedInAnyOrderOfItsValues) {
  std::vector<Literal> values;
  for (int64_t i = 0; i < 1000; ++i) values.emplace_back((i * 7919) % 1000 * 2);
  auto in = Predicate::In(1, values);
  for (int64_t i = 0; i < 2000; ++i) {
    EXPECT_EQ(MatchesValue(in, Literal(i)), i % 2 == 0);
    ColumnRange range{Literal(i), Literal(i), false, true, false};
    EXPECT_EQ(MightMatch(in, [&](int) { return range; }), i % 2 == 0);
  }
  ColumnRange above{Literal(int64_t{2000}), Literal(int64_t{3000}), false, true, false};
  EXPECT_FALSE(MightMatch(in, [&](int) { return above; }));
  ColumnRange other_kind{Literal(std::string("a")), Literal(std::string("b")), false, true, false};
  EXPECT_TRUE(MightMatch(in, [&](int) { return other_kind; })) << "kinds without an order decide nothing";
}

}  // namespace
}  // namespace slipway::iceberg
