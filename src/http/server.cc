#include "http/server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>

#include "base/format.h"
#include "base/log.h"
#include "http/connection.h"
#include "http/tls.h"

namespace slipway::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::seconds kToFinish{10};                       // for answers in flight, when the server stops
constexpr std::chrono::milliseconds kPauseWithoutDescriptors{100};  // before the next try to accept a connection

int Spare() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

}  // namespace

/// Coroutines end with the context at the latest: what they refer to stands before it.
struct Server::State {
  State(Limits limits, std::unique_ptr<TlsCertificate> tls, Handler handler)
      : certificate(std::move(tls)),
        shared{limits, std::move(handler), threads, stop},
        threads(static_cast<size_t>(limits.threads)) {}

  std::unique_ptr<TlsCertificate> certificate;  ///< null: plain HTTP
  Shared shared;
  asio::io_context context{1};
  tcp::acceptor acceptor{context};
  asio::thread_pool threads;
  asio::steady_timer stop{context, asio::steady_timer::time_point::max()}, pause{context};
  int reserve = Spare();  ///< a descriptor to give up for a moment when there is no other left

  ~State() {
    if (reserve >= 0) ::close(reserve);
  }

  Result<> Bind(const std::string& host, int port);
  Awaitable<void> Accept();
  Awaitable<void> WithoutDescriptors();
  Awaitable<void> Serve(tcp::socket socket, bool room);
  void EndWhenIdle(std::chrono::steady_clock::time_point deadline);
};

Result<> Server::State::Bind(const std::string& host, int port) {
  error_code code;
  auto address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, code);
  if (code)
    return Fail(ErrorKind::kInvalid, "server.listen: '{}' is not an address: give an IP address, or localhost", host);
  if (shared.limits.loopback_only && !address.is_loopback())
    return Fail(ErrorKind::kInvalid,
                "server.listen: {} is not loopback: without sign-in configured (auth.issuer), Slipway listens on "
                "127.0.0.1 or ::1 only",
                host);
  if (!certificate && !shared.limits.insecure && !address.is_loopback())
    return Fail(ErrorKind::kInvalid,
                "server.listen: {} is not loopback, and keys and tokens would go over the network as they are: set "
                "server.tls_certificate and server.tls_key or, where something in front of it encrypts, "
                "server.insecure = \"yes\"",
                host);
  tcp::endpoint endpoint(address, static_cast<unsigned short>(port));
  // Asio's own open() lets every process that is started inherit the socket, and with it the server's port.
  auto protocol = endpoint.protocol();
  int listening = ::socket(protocol.family(), protocol.type() | SOCK_CLOEXEC, protocol.protocol());
  if (listening < 0) return Fail(ErrorKind::kUnavailable, "listen on {}:{}: {}", host, port, std::strerror(errno));
  acceptor.assign(protocol, listening, code);
  if (code) ::close(listening);
  if (!code) acceptor.non_blocking(true, code);  // a client that is gone again must not hold up accept4()
  if (!code) acceptor.set_option(asio::socket_base::reuse_address(true), code);
  if (!code) acceptor.bind(endpoint, code);
  if (!code) acceptor.listen(asio::socket_base::max_listen_connections, code);
  if (code) return Fail(ErrorKind::kUnavailable, "listen on {}:{}: {}", host, port, code.message());
  return {};
}

Awaitable<void> Server::State::Accept() {
  while (acceptor.is_open()) {
    error_code code;
    co_await acceptor.async_wait(tcp::acceptor::wait_read, asio::redirect_error(asio::use_awaitable, code));
    if (code) continue;
    // Not Asio's async_accept: until it had set close-on-exec, a process started meanwhile would inherit the client.
    int accepted = ::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_CLOEXEC);
    if (accepted < 0) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) co_await WithoutDescriptors();
      continue;
    }
    bool room = shared.connections < shared.limits.connections || shared.MakeRoom();
    tcp::socket socket(context);
    socket.assign(acceptor.local_endpoint(code).protocol(), accepted, code);
    if (code)
      ::close(accepted);
    else
      asio::co_spawn(context, Serve(std::move(socket), room), asio::detached);
  }
}

/// Room is made at the cost of a connection that only waits. Where none does, who knocks is turned away by the reserve
/// rather than left without a word; and nothing spins meanwhile.
Awaitable<void> Server::State::WithoutDescriptors() {
  if (shared.MakeRoom()) co_return;
  if (reserve >= 0) {
    ::close(reserve);
    int turned_away = ::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_CLOEXEC);
    if (turned_away >= 0) ::close(turned_away);
    reserve = Spare();
  }
  error_code ignored;
  pause.expires_after(kPauseWithoutDescriptors);
  co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

Awaitable<void> Server::State::Serve(tcp::socket socket, bool room) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  auto transport =
      certificate ? TlsTransport(std::move(socket), certificate->Current()) : PlainTransport(std::move(socket));
  Connection connection(shared, *transport, room);
  co_await connection.Serve();
}

/// Ends when no request is being answered, or at `deadline`.
void Server::State::EndWhenIdle(std::chrono::steady_clock::time_point deadline) {
  if (shared.answering == 0 || std::chrono::steady_clock::now() > deadline) return context.stop();
  pause.expires_after(std::chrono::milliseconds(10));
  pause.async_wait([this, deadline](const auto&) { EndWhenIdle(deadline); });
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::Listen(const std::string& host, int port, Limits limits, const TlsFiles& tls,
                                               Handler handler) {
  if (tls.certificate.empty() != tls.key.empty())
    return Fail(ErrorKind::kInvalid, "server.tls_certificate and server.tls_key go together: set both, or neither");
  std::unique_ptr<TlsCertificate> certificate;
  if (!tls.certificate.empty()) {
    ASSIGN(certificate, TlsCertificate::Open(tls));
  }
  auto state = std::make_unique<State>(limits, std::move(certificate), std::move(handler));
  TRY(state->Bind(host, port));
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

int Server::port() const { return state_->acceptor.local_endpoint().port(); }

void Server::Run() {
  asio::co_spawn(state_->context, state_->Accept(), asio::detached);
  while (true) {
    try {
      state_->context.run();
      break;
    } catch (const std::exception& error) {  // of one connection, which is closed by it; the others go on
      Log(LogLevel::kError, "connection_failed", {{"error", error.what()}});
    }
  }
  state_->threads.join();
}

void Server::Stop() {
  asio::post(state_->context, [state = state_.get()] {
    error_code ignored;
    state->acceptor.close(ignored);
    state->shared.stopping = true;
    state->stop.cancel();
    state->EndWhenIdle(std::chrono::steady_clock::now() + kToFinish);
  });
}

}  // namespace slipway::http
