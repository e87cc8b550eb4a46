"""Fixtures: a lake in a temporary folder (PyIceberg's SqlCatalog on Slipway's embedded catalog file), models saved by
MLflow, runs by `slipway score`, and a server on a free port. Nothing here reads what Slipway wrote with Slipway's own
reader."""

import json
import os

# Before a library with OpenMP is loaded: its threads spin while they wait for each other, and on a machine where more
# runs than it has cores for, training a model of ten small trees then takes seconds instead of milliseconds.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import signal
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
import warnings
from pathlib import Path

import mlflow.lightgbm
import mlflow.pyfunc
import pytest
from mlflow.models import infer_signature
from mlflow.models.signature import ModelSignature
from mlflow.types import ColSpec, Schema
from pyiceberg.catalog.sql import SqlCatalog

warnings.filterwarnings("ignore")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))
from services.iceberg_rest import RestCatalog  # noqa: E402 (found by the line above)
from services.keycloak import Keycloak  # noqa: E402
from services.mlflow_server import MLflow  # noqa: E402
from services.postgresql import PostgreSQL  # noqa: E402
from services.process import register  # noqa: E402
from services.s3 import S3  # noqa: E402
from services.session import Session, shared  # noqa: E402

BINARY = Path(os.environ.get("SLIPWAY_BINARY", ROOT / "build/release/bin/slipway"))
SLOWER = 1 if "release" in BINARY.parts else 20  # how much slower a sanitized build is, about
HANG_SECONDS = 60 if SLOWER == 1 else 600  # ends a test that hangs
os.environ.setdefault("SLIPWAY_PYTHON", sys.executable)  # for models that Python scores


class Lake:
    """Tables, models and jobs: tables through PyIceberg, in a data directory's embedded catalog or in the `place` that
    `catalog` opens."""

    def __init__(self, folder: Path, catalog=None, place: dict | None = None, environment: dict | None = None):
        self.dir, self.environment = folder, environment or {}
        folder.mkdir(parents=True, exist_ok=True)
        self.place = place or {
            "name": "iceberg",
            "kind": "sql",
            "uri": f"sqlite:///{folder}/catalog.db",
            "warehouse": f"{folder}/warehouse",
        }
        self.catalog = catalog or SqlCatalog(
            "iceberg", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}/warehouse"
        )
        self.catalog.create_namespace("src")
        if catalog is None:
            self.catalog.create_namespace("ml")
        self.jobs = 0

    def cli(self, *args: str, check: bool = True) -> subprocess.CompletedProcess:
        done = subprocess.run([BINARY, "--data-dir", self.dir, *args], capture_output=True, text=True, timeout=120)
        assert not check or done.returncode == 0, done.stderr
        return done

    def create(self, name: str, schema, partition=None, format_version="2"):
        """An empty table; `partition` is (column, transform, name)."""
        table = self.catalog.create_table(name, schema=schema, properties={"format-version": format_version})
        if partition:
            with table.update_spec() as update:
                update.add_field(*partition)
        return table

    def table(self, name: str, arrow, partition=None, format_version="2"):
        table = self.create(name, arrow.schema, partition, format_version)
        table.append(arrow)
        return table

    def register(self, name: str, booster, rows=None, signature=None) -> None:
        folder = self.dir / f"model-{uuid.uuid4().hex}"
        if signature is None:
            signature = infer_signature(rows, booster.predict(rows.head(2)))
        mlflow.lightgbm.save_model(
            booster, folder, signature=signature, pip_requirements=["lightgbm"]
        )  # else it looks for them, slowly
        self.cli("models", "register", name, str(folder), "--no-check")

    def register_python(self, name: str, model, signature) -> Path:
        """A model of any class with `predict(context, rows, params)`: its folder."""
        folder = self.dir / f"model-{uuid.uuid4().hex}"
        mlflow.pyfunc.save_model(folder, python_model=model, signature=signature, pip_requirements=["mlflow"])
        self.cli("models", "register", name, str(folder), "--no-check")
        return folder

    def job(
        self,
        model: str = "m",
        source: str = "src.t",
        target: str = "ml.p",
        *,
        entities=("id",),
        filter_sql=None,
        logical_date="2024-03-01T06:00:00Z",
        rerun="overwrite_partition",
        partition_column="scored_at",
        attempt=1,
        run_id=None,
        snapshot_id=None,
        version="1",
        python=None,
    ) -> Path:
        self.jobs += 1
        folder = self.dir / "runs" / f"{self.jobs:03}"
        folder.mkdir(parents=True)
        (source_schema, source_table), (target_schema, target_table) = source.split("."), target.split(".")
        job = {
            "version": 2,
            "run_id": run_id or str(uuid.uuid4()),
            "deployment": "m/d",
            "logical_date": logical_date,
            "attempt": attempt,
            "work": {
                "model": {"name": model, "version": version, "alias": None},
                "source": {
                    "schema": source_schema,
                    "table": source_table,
                    "catalog": self.place["name"],
                    "filter_sql": filter_sql,
                    "snapshot_id": snapshot_id,
                },
                "target": {"schema": target_schema, "table": target_table, "catalog": self.place["name"]},
                "entity_columns": list(entities),
                "rerun_behavior": rerun,
                "partition_column": partition_column,
            },
            "places": {
                "catalogs": [self.place],
                "registry": f"{self.dir}/models",
                "model_cache": f"{self.dir}/model-cache",
                "python": {"interpreter": sys.executable, **(python or {})},
            },
        }
        (folder / "job.json").write_text(json.dumps(job))
        return folder / "job.json"

    def score(self, job: Path | None = None, *, ok: bool = True, **kwargs) -> list[dict]:
        """Runs a job to its end; the events."""
        job = job or self.job(**kwargs)
        done = subprocess.run(
            [BINARY, "score", "--job", job],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=300,
            env={**os.environ, **self.environment},
        )
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert (done.returncode == 0) == ok, (done.stdout, done.stderr)
        return events

    def rows(self, name: str = "ml.p", sort: str = "id"):
        return self.catalog.load_table(name).scan().to_pandas().sort_values(sort).reset_index(drop=True)

    def files(self, name: str = "p") -> set[Path]:
        folder = self.dir / "warehouse" / "ml" / name
        return {p for p in folder.rglob("*") if p.is_file()} if folder.exists() else set()


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake(tmp_path)


