#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace slipway::http {

/// Proxies that are believed when they say, in X-Forwarded-For, for whom they ask.
class TrustedProxies {
 public:
  /// `text`: addresses and networks ("10.0.0.0/8 ::1"), separated by spaces. kInvalid names what is neither.
  static Result<TrustedProxies> Parse(const std::string& text);

  /// Who asks: `remote`, or where that is a trusted proxy, the last address of `forwarded` that is none.
  std::string ClientOf(const std::string& remote, std::string_view forwarded) const;

 private:
  bool Has(const std::string& address) const;
  std::vector<boost::asio::ip::network_v4> v4_;
  std::vector<boost::asio::ip::network_v6> v6_;
};

}  // namespace slipway::http
