#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/error.h"

namespace slipway::scoring {

/// One event of a run, written as a line of JSON: `planned` (rows, files), `progress` (read, scored, written),
/// `committed` (rows, snapshot_id, model_version), `failed` (kind, message).
struct Event {
  std::string name;
  std::map<std::string, int64_t> counts;
  std::map<std::string, std::string> texts;
  std::map<std::string, double> seconds;  ///< processor seconds by stage
};

using EventSink = std::function<void(const Event&)>;

/// `{"event":"progress","read":65536,…}`
std::string ToLine(const Event& event);

/// kInvalid for a line that is cut off or no event.
Result<Event> ParseEvent(const std::string& line);

}  // namespace slipway::scoring
