#include "base/names.h"

#include <gtest/gtest.h>

#include <string>

namespace slipway {
namespace {

using namespace std::string_literals;

TEST(CheckName, TakesWhatPeopleCallTheirTables) {
  for (const char* name :
       {"t", "customers", "a.b", "...", ".hidden", "with space", "Größe", "売上", "null", "emoji 🚀"})
    EXPECT_TRUE(CheckName("table", name)) << name;
}

TEST(CheckName, RefusesWhatStepsOutOfAFolder) {
  for (const char* name : {"", ".", "..", "../x", "a/b", "/", "a\\b"}) {
    auto checked = CheckName("schema", name);
    ASSERT_FALSE(checked) << name;
    EXPECT_EQ(checked.error().kind, ErrorKind::kInvalid);
  }
}

TEST(CheckName, RefusesControlCharacters) {
  for (const auto& name : {"a\0b"s, "\n"s, "a\x7f"s, "tab\t"s, "\x1b[31m"s, "a\xc2\x85"s, "a\xc2\x80"s})
    EXPECT_FALSE(CheckName("table", name)) << name;
  EXPECT_TRUE(CheckName("table", "a\xc2\xa0z"));
}

// The ill-formed sequences of the Unicode Standard, section 3.9, and RFC 3629, section 10.
TEST(CheckName, RefusesWhatIsNotUtf8) {
  for (const char* name : {"\x80", "a\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf0\x80\x80\xaf",
                           "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "abc\xe2\x82", "\xf0\x9f\x9a"})
    EXPECT_FALSE(CheckName("table", name)) << name;
}

}  // namespace
}  // namespace slipway
