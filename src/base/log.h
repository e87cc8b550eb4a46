#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace slipway {

enum class LogLevel { kInfo, kWarning, kError };

/// One line of JSON on standard error: an event with fields, never a sentence, never a secret.
/// `Log(LogLevel::kInfo, "run_started", {{"run_id", id}, {"deployment", name}})`
void Log(LogLevel level, std::string_view event,
         std::initializer_list<std::pair<std::string_view, std::string>> fields = {});

}  // namespace slipway
