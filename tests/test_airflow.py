"""Deployments that Airflow runs: the whole stack as itself, and what becomes of them when a part of it fails."""

import ast
import json
import os
import queue
import signal
import subprocess
import threading
import time
import urllib.parse
import uuid
from typing import NamedTuple

import lightgbm
import pandas as pd
import pytest
from conftest import ROOT, SLOWER, Server
from deployments import body, finished, until
from models import numbers, train, train_slow, with_ids
from pyiceberg.catalog.rest import RestCatalog as PyIcebergRest
from services.proxy import Fault, Proxy
from services.session import shared, taking_turns
from services.stack import Stack
from test_mlflow import log_model

AREAS = ["dispatch/airflow", "python/slipway"]
EXAMPLE = "test_a_logical_date_twice"

SPREAD = 3  # most of what a test does here is to wait for Airflow
PATIENCE = 180
DAG_FOLDER = "s3://dags/airflow"
BUSY = pytest.mark.xdist_group("airflow-busy")  # these share a table and a model that keep a run busy


@pytest.fixture(scope="session")
def everything(postgresql, keycloak):
    """The stack that all workers share."""

    def make(folder):
        subprocess.run([ROOT / "tools/wheel", "--into", ROOT / ".deps/airflow"], check=True)
        folder.mkdir(parents=True)
        worker = {"SLIPWAY_REPORT_SECONDS": "3"}
        return Stack(folder, worker=worker, postgresql=postgresql, keycloak=keycloak)

    return shared("stack", make)


@pytest.fixture(autouse=True)
def turn(request):
    """Whoever stops a part of the stack has it alone meanwhile."""
    with taking_turns("stack", alone=request.node.get_closest_marker("alone") is not None):
        yield


@pytest.fixture(scope="module")
def stack(everything, tmp_path_factory):
    """It, with what is this worker's own: a database, a folder, and the proxies that lose what a test wants lost."""
    everything.database = everything.postgresql.new_database()
    everything.folder = tmp_path_factory.mktemp("stack")
    with (
        Proxy("") as everything.callbacks,
        Proxy(everything.catalog.url) as everything.catalog_proxy,
        Proxy(everything.airflow.url) as everything.airflow_proxy,
    ):
        yield everything


@pytest.fixture(scope="module")
def slipway(stack):
    server = serve(stack)
    yield server
    server.stop()


def serve(stack, settings: dict | None = None, data="data", environment: dict | None = None) -> Server:
    (stack.folder / data).mkdir()
    wanted = {**stack.settings(stack.callbacks.url), "catalogs.lake.uri": stack.catalog_proxy.url, **(settings or {})}
    started = Server(stack.folder / data, wanted, {**stack.environment(), **(environment or {})})
    if data == "data":
        stack.callbacks.target = started.url
    return started


class Scored(NamedTuple):
    """A model in MLflow, and rows in a table of the namespace `place`."""

    model: str
    booster: lightgbm.Booster
    place: str
    frame: pd.DataFrame


def opened(stack) -> PyIcebergRest:
    access = stack.environment()
    return PyIcebergRest(
        "lake",
        uri=stack.catalog.url,
        **{
            "s3.endpoint": stack.s3.url,
            "s3.access-key-id": access["AWS_ACCESS_KEY_ID"],
            "s3.secret-access-key": access["AWS_SECRET_ACCESS_KEY"],
            "s3.region": "us-east-1",
        },
    )


def scored(stack, booster, rows: int) -> Scored:
    name, catalog = f"m{uuid.uuid4().hex[:8]}", opened(stack)
    catalog.create_namespace(name)
    frame = numbers(rows)
    source = with_ids(frame)
    catalog.create_table(f"{name}.t", source.schema).append(source)
    log_model(stack.mlflow.url, name, booster)
    return Scored(name, booster, name, frame)


@pytest.fixture(scope="module")
def small(stack):
    return scored(stack, train(numbers(300)), 500)


@pytest.fixture(scope="module")
def large(stack):
    """The worker's program is the wheel's, never a sanitized one."""
    return scored(stack, train_slow(numbers(300)), 600_000)


