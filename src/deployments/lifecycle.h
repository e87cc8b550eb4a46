#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "deployments/dispatcher.h"
#include "deployments/requests.h"
#include "deployments/store.h"
#include "scoring/plan.h"

namespace date {
class time_zone;
}

namespace slipway::deployments {

/// What a run of a spec would find: the model's version, and whether the target tells whose a row is (Work::own_rows).
struct Planned {
  std::string model_version;
  std::optional<bool> own_rows;
};
/// Or everything that keeps such a run from working.
using Planner = std::function<std::expected<Planned, std::vector<scoring::Problem>>(const BatchSpec& spec,
                                                                                    const scoring::When& when)>;

/// What is asked of deployments and their runs, and what it means: whoever asks (the HTTP API, a command, a console)
/// gets the same answer. Thread-safe; a change of a deployment moves its `updated_at`, and is one transaction with the
/// end of runs that it brings, and with `also`, without which it is not made.
class Lifecycle {
 public:
  struct Parts {
    Store& store;
    const Clock& clock;
    const date::time_zone* zone = nullptr;  ///< of schedules; null: UTC
    Runners runners;
    Planner plan;
    RunEnded ended;  ///< is told of runs that end by a report
    MayRun may_run;  ///< asked before runs are queued; null: all may
  };
  explicit Lifecycle(Parts parts) : parts_(std::move(parts)) {}

  const Runners& runners() const { return parts_.runners; }
  const date::time_zone* zone() const { return parts_.zone; }

  /// Who asks: the subject that stays on the record, and the name that people know.
  struct Person {
    std::string subject, username;
    SubjectKind kind = SubjectKind::kPerson;
  };

  /// `validate_only` stores nothing.
  Outcome<DeploymentWithRun> Create(const NewDeployment& request, const Person& who, bool validate_only,
                                    const Database::Work& also = {});
  /// `seen`: what the change was decided on. Who says what the deployment does, its runs have the rights of. kConflict:
  /// somebody else has changed the deployment since.
  Outcome<Deployment> Change(const Deployment& seen, const DeploymentChange& change, const Person& who,
                             const Database::Work& also = {});
  Result<Deployment> SetRoles(const Deployment& seen, const std::optional<std::vector<std::string>>& roles,
                              const Database::Work& also = {});
  /// No more ticks and triggers; what is queued ends, what runs goes on.
  Result<Deployment> Stop(const Deployment& seen, const Person& who, const Database::Work& also = {});
  /// Goes on after a stop, or a failure. Ticks in between are not made up for. kDenied: it has not the rights to run.
  Result<Deployment> Start(const Deployment& seen, const Database::Work& also = {});
  /// The name is free again; what is queued or runs ends.
  Result<Deployment> Archive(const Deployment& seen, const Person& who, const Database::Work& also = {});

  /// kConflict: the deployment is not active, or has as many runs queued as it may; kDenied: it has not the rights to
  /// run.
  Result<Run> Trigger(const Deployment& deployment, std::optional<Timestamp> logical_date,
                      const Database::Work& also = {});
  /// A run for each tick in the span that has none, or only failed ones; oldest first.
  Outcome<std::vector<Run>> TicksToFill(const Deployment& deployment, const Span& span) const;
  /// Queues them.
  Outcome<std::vector<Run>> Backfill(const Deployment& deployment, const Span& span, const Database::Work& also = {});
  /// Word of a DAG run: repeated and late words change nothing that is final, and none takes a run back. Word that one
  /// starts which has not the rights to is recorded as its failure, and so answered.
  Result<Run> Report(const Deployment& deployment, const RunReport& report, const Database::Work& also = {});
  Result<Run> Cancel(const Deployment& deployment, const std::string& run_id, const Person& who,
                     const Database::Work& also = {});

 private:
  Outcome<Planned> Plan(DeploymentSpec spec, const std::optional<std::string>& schedule, Timestamp now) const;
  Result<Deployment> Amend(const Deployment& seen, const std::function<Result<>(Deployment&, Timestamp now)>& change,
                           const Database::Work& also, const OpenRunsChange& open_runs = {});
  Result<> Prepare(Deployment& deployment) const;
  Result<> NextTick(Deployment& deployment, Timestamp now) const;
  void End(const Deployment& deployment, Run& run, const Person& who, const std::string& why) const;
  Result<> RequireRights(const Deployment& deployment) const;
  std::optional<OpenRunsChange::End> EndOfUntouched(const Deployment& deployment, const Person& who,
                                                    const std::string& why) const;
  Result<std::optional<Run>> FindReported(const Deployment& deployment, const RunReport& report);

  Parts parts_;
};

}  // namespace slipway::deployments
