#include "cli/command.h"

#include <gmock/gmock.h>

namespace slipway::cli {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

/// A program with a command that has one of everything.
struct Program {
  Command root{"prog", "help"};
  std::string text, word, first, second;
  int number = 3;
  std::vector<std::string> rest;
  bool flag = false, secret_ran = false;
  int ran = 0;

  Program() {
    auto* run = root.add_subcommand("run", "runs");
    run->add_option("text", text, "positional").required();
    run->add_option("rest", rest, "the rest");
    run->add_option("-n,--number", number, "1 to 10").between(1, 10);
    run->add_option("--word", word, "a or b").one_of({"a", "b"});
    run->add_flag("--flag", flag, "on or off");
    auto* group = run->add_option_group("one of", "either");
    auto one = group->add_option("--first", first, "first");
    group->add_option("--second", second, "second").excludes(one);
    run->callback([this] { ++ran; });
    root.add_subcommand("secret", "hidden")->hidden()->callback([this] { secret_ran = true; });
    root.require_subcommand();
  }

  std::optional<int> Parse(std::vector<const char*> words) {
    words.insert(words.begin(), "prog");
    return root.Parse(static_cast<int>(words.size()), words.data());
  }
};

TEST(Command, ReadsItsArguments) {
  Program program;
  EXPECT_EQ(program.Parse({"run", "x", "y", "z", "-n", "7", "--flag", "--word", "b", "--first", "1"}), std::nullopt);
  EXPECT_EQ(program.ran, 1);
  EXPECT_EQ(program.text + program.word + program.first, "xb1");
  EXPECT_THAT(program.rest, ElementsAre("y", "z"));
  EXPECT_EQ(program.number, 7);
  EXPECT_TRUE(program.flag);
}

TEST(Command, WrongArgumentsEndItWith2AndHelpWith0) {
  for (const auto& words : std::vector<std::vector<const char*>>{{},
                                                                 {"nothing"},
                                                                 {"run"},
                                                                 {"run", "x", "--number", "11"},
                                                                 {"run", "x", "--number", "many"},
                                                                 {"run", "x", "--word", "c"},
                                                                 {"run", "x", "--first", "1", "--second", "2"},
                                                                 {"run", "x", "--unknown"}}) {
    Program program;
    EXPECT_EQ(program.Parse(words), 2);
    EXPECT_EQ(program.ran, 0);
  }
  EXPECT_EQ(Program().Parse({"run", "--help"}), 0);
}

TEST(Command, TellsWhatMayFollow) {
  Program program;
  EXPECT_THAT(program.root.MayFollow({}), Contains("run"));
  EXPECT_THAT(program.root.MayFollow({}), Not(Contains("secret")));
  for (const char* option : {"--number", "--flag", "--first", "--second"})
    EXPECT_THAT(program.root.MayFollow({"run", "x"}), Contains(option));
  EXPECT_EQ(program.Parse({"secret"}), std::nullopt);  // hidden, and there
  EXPECT_TRUE(program.secret_ran);
}

}  // namespace
}  // namespace slipway::cli