class World:
    """A deployment of its own for each test, and the namespace that it writes to."""

    def __init__(self, stack, slipway, what: Scored):
        self.stack, self.slipway, self.what = stack, slipway, what
        self.name = f"w{uuid.uuid4().hex[:8]}"
        self.catalog = opened(stack)
        self.catalog.create_namespace(self.name)
        self.booster, self.frame = what.booster, what.frame
        self.all = f"/api/models/{what.model}/deployments"
        self.one = f"{self.all}/{self.name}"

    def body(self, **changes):
        return body(
            **{
                "name": self.name,
                "model__model_name": self.what.model,
                "source__schema": self.what.place,
                "target__schema": self.name,
                "source__catalog": "lake",
                "target__catalog": "lake",
                **changes,
            }
        )

    def create(self, **changes) -> dict:
        status, made, _ = self.slipway.call("POST", self.all, self.body(**changes))
        assert status == 201 and made["status"] == "pending", made
        return made

    def get(self) -> dict:
        return self.slipway.call("GET", self.one)[1]

    def active(self, **changes) -> dict:
        self.create(**changes)
        return until(self.get, lambda d: d["status"] == "active", PATIENCE)

    def runs(self) -> list[dict]:
        return self.slipway.call("GET", f"{self.one}/runs")[1]["items"]

    def trigger(self, logical_date=None) -> dict:
        status, run, _ = self.slipway.call("POST", f"{self.one}/trigger", {"logical_date": logical_date})
        assert status == 202, run
        return run

    def finished(self, run) -> dict:
        return finished(self.slipway, run["run_id"], self.one, PATIENCE)

    def rows(self):
        return self.catalog.load_table(f"{self.name}.p").scan().to_pandas().sort_values("id").reset_index(drop=True)

    def run_ids(self) -> list[str]:
        return [
            snapshot.summary["slipway.run-id"]
            for snapshot in self.catalog.load_table(f"{self.name}.p").metadata.snapshots
        ]

    def assert_one_copy(self, runs: list[dict]) -> None:
        rows = self.rows()
        assert (
            len(rows) == len(self.frame) and (rows["prediction"].to_numpy() == self.booster.predict(self.frame)).all()
        )
        assert sorted(self.run_ids()) == sorted(run["run_id"] for run in runs)


def left_behind(world) -> None:
    """Every DAG that stays is parsed again and again."""
    if world.slipway.process.poll() is None and world.get().get("status") not in (None, "archived"):
        world.slipway.call("DELETE", world.one)


@pytest.fixture
def world(stack, slipway, small):
    stack.callbacks.rule = stack.catalog_proxy.rule = stack.airflow_proxy.rule = lambda _: None
    made = World(stack, slipway, small)
    yield made
    left_behind(made)


@pytest.fixture
def busy(stack, slipway, large):
    """One whose runs take some seconds."""
    stack.callbacks.rule = stack.catalog_proxy.rule = lambda _: None
    made = World(stack, slipway, large)
    yield made
    left_behind(made)


def dag_object(stack, made) -> str:
    key = made["dag_s3_uri"].removeprefix("s3://dags/")
    return stack.s3.client.get_object(Bucket="dags", Key=key)["Body"].read().decode()


def objects(stack) -> set[str]:
    return {item["Key"] for item in stack.s3.client.list_objects_v2(Bucket="dags").get("Contents", [])}


