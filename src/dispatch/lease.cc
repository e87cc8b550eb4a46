#include "dispatch/lease.h"

#include <cstdlib>

#include "base/file.h"
#include "base/format.h"
#include "base/time.h"

namespace slipway::dispatch {

Result<> WriteLease(const std::filesystem::path& file, double until) {
  return WriteFileAtomically(file, fmt::format("{:.3f}\n", until));
}

Result<> CheckLease(const std::filesystem::path& file) {
  ASSIGN(auto text, ReadFile(file, 64));
  if (MonotonicSeconds() < std::strtod(text.c_str(), nullptr)) return {};
  return Fail(ErrorKind::kCancelled,
              "the server that started this run has not renewed its lease: another one may have taken it over");
}

}  // namespace slipway::dispatch
