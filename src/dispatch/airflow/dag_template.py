"""A deployment of Slipway, as Airflow runs it. Slipway writes this file and keeps it as it is: change the deployment instead."""

import datetime
import json

try:
    from airflow.sdk import DAG, CronTriggerTimetable, task

    START = None  # the schedule starts with its next tick
except ImportError:  # Airflow 2 wants a start, and makes a run for the tick before it; the task leaves that one alone
    from airflow import DAG
    from airflow.decorators import task
    from airflow.timetables.trigger import CronTriggerTimetable

    START = datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc)

DEPLOYMENT = json.loads(r'''@DEPLOYMENT@''')
DIGEST = "@DIGEST@"


SECONDS = DEPLOYMENT["limits"]["seconds"]  # the run ends itself, and says why; a minute later Airflow does


@task(
    task_id="score",
    retries=DEPLOYMENT["retries"],
    retry_delay=datetime.timedelta(seconds=DEPLOYMENT["retry_seconds"]),
    execution_timeout=datetime.timedelta(seconds=SECONDS + 60) if SECONDS else None,
)
def score():
    from slipway.airflow import run  # the wheel of Slipway, on the worker

    return run(DEPLOYMENT)


with DAG(
    dag_id=DEPLOYMENT["dag_id"],
    description=DEPLOYMENT["description"],
    schedule=CronTriggerTimetable(DEPLOYMENT["cron"], timezone=DEPLOYMENT["time_zone"]) if DEPLOYMENT["cron"] else None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=DEPLOYMENT["paused"],
    default_args={"owner": DEPLOYMENT["owner"]},
    tags=["slipway", "slipway-" + DIGEST],
    doc_md=DEPLOYMENT["doc_md"],
) as dag:
    score()