def test_the_whole_way(stack, slipway, world):
    """With a Keycloak token: DAG in S3, parsed, active, triggered, rows in S3 through the catalog, the record right.
    Then its own schedule, a run from Airflow's side, and a task that is cleared."""
    token, times = stack.keycloak.token("creator"), {}
    started = time.monotonic()

    def lap(step):
        nonlocal started
        times[step], started = time.monotonic() - started, time.monotonic()

    status, made, _ = slipway.call("POST", world.all, world.body(allowed_roles=["data-science"]), token=token)
    assert status == 201 and made["status"] == "pending" and made["dag_s3_uri"] == f"{DAG_FOLDER}/{made['dag_id']}.py"
    until(lambda: f"airflow/{made['dag_id']}.py" in objects(stack), bool)
    lap("file in S3")
    until(lambda: slipway.call("GET", world.one, token=token)[1], lambda d: d["status"] == "active", PATIENCE)
    lap("active")
    status, run, _ = slipway.call("POST", f"{world.one}/trigger", token=token)
    assert status == 202
    ended = world.finished(run)
    lap("run")
    assert ended["status"] == "succeeded" and ended["rows_scored"] == 500 and ended["model_version"] == "1"
    assert slipway.call("GET", world.one)[1]["last_run"]["airflow_run_id"] == f"slipway__{run['run_id']}"
    world.assert_one_copy([run])

    assert (
        slipway.call("PATCH", world.one, {"schedule": "* * * * *"})[0] == 200
    )  # only now: no tick comes between the lines above
    ticks = until(
        lambda: [
            r
            for r in world.runs()
            if (r["airflow_run_id"] or "").startswith("scheduled__") and r["status"] == "succeeded"
        ],
        bool,
        PATIENCE,
    )
    lap("by its schedule")
    assert ticks[0]["logical_date"].endswith(":00Z")
    assert slipway.call("PATCH", world.one, {"schedule": None})[0] == 200
    until(world.get, lambda d: d["status"] == "active", PATIENCE)

    dag = f"/dags/{made['dag_id']}"
    by_hand = stack.airflow.call("POST", f"{dag}/dagRuns", {"logical_date": "2024-05-05T00:00:00Z"})["dag_run_id"]
    theirs = until(
        lambda: [r for r in world.runs() if r["airflow_run_id"] == by_hand and r["status"] == "succeeded"],
        bool,
        PATIENCE,
    )
    lap("from Airflow")
    assert theirs[0]["logical_date"] == "2024-05-05T00:00:00Z"
    until(
        lambda: stack.airflow.call("GET", f"{dag}/dagRuns/{by_hand}")["state"],
        lambda state: state == "success",
        PATIENCE,
    )
    stack.airflow.call(
        "POST",
        f"{dag}/clearTaskInstances",
        {"dag_run_id": by_hand, "dry_run": False, "only_failed": False, "task_ids": ["score"]},
    )
    again = until(
        lambda: [
            r
            for r in world.runs()
            if r["airflow_run_id"] == by_hand and r["run_id"] != theirs[0]["run_id"] and r["status"] == "succeeded"
        ],
        bool,
        PATIENCE,
    )
    lap("cleared")
    assert again[0]["logical_date"] == "2024-05-05T00:00:00Z"
    day = world.rows()
    assert (day["scored_at"].dt.strftime("%Y-%m-%d") == "2024-05-05").sum() == 500 and set(
        day[day["scored_at"].dt.year == 2024]["run_id"]
    ) == {again[0]["run_id"]}
    print({step: round(seconds, 1) for step, seconds in times.items()})


def test_stop_start_change_and_archive(stack, slipway, world):
    made = world.active(schedule="0 6 * * *")
    dag = f"/dags/{made['dag_id']}"
    assert not stack.airflow.call("GET", dag)["is_paused"]
    assert slipway.call("POST", f"{world.one}/stop")[1]["status"] == "stopped"
    until(lambda: stack.airflow.call("GET", dag)["is_paused"], bool, PATIENCE)
    assert slipway.call("POST", f"{world.one}/trigger")[0] == 409
    assert slipway.call("POST", f"{world.one}/start")[0] == 200
    until(world.get, lambda d: d["status"] == "active", PATIENCE)
    assert not stack.airflow.call("GET", dag)["is_paused"]

    status, changed, _ = slipway.call("PATCH", world.one, {"filter_sql": "id < 7", "schedule": "30 7 * * *"})
    assert status == 200 and changed["status"] == "deploying"
    until(world.get, lambda d: d["status"] == "active", PATIENCE)
    assert "30 7" in stack.airflow.call("GET", f"{dag}/details")["timetable_summary"]
    assert world.finished(world.trigger())["rows_scored"] == 7

    key = f"airflow/{made['dag_id']}.py"
    right = dag_object(stack, made)
    stack.s3.client.put_object(Bucket="dags", Key=key, Body=b"print('somebody else')")
    until(lambda: dag_object(stack, made), lambda text: text == right, PATIENCE)
    stack.s3.client.delete_object(Bucket="dags", Key=key)
    until(lambda: key in objects(stack) and dag_object(stack, made) == right, bool, PATIENCE)

    assert slipway.call("DELETE", world.one)[1]["status"] == "archived"
    until(lambda: key in objects(stack), lambda there: not there, PATIENCE)
    until(
        lambda: (
            made["dag_id"]
            in [
                d["dag_id"]
                for d in stack.airflow.call("GET", "/dags?tags=slipway&exclude_stale=false&limit=100")["dags"]
            ]
        ),
        lambda there: not there,
        PATIENCE,
    )


