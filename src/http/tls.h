#pragma once

#include <boost/asio/ssl/context.hpp>
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "http/limits.h"

namespace slipway::http {

/// The certificate of new connections: TLS 1.2 and later, from PEM files that are read again when they change.
class TlsCertificate {
 public:
  /// kInvalid: the files are not a certificate and the key that belongs to it.
  static Result<std::unique_ptr<TlsCertificate>> Open(TlsFiles files);

  /// What is on disk now; while that cannot be read, what was read last. A connection keeps the certificate that it
  /// began with.
  std::shared_ptr<boost::asio::ssl::context> Current();

 private:
  explicit TlsCertificate(TlsFiles files) : files_(std::move(files)) {}
  using Times = std::pair<std::filesystem::file_time_type, std::filesystem::file_time_type>;
  Times ChangedAt() const;
  Result<> Load();
  TlsFiles files_;
  Times read_at_;
  std::shared_ptr<boost::asio::ssl::context> context_;
};

}  // namespace slipway::http
