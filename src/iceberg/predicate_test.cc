#include "iceberg/predicate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace slipway::iceberg {
namespace {

using Op = Predicate::Op;

/// For random rows and predicates: a file whose rows match is never pruned, and MustMatch means that every row matches.
TEST(Predicate, RangesNeverContradictRows) {
  std::mt19937 random(7);
  auto any = [&](int count) { return static_cast<int>(random() % static_cast<unsigned>(count)); };
  for (int round = 0; round < 20000; ++round) {
    std::vector<Literal> rows;
    ColumnRange range{.may_have_null = false, .may_have_value = false, .may_have_nan = false};
    for (int i = 0; i <= any(4); ++i) {
      int value = any(7);
      Literal row = value == 0 ? Literal{} : value == 1 ? Literal(std::nan("")) : Literal(static_cast<double>(value));
      range.may_have_null |= value == 0;
      range.may_have_nan |= value == 1;
      range.may_have_value |= value != 0;
      if (value > 1 && (!range.lower || Compare(row, *range.lower) < 0)) range.lower = row;
      if (value > 1 && (!range.upper || Compare(row, *range.upper) > 0)) range.upper = row;
      rows.push_back(std::move(row));
    }
    auto leaf = [&]() -> Predicate {
      Literal literal = any(8) == 0 ? Literal(std::nan("")) : Literal(static_cast<double>(any(8)));
      switch (any(8)) {
        case 0: return Predicate::Null(1, true);
        case 1: return Predicate::Null(1, false);
        case 2: return Predicate::In(1, {literal, Literal(3.0)});
        default: return Predicate::Compare(static_cast<Op>(static_cast<int>(Op::kLess) + any(6)), 1, literal);
      }
    };
    auto predicate = any(2) == 0 ? Predicate::And({leaf(), leaf()}) : Predicate::Or({leaf(), leaf()});
    bool some = false, every = true;
    for (const auto& row : rows) {
      bool matches = Matches(predicate, [&](int) { return row; });
      some |= matches;
      every &= matches;
    }
    auto of = [&](int) { return range; };
    EXPECT_TRUE(!some || MightMatch(predicate, of)) << round;
    EXPECT_TRUE(every || !MustMatch(predicate, of)) << round;
  }
}

}  // namespace
}  // namespace slipway::iceberg