def test_hostile_values_are_only_data(stack, slipway, world):
    """Quotes, backslashes, code and other alphabets in what people write; the DAG's file is still one literal, and the
    filter works."""
    owner = "'''\n__import__('os').system('touch /tmp/pwned') # \\ \" ü \u2028 {{ ts }} 日本 \U0001f600"
    made = world.create(owner=owner, domain="r'''", source__filter_sql="id < 5 AND 'x''y\\' <> '{{ macros }}'")
    text = until(lambda: f"airflow/{made['dag_id']}.py" in objects(stack) and dag_object(stack, made), bool)
    literals = [
        node.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and "deployment_id" in str(node.value)
    ]
    assert len(literals) == 1 and text.isascii()
    carried = json.loads(literals[0])
    assert (
        owner.startswith(carried["owner"])
        and carried["work"]["source"]["filter_sql"] == "id < 5 AND 'x''y\\' <> '{{ macros }}'"
    )
    until(world.get, lambda d: d["status"] == "active", PATIENCE)
    assert world.finished(world.trigger())["rows_scored"] == 5
    assert not os.path.exists("/tmp/pwned")
    secrets = [
        (stack.folder / "data/platform.psk").read_text().split()[0],
        stack.environment()["AWS_SECRET_ACCESS_KEY"],
        stack.settings("")["airflow.password"],
    ]
    assert not any(secret in text for secret in secrets)


def test_names_that_look_alike(stack, slipway, world):
    """Two models whose names become the same letters have DAGs of their own."""
    ids = []
    for name in (f"{world.name} a", f"{world.name}.a"):
        log_model(stack.mlflow.url, name, world.booster)
        path = f"/api/models/{urllib.parse.quote(name)}/deployments"
        status, made, _ = slipway.call("POST", path, world.body(model__model_name=name))
        assert status == 201, made
        ids.append(made["dag_id"])
        assert slipway.call("DELETE", f"{path}/{world.name}")[0] == 200
    assert ids[0] != ids[1] and ids[0].rsplit(".", 1)[0] == ids[1].rsplit(".", 1)[0]


@BUSY
def test_cancel(stack, slipway, busy):
    busy.active()
    run = busy.trigger()
    until(
        lambda: slipway.call("GET", f"{busy.one}/runs/{run['run_id']}")[1],
        lambda r: r["status"] == "running" and r["rows_scored"],
        PATIENCE,
    )
    assert slipway.call("POST", f"{busy.one}/runs/{run['run_id']}/cancel")[0] == 202
    ended = busy.finished(run)
    assert ended["status"] == "failed" and ended["error_message"] == "cancelled by platform"
    assert not busy.catalog.table_exists(f"{busy.name}.p")


@BUSY
@pytest.mark.parametrize("state", ["success", "failed"])
def test_marked_by_hand_in_airflow(stack, slipway, busy, state):
    """While it runs: the task is ended, nothing is committed, and the record says so."""
    made = busy.active()
    run = busy.trigger()
    until(
        lambda: slipway.call("GET", f"{busy.one}/runs/{run['run_id']}")[1], lambda r: r["status"] == "running", PATIENCE
    )
    stack.airflow.call("PATCH", f"/dags/{made['dag_id']}/dagRuns/slipway__{run['run_id']}", {"state": state})
    ended = busy.finished(run)
    assert ended["status"] == "failed" and (
        "by hand" in ended["error_message"] if state == "success" else "failed in Airflow" in ended["error_message"]
    )


