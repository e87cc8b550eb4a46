"""Airflow 3: scheduler, DAG processor and API server, with DAGs from a bucket and PostgreSQL behind it."""

import json
import os
import subprocess
import urllib.request
from pathlib import Path

from .process import DEPS, Process, Service, answers, free_port

HOME = DEPS / "airflow"
PARTS = {"api-server": [], "scheduler": ["--skip-serve-logs"], "dag-processor": []}
USER, PASSWORD = "slipway", "airflow-for-tests"
MIGRATED = "airflow_migrated"  # the prepared cluster's database that Airflow's is a copy of


def prepare(folder: Path, database: str) -> None:
    """Makes Airflow's tables in a database of PostgreSQL, which takes it some seconds: new_database copies them."""
    done = subprocess.run(
        [HOME / "bin/airflow", "db", "migrate"],
        env={
            **os.environ,
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": driver(database),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        },
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"Airflow's database could not be prepared: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def driver(database: str) -> str:
    return database.replace("postgresql:", "postgresql+psycopg2:")


class Airflow(Service):
    """`database`: a URL of PostgreSQL that has Airflow's tables; `dags`: an s3:// folder (then `s3` serves it) or a
    local one; `worker`: what tasks find in their environment."""

    def __init__(
        self,
        folder: Path,
        dags: str,
        s3,
        database: str,
        worker: dict | None = None,
        parse_seconds: int = 2,
        port: int | None = None,
    ):
        self.folder, self.port = Path(folder) / "airflow", port or free_port()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.url = f"http://127.0.0.1:{self.port}"
        passwords = self.folder / "passwords.json"
        passwords.write_text(json.dumps({USER: PASSWORD, "viewer": PASSWORD}))
        if dags.startswith("s3://"):
            bucket, _, prefix = dags.removeprefix("s3://").partition("/")
            s3.client.put_object(
                Bucket=bucket, Key=f"{prefix}/.keep", Body=b""
            )  # the bundle refuses a prefix that has nothing
            bundle = {
                "classpath": "airflow.providers.amazon.aws.bundles.s3.S3DagBundle",
                "kwargs": {"bucket_name": bucket, "prefix": prefix, "refresh_interval": parse_seconds},
            }
        else:
            Path(dags).mkdir(parents=True, exist_ok=True)
            bundle = {
                "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                "kwargs": {"path": dags, "refresh_interval": parse_seconds},
            }
        self.environment = {
            "AIRFLOW_HOME": str(self.folder),
            "PATH": f"{HOME}/bin:{os.environ['PATH']}",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin,viewer:viewer",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API_AUTH__JWT_SECRET": "for-tests-for-tests-for-tests-for-tests-for-tests-for-tests-1234",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": driver(database),
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([{"name": "slipway", **bundle}]),
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": str(parse_seconds),
            "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
            # A file that changed is parsed at once, all the same.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
            "NO_PROXY": "127.0.0.1",
            **(s3.environment() if s3 else {}),
            **(worker or {}),
        }
        if s3:
            access = s3.environment()
            self.environment["AIRFLOW_CONN_AWS_DEFAULT"] = json.dumps(
                {
                    "conn_type": "aws",
                    "login": access["AWS_ACCESS_KEY_ID"],
                    "password": access["AWS_SECRET_ACCESS_KEY"],
                    "extra": {"endpoint_url": s3.url, "region_name": "us-east-1"},
                }
            )
        self.parts: dict[str, Process] = {}
        self.start()

    def running(self) -> bool:
        return all(part.running() for part in self.parts.values())

    def start(self, *names: str) -> None:
        for name in names or PARTS:
            self.parts[name] = Process(
                f"airflow-{name}", self.folder, [HOME / "bin/airflow", name, *PARTS[name]], self.environment
            )
        self.parts["api-server"].until_answers(self.url + "/api/v2/version", 180)
        self.parts["scheduler"].until(self.healthy, 120)

    def healthy(self) -> bool:
        if not answers(self.url + "/api/v2/monitor/health"):
            return False
        with urllib.request.urlopen(self.url + "/api/v2/monitor/health", timeout=10) as answer:
            health = json.loads(answer.read())
        return all(health[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "dag_processor"))

    def stop(self, *names: str) -> None:
        for name in names or list(self.parts):
            self.parts.pop(name).stop()

    def kill(self, *names: str) -> None:
        for name in names or list(self.parts):
            self.parts.pop(name).kill()

    def call(self, method: str, path: str, body=None):
        """The REST API, as the administrator."""
        if not hasattr(self, "token"):
            request = urllib.request.Request(
                self.url + "/auth/token",
                data=json.dumps({"username": USER, "password": PASSWORD}).encode(),
                headers={"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=30) as answer:
                self.token = json.loads(answer.read())["access_token"]
        request = urllib.request.Request(
            f"{self.url}/api/v2{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
            return json.loads(text) if text else None
