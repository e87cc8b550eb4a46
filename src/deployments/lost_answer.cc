#include "deployments/lost_answer.h"

namespace slipway::deployments {
namespace {

constexpr int kMostLookUps = 3;

}  // namespace

Result<> WriteAndLookUp(Database& database, const std::function<Result<>(sql::Session&, bool again)>& work) {
  bool again = false;
  auto once = [&](sql::Session& session) { return work(session, again); };
  auto written = database.Write(once);
  if (written || written.error().kind != ErrorKind::kPerhapsCommitted) return written;
  again = true;
  for (int i = 0; i < kMostLookUps; ++i) {
    auto looked = database.Write(once);
    bool unknown = !looked && (looked.error().kind == ErrorKind::kPerhapsCommitted ||
                               looked.error().kind == ErrorKind::kUnavailable);
    if (!unknown) return looked;
  }
  return written;
}

}  // namespace slipway::deployments
