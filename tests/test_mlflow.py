"""Models from a real MLflow server: by its proxy, from a shared folder, from S3; and what is said when it is down, or
has no such thing."""

import os
import shutil
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mlflow
import mlflow.lightgbm
import pytest
from conftest import SLOWER, Server, signature_of
from deployments import body, finished, until
from mlflow import MlflowClient
from models import numbers, train, with_ids
from services.mlflow_server import MLflow

AREAS = ["registry"]
SPREAD = 2
EXAMPLE = "test_a_version_and_an_alias"

BUSY_ROWS = 500_000 // SLOWER  # what takes a while to score

SIGNATURE = signature_of(f0="double", f1="double", f2="double", f3="double")


class environment:
    """Variables of this process, for MLflow's own client."""

    def __init__(self, values: dict):
        self.values = values

    def __enter__(self):
        self.before = {name: os.environ.get(name) for name in self.values}
        os.environ.update(self.values)

    def __exit__(self, *_):
        for name, value in self.before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def log_model(url: str, name: str, booster, variables: dict | None = None) -> str:
    """Logs and registers a model, as a data scientist would; its version."""
    with environment({"MLFLOW_TRACKING_URI": url, "MLFLOW_REGISTRY_URI": url, **(variables or {})}):
        mlflow.set_tracking_uri(url)
        mlflow.set_registry_uri(url)
        with mlflow.start_run():
            info = mlflow.lightgbm.log_model(
                booster, name="model", signature=SIGNATURE, registered_model_name=name, pip_requirements=["lightgbm"]
            )
    return str(info.registered_model_version)


@pytest.fixture(scope="module")
def boosters():
    return train(numbers(300)), train(numbers(300), rounds=3)


@pytest.fixture(scope="module")
def model(mlflow_server, boosters):
    """A model with two versions and an alias on the first."""
    name = f"m-{uuid.uuid4().hex[:8]}"
    for booster in boosters:
        log_model(mlflow_server.url, name, booster)
    MlflowClient(mlflow_server.url, mlflow_server.url).set_registered_model_alias(name, "champion", "1")
    return name


@pytest.fixture
def table(lake):
    frame = numbers(300)
    lake.table("src.t", with_ids(frame))
    lake.frame = frame
    return lake


def serve(lake, url: str, settings: dict | None = None, variables: dict | None = None) -> Server:
    return Server(lake.dir, {"registry.location": f"mlflow+{url}", **(settings or {})}, variables)


def create(server, model: str, reference: dict, **changes):
    return server.call(
        "POST", f"/api/models/{model}/deployments", body(model={"model_name": model, **reference}, **changes)
    )


def run(server, model: str, seconds=60):
    one = f"/api/models/{model}/deployments/d"
    run_id = server.call("POST", f"{one}/trigger")[1]["run_id"]
    return finished(server, run_id, one, seconds)


def assert_scores(lake, booster):
    assert (lake.rows()["prediction"].to_numpy() == booster.predict(lake.frame)).all()


def test_a_version_and_an_alias(mlflow_server, model, boosters, table):
    server = serve(table, mlflow_server.url)
    client = MlflowClient(mlflow_server.url, mlflow_server.url)
    try:
        status, made, _ = create(server, model, {"model_alias": "champion"})
        assert status == 201 and made["resolved_model_version"] == "1", made
        assert run(server, model)["model_version"] == "1"
        assert_scores(table, boosters[0])
        client.set_registered_model_alias(model, "champion", "2")
        assert run(server, model)["model_version"] == "2"
        assert_scores(table, boosters[1])
        assert create(server, model, {"model_version": "1"}, name="pinned")[1]["resolved_model_version"] == "1"
        assert mlflow_server.url not in "".join(p.read_text() for p in table.dir.glob("runs/*/job.json")).replace(
            f"mlflow+{mlflow_server.url}", ""
        )
    finally:
        client.set_registered_model_alias(model, "champion", "1")
        server.stop()


