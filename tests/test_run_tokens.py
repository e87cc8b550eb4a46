"""What a worker of Airflow holds: a token that tells of one run, and can do nothing else."""

import json
import uuid

import pytest
from conftest import Server
from deployments import ALL, ONE, body, ready, until  # noqa: F401 (a fixture)
from fake_airflow import FakeAirflow
from signing import run_token

import slipway.airflow

STORES = ("sqlite", "postgresql")
AREAS = ["auth", "dispatch/airflow", "python/slipway"]
EXAMPLE = "test_a_triggered_run_brings_a_token_of_its_own"


@pytest.fixture
def airflow(ready):
    started = FakeAirflow(ready.dir / "dags")
    yield started
    started.stop()


@pytest.fixture
def server(ready, airflow):
    started = Server(
        ready.dir,
        {
            "dispatch.kind": "airflow",
            "airflow.url": airflow.url,
            "airflow.username": "u",
            "airflow.dags": f"file://{airflow.dags}",
            "airflow.poll_seconds": 1,
            "server.public_url": "http://127.0.0.1:1",
        },
    )
    yield started
    started.stop()


def made(server, name="d") -> dict:
    assert server.call("POST", ALL, body(name=name, target__table=name))[0] == 201
    return until(lambda: server.call("GET", f"{ALL}/{name}")[1], lambda d: d["status"] == "active")


def triggered(server, airflow, one=ONE) -> tuple[dict, str]:
    """The run, and the token that Airflow has got for it."""
    run = server.call("POST", f"{one}/trigger")[1]
    dag_run = until(lambda: airflow.runs.get(f"slipway__{run['run_id']}"), bool)
    assert dag_run["conf"]["slipway"]["run_id"] == run["run_id"]
    return run, dag_run["conf"]["slipway"]["token"]


def report(server, token, run_id, one=ONE, status="running", **more):
    sent = {"airflow_run_id": f"slipway__{run_id}", "status": status, "slipway": {"run_id": run_id}, **more}
    return server.call("POST", f"{one}/runs", sent, psk=token)


def test_a_triggered_run_brings_a_token_of_its_own(server, airflow):
    made(server)
    made(server, "other")
    run, token = triggered(server, airflow)
    second, _ = triggered(server, airflow)
    elsewhere, _ = triggered(server, airflow, f"{ALL}/other")
    assert report(server, token, run["run_id"], rows_scored=7)[:2][0] == 200
    assert server.call("GET", f"{ONE}/runs/{run['run_id']}")[1]["rows_scored"] == 7
    plain = {"airflow_run_id": f"slipway__{run['run_id']}", "status": "running"}  # as the contract has it
    assert server.call("POST", f"{ONE}/runs", plain, psk=token)[0] == 200
    assert server.call("POST", f"{ONE}/runs", plain, token=token)[0] == 200  # as a bearer, like any key

    cleared = str(uuid.uuid5(uuid.UUID(run["run_id"]), "1"))  # done again in Airflow: still its own
    assert report(server, token, cleared)[0] == 200
    for other, where in ((second, ONE), (elsewhere, f"{ALL}/other"), (elsewhere, ONE)):
        status, answer, _ = report(server, token, other["run_id"], where, status="failed", error_message="a lie")
        assert status == 403, answer
    assert report(server, token, str(uuid.uuid4()))[0] == 403
    unnamed = {"airflow_run_id": "scheduled__1", "status": "failed"}
    assert server.call("POST", f"{ONE}/runs", unnamed, psk=token)[0] == 403
    assert {r["status"] for r in server.call("GET", f"{ALL}/other/runs")[1]["items"]} == {"queued"}


def test_it_is_of_no_use_elsewhere(server, airflow):
    made(server)
    run, token = triggered(server, airflow)
    for method, path, sent in (
        ("GET", ONE, None),
        ("GET", f"{ONE}/runs/{run['run_id']}", None),
        ("POST", f"{ONE}/runs/{run['run_id']}/cancel", None),
        ("DELETE", ONE, None),
        ("POST", ALL, body(name="new")),
        ("POST", "/api/user/psk", {"description": "x"}),
        ("GET", "/api/audit", None),
    ):
        status, answer, _ = server.call(method, path, sent, psk=token)
        assert status == 403 and "run token" in answer["detail"], (method, path, answer)


