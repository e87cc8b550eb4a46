#include <cstdlib>

#include "scoring/run_parts_json.h"

/// What goes between the processes of a run says the same when it is written and read again.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slipway::scoring;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto prepared = ParsePrepared(text)) {
    auto written = ToText(*prepared);
    auto again = ParsePrepared(written);
    if (!again || ToText(*again) != written) std::abort();
  }
  if (auto result = ParsePartResult(text)) {
    auto written = ToText(*result);
    auto again = ParsePartResult(written);
    if (!again || ToText(*again) != written) std::abort();
  }
  return 0;
}
