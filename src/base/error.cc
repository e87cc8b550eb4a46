#include "base/error.h"

namespace slipway {

std::string_view ToString(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid: return "invalid";
    case ErrorKind::kNotFound: return "not_found";
    case ErrorKind::kConflict: return "conflict";
    case ErrorKind::kPerhapsCommitted: return "perhaps_committed";
    case ErrorKind::kUnavailable: return "unavailable";
    case ErrorKind::kDenied: return "denied";
    case ErrorKind::kTooLarge: return "too_large";
    case ErrorKind::kUnsupported: return "unsupported";
    case ErrorKind::kCorrupt: return "corrupt";
    case ErrorKind::kIo: return "io";
    case ErrorKind::kCancelled: return "cancelled";
    case ErrorKind::kInternal: return "internal";
  }
  return "internal";
}

ErrorKind KindNamed(std::string_view name) {
  for (int kind = 0; kind <= static_cast<int>(ErrorKind::kInternal); ++kind)
    if (ToString(static_cast<ErrorKind>(kind)) == name) return static_cast<ErrorKind>(kind);
  return ErrorKind::kInternal;
}

Error Error::Wrap(std::string_view context) const { return {kind, std::string(context) + ": " + message}; }

}  // namespace slipway
