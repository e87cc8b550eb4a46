#pragma once

#include <boost/asio/awaitable.hpp>

#include "http/message.h"

namespace slipway::http {

/// Runs both until one ends, and cancels the other: its wait ends with operation_aborted. True when `first` ended
/// first. An exception in either is that one's end.
Awaitable<bool> Race(Awaitable<void> first, Awaitable<void> second);

}  // namespace slipway::http
