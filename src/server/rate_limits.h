#pragma once

#include <map>
#include <mutex>
#include <string>

namespace slipway::server {

/// How often each person may ask: so many requests a minute on average, a sixth of that at once. Thread-safe.
class RateLimits {
 public:
  /// 0: as often as they like.
  explicit RateLimits(int per_minute) : per_second_(per_minute / 60.0), at_once_(per_minute / 6.0) {}

  /// Whether `subject` may ask now (MonotonicSeconds), which counts.
  bool Admit(const std::string& subject, double now);

 private:
  struct Bucket {
    double left, at;
  };
  double per_second_, at_once_;
  std::mutex mutex_;
  std::map<std::string, Bucket> buckets_;  ///< of those who have asked lately
};

}  // namespace slipway::server
