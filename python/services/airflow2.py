"""Airflow 2.10 with SQLite, DAGs in a folder, and basic authentication: for the older API."""

import os
import shutil
import subprocess
from pathlib import Path

from .process import DEPS, PREPARED, Process, Service, free_port

HOME = DEPS / "airflow2"
USER, PASSWORD = "slipway", "airflow-for-tests"


def prepare(folder: Path) -> None:
    """A database that has all of Airflow's tables and roles, and the user that Slipway signs in as."""
    folder.mkdir(parents=True)
    person = {"role": "Op", "username": USER, "password": PASSWORD, "firstname": "S", "lastname": "W"}
    options = [word for name, value in person.items() for word in (f"--{name}", value)]
    for command in (["db", "migrate"], ["sync-perm"], ["users", "create", *options, "--email", "slipway@example.com"]):
        done = subprocess.run(
            [HOME / "bin/airflow", *command],
            env={**os.environ, "AIRFLOW_HOME": str(folder), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"},
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise RuntimeError(f"Airflow 2 could not be prepared: {done.stdout[-2000:]}{done.stderr[-2000:]}")


class Airflow2(Service):
    def __init__(self, folder: Path, worker: dict):
        self.folder, self.port = Path(folder) / "airflow2", free_port()
        self.dags = self.folder / "dags"
        self.dags.mkdir(parents=True)
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "AIRFLOW_HOME": str(self.folder),
            "PATH": f"{HOME}/bin:{os.environ['PATH']}",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.basic_auth",
            "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "2",
            "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "2",
            "AIRFLOW__SCHEDULER__PARSING_CLEANUP_INTERVAL": "2",
            "AIRFLOW__WEBSERVER__WORKERS": "1",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW__WEBSERVER__WARN_DEPLOYMENT_EXPOSURE": "False",
            **worker,
        }
        shutil.copy(PREPARED / "airflow2/airflow.db", self.folder)
        self.process = Process(
            "airflow2-web",
            self.folder,
            [HOME / "bin/airflow", "webserver", "--port", self.port, "--hostname", "127.0.0.1"],
            self.environment,
        )
        self.scheduler = Process(
            "airflow2-scheduler",
            self.folder,
            [HOME / "bin/airflow", "scheduler", "--skip-serve-logs"],
            self.environment,
        )
        self.process.until_answers(self.url + "/health", 180)

    def stop(self) -> None:
        self.scheduler.stop()
        self.process.stop()