def test_an_alias_that_moves_in_the_middle_of_a_run(mlflow_server, model, boosters, table):
    """The current run keeps its version, the next one follows."""
    table.catalog.drop_table("src.t")
    table.frame = numbers(BUSY_ROWS)
    table.table("src.t", with_ids(table.frame))
    client = MlflowClient(mlflow_server.url, mlflow_server.url)
    server = serve(table, mlflow_server.url)
    one = f"/api/models/{model}/deployments/d"
    try:
        create(server, model, {"model_alias": "champion"})
        run_id = server.call("POST", f"{one}/trigger")[1]["run_id"]
        events = table.dir / "runs" / run_id / "events-1.jsonl"
        until(lambda: events.exists() and events.read_text(), lambda text: text and '"planned"' in text)
        assert server.call("GET", f"{one}/runs/{run_id}")[1]["status"] == "running"
        client.set_registered_model_alias(model, "champion", "2")
        ended = finished(server, run_id, one)
        assert ended["status"] == "succeeded" and ended["model_version"] == "1"
        assert_scores(table, boosters[0])
        assert set(table.rows()["model_version"]) == {"1"}
        assert run(server, model)["model_version"] == "2"
        assert set(table.rows()["model_version"]) == {"2"}
    finally:
        client.set_registered_model_alias(model, "champion", "1")
        server.stop()


@pytest.mark.parametrize(
    "name, reference, words",
    [
        ("nope", {"model_version": "1"}, "nope"),
        ("nope", {"model_alias": "champion"}, "nope"),
        (None, {"model_version": "99"}, "99"),
        (None, {"model_alias": "absent"}, "absent"),
        (None, {"model_version": "one"}, ""),
        (None, {"model_alias": ""}, ""),
    ],
)
def test_what_is_not_there_is_404(mlflow_server, model, table, name, reference, words):
    server = serve(table, mlflow_server.url)
    try:
        status, answer, _ = create(server, name or model, reference)
        assert status == 404 and words in answer["detail"], answer
    finally:
        server.stop()


def test_files_that_are_missing(mlflow_server, boosters, table):
    name = f"m-{uuid.uuid4().hex[:8]}"
    log_model(mlflow_server.url, name, boosters[0])
    source = MlflowClient(mlflow_server.url, mlflow_server.url).get_model_version_download_uri(name, "1")
    shutil.rmtree(mlflow_server.folder / "artifacts" / source.removeprefix("mlflow-artifacts:/"))
    server = serve(table, mlflow_server.url)
    try:
        status, answer, _ = create(server, name, {"model_version": "1"})
        assert status == 404 and "MLmodel" in answer["detail"], answer
        assert not list((table.dir / "model-cache").glob("*"))
    finally:
        server.stop()


def test_a_copied_version_and_an_older_kind_of_source(mlflow_server, model, boosters, table):
    """`copy_model_version` gives a version whose source is models:/…; a run's artifacts give one whose source is runs:/
    or a path."""
    client = MlflowClient(mlflow_server.url, mlflow_server.url)
    copy = f"copy-{uuid.uuid4().hex[:8]}"
    client.copy_model_version(f"models:/{model}/1", copy)
    old = f"old-{uuid.uuid4().hex[:8]}"
    client.create_registered_model(old)
    folder = table.dir / "saved"
    mlflow.lightgbm.save_model(boosters[0], folder, signature=SIGNATURE, pip_requirements=["lightgbm"])
    made = client.create_run(client.create_experiment(old))
    client.log_artifacts(made.info.run_id, str(folder), "model")
    client.create_model_version(old, f"runs:/{made.info.run_id}/model", made.info.run_id)
    server = serve(table, mlflow_server.url)
    try:
        for name in (copy, old):
            assert create(server, name, {"model_version": "1"}, target__table=name)[0] == 201
            assert run(server, name)["status"] == "succeeded"
            rows = table.rows(f"ml.{name}")
            assert (rows["prediction"].to_numpy() == boosters[0].predict(table.frame)).all()
    finally:
        server.stop()


