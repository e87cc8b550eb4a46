"""One can see what a run and its model wrote: while it goes on, when it has failed, and of Airflow's runs."""

import subprocess
import sys
import time

import cloudpickle
import mlflow.pyfunc
import pytest
from conftest import BINARY, ROOT, Server
from deployments import ALL, ONE, body, finished, ready, until  # noqa: F401 (a fixture)
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

sys.path.insert(0, str(ROOT / "python"))
import slipway  # noqa: E402 (found by the line above)

AREAS = ["server", "dispatch", "deployments", "cli"]
EXAMPLE = "test_a_models_traceback"

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # models carry this module's functions along


class Model(mlflow.pyfunc.PythonModel):
    def __init__(self, function):
        self.function = function

    def predict(self, context, model_input, params=None):
        return self.function(model_input)


def broken(rows):
    print("the model says: \x1b[31mred\x1b[0m and é")
    return {"a": 1}["the column that is not there"]


def endless(rows):
    print("the model has begun", flush=True)
    time.sleep(3600)


@pytest.fixture
def server(ready):
    started = Server(ready.dir)
    yield started
    started.stop()


def start(ready, server, function) -> str:
    signature = ModelSignature(inputs=Schema([ColSpec("double", "f0")]), outputs=Schema([ColSpec("double")]))
    ready.register_python("m", Model(function), signature)
    assert server.call("POST", ALL, body(model__model_version="2", retries=0))[0] == 201
    return server.call("POST", f"{ONE}/trigger")[1]["run_id"]


def test_a_models_traceback(ready, server):
    run_id = start(ready, server, broken)
    assert finished(server, run_id)["status"] == "failed"
    log = server.call("GET", f"{ONE}/runs/{run_id}/log")[1]
    assert "Traceback (most recent call last)" in log["text"] and "in broken" in log["text"]
    assert "KeyError: 'the column that is not there'" in log["text"]
    assert "the model says: ?[31mred?[0m and é" in log["text"]  # nothing of it drives a terminal
    rest = server.call("GET", f"{ONE}/runs/{run_id}/log?after={log['end'] - 10}")[1]
    assert log["text"].endswith(rest["text"]) and (rest["start"], rest["end"]) == (log["end"] - 10, log["end"])
    shown = ready.cli("--server", server.url, "logs", "m", "d")
    assert shown.stdout == log["text"] and f"run {run_id}: failed at " in shown.stderr
    assert shown.stdout == ready.cli("--server", server.url, "logs", "m", "d", run_id, "-f").stdout
    assert slipway.Client(server.url, psk=server.psk).log("m", "d", run_id) == log["text"]
    server.call("POST", ALL, body(name="other"))
    assert server.call("GET", f"{ALL}/other/runs/{run_id}/log")[0] == 404


def test_a_run_is_followed(ready, server):
    run_id = start(ready, server, endless)
    command = [BINARY, "--data-dir", ready.dir, "--server", server.url, "logs", "m", "d", run_id, "--follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as follows:
        assert any("the model has begun" in line for line in follows.stdout)
        assert server.call("GET", f"{ONE}/runs/{run_id}")[1]["status"] == "running"
        server.call("POST", f"{ONE}/runs/{run_id}/cancel")
        _, told = follows.communicate()
    assert follows.returncode == 0 and f"run {run_id}: failed" in told and "cancelled by platform" in told


def test_a_dags_log_is_kept_with_its_run(server):
    server.call("POST", ALL, body())
    report = {"airflow_run_id": "r", "status": "failed", "error_message": "e", "slipway": {"log": "Traceback\n  e\n"}}
    run_id = server.call("POST", f"{ONE}/runs", report)[1]["run_id"]
    log = server.call("GET", f"{ONE}/runs/{run_id}/log")[1]
    assert log == {"text": "Traceback\n  e\n", "start": 0, "end": 14}
