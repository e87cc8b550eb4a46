#include "base/arrow.h"

namespace slipway {

Error FromArrow(const arrow::Status& status) {
  auto kind = ErrorKind::kInternal;
  switch (status.code()) {
    case arrow::StatusCode::IOError:
    case arrow::StatusCode::OutOfMemory: kind = ErrorKind::kIo; break;
    case arrow::StatusCode::Invalid:
    case arrow::StatusCode::IndexError:
    case arrow::StatusCode::SerializationError: kind = ErrorKind::kCorrupt; break;
    case arrow::StatusCode::TypeError:
    case arrow::StatusCode::CapacityError: kind = ErrorKind::kInvalid; break;
    case arrow::StatusCode::NotImplemented: kind = ErrorKind::kUnsupported; break;
    case arrow::StatusCode::Cancelled: kind = ErrorKind::kCancelled; break;
    case arrow::StatusCode::KeyError: kind = ErrorKind::kNotFound; break;
    default: break;
  }
  auto message = status.message();
  if (status.detail() != nullptr) message += " (" + status.detail()->ToString() + ")";  // errno's words, for one
  return {kind, std::move(message)};
}

}  // namespace slipway