def scoring(run_id: str) -> int | None:
    """The process on the worker that scores."""
    for entry in os.listdir("/proc"):
        try:
            arguments = open(f"/proc/{entry}/cmdline", "rb").read().split(b"\0") if entry.isdigit() else []
            if b"--run-id" in arguments and arguments[arguments.index(b"--run-id") + 1] == run_id.encode():
                return int(entry)
        except (OSError, ValueError):
            continue
    return None


@BUSY
def test_a_worker_that_is_killed(stack, slipway, busy):
    """kill -9 of the scoring process: Airflow tries again, one copy."""
    busy.active()
    run = busy.trigger()
    os.kill(until(lambda: scoring(run["run_id"]), bool, PATIENCE), signal.SIGKILL)
    ended = busy.finished(run)
    assert ended["status"] == "succeeded" and ended["attempt"] == 2
    busy.assert_one_copy([run])


@pytest.mark.alone
@BUSY
def test_airflow_is_killed_in_the_middle(stack, slipway, busy):
    """Scheduler, API server and worker at once, kill -9, and started again: the run ends, one copy."""
    busy.active()
    run = busy.trigger()
    until(lambda: scoring(run["run_id"]), bool, PATIENCE)
    stack.airflow.kill()
    stack.airflow.start()
    ended = finished(slipway, run["run_id"], busy.one, 400)
    assert ended["status"] == "succeeded", ended
    busy.assert_one_copy([run])


@BUSY
def test_slipway_is_killed_in_the_middle(stack, busy):
    """kill -9 after the trigger and before the run's end; the next server finds out what became of it."""
    server = busy.slipway
    busy.active()
    run = busy.trigger()
    until(lambda: scoring(run["run_id"]), bool, PATIENCE)
    server.kill()
    until(lambda: scoring(run["run_id"]), lambda pid: pid is None, PATIENCE)  # its callbacks reach nobody
    server.start(
        {**stack.settings(stack.callbacks.url), "catalogs.lake.uri": stack.catalog_proxy.url}, stack.environment()
    )
    stack.callbacks.target = server.url
    assert busy.finished(run)["status"] == "succeeded"
    busy.assert_one_copy([run])


def test_every_callback_is_lost(stack, slipway, world):
    """The server asks Airflow, and the target for the rows."""
    world.active()
    stack.callbacks.rule = lambda _: Fault(forward=False, drop=True)
    run = world.trigger()
    ended = world.finished(run)
    assert (
        ended["status"] == "succeeded"
        and ended["rows_scored"] == 500
        and ended["model_version"] == "1"
        and ended["snapshot_id"]
    )
    world.assert_one_copy([run])


@pytest.mark.alone
@BUSY
def test_s3_is_restarted_in_the_middle(stack, slipway, busy):
    busy.active()
    run = busy.trigger()
    until(lambda: scoring(run["run_id"]), bool, PATIENCE)
    stack.s3.process.kill()
    stack.s3.start()
    assert busy.finished(run)["status"] == "succeeded"
    busy.assert_one_copy([run])


def test_the_answer_of_the_commit_is_lost(stack, slipway, world):
    lost = []

    def rule(seen):
        if seen.method == "POST" and seen.path.endswith("/tables/p") and not lost:
            lost.append(True)
            return Fault(drop=True)
        return None

    world.active()
    stack.catalog_proxy.rule = rule
    run = world.trigger()
    assert world.finished(run)["status"] == "succeeded" and lost
    world.assert_one_copy([run])


