#include "iceberg/retry.h"

#include <algorithm>
#include <charconv>
#include <random>
#include <string>
#include <thread>

#include "base/time.h"

namespace slipway::iceberg {
namespace {

constexpr int64_t kStepMs = 100;

void Set(int64_t& value, const TableMetadata& metadata, std::string_view name) {
  const auto* properties = metadata.raw.if_contains("properties");
  if (properties == nullptr || !properties->is_object()) return;
  const auto* text = properties->get_object().if_contains(std::string("commit.retry.") + std::string(name));
  if (text == nullptr || !text->is_string()) return;
  int64_t number = 0;
  const auto& digits = text->get_string();
  auto read = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (read.ec == std::errc() && read.ptr == digits.data() + digits.size() && number >= 0) value = number;
}

}  // namespace

RetryPolicy RetryPolicy::Of(const TableMetadata& metadata) {
  RetryPolicy policy;
  Set(policy.retries, metadata, "num-retries");
  Set(policy.min_wait_ms, metadata, "min-wait-ms");
  Set(policy.max_wait_ms, metadata, "max-wait-ms");
  Set(policy.total_timeout_ms, metadata, "total-timeout-ms");
  return policy;
}

int64_t RetryPolicy::WaitMs(int number) const {
  auto wait = min_wait_ms;
  for (int i = 2; i < number && wait < max_wait_ms; ++i)
    wait = wait > max_wait_ms / 2 ? max_wait_ms : std::max<int64_t>(wait, 1) * 2;
  return std::min(wait, max_wait_ms);
}

Result<> Pause(int64_t wait_ms, const std::function<Result<>()>& go_on) {
  std::random_device random;
  const auto until =
      MonotonicSeconds() + static_cast<double>(wait_ms) / 1000 * std::uniform_real_distribution(0.5, 1.0)(random);
  while (true) {
    if (go_on) TRY(go_on());
    auto left = static_cast<int64_t>((until - MonotonicSeconds()) * 1000);
    if (left <= 0) return {};
    std::this_thread::sleep_for(std::chrono::milliseconds(std::min(left, kStepMs)));
  }
}

}  // namespace slipway::iceberg
