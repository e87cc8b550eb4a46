#include "scoring/events.h"

#include <cstdlib>

/// An event that is read says the same when it is written and read again; whatever a child prints, nothing is thrown.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slipway::scoring;
  auto event = ParseEvent({reinterpret_cast<const char*>(data), size});
  if (!event) return 0;
  auto line = ToLine(*event);
  auto again = ParseEvent(line);
  if (!again || ToLine(*again) != line) std::abort();
  return 0;
}
