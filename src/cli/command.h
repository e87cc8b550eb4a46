#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace slipway::cli {

/// An argument or a flag of a command. Here and below methods are named as in CLI11, which takes a compiler 13 seconds
/// to read: command.cc alone does.
class Option {
 public:
  explicit Option(CLI::Option* made) : option_(made) {}
  Option required() const;
  Option capture_default_str() const;             ///< the help shows the default
  Option envname(const std::string& name) const;  ///< where it is not given, this variable is
  Option positive() const;                        ///< a number above 0
  Option between(int least, int most) const;      ///< a number from least to most
  Option one_of(std::vector<std::string> words) const;
  Option needs(Option other) const;     ///< only together with it
  Option excludes(Option other) const;  ///< never together with it

 private:
  CLI::Option* option_;
};

/// A command with its options. `into` of an option must live until the command has run.
class Command {
 public:
  Command(const std::string& name, const std::string& help);  ///< the program itself
  explicit Command(CLI::App* command);
  ~Command();
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  Command* add_subcommand(const std::string& name, const std::string& help);
  void require_subcommand();
  /// Options that the help shows together under a heading.
  Command* add_option_group(const std::string& heading, const std::string& help);
  void require_option(int least, int most);  ///< of a group: how many of its options are given
  Command* hidden();                         ///< not in the help
  Command* footer(const std::string& text);
  Command* callback(std::function<void()> chosen);

  /// `name`: "--long", "-s,--long", or of a positional argument without dashes.
  Option add_option(const std::string& name, std::string& into, const std::string& help);
  Option add_option(const std::string& name, int& into, const std::string& help);
  Option add_option(const std::string& name, int64_t& into, const std::string& help);
  Option add_option(const std::string& name, double& into, const std::string& help);
  Option add_option(const std::string& name, std::vector<std::string>& into, const std::string& help);
  Option add_flag(const std::string& name, bool& into, const std::string& help);
  void set_version_flag(const std::string& name, const std::string& version);

  /// Reads the arguments and calls the chosen command's callback. A status: the program ends with it, for help and
  /// version (0), which are printed, and for arguments that are wrong (2), which are explained.
  std::optional<int> Parse(int argc, const char* const* argv);

  /// The subcommands and flags that may follow `words`.
  std::vector<std::string> MayFollow(const std::vector<std::string>& words) const;

 private:
  std::unique_ptr<CLI::App> root_;
  CLI::App* command_;
  std::vector<std::unique_ptr<Command>> subcommands_;
};

}  // namespace slipway::cli
