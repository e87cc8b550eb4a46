#pragma once

#include <string>
#include <string_view>

#include "scoring/run_parts.h"

namespace slipway::scoring {

// What goes between the processes of a run, as JSON that says the same when it is read again. Versioned; whatever a
// file holds, reading it gives a value or kInvalid with the member that is wrong.

std::string ToText(const Prepared& prepared);
Result<Prepared> ParsePrepared(std::string_view text);

std::string ToText(const PartResult& result);
Result<PartResult> ParsePartResult(std::string_view text);

}  // namespace slipway::scoring