def test_the_server_down(boosters, table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlflow-down")
    with MLflow(folder) as started:
        log_model(started.url, "m", boosters[0])
        client = MlflowClient(started.url, started.url)
        client.set_registered_model_alias("m", "champion", "1")
        server = serve(table, started.url)
        try:
            assert create(server, "m", {"model_alias": "champion"}, retries=0)[0] == 201
            assert create(server, "m", {"model_version": "1"}, name="pinned")[0] == 201
            started.stop()
            status, answer, headers = create(server, "m", {"model_version": "1"}, name="e")
            assert status == 503 and "Retry-After" in headers and started.url in answer["detail"], answer
            ended = run(server, "m")
            assert ended["status"] == "failed" and started.url in ended["error_message"]
            assert not table.catalog.table_exists("ml.p")
            started.start()
            assert run(server, "m")["status"] == "succeeded"
        finally:
            server.stop()


@pytest.mark.parametrize("proxied", [False, True])
def test_artifacts_in_s3(s3, boosters, table, tmp_path_factory, proxied):
    """Read from S3 itself, with the credentials of the environment; or through MLflow, which then has them."""
    bucket = s3.bucket(f"models-{uuid.uuid4().hex[:8]}")
    with MLflow(
        tmp_path_factory.mktemp("mlflow-s3"), f"{bucket}/deep/er", proxied=proxied, environment=s3.environment()
    ) as started:
        log_model(started.url, "m", boosters[0], s3.environment())
        server = serve(table, started.url, variables={} if proxied else s3.environment())
        try:
            status, answer, _ = create(server, "m", {"model_version": "1"})
            assert status == 201, answer
            shutil.rmtree(table.dir / "model-cache")  # so that the scoring process reads it too
            ended = run(server, "m")
            assert ended["status"] == "succeeded", ended
            assert_scores(table, boosters[0])
            jobs = "".join(p.read_text() for p in table.dir.glob("runs/*/*"))
            assert "secret-for-tests" not in jobs + server.log_file.read_text()
            if not proxied:
                s3.client.delete_objects(
                    Bucket=bucket[5:],
                    Delete={
                        "Objects": [{"Key": o["Key"]} for o in s3.client.list_objects_v2(Bucket=bucket[5:])["Contents"]]
                    },
                )
                shutil.rmtree(table.dir / "model-cache")
                ended = run(server, "m")
                assert ended["status"] == "failed" and "MLmodel" in ended["error_message"], ended
        finally:
            server.stop()


def test_artifacts_in_a_shared_folder(boosters, table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlflow-file")
    with MLflow(folder, f"file://{folder}/shared", proxied=False) as started:
        log_model(started.url, "m", boosters[0])
        server = serve(table, started.url)
        try:
            assert create(server, "m", {"model_version": "1"})[0] == 201
            assert run(server, "m")["status"] == "succeeded"
            assert_scores(table, boosters[0])
        finally:
            server.stop()


def test_basic_authentication(boosters, table, tmp_path_factory):
    login = {"MLFLOW_TRACKING_USERNAME": "keeper", "MLFLOW_TRACKING_PASSWORD": "correct-horse-battery"}
    with MLflow(tmp_path_factory.mktemp("mlflow-auth"), basic_auth=True) as started:
        log_model(started.url, "m", boosters[0], login)
        server = serve(table, started.url)
        status, answer, _ = create(server, "m", {"model_version": "1"})
        server.stop()
        assert status == 503 and "refused Slipway's credentials" in answer["detail"], answer
        for settings, variables in (
            ({}, login),
            ({"registry.username": "keeper", "registry.password": "correct-horse-battery"}, {}),
        ):
            shutil.rmtree(table.dir / "model-cache", ignore_errors=True)
            server = serve(table, started.url, settings, variables)
            try:
                status, answer, _ = create(server, "m", {"model_version": "1"}, name="d" if settings else "first")
                assert status == 201, answer
            finally:
                server.stop()
        shutil.rmtree(table.dir / "model-cache")
        server = serve(table, started.url, settings)
        try:
            assert run(server, "m")["status"] == "succeeded"
            assert "correct-horse" not in server.log_file.read_text() + "".join(
                p.read_text() for p in table.dir.glob("runs/*/*")
            )
        finally:
            server.stop()


def test_the_cache(mlflow_server, model, boosters, table):
    """What was damaged is downloaded again; and what was used longest ago makes room."""
    server = serve(table, mlflow_server.url, {"registry.cache_mib": 0})
    cache = table.dir / "model-cache"
    try:
        assert create(server, model, {"model_version": "1"})[0] == 201
        (first,) = [p for p in cache.iterdir()]
        (first / "model/model.lgb").write_text("damaged")
        assert run(server, model)["status"] == "succeeded"
        assert_scores(table, boosters[0])
        assert create(server, model, {"model_version": "2"}, name="e")[0] == 201
        (second,) = [p for p in cache.iterdir()]
        assert second != first
    finally:
        server.stop()


class Liar:
    """A server that answers MLflow's questions as a test tells it to."""

    def __init__(self, answer):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                status, text = answer(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


VERSION = b'{"model_version": {"name": "m", "version": "1", "source": "x", "status": "READY", "creation_timestamp": 1}}'


@pytest.mark.parametrize(
    "what, status, words",
    [
        ((200, b"<html>sign in</html>"), 503, "no JSON"),
        ((500, b"oops"), 503, "500"),
        ((403, b"{}"), 503, "credentials"),
        ((302, b""), 503, "302"),
        ((200, b"[]"), 422, "MLflow"),
        ((200, b'{"model_version": {"name": 7}}'), 422, "name"),
        ((200, VERSION.replace(b"READY", b"PENDING_REGISTRATION")), 422, "PENDING_REGISTRATION"),
    ],
)
def test_a_server_that_answers_nonsense(table, what, status, words):
    liar = Liar(lambda path: what)
    server = serve(table, liar.url)
    try:
        got, answer, _ = create(server, "m", {"model_version": "1"})
        assert got == status and words in str(answer), answer
    finally:
        server.stop()
        liar.http.shutdown()


def test_a_slow_registry_holds_up_nobody_else(table):
    """Requests that wait for MLflow leave the other handlers, and the connections, alone."""
    asked, go_on = threading.Semaphore(0), threading.Event()

    def answer(path):
        asked.release()
        go_on.wait(60)
        return 500, b"oops"

    liar = Liar(answer)
    server = serve(table, liar.url, {"server.threads": 6})  # of which a caller may have all but two
    waiting = [threading.Thread(target=create, args=(server, "m", {"model_version": "1"})) for _ in range(3)]
    try:
        for thread in waiting:
            thread.start()
        for _ in waiting:
            assert asked.acquire(timeout=30)
        assert server.call("GET", "/healthz")[0] == 200 and server.call("GET", "/api/deployments")[0] == 200
        assert all(thread.is_alive() for thread in waiting)
    finally:
        go_on.set()
        for thread in waiting:
            thread.join()
        server.stop()
        liar.http.shutdown()


@pytest.mark.parametrize("name", ["../../escaped", "/tmp/escaped", "a/../../../escaped", "", ".."])
def test_names_that_leave_the_folder(table, name):
    import json

    def answer(path):
        if "model-versions/get?" in path:
            return 200, VERSION
        if "download-uri" in path:
            return 200, b'{"artifact_uri": "mlflow-artifacts:/1/a"}'
        return (
            (200, json.dumps({"files": [{"path": name, "is_dir": False}]}).encode())
            if "?path=" in path
            else (200, b"evil")
        )

    liar = Liar(answer)
    server = serve(table, liar.url)
    try:
        status, found, _ = create(server, "m", {"model_version": "1"})
        assert status == 422 and "leaves the model's folder" in str(found), found
        assert not list(Path(table.dir).rglob("*escaped*")) and not Path("/tmp/escaped").exists()
    finally:
        server.stop()
        liar.http.shutdown()


def test_a_location_of_another_kind(table):
    liar = Liar(lambda path: (200, VERSION if "model-versions/get?" in path else b'{"artifact_uri": "dbfs:/x"}'))
    server = serve(table, liar.url)
    try:
        status, answer, _ = create(server, "m", {"model_version": "1"})
        assert status == 422 and "dbfs:/x" in str(answer)
    finally:
        server.stop()
        liar.http.shutdown()
