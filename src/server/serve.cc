#include "server/serve.h"

#include <signal.h>

#include <filesystem>
#include <thread>

#include "auth/authenticator.h"
#include "base/file.h"
#include "base/log.h"
#include "database/database.h"
#include "scoring/run.h"
#include "server/api.h"

namespace slipway::server {

Result<> Serve(const ServeOptions& options, const std::function<void(int port)>& ready) {
  // Blocked here, before any thread starts, so that the waiting thread alone takes them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  auto data_dir = std::filesystem::absolute(options.data_dir).lexically_normal().string();
  if (data_dir.ends_with('/')) data_dir.pop_back();
  TRY(CreateFolders(data_dir));
  ASSIGN(auto lock, Wrap(FileLock::TryTake(data_dir + "/server.lock"), "another server uses this data directory"));
  ASSIGN(auto platform_keys, auth::PlatformKeys::Open(data_dir + "/platform.psk"));
  auto places = scoring::Places::In(data_dir);
  ASSIGN(auto catalog, scoring::OpenCatalog(places));
  ASSIGN(auto database, Database::Open(data_dir + "/slipway.db"));
  SystemClock clock;
  deployments::Store store(*database, {});
  auth::UserKeys user_keys(*database);
  AuditLog audit(*database);
  auth::Authenticator authenticator(*platform_keys, user_keys, nullptr, "", clock);
  Api* counted = nullptr;
  dispatch::DispatchOptions dispatching{.program = options.program, .data_dir = data_dir, .places = places};
  dispatching.ended = [&](const auto& run, const auto& seconds) { counted->CountRun(run, seconds); };
  dispatch::Dispatcher dispatcher(store, clock, dispatching);
  Api api({store, authenticator, user_keys, audit, dispatcher, *catalog, clock, places});
  counted = &api;
  ASSIGN(auto http, HttpServer::Listen(options.host, options.port, {}, [&](const Request& request) { return api.Answer(request); }));
  dispatcher.Start();
  std::jthread stopper([&](const std::stop_token& done) {
    timespec pause{0, 100'000'000};
    while (!done.stop_requested())
      if (sigtimedwait(&signals, nullptr, &pause) > 0) return http->Stop();
  });
  ready(http->port());
  Log(LogLevel::kInfo, "server_started", {{"data_dir", data_dir}, {"port", std::to_string(http->port())}});
  http->Run();
  Log(LogLevel::kInfo, "server_stopped");
  return {};
}

}  // namespace slipway::server
