#pragma once

#include <arrow/result.h>
#include <arrow/status.h>

#include "base/error.h"

namespace slipway {

/// Arrow's status as ours: IOError and disk full are kIo, Invalid and SerializationError kCorrupt (Arrow says so of
/// bytes that it cannot read), TypeError kInvalid, NotImplemented kUnsupported, Cancelled kCancelled.
Error FromArrow(const arrow::Status& status);

template <typename T>
Result<T> FromArrow(arrow::Result<T> result) {
  if (!result.ok()) return Failure(FromArrow(result.status()));
  return std::move(result).ValueUnsafe();
}

}  // namespace slipway

#define ARROW_TRY(expr)                                                                        \
  do {                                                                                         \
    ::arrow::Status slipway_status = (expr);                                                   \
    if (!slipway_status.ok()) return ::slipway::Failure(::slipway::FromArrow(slipway_status)); \
  } while (false)

#define ARROW_ASSIGN(declaration, expr) ASSIGN(declaration, ::slipway::FromArrow(expr))