def signature_of(**columns: str) -> ModelSignature:
    return ModelSignature(inputs=Schema([ColSpec(kind, name) for name, kind in columns.items()]))


def pytest_configure(config):
    config.addinivalue_line("markers", "xdist_group(name): tests of one group run one after the other in one worker")
    config.addinivalue_line("markers", "alone: stops a part of the stack that others use too")
    if not hasattr(config, "workerinput"):  # the process that leads the session, not a worker of pytest-xdist
        config.session_of_servers = Session()


def pytest_unconfigure(config):
    if hasattr(config, "session_of_servers"):
        config.session_of_servers.end()


# What takes longest comes first, so that nothing is alone at the end. The first test of Airflow builds the wheel and
# starts the stack: the others come when that is done, else they would keep their workers waiting.
FIRST = (
    "test_airflow-0",
    "test_two_servers-0",
    "test_lakes-0",
    "test_exactly_once-0",
    "test_python_models-0",
    "test_mlflow-0",
    "airflow-busy",
    "test_airflow-1",
    "test_airflow-2",
    "test_mlflow-1",
    "test_wheel-0",
    "test_wheel-1",
)


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in its own hook
def pytest_collection_modifyitems(items):
    """What runs side by side: each file is a group of its own, or SPREAD groups, where it says so; a store another
    one."""
    for name in dict.fromkeys(item.module.__name__ for item in items):
        ours = [item for item in items if item.module.__name__ == name and not item.get_closest_marker("xdist_group")]
        spread = getattr(ours[0].module, "SPREAD", 1) if ours else 1
        for place, item in enumerate(ours):
            group = f"{name}-{place * spread // len(ours)}"
            if hasattr(item, "callspec") and "store" in item.callspec.params:
                group += f"-{item.callspec.params['store']}"
            item.add_marker(pytest.mark.xdist_group(group))
    order = {name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: order.get(item.get_closest_marker("xdist_group").args[0], len(order)))


