"""What a Slipway DAG does on an Airflow worker: executes `slipway score` and reports to the server.

A run that Slipway triggered brings a token in its configuration, with which it can be told of, and nothing else can be
done. One that Airflow started has none: it reports with a key of a service account (scope `runs:report`) from
$SLIPWAY_REPORT_KEY, a file named by $SLIPWAY_REPORT_KEY_FILE, or the password of Airflow's connection `slipway`, or
without any of these not at all: the server asks Airflow and the target, as it does when a report is lost. What the run
itself needs (AWS_…, MLFLOW_TRACKING_…, SLIPWAY_CATALOGS_…) is taken from the worker's environment.
"""

from __future__ import annotations

import datetime
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

from slipway import _binary

log = logging.getLogger(__name__)

KEPT = (
    "PATH",
    "HOME",
    "TZ",
    "LANG",
    "LD_LIBRARY_PATH",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "MLFLOW_S3_ENDPOINT_URL",
    "SLIPWAY_PYTHON",
    "SLIPWAY_MODEL_CACHE",
)
KEPT_PREFIXES = ("AWS_", "MLFLOW_TRACKING_", "SLIPWAY_CATALOGS_")
FINAL = {"invalid", "not_found", "unsupported", "corrupt", "denied", "too_large"}  # trying again changes nothing
SECONDS_BETWEEN_REPORTS = 5
LONGEST_LOG = 60_000  # characters that are told to the server
REPORT_SECONDS = float(
    os.environ.get("SLIPWAY_REPORT_SECONDS", 60)
)  # how long a report that decides something is tried


def run(deployment: dict) -> dict:
    """Executes the run that the current task instance stands for; its last event. Raises what makes Airflow try again,
    or not."""
    context = _context()
    dag_run, first_tick = context["dag_run"], deployment.get("first_tick")
    scheduled = str(getattr(dag_run.run_type, "value", dag_run.run_type)) == "scheduled"
    if (
        scheduled
        and first_tick
        and dag_run.logical_date < datetime.datetime.fromisoformat(first_tick.replace("Z", "+00:00"))
    ):
        raise _exception("AirflowSkipException")(
            f"this tick is from before {first_tick}, the first one of the deployment as it is now"
        )
    return _Run(deployment, context).execute()


def run_id_of(deployment_id: str, dag_run_id: str, conf: dict | None, cleared: int) -> str:
    """The same as the server's (RunIdInAirflow in deployments/records.h): retries are attempts of one run, each
    clearing makes another one."""
    asked = ((conf or {}).get("slipway") or {}).get("run_id")
    try:
        first = str(uuid.UUID(asked)) if asked else None
    except (ValueError, AttributeError, TypeError):
        first = None
    first = first or str(uuid.uuid5(uuid.UUID(deployment_id), dag_run_id))
    return first if cleared <= 0 else str(uuid.uuid5(uuid.UUID(first), str(cleared)))


class _Run:
    def __init__(self, deployment: dict, context: dict):
        self.deployment = deployment
        task_instance, dag_run = context["ti"], context["dag_run"]
        retries = context["task"].retries or 0
        cleared = max(0, task_instance.max_tries - retries)
        conf = dag_run.conf or {}
        self.dag_run_id = dag_run.run_id
        self.run_id = run_id_of(deployment["deployment_id"], self.dag_run_id, conf, cleared)
        self.attempt = max(1, task_instance.try_number - (task_instance.max_tries - retries))
        self.tries_left = task_instance.max_tries - task_instance.try_number + 1
        asked = (conf.get("slipway") or {}).get("logical_date")
        instant = dag_run.logical_date or dag_run.run_after
        self.logical_date = asked or instant.isoformat().replace("+00:00", "Z")
        self.reporter = _Reporter(
            deployment["callback"],
            self.dag_run_id,
            {"run_id": self.run_id, "logical_date": self.logical_date, "attempt": self.attempt},
            (conf.get("slipway") or {}).get("token") or _key(),
        )

    def arguments(self, file: Path) -> list[str]:
        """Of `slipway score`, which makes the job: only the server and the program know what a job is."""
        named = {"run-id": self.run_id, "logical-date": self.logical_date, "attempt": str(self.attempt)}
        return ["--deployment", str(file), *(part for name, value in named.items() for part in (f"--{name}", value))]

    def execute(self) -> dict:
        known = self.reporter.tell("running")
        if known and known.get("status") == "failed":  # the server has refused it, or given it up: it must not commit
            raise _exception("AirflowFailException")(known.get("error_message") or "the server says that it has failed")
        with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
            file = Path(folder) / "deployment.json"
            file.write_text(json.dumps(self.deployment))
            last = self.score(file)
        if last.get("event") == "committed":
            self.reporter.decide(
                "succeeded",
                rows_scored=last.get("rows"),
                details={
                    "snapshot_id": last.get("snapshot_id"),
                    "model_version": last.get("model_version"),
                    "rows_left_out": last.get("left_out"),
                },
            )
            return last
        message = last.get("message") or "slipway score ended without a word; the task's log holds what it wrote"
        kind = last.get("kind", "lost")
        if kind in FINAL or self.tries_left <= 0:
            self.reporter.decide("failed", error_message=message)
            raise (_exception("AirflowFailException") if kind in FINAL else _exception("AirflowException"))(message)
        self.reporter.tell("running", error_message=f"attempt {self.attempt}: {message}; trying again")
        raise _exception("AirflowException")(message)

    def score(self, file: Path) -> dict:
        """Its last event. The program ends with this process, however that ends."""
        environment = {
            name: value for name, value in os.environ.items() if name in KEPT or name.startswith(KEPT_PREFIXES)
        }
        environment.setdefault("SLIPWAY_PYTHON", sys.executable)
        command = [_binary.path(), "score", *self.arguments(file), "--while-parent", str(os.getpid())]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=environment,
            start_new_session=True,
        )

        # What a model prints comes by standard error, and is no event.
        def take() -> None:
            for line in process.stderr:
                self.reporter.note(line)
                log.info("slipway: %s", line.rstrip())

        printed = threading.Thread(target=take, daemon=True)
        printed.start()
        last: dict = {}
        try:
            for line in process.stdout:
                log.info("slipway: %s", line.rstrip())
                event = _event(line)
                if event is None:
                    continue
                last = event if event["event"] in ("committed", "failed") else last
                if event["event"] == "progress":
                    self.reporter.progress(event.get("scored"))
            process.wait()
            printed.join()
        except BaseException:
            # Airflow ends the task: what the run has written goes before this process does.
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
        return last


