#include <cstdlib>

#include "deployments/cron.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto cron = slipway::deployments::Cron::Parse({reinterpret_cast<const char*>(data), size});
  if (!cron) return 0;
  slipway::Timestamp start{std::chrono::sys_days{std::chrono::year{2024} / 1 / 31}};
  if (cron->Next(start) <= start) std::abort();
  return 0;
}
