#include "http/tls.h"

#include <gmock/gmock.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <filesystem>
#include <fstream>
#include <future>

#include "base/file.h"
#include "http/loopback_test.h"

namespace slipway::http {
namespace {

using testing::Client;
using testing::Get;
using testing::Running;

template <typename T, void (*kFree)(T*)>
struct Freed {
  void operator()(T* made) const { kFree(made); }
};
template <typename T, void (*kFree)(T*)>
using Owned = std::unique_ptr<T, Freed<T, kFree>>;

/// A folder with cert.pem and key.pem.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("slipway-tls-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  TlsFiles files() const { return {path_ / "cert.pem", path_ / "key.pem"}; }

  /// A self-signed certificate with this serial number, and its key; `newer` than the one before by so many seconds.
  void Write(int serial, int newer = 0) const {
    Owned<EVP_PKEY, EVP_PKEY_free> key(EVP_EC_gen("P-256"));
    Owned<X509, X509_free> certificate(X509_new());
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key.get());
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    Put("cert.pem", newer, [&](BIO* out) { PEM_write_bio_X509(out, certificate.get()); });
    Put("key.pem", newer,
        [&](BIO* out) { PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
  }

  void Break() const { std::ofstream(path_ / "cert.pem") << "broken"; }

 private:
  template <typename F>
  void Put(const char* name, int newer, F&& print) const {
    auto beside = path_ / (std::string(name) + ".new");
    BIO* out = BIO_new_file(beside.c_str(), "w");
    print(out);
    BIO_free(out);
    std::filesystem::last_write_time(beside, std::filesystem::last_write_time(beside) + std::chrono::seconds(newer));
    std::filesystem::rename(beside, path_ / name);
  }
  std::filesystem::path path_;
};

/// A client that speaks TLS over a Client's socket and believes any certificate.
class TlsClient {
 public:
  explicit TlsClient(const Running& server, int highest = 0)
      : client_(server), context_(SSL_CTX_new(TLS_client_method())) {
    if (highest != 0) {
      SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
      SSL_CTX_set_max_proto_version(context_.get(), highest);
      SSL_CTX_set_cipher_list(context_.get(), "DEFAULT:@SECLEVEL=0");
    }
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), client_.descriptor());
    connected = SSL_connect(ssl_.get()) == 1;
  }

  int serial() const {
    Owned<X509, X509_free> certificate(SSL_get1_peer_certificate(ssl_.get()));
    return static_cast<int>(ASN1_INTEGER_get(X509_get_serialNumber(certificate.get())));
  }
  void Send(std::string_view text) const { SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())); }
  std::string Until(std::string_view end) const {
    std::string text;
    for (char byte = 0; !text.ends_with(end) && SSL_read(ssl_.get(), &byte, 1) == 1;) text += byte;
    return text;
  }
  void Close() { client_.Close(); }

  bool connected = false;

 private:
  Client client_;
  Owned<SSL_CTX, SSL_CTX_free> context_;
  Owned<SSL, SSL_free> ssl_;
};

Handler Paths() {
  return Blocking([](const Request& request) { return Response{.body = request.path.at(0) + "."}; });
}

TEST(Tls, AnswersAndReadsTheCertificateAgainWhenItChanges) {
  Folder folder;
  folder.Write(1111);
  Running server(Paths(), {}, folder.files());
  TlsClient first(server);
  ASSERT_TRUE(first.connected);
  EXPECT_EQ(first.serial(), 1111);
  first.Send(Get("/one") + Get("/two"));
  EXPECT_THAT(first.Until("one."), ::testing::StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(first.Until("two."), ::testing::StartsWith("HTTP/1.1 200 OK\r\n"));
  folder.Write(2222, 10);
  EXPECT_EQ(TlsClient(server).serial(), 2222);
  first.Send(Get("/three"));  // goes on with the certificate that it began with
  EXPECT_THAT(first.Until("three."), ::testing::StartsWith("HTTP/1.1 200 OK\r\n"));
  folder.Break();
  EXPECT_EQ(TlsClient(server).serial(), 2222);
  folder.Write(3333, 20);
  EXPECT_EQ(TlsClient(server).serial(), 3333);
}

TEST(Tls, RefusesOldVersionsAndPlainText) {
  Folder folder;
  folder.Write(1);
  Running server(Paths(), {}, folder.files());
  EXPECT_FALSE(TlsClient(server, TLS1_1_VERSION).connected);
  EXPECT_TRUE(TlsClient(server, TLS1_2_VERSION).connected);
  Client plain(server);
  plain.Send(Get("/x"));
  EXPECT_EQ(plain.Rest().find("HTTP/1.1 200"), std::string::npos);
  EXPECT_TRUE(TlsClient(server).connected);
}

TEST(Tls, HangsUpOnAHandshakeThatNeverEnds) {
  Folder folder;
  folder.Write(1);
  Running server(Paths(), {.read_seconds = 1}, folder.files());
  Client silent(server);
  EXPECT_EQ(silent.Rest(), "");
}

TEST(Tls, StreamsAndSeesTheClientGo) {
  Folder folder;
  folder.Write(1);
  std::promise<void> unwound;
  Running server(
      [&](Exchange& exchange) -> Awaitable<Response> {
        bool endless = exchange.request.path.at(0) == "endless";
        Response response;
        response.stream = [&unwound, endless](Writer& writer) -> Awaitable<void> {
          (void)co_await writer.Write("some.");
          if (!endless) co_return;
          std::shared_ptr<void> tell(nullptr, [&unwound](void*) { unwound.set_value(); });
          boost::asio::steady_timer never(co_await boost::asio::this_coro::executor,
                                          boost::asio::steady_timer::time_point::max());
          co_await never.async_wait(boost::asio::use_awaitable);
        };
        co_return response;
      },
      {}, folder.files());
  TlsClient client(server);
  for (int i = 0; i < 3; ++i) {  // a cancelled read must leave the connection usable
    client.Send(Get("/short"));
    EXPECT_THAT(client.Until("0\r\n\r\n"), ::testing::HasSubstr("some."));
  }
  client.Send(Get("/endless"));
  client.Until("some.");
  client.Close();
  unwound.get_future().wait();
}

TEST(Tls, FilesThatCannotWorkAreNamed) {
  Folder folder;
  folder.Write(1);
  auto listen = [](const TlsFiles& files) {
    return Server::Listen("127.0.0.1", 0, {}, files, Paths()).error().message;
  };
  EXPECT_THAT(listen({folder.files().certificate, ""}), ::testing::HasSubstr("go together"));
  EXPECT_THAT(listen({"/nope", folder.files().key}), ::testing::HasSubstr("server.tls_certificate /nope"));
  EXPECT_THAT(listen({folder.files().certificate, "/nope"}), ::testing::HasSubstr("server.tls_key /nope"));
  EXPECT_THAT(listen({folder.files().certificate, folder.files().certificate}), ::testing::HasSubstr("server.tls_key"));
}

}  // namespace
}  // namespace slipway::http
