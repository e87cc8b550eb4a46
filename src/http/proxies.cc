#include "http/proxies.h"

#include <algorithm>
#include <sstream>

#include "base/format.h"

namespace slipway::http {

namespace ip = boost::asio::ip;

Result<TrustedProxies> TrustedProxies::Parse(const std::string& text) {
  TrustedProxies proxies;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    boost::system::error_code code;
    bool network = word.find('/') != std::string::npos;
    if (auto v4 = ip::make_network_v4(network ? word : word + "/32", code); !code) {
      proxies.v4_.push_back(v4);
    } else if (auto v6 = ip::make_network_v6(network ? word : word + "/128", code); !code) {
      proxies.v6_.push_back(v6);
    } else {
      return Fail(ErrorKind::kInvalid, "server.trusted_proxies: '{}' is neither an address nor a network (10.0.0.0/8)",
                  word);
    }
  }
  return proxies;
}

bool TrustedProxies::Has(const std::string& address) const {
  boost::system::error_code code;
  auto parsed = ip::make_address(address, code);
  if (code) return false;
  if (parsed.is_v6() && parsed.to_v6().is_v4_mapped()) parsed = ip::make_address_v4(ip::v4_mapped, parsed.to_v6());
  if (parsed.is_v4())
    return std::ranges::any_of(v4_, [&](const auto& network) {
      return (parsed.to_v4().to_uint() & network.netmask().to_uint()) == network.network().to_uint();
    });
  return std::ranges::any_of(v6_, [&](const auto& network) {
    return ip::make_network_v6(parsed.to_v6(), network.prefix_length()).network() == network.network();
  });
}

std::string TrustedProxies::ClientOf(const std::string& remote, std::string_view forwarded) const {
  auto client = remote;
  while (Has(client) && !forwarded.empty()) {
    auto comma = forwarded.rfind(',');
    auto last = comma == std::string_view::npos ? forwarded : forwarded.substr(comma + 1);
    forwarded = comma == std::string_view::npos ? std::string_view() : forwarded.substr(0, comma);
    while (last.starts_with(' ')) last.remove_prefix(1);
    while (last.ends_with(' ')) last.remove_suffix(1);
    boost::system::error_code code;
    auto address = ip::make_address(std::string(last), code);
    if (code) break;  // what is no address names nobody: the proxy that sent it asks
    client = address.to_string();
  }
  return client;
}

}  // namespace slipway::http
