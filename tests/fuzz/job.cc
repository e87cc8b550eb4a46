#include "scoring/job.h"

#include <boost/json/serialize.hpp>
#include <cstdlib>

/// A job that is read says the same when it is written and read again.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slipway::scoring;
  auto job = ParseJob({reinterpret_cast<const char*>(data), size});
  if (!job) return 0;
  auto text = boost::json::serialize(ToJson(*job));
  auto again = ParseJob(text);
  if (!again || boost::json::serialize(ToJson(*again)) != text) std::abort();
  return 0;
}
