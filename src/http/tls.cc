#include "http/tls.h"

#include "base/format.h"
#include "base/log.h"

namespace slipway::http {

namespace ssl = boost::asio::ssl;

Result<std::unique_ptr<TlsCertificate>> TlsCertificate::Open(TlsFiles files) {
  std::unique_ptr<TlsCertificate> certificate(new TlsCertificate(std::move(files)));
  TRY(certificate->Load());
  return certificate;
}

TlsCertificate::Times TlsCertificate::ChangedAt() const {
  std::error_code code;
  auto certificate = std::filesystem::last_write_time(files_.certificate, code);
  return {certificate, std::filesystem::last_write_time(files_.key, code)};
}

Result<> TlsCertificate::Load() {
  read_at_ = ChangedAt();
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  boost::system::error_code code;
  context->set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 | ssl::context::no_sslv3 |
                           ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1,
                       code);
  context->use_certificate_chain_file(files_.certificate, code);
  if (code) return Fail(ErrorKind::kInvalid, "server.tls_certificate {}: {}", files_.certificate, code.message());
  context->use_private_key_file(files_.key, ssl::context::pem, code);
  if (code) return Fail(ErrorKind::kInvalid, "server.tls_key {}: {}", files_.key, code.message());
  if (SSL_CTX_check_private_key(context->native_handle()) != 1)
    return Fail(ErrorKind::kInvalid, "server.tls_key {} is not the key of {}", files_.key, files_.certificate);
  context_ = std::move(context);
  return {};
}

std::shared_ptr<ssl::context> TlsCertificate::Current() {
  if (ChangedAt() != read_at_) {
    auto loaded = Load();
    Log(loaded ? LogLevel::kInfo : LogLevel::kError, loaded ? "certificate_read_again" : "certificate_not_read",
        {{"file", files_.certificate}, {"error", loaded ? "" : loaded.error().message}});
  }
  return context_;
}

}  // namespace slipway::http
