#include "cli/command.h"

#include <CLI/CLI.hpp>

namespace slipway::cli {

Option Option::required() const { return Option(option_->required()); }
Option Option::capture_default_str() const { return Option(option_->capture_default_str()); }
Option Option::envname(const std::string& name) const { return Option(option_->envname(name)); }
Option Option::positive() const { return Option(option_->check(CLI::PositiveNumber)); }
Option Option::between(int least, int most) const { return Option(option_->check(CLI::Range(least, most))); }
Option Option::one_of(std::vector<std::string> words) const {
  return Option(option_->check(CLI::IsMember(std::move(words))));
}

Option Option::needs(Option other) const { return Option(option_->needs(other.option_)); }
Option Option::excludes(Option other) const { return Option(option_->excludes(other.option_)); }

Command::Command(const std::string& name, const std::string& help)
    : root_(std::make_unique<CLI::App>(help)), command_(root_.get()) {
  command_->name(name);
  command_->fallthrough();
}

Command::Command(CLI::App* command) : command_(command) {}
Command::~Command() = default;

Command* Command::add_subcommand(const std::string& name, const std::string& help) {
  return subcommands_.emplace_back(std::make_unique<Command>(command_->add_subcommand(name, help))).get();
}

Command* Command::add_option_group(const std::string& heading, const std::string& help) {
  return subcommands_.emplace_back(std::make_unique<Command>(command_->add_option_group(heading, help))).get();
}

void Command::require_option(int least, int most) {
  command_->require_option(static_cast<size_t>(least), static_cast<size_t>(most));
}

void Command::require_subcommand() { command_->require_subcommand(1); }

Command* Command::hidden() {
  command_->group("");
  return this;
}

Command* Command::footer(const std::string& text) {
  command_->footer(text);
  return this;
}

Command* Command::callback(std::function<void()> chosen) {
  command_->callback(std::move(chosen));
  return this;
}

Option Command::add_option(const std::string& name, std::string& into, const std::string& help) {
  return Option(command_->add_option(name, into, help));
}
Option Command::add_option(const std::string& name, int& into, const std::string& help) {
  return Option(command_->add_option(name, into, help));
}
Option Command::add_option(const std::string& name, int64_t& into, const std::string& help) {
  return Option(command_->add_option(name, into, help));
}
Option Command::add_option(const std::string& name, double& into, const std::string& help) {
  return Option(command_->add_option(name, into, help));
}
Option Command::add_option(const std::string& name, std::vector<std::string>& into, const std::string& help) {
  return Option(command_->add_option(name, into, help));
}
Option Command::add_flag(const std::string& name, bool& into, const std::string& help) {
  return Option(command_->add_flag(name, into, help));
}

void Command::set_version_flag(const std::string& name, const std::string& version) {
  command_->set_version_flag(name, version);
}

std::optional<int> Command::Parse(int argc, const char* const* argv) {
  try {
    command_->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return command_->exit(error) == 0 ? 0 : 2;
  }
  return std::nullopt;
}

std::vector<std::string> Command::MayFollow(const std::vector<std::string>& words) const {
  CLI::App* at = command_;
  for (const auto& word : words)
    for (auto* command : at->get_subcommands([&](CLI::App* a) { return a->get_name() == word; })) at = command;
  std::vector<std::string> found;
  auto add_options = [&](CLI::App& of) {
    for (auto* option : of.get_options())
      for (const auto& name : option->get_lnames()) found.push_back("--" + name);
  };
  for (auto* command : at->get_subcommands([](CLI::App*) { return true; })) {
    if (command->get_name().empty())  // a group of options
      add_options(*command);
    else if (!command->get_group().empty())
      found.push_back(command->get_name());
  }
  add_options(*at);
  return found;
}

}  // namespace slipway::cli
