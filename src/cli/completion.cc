#include <fmt/format.h>

#include "cli/commands.h"

namespace slipway::cli {
namespace {

constexpr auto kBash = R"sh(_slipway() {
  COMPREPLY=($(compgen -W "$(slipway complete -- "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _slipway slipway
)sh";
constexpr auto kZsh = R"sh(#compdef slipway
_slipway() { compadd -- $(slipway complete -- ${words[2,CURRENT-1]} 2>/dev/null); _files }
compdef _slipway slipway
)sh";
constexpr auto kFish = R"sh(complete -c slipway -a '(slipway complete -- (commandline -opc)[2..-1])'
)sh";

}  // namespace

void AddCompletion(Command& app, Context& context) {
  auto shell = std::make_shared<std::string>();
  auto* completion = app.add_subcommand("completion", "print a shell's completion script");
  completion->add_option("shell", *shell, "bash, zsh or fish").required().one_of({"bash", "zsh", "fish"});
  completion->footer("Example:\n  source <(slipway completion bash)");
  completion->callback([&context, shell] {
    context.chosen = [shell]() -> Result<> {
      fmt::print("{}", *shell == "bash" ? kBash : *shell == "zsh" ? kZsh : kFish);
      return {};
    };
  });
  auto words = std::make_shared<std::vector<std::string>>();
  auto* complete = app.add_subcommand("complete", "print what may follow these words")->hidden();
  complete->add_option("words", *words, "the words so far");
  complete->callback([&app, &context, words] {
    context.chosen = [&app, words]() -> Result<> {
      for (const auto& next : app.MayFollow(*words)) fmt::print("{}\n", next);
      return {};
    };
  });
}

}  // namespace slipway::cli
