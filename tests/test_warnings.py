"""What succeeds and may have lost something is said aloud: on the run, in the terminal, in metrics and to webhooks."""

import json
import sys
import warnings

import pytest
from conftest import ROOT, Server
from deployments import ALL, ONE, body, finished, ready, until  # noqa: F401 (a fixture)
from test_webhooks import SECRET, Receiver

sys.path.insert(0, str(ROOT / "python"))
import slipway  # noqa: E402 (found by the line above)

AREAS = ["deployments", "dispatch", "scoring", "webhooks", "cli"]
EXAMPLE = "test_a_run_of_no_rows_after_one_of_many"


@pytest.fixture
def receiver():
    return Receiver()


@pytest.fixture
def server(ready, receiver):
    pager = {"url": receiver.url, "secret": SECRET, "events": "run.warning"}
    started = Server(ready.dir, {f"webhooks.pager.{name}": value for name, value in pager.items()})
    yield started
    started.stop()


def trigger(server, logical_date):
    run = server.call("POST", f"{ONE}/trigger", {"logical_date": logical_date})[1]
    return finished(server, run["run_id"])


def test_a_run_of_no_rows_after_one_of_many(ready, server, receiver):
    server.call("POST", ALL, body())
    assert trigger(server, "2024-03-01T06:00:00Z")["warning"] is None
    ready.catalog.load_table("src.t").delete("id >= 0")  # the night that the export failed
    at = ("--server", server.url)
    done = ready.cli(*at, "--json", "trigger", "m", "d", "--logical-date", "2024-03-02T06:00:00Z", "--wait")
    run = json.loads(done.stdout)
    assert run["status"] == "succeeded" and run["rows_scored"] == 0
    assert "no rows were scored, where the run of 2024-03-01T06:00:00Z had 300" in run["warning"]
    assert f"warning: {run['warning']}" in done.stderr
    assert "succeeded, with a warning" in ready.cli(*at, "runs", "m", "d").stdout
    assert "succeeded, with a warning" in ready.cli(*at, "deployments").stdout
    until(lambda: receiver.events(), lambda events: len(events) == 1)
    assert receiver.events()[0] | {"event": "run.warning", "warning": run["warning"]} == receiver.events()[0]
    assert "slipway_run_warnings_total 1" in server.call("GET", "/metrics", psk=None)[1]
    client = slipway.Client(server.url, psk=server.psk)
    with pytest.warns(slipway.SlipwayWarning, match="no rows were scored"):
        assert client.wait("m", "d", run["run_id"]).rows_scored == 0


def test_what_append_dedup_leaves_out_is_counted(ready, server):
    server.call("POST", ALL, body(rerun_behavior="append_dedup"))
    first = trigger(server, "2024-03-01T06:00:00Z")
    assert (first["rows_scored"], first["rows_left_out"]) == (300, None)
    again = trigger(server, "2024-03-01T06:00:00Z")
    assert (again["rows_scored"], again["rows_left_out"], again["warning"]) == (0, 300, None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        slipway.Client(server.url, psk=server.psk).wait("m", "d", again["run_id"])
