#pragma once

#include <functional>
#include <memory>
#include <string>

#include "deployments/dispatcher.h"
#include "deployments/store.h"
#include "dispatch/airflow/airflow_client.h"
#include "dispatch/airflow/dag_file.h"
#include "dispatch/elsewhere.h"
#include "scoring/catalogs.h"

namespace slipway::dispatch {

/// What a worker tells the server of one run with; it can do nothing else.
using RunTokenMaker = std::function<Result<std::string>(const deployments::Run& run)>;

struct AirflowOptions {
  AirflowPlace airflow;
  std::string dags;  ///< the folder that Airflow watches: s3://bucket/prefix, or file:///…
  DagSettings settings;
  const scoring::Catalogs* catalogs = nullptr;  ///< to ask targets about runs; they outlive the dispatcher
  OtherProcess other;                           ///< asks them where they are too large for this one
  int parse_seconds = 600;  ///< after this long without being parsed, a DAG's file is reported as unseen
  int check_seconds = 60;   ///< how often files are compared with what they should be
  int poll_seconds = 5;     ///< how often Airflow is asked what has changed
  deployments::RunnerScope scope{deployments::RunnerKind::kAirflow};  ///< whose runs it has Airflow execute
  deployments::RunEnded ended;
  RunTokenMaker run_token;
  deployments::MayRun may_run;  ///< asked before a run is triggered, and whose DAG must not pause; null: all may
};

/// Keeps one DAG in Airflow for every deployment that Airflow runs, and the records of its runs. What the store says is
/// wanted; what the folder and Airflow have is asked for each round; what differs is changed. So any of the three may
/// be away for a while, and nothing is remembered that could be wrong. Of several servers on one store, one does the
/// rounds.
///
/// A deployment is pending until its file is written, deploying until Airflow has parsed that very file (its digest is
/// a tag), then active; failed with Airflow's import error, or when Airflow has not seen the file in time, until it
/// does; failed and paused in Airflow while it has not the rights to run.
///
/// A run that was asked for here is triggered under a name made of its id, so that it can be asked for twice. All
/// others appear when Airflow tells of them, or their callbacks do. When neither has told how a run ended, its target
/// does.
std::unique_ptr<deployments::Dispatcher> MakeAirflowDispatcher(deployments::Store& store, const Clock& clock,
                                                               AirflowOptions options);

}  // namespace slipway::dispatch
