#pragma once

#include <condition_variable>
#include <list>
#include <mutex>
#include <optional>
#include <thread>

/// A database that does not answer: its connections are open, and nothing comes. For database.cc.
namespace slipway {

/// Ends conversations that last too long. A client of PostgreSQL waits for an answer without end: no setting of the
/// server helps when it is the server that hangs, and none of TCP where its kernel still answers.
class Watchdog {
 public:
  Watchdog();
  ~Watchdog();

  /// From `until` on (MonotonicSeconds) nothing can be read from `socket`, as long as this lives.
  class Watched {
   public:
    Watched(Watchdog& dog, int socket, double until);
    ~Watched();
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;

   private:
    Watchdog& dog_;
    std::list<std::pair<int, double>>::iterator at_;
  };

 private:
  void Watch();
  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<std::pair<int, double>> watched_;
  bool stopped_ = false;
  std::thread thread_;
};

/// Whether the database is known to be silent. Then one caller at a time asks it, and the others need not wait.
class Silence {
 public:
  /// A call of the database. `Told` says whether it answered.
  class Call {
   public:
    Call(Silence& silence, bool probes);
    Call(Call&& other) noexcept;
    ~Call();
    void Told(bool answered);

   private:
    Silence* silence_;
    bool probes_;
    double begun_;
  };
  /// Nothing while somebody else finds out, or has just done so.
  std::optional<Call> Admit();

 private:
  std::mutex mutex_;
  bool silent_ = false, probed_ = false;
  double next_probe_ = 0;
};

}  // namespace slipway