class _Reporter:
    """Tells the server, where there is a key to do it with. Progress goes beside the run, what decides is said until it
    is heard."""

    def __init__(self, url: str, dag_run_id: str, details: dict, key: str):
        self.url, self.dag_run_id, self.details, self.key = url, dag_run_id, details, key
        self.log = ""  # what the program and the model wrote, its end
        self.next_progress = 0.0
        self.sending: threading.Thread | None = None

    def tell(self, status: str, **fields) -> dict | None:
        return self._deliver(self._body(status, **fields), 0)

    def note(self, line: str) -> None:
        self.log = (self.log + line)[-LONGEST_LOG:]

    def progress(self, rows: int | None) -> None:
        if rows is None or time.monotonic() < self.next_progress or (self.sending and self.sending.is_alive()):
            return
        self.next_progress = time.monotonic() + SECONDS_BETWEEN_REPORTS
        self.sending = threading.Thread(
            target=self._deliver, args=(self._body("running", rows_scored=rows), 0), daemon=True
        )
        self.sending.start()

    def decide(self, status: str, **fields) -> dict | None:
        if self.sending:
            self.sending.join()
        return self._deliver(self._body(status, **fields), REPORT_SECONDS)

    def _body(self, status: str, rows_scored=None, error_message=None, details=None) -> bytes:
        return json.dumps(
            {
                "airflow_run_id": self.dag_run_id,
                "status": status,
                "rows_scored": rows_scored,
                "error_message": error_message,
                "slipway": {**self.details, "log": self.log or None, **(details or {})},
            }
        ).encode()

    def _deliver(self, body: bytes, seconds: float) -> dict | None:
        """The run as the server has it now; nothing where it was not told."""
        if not self.key:
            return None
        request = urllib.request.Request(
            self.url,
            data=body,
            method="POST",
            headers={"Content-Type": "application/json", "Authorization-PSK": self.key},
        )
        deadline, pause = time.monotonic() + seconds, 0.5
        while True:
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                why, again = (
                    f"{error.code} {error.read(300).decode(errors='replace')}",
                    error.code == 429 or error.code >= 500,
                )
            except (OSError, ValueError) as error:
                why, again = str(error), True
            if not again or time.monotonic() + pause > deadline:
                break
            time.sleep(pause)
            pause *= 2
        log.warning("the report to %s was not delivered: %s; the server will ask Airflow instead", self.url, why)
        return None


def _event(line: str) -> dict | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


def _key() -> str:
    """Of runs that Airflow started by itself; empty where the worker has none."""
    for name in ("SLIPWAY_REPORT_KEY", "SLIPWAY_PSK"):
        if name == "SLIPWAY_PSK" and (name in os.environ or f"{name}_FILE" in os.environ):
            log.warning(
                "this worker holds the platform's key ($SLIPWAY_PSK), with which any task can do anything to Slipway, "
                "and which the next version does not read: take it away, or give the worker a key of a service account "
                "with the scope runs:report in $SLIPWAY_REPORT_KEY"
            )
        if key := os.environ.get(name):
            return key
        if file := os.environ.get(f"{name}_FILE"):
            return Path(file).read_text().split()[0]
    try:
        try:
            from airflow.sdk import Connection

            return Connection.get("slipway").password or ""
        except ImportError:  # Airflow 2
            from airflow.hooks.base import BaseHook

            return BaseHook.get_connection("slipway").password or ""
    except Exception as error:  # noqa: BLE001 (whatever Airflow raises when there is none)
        log.info("Airflow started this run: without a key for reports (%s) the server learns of it from Airflow", error)
        return ""


def _context() -> dict:
    try:
        from airflow.sdk import get_current_context
    except ImportError:  # Airflow 2
        from airflow.operators.python import get_current_context
    return get_current_context()


def _exception(name: str) -> type[Exception]:
    try:
        from airflow.sdk import exceptions
    except ImportError:
        from airflow import exceptions
    if not hasattr(exceptions, name):
        from airflow import exceptions
    return getattr(exceptions, name)
