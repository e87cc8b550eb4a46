#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>

#include "base/error.h"

namespace slipway::scoring {

// What a run tells while it goes on, in this order; the one source of progress, metrics and webhooks.

/// The scan is planned: what it will read at most.
struct Planned {
  int64_t rows = 0, files = 0, skipped_files = 0;
  int64_t parts = 1;
  std::string model_version;
  bool operator==(const Planned&) const = default;
};

/// Rows so far.
struct Progress {
  int64_t read = 0, scored = 0, written = 0;
  bool operator==(const Progress&) const = default;
};

/// Processor seconds by stage, summed over threads.
struct Stages {
  int64_t rows = 0;
  double decode = 0, filter = 0, score = 0, write = 0;
  Stages& operator+=(const Stages& other);
  bool operator==(const Stages&) const = default;
};

/// The run is in the target; the last event.
struct Committed {
  int64_t rows = 0, snapshot_id = 0;
  std::string model_version;
  bool already_committed = false;  ///< an earlier attempt had done it
  int64_t peak_kib = 0;            ///< the most memory that was resident
  int64_t left_out = 0;            ///< rows that stood in the target already, by append_dedup
  bool operator==(const Committed&) const = default;
};

/// The attempt has failed; the last event.
struct Failed {
  ErrorKind kind = ErrorKind::kInternal;
  std::string message;
  bool cut_off = false;  ///< its process ended on the spot: files of its may be left, and a commit may be on its way
  bool operator==(const Failed&) const = default;
};

using Event = std::variant<Planned, Progress, Stages, Committed, Failed>;
using EventSink = std::function<void(const Event&)>;

/// One line of JSON without its end: `{"event":"progress","read":65536,…}`.
std::string ToLine(const Event& event);

/// kInvalid for a line that is cut off, no event, or one that this Slipway does not know. Never throws, whatever the
/// line holds: what a child prints is nobody's promise.
Result<Event> ParseEvent(std::string_view line);

}  // namespace slipway::scoring