def test_a_commit_that_arrives_after_its_task_was_killed(stack, slipway, world):
    """The first try's commit is on its way when its task dies; it arrives while the second try stands at its own."""
    commits = queue.Queue()

    def rule(seen):
        if seen.method == "POST" and seen.path.endswith("/tables/p"):
            release = threading.Event()
            commits.put((seen, release))
            release.wait(PATIENCE)
        return None

    world.active()
    stack.catalog_proxy.rule = rule
    run = world.trigger()
    first, release_first = commits.get(timeout=PATIENCE)
    os.kill(until(lambda: scoring(run["run_id"]), bool, PATIENCE), signal.SIGKILL)
    _, release_second = commits.get(timeout=PATIENCE)
    release_first.set()
    until(lambda: first.status, bool, PATIENCE)
    assert first.status == 200, "nobody was there before it"
    stack.catalog_proxy.rule = lambda _: None
    release_second.set()
    assert world.finished(run)["status"] == "succeeded"
    world.assert_one_copy([run])  # reads every file that the table names


# Faults of Airflow's API, of the folder and of the settings: a second server, with a store and a folder of its own.


@pytest.fixture
def second(stack, world, request):
    """A server whose Airflow is behind a proxy; `request.param`: its settings."""
    data = f"second-{uuid.uuid4().hex[:6]}"
    settings = {
        "airflow.url": stack.airflow_proxy.url,
        "store.location": str(stack.folder / data / "slipway.db"),
        "airflow.dags": DAG_FOLDER,
        **getattr(request, "param", {}),
    }
    server = serve(stack, settings, data)
    world.slipway = server
    yield server
    stack.airflow_proxy.rule = lambda _: None
    if world.slipway.call("GET", world.one)[0] == 200:
        server.call("DELETE", world.one)
    server.stop()


@pytest.mark.parametrize(
    "fault, words",
    [
        (Fault(forward=False, drop=True), "Airflow"),
        (Fault(forward=False, status=401), "401"),
        (Fault(forward=False, status=403), "403"),
        (Fault(forward=False, status=404), "airflow.url"),
        (Fault(forward=False, status=500), "500"),
        (Fault(forward=False, status=200, body=b"<html>Sign in</html>"), ""),
    ],
    ids=["dropped", "401", "403", "404", "500", "html"],
)
def test_airflow_answers_nonsense(stack, second, world, fault, words):
    """What is wrong is told on the deployment; when Airflow is back, it becomes active by itself."""
    stack.airflow_proxy.rule = lambda _: fault
    world.create()
    seen = until(world.get, lambda d: d["error_message"] is not None, PATIENCE)
    assert (
        seen["status"] in ("pending", "deploying")
        and words in seen["error_message"]
        and "trying again" in seen["error_message"]
    ), seen
    stack.airflow_proxy.rule = lambda _: None
    assert until(world.get, lambda d: d["status"] == "active", PATIENCE)["error_message"] is None


def test_a_trigger_whose_answer_is_lost(stack, second, world):
    """It got through: the second one is a 409, and there is one DAG run."""
    made = world.active()
    lost = []

    def rule(seen):
        if seen.method == "POST" and seen.path.endswith("/dagRuns") and not lost:
            lost.append(True)
            return Fault(drop=True)
        return None

    stack.airflow_proxy.rule = rule
    run = world.trigger()
    assert world.finished(run)["status"] == "succeeded"
    assert lost and stack.airflow.call("GET", f"/dags/{made['dag_id']}/dagRuns")["total_entries"] == 1


def test_a_logical_date_twice(stack, second, world):
    """Airflow takes each date once; Slipway's second run of it is done all the same, and replaces the first."""
    world.active()
    runs = [world.trigger("2024-01-01T06:00:00Z"), world.trigger("2024-01-01T06:00:00Z")]
    assert [world.finished(run)["status"] for run in runs] == ["succeeded", "succeeded"]
    assert {run["logical_date"] for run in world.runs()} == {"2024-01-01T06:00:00Z"}
    world.assert_one_copy(runs)


@pytest.mark.parametrize(
    "second", [{"airflow.dags": "s3://dags/nobody-looks-here", "airflow.parse_seconds": 3}], indirect=True
)
def test_a_folder_that_airflow_does_not_watch(second, world):
    world.create()
    failed = until(world.get, lambda d: d["status"] == "failed", PATIENCE)
    assert "s3://dags/nobody-looks-here" in failed["error_message"] and "bundle" in failed["error_message"]


