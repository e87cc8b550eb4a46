#include "server/rate_limits.h"

#include <algorithm>

namespace slipway::server {
namespace {

constexpr size_t kMostBuckets = 10'000;

}  // namespace

bool RateLimits::Admit(const std::string& subject, double now) {
  if (per_second_ <= 0) return true;
  std::lock_guard lock(mutex_);
  auto refilled = [&](const Bucket& bucket) {
    return std::min(at_once_, bucket.left + (now - bucket.at) * per_second_);
  };
  if (buckets_.size() >= kMostBuckets)
    std::erase_if(buckets_, [&](const auto& entry) { return refilled(entry.second) >= at_once_; });
  auto& bucket = buckets_.try_emplace(subject, Bucket{at_once_, now}).first->second;
  bucket = {refilled(bucket), now};
  if (bucket.left < 1) return false;
  bucket.left -= 1;
  return true;
}

}  // namespace slipway::server
