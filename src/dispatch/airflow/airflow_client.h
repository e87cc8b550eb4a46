#pragma once

#include <boost/json/value.hpp>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/oauth_token.h"
#include "base/time.h"

namespace slipway::dispatch {

/// Where Airflow is, and who asks it.
struct AirflowPlace {
  std::string url;                 ///< of the web server, without /api
  std::string username, password;  ///< Airflow 3: for a token of /auth/token; 2: basic authentication. Both empty: the
                                   ///< simple auth manager's token for all
  std::string token;               ///< Airflow 3: a token instead
};

/// A DAG as Airflow has parsed it.
struct Dag {
  bool paused = false, stale = false;
  std::vector<std::string> tags;
};

struct DagRun {
  std::string dag_id, dag_run_id, state;  ///< queued, running, success, failed
  std::optional<Timestamp> logical_date, run_after, ended;
  bool scheduled = false;                     ///< by the DAG's own schedule
  std::optional<std::string> slipway_run_id;  ///< of its conf: Slipway triggered it
};

/// The one task of a DAG run.
struct TaskInstance {
  std::string state;  ///< empty: none yet
  int try_number = 0;
  int max_tries = 0;  ///< the tries before it was cleared last, and the retries
};

/// Airflow's REST API: v2 of Airflow 3
/// (https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html), v1 of 2.10. Which one is found
/// out. Errors: kUnavailable (down, slow, 5xx, no JSON), kDenied (401, 403), kNotFound, kConflict, kInvalid.
/// Thread-safe.
class AirflowClient {
 public:
  explicit AirflowClient(AirflowPlace place) : place_(std::move(place)) {}

  /// Those with the tag, also paused and stale ones, by their ids.
  Result<std::map<std::string, Dag>> ListDags(const std::string& tag);
  /// What Airflow says of files that it cannot import, by file name without folders.
  Result<std::map<std::string, std::string>> ListImportErrors();
  Result<> SetPaused(const std::string& dag_id, bool paused);
  Result<> DeleteDag(const std::string& dag_id);

  /// kConflict: there is a run of that name, or of that logical date. `logical_date` absent: Airflow's run has none.
  Result<> Trigger(const std::string& dag_id, const std::string& dag_run_id, std::optional<Timestamp> logical_date,
                   const boost::json::object& conf);
  Result<DagRun> FindDagRun(const std::string& dag_id, const std::string& dag_run_id);
  /// The runs of all DAGs that changed since then.
  Result<std::vector<DagRun>> ListChangedDagRuns(Timestamp since);
  /// Ends a run: Airflow stops its task.
  Result<> FailDagRun(const std::string& dag_id, const std::string& dag_run_id);
  Result<TaskInstance> FindTask(const std::string& dag_id, const std::string& dag_run_id, const std::string& task_id);

 private:
  Result<boost::json::value> Send(const std::string& method, const std::string& path, const boost::json::value& body);
  Result<> FindVersion();
  Result<int> Version();
  Result<OAuthToken> SignIn() const;
  Result<std::string> Authorization();
  /// Every item of the list `key`, page after page.
  Result<> Pages(const std::string& path, const std::string& key,
                 const std::function<Result<>(const boost::json::value&)>& take);

  AirflowPlace place_;
  std::mutex mutex_;
  int version_ = 0;  ///< of the API; 0: not known yet
  KeptToken token_{[this] { return SignIn(); }};
};

}  // namespace slipway::dispatch