def pytest_generate_tests(metafunc):
    """A file that names STORES is tested on each of them."""
    if hasattr(metafunc.module, "STORES"):
        metafunc.parametrize("store", metafunc.module.STORES, indirect=True, scope="module")


DATABASES = {}  # on PostgreSQL: the cluster, and the database of each data directory


@pytest.fixture(autouse=True, scope="module")
def store(request):
    """Where the servers of these tests keep their state: "sqlite", in their data directory, or "postgresql"."""
    kind = getattr(request, "param", "sqlite")
    if kind == "postgresql":
        DATABASES["server"] = request.getfixturevalue("postgresql")
    yield kind
    DATABASES.clear()


class Server:
    """`slipway serve` on a free port; `settings` as the configuration names them: {"dispatch.processes": 2}."""

    def __init__(
        self, data_dir: Path, settings: dict | None = None, environment: dict | None = None, program: Path = BINARY
    ):
        self.data_dir, self.program = data_dir, program
        self.log_file = data_dir / "server.log"
        self.log = open(self.log_file, "ab")
        self.start(settings or {}, environment or {})

    def start(self, settings: dict, environment: dict) -> None:
        if "server" in DATABASES and "store.location" not in settings:
            if self.data_dir not in DATABASES:
                DATABASES[self.data_dir] = DATABASES["server"].new_database()
            database = DATABASES[self.data_dir]
            settings = {"store.location": database, "dispatch.lease_seconds": 2, **settings}
        flags = [f"--set={name}={value}" for name, value in settings.items()]
        self.process = subprocess.Popen(
            [self.program, "--data-dir", self.data_dir, "serve", "--set=server.listen=127.0.0.1:0", *flags],
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env={**os.environ, **environment},
        )
        register(self.process.pid, signal.SIGKILL)
        line = self.process.stdout.readline()
        assert line, f"the server did not start: {self.log_file.read_text()[-2000:]}"
        self.url = line.split()[-1]
        self.psk = (self.data_dir / "platform.psk").read_text().split()[0]

    def call(
        self,
        method: str,
        path: str,
        body=None,
        raw: bytes | None = None,
        psk: str | None = "",
        headers=None,
        token: str | None = None,
    ):
        """Status, answer and headers; with the platform PSK unless `psk` is None or another, or there is a `token`."""
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        request.add_header("Content-Type", "application/json")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        elif psk is not None:
            request.add_header("Authorization-PSK", psk or self.psk)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, read(answer), dict(answer.headers)
        except urllib.error.HTTPError as answer:
            return answer.code, read(answer), dict(answer.headers)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


def read(answer):
    text = answer.read()
    return json.loads(text) if answer.headers.get_content_type() == "application/json" and text else text.decode()


@pytest.fixture
def server(lake):
    started = Server(lake.dir)
    yield started
    started.stop()


# Servers that all workers share: whoever uses one keeps to names of its own, and leaves it running.


@pytest.fixture(scope="session")
def keycloak():
    """A realm for the tests of one worker: they change roles and users, and no other test may see that."""
    return shared("keycloak", Keycloak).own_realm()


@pytest.fixture(scope="session")
def postgresql():
    return shared("postgresql", PostgreSQL)


@pytest.fixture(scope="session")
def mlflow_server():
    return shared("mlflow", MLflow)


@pytest.fixture(scope="session")
def s3():
    return shared("s3", S3)


@pytest.fixture(scope="session")
def warehouse(s3):
    """A bucket for tables."""
    return s3.bucket("warehouse")


@pytest.fixture(scope="session")
def rest_server(s3, warehouse):
    return shared("rest", lambda folder: RestCatalog(folder, f"{warehouse}/rest", s3))


@pytest.fixture
def rest_catalog(rest_server):
    """An empty catalog."""
    return rest_server.new_catalog()


# And those that a test may stop.


@pytest.fixture
def own_keycloak(tmp_path_factory):
    with Keycloak(tmp_path_factory.mktemp("keycloak")) as started:
        yield started


@pytest.fixture
def own_postgresql(tmp_path_factory):
    with PostgreSQL(tmp_path_factory.mktemp("postgresql")) as started:
        yield started