@pytest.mark.parametrize("second", [{"airflow.dags": "s3://no-such-bucket/dags"}], indirect=True)
def test_a_bucket_that_is_missing(second, world):
    world.create()
    pending = until(world.get, lambda d: d["error_message"] is not None, PATIENCE)
    assert pending["status"] == "pending" and "no-such-bucket" in pending["error_message"]


@pytest.mark.parametrize(
    "status, code", [(403, "AccessDenied"), (507, "InsufficientStorage")], ids=["read-only", "full"]
)
def test_a_bucket_that_takes_nothing(stack, world, status, code):
    """The deployment waits and says why; it becomes active when the bucket takes files again."""
    refuse = Fault(
        forward=False,
        status=status,
        body=f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode(),
        headers={"Content-Type": "application/xml"},
    )
    data = f"second-{uuid.uuid4().hex[:6]}"
    with Proxy(stack.s3.url, lambda seen: refuse if seen.method == "PUT" else None) as bucket:
        server = serve(
            stack,
            {"store.location": str(stack.folder / data / "slipway.db")},
            data,
            {"AWS_ENDPOINT_URL": bucket.url, "MLFLOW_S3_ENDPOINT_URL": ""},
        )
        world.slipway = server
        try:
            world.create()
            waiting = until(world.get, lambda d: d["error_message"] is not None, PATIENCE)
            assert (
                waiting["status"] == "pending"
                and "write the DAG" in waiting["error_message"]
                and "s3://dags/" in waiting["error_message"]
            )
            bucket.rule = lambda _: None
            assert until(world.get, lambda d: d["status"] == "active", PATIENCE)["error_message"] is None
        finally:
            server.call("DELETE", world.one)
            server.stop()


@pytest.mark.skipif(SLOWER > 1, reason="a sanitizer wants to be the first library, and so does faketime")
@pytest.mark.parametrize("offset", ["-60s", "+60s"])
def test_clocks_that_differ(stack, world, offset):
    """Slipway's clock is a minute off Airflow's: a life, and a run of Airflow's own, all the same."""
    data = f"second-{uuid.uuid4().hex[:6]}"
    server = serve(
        stack,
        {"store.location": str(stack.folder / data / "slipway.db")},
        data,
        {
            "LD_PRELOAD": "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
            "FAKETIME": offset,
            "DONT_FAKE_MONOTONIC": "1",
        },
    )
    world.slipway = server
    try:
        made = world.active()
        assert world.finished(world.trigger("2024-06-01T00:00:00Z"))["status"] == "succeeded"
        by_hand = stack.airflow.call(
            "POST", f"/dags/{made['dag_id']}/dagRuns", {"logical_date": "2024-05-05T00:00:00Z"}
        )["dag_run_id"]
        # Their callbacks go to the first server, which does not know the deployment: this one asks Airflow.
        until(
            lambda: [run for run in world.runs() if run["airflow_run_id"] == by_hand and run["status"] == "succeeded"],
            bool,
            PATIENCE,
        )
    finally:
        server.call("DELETE", world.one)
        server.stop()


@pytest.mark.parametrize("second", [{"airflow.check_seconds": 3600}], indirect=True)
def test_an_import_error(stack, second, world):
    """Its text is the deployment's error; mended by a change of the deployment."""
    made = world.create()
    until(lambda: f"airflow/{made['dag_id']}.py" in objects(stack), bool)
    broken = dag_object(stack, made) + "\nraise ValueError('broken by somebody')\n"
    stack.s3.client.put_object(Bucket="dags", Key=f"airflow/{made['dag_id']}.py", Body=broken.encode())
    failed = until(world.get, lambda d: d["status"] == "failed", PATIENCE)
    assert "broken by somebody" in failed["error_message"]
    assert second.call("PATCH", world.one, {"owner": "z"})[0] == 200
    until(world.get, lambda d: d["status"] == "active", PATIENCE)
