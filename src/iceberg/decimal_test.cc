#include <arrow/array.h>
#include <gtest/gtest.h>

#include <vector>

#include "iceberg/literal.h"

namespace slipway::iceberg {
namespace {

using namespace std::string_literals;

// Ascending; the bytes are those of Python's int.to_bytes(length, "big", signed=True), the shortest that hold the
// number.
const std::vector<std::string> kAscending = {
    "\xfe\xff\x80\x00"s,  // -16809984
    "\xff\x7f\xff"s,      // -32769
    "\x80\x00"s,          // -32768
    "\xfe\xd4"s,          // -300
    "\xff\x7f"s,          // -129
    "\x80"s,              // -128
    "\xff"s,              // -1
    "\x00"s,              // 0
    "1"s,                 // 49
    "\x7f"s,              // 127
    "\x00\x80"s,          // 128
    "\x04\xd2"s,          // 1234
    "'\x10"s,             // 10000
    "\x7f\xff"s,          // 32767
    "\x00\x80\x00"s,      // 32768
};

std::string Padded(const std::string& bytes, size_t size) {
  bool negative = (bytes[0] & 0x80) != 0;
  return std::string(size - bytes.size(), negative ? '\xff' : '\0') + bytes;
}

TEST(Decimal, IsOrderedAsANumberWhateverItsLength) {
  for (size_t i = 0; i < kAscending.size(); ++i)
    for (size_t j = 0; j < kAscending.size(); ++j)
      for (size_t size : {4, 6, 16}) {
        EXPECT_EQ(CompareDecimals(kAscending[i], Padded(kAscending[j], size)), i <=> j) << i << " " << j;
        EXPECT_EQ(CompareDecimals(Padded(kAscending[i], size), kAscending[j]), i <=> j) << i << " " << j;
      }
}

/// A column's values are what bounds and partitions hold, and go back into columns.
TEST(Decimal, ColumnsHoldTheSameNumbers) {
  const Type type{TypeId::kDecimal, 9, 2};
  for (const auto& bytes : kAscending) {
    auto column = Repeat(Literal(Padded(bytes, 16)), type, 2);
    ASSERT_TRUE(column) << column.error().message;
    EXPECT_EQ(LiteralAt(**column, 1).value(), Literal(bytes));
  }
  EXPECT_EQ(ToString(Literal("\xfe\xd4"s), type), "-3.00");
  EXPECT_EQ(ToString(Literal("\x04\xd2"s), type), "12.34");
  EXPECT_FALSE(Repeat(Literal(std::string(17, '\1')), type, 1)) << "no decimal has 17 bytes";
}

TEST(Decimal, IsAsShortAsItCanBe) {
  for (const auto& bytes : kAscending) EXPECT_EQ(ShortestDecimal(Padded(bytes, 16)), bytes);
}

}  // namespace
}  // namespace slipway::iceberg
