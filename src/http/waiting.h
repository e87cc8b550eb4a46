#pragma once

#include <list>

namespace slipway::http {

class Connection;

/// Connections that wait for their clients to do something, the one that waits longest first.
class Waiting {
 public:
  /// Waits as long as this lives.
  class Place {
   public:
    Place(Waiting& among, Connection& connection)
        : among_(among.connections_), at_(among_.insert(among_.end(), &connection)) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { among_.erase(at_); }

   private:
    std::list<Connection*>& among_;
    std::list<Connection*>::iterator at_;
  };

  /// Cuts the one that waits longest; false where none waits.
  bool CutLongest() const;

 private:
  std::list<Connection*> connections_;
};

}  // namespace slipway::http