def test_it_ends_with_its_deployment_and_its_time(server, airflow):
    deployment = made(server)
    run, token = triggered(server, airflow)
    own = {"deployment_id": deployment["deployment_id"], "run_id": run["run_id"]}
    assert report(server, run_token(server, **own), run["run_id"])[0] == 200  # two programs agree how it is signed
    status, answer, _ = report(server, run_token(server, **own, seconds=-1), run["run_id"])
    assert status == 401 and "expired" in answer["detail"]
    forged = run_token(server, **own)
    assert report(server, forged[:-3] + "AA=", run["run_id"])[0] == 401
    assert server.call("DELETE", ONE)[0] == 200
    assert report(server, token, run["run_id"])[0] == 404
    assert server.call("POST", ALL, body())[0] == 201  # another one of that name
    status, answer, _ = report(server, token, run["run_id"])
    assert status == 403, answer


def test_tokens_stand_in_no_dag_log_or_store(server, airflow):
    made(server)
    _, token = triggered(server, airflow)
    for file in [*airflow.dags.glob("*.py"), server.log_file, *server.data_dir.glob("slipway.db*")]:
        text = file.read_bytes()
        assert token.encode() not in text and server.psk.encode() not in text, file


def test_a_dag_run_that_names_the_run_of_another_deployment_is_refused(server, airflow):
    """M12: whoever may trigger DAGs in Airflow may write any configuration."""
    mine, theirs = made(server), made(server, "theirs")
    run, _ = triggered(server, airflow, f"{ALL}/theirs")
    airflow.run(mine["dag_id"], "by-hand", {"slipway": {"run_id": run["run_id"]}})
    until(lambda: airflow.runs["by-hand"]["state"], lambda state: state == "failed")
    until(lambda: server.log_file.read_text(), lambda log: log.count("dag_run_refused") > 1)  # and again at its end
    told = server.call("GET", f"{ALL}/theirs/runs/{run['run_id']}")[1]
    assert told["status"] in ("queued", "running") and told["error_message"] is None
    assert theirs["dag_id"] != mine["dag_id"] and server.call("GET", f"{ONE}/runs")[1]["items"] == []


class TaskOfAirflow:
    """What the worker's code asks of its context."""

    def __init__(self, conf):
        self.retries, self.max_tries, self.try_number = 2, 2, 1
        self.run_id, self.conf, self.logical_date = "slipway__x", conf, None
        self.run_after = __import__("datetime").datetime(2024, 1, 1)


@pytest.fixture
def reported(monkeypatch, tmp_path):
    """The key that the worker reports with: of a run with that configuration, in that environment."""
    for name in ("SLIPWAY_PSK", "SLIPWAY_PSK_FILE", "SLIPWAY_REPORT_KEY", "SLIPWAY_REPORT_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)

    def key(conf, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        task = TaskOfAirflow(conf)
        deployment = {"deployment_id": str(uuid.uuid4()), "callback": "http://127.0.0.1:1/runs"}
        return slipway.airflow._Run(deployment, {"ti": task, "dag_run": task, "task": task}).reporter.key

    return key


def test_the_worker_reports_with_the_runs_token(reported):
    assert reported({"slipway": {"token": "t"}}, SLIPWAY_PSK="p", SLIPWAY_REPORT_KEY="k") == "t"


def test_a_run_of_airflows_own_is_reported_with_the_workers_key_or_not_at_all(reported, tmp_path, caplog):
    assert reported({}) == "" and reported(None) == ""
    (tmp_path / "key").write_text("from-a-file\n")
    assert reported({}, SLIPWAY_REPORT_KEY_FILE=str(tmp_path / "key")) == "from-a-file"
    assert reported({}, SLIPWAY_REPORT_KEY="k") == "k" and "platform's key" not in caplog.text


def test_a_worker_that_holds_the_platform_key_is_told_to_give_it_up(reported, caplog):
    assert reported({}, SLIPWAY_PSK="p") == "p"
    assert "take it away" in caplog.text


def test_a_report_without_a_key_is_not_sent(monkeypatch):
    def opened(*_, **__):
        raise AssertionError("sent")

    monkeypatch.setattr(slipway.airflow.urllib.request, "urlopen", opened)
    assert not slipway.airflow._Reporter("http://127.0.0.1:1", "x", {}, "").decide("succeeded", rows_scored=1)
    assert json.loads(slipway.airflow._Reporter("u", "x", {}, "")._body("running"))["status"] == "running"
