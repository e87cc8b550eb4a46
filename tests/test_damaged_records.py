"""A damaged row of the store is one deployment's error: the server stays up, and everything else is listed and runs."""

import sqlite3

import pytest
from conftest import Server
from deployments import ALL, body, finished, ready, until  # noqa: F401 (a fixture)

AREAS = ["deployments", "dispatch"]

BODIES = ["not JSON", "{}", "[]", "null", '{"owner": 1}', '{"owner": "y", "domain": "x", "model": 5}']
RUN = "5f6f0d4e-0000-4000-8000-000000000001"


def sql(server, statement: str, *values) -> None:
    with sqlite3.connect(server.data_dir / "slipway.db", timeout=30) as store:
        store.execute(statement, values)


@pytest.fixture
def server(ready):
    started = Server(ready.dir, {"clock.speed": 60, "store.location": ready.dir / "slipway.db"})  # a tick a second
    yield started
    started.stop()


@pytest.mark.parametrize("damage", BODIES)
def test_a_damaged_deployment(ready, server, damage):
    for name in ("good", "bad", "manual"):
        assert (
            server.call(
                "POST", ALL, body(name=name, schedule=None if name == "manual" else "* * * * *", target__table=name)
            )[0]
            == 201
        )
    sql(server, "UPDATE deployments SET body = ? WHERE name = 'bad'", damage)
    bad = until(lambda: server.call("GET", f"{ALL}/bad")[1], lambda found: found["status"] == "failed")
    assert "damaged" in bad["error_message"] and bad["owner"] == "y" and bad["source"] is None
    listed = server.call("GET", ALL)[1]["items"]
    assert [d["name"] for d in listed] == ["good", "bad", "manual"] and listed[0]["error_message"] is None
    # The others go on: by their clock, and by hand.
    until(
        lambda: server.call("GET", f"{ALL}/good/runs")[1]["items"],
        lambda runs: any(r["status"] == "succeeded" for r in runs),
    )
    run = server.call("POST", f"{ALL}/manual/trigger")[1]["run_id"]
    assert finished(server, run, f"{ALL}/manual")["status"] == "succeeded"
    # What can be done about it is told, and can be done.
    for method, path, sent in (
        ("POST", "/trigger", None),
        ("PATCH", "", {"owner": "z"}),
        ("PUT", "/allowed_roles", {"allowed_roles": []}),
        ("POST", "/start", None),
    ):
        status, answer, _ = server.call(method, f"{ALL}/bad{path}", sent)
        assert status == 409 and "damaged" in answer["detail"], (method, path, answer)
    assert server.call("DELETE", f"{ALL}/bad")[0] == 200
    assert server.call("POST", ALL, body(name="bad", target__table="bad"))[0] == 201
    assert server.process.poll() is None


def test_a_run_of_a_deployment_that_was_damaged_meanwhile(ready, server):
    for name in ("good", "bad"):
        server.call("POST", ALL, body(name=name, target__table=name))
    server.call("POST", f"{ALL}/bad/stop")
    server.call("POST", f"{ALL}/bad/start")
    with sqlite3.connect(server.data_dir / "slipway.db", timeout=30, isolation_level=None) as store:
        store.execute("BEGIN IMMEDIATE")  # the run is queued and the body damaged in one step
        store.execute("UPDATE deployments SET body = '{}' WHERE name = 'bad'")
        store.execute(
            "INSERT INTO runs (run_id, deployment_id, cause, logical_date, status, attempt, queued_at) "
            "SELECT ?, deployment_id, 'manual', 1700000000000000, 'queued', 0, 1700000000000000 "
            "FROM deployments WHERE name = 'bad'",
            (RUN,),
        )
        store.execute("COMMIT")
    run = finished(server, RUN, f"{ALL}/bad")
    assert run["status"] == "failed" and "damaged" in run["error_message"]
    assert (
        finished(server, server.call("POST", f"{ALL}/good/trigger")[1]["run_id"], f"{ALL}/good")["status"]
        == "succeeded"
    )


def test_a_damaged_schedule(ready, server):
    for name in ("good", "bad"):
        server.call("POST", ALL, body(name=name, target__table=name, schedule="* * * * *"))
    sql(server, "UPDATE deployments SET schedule = 'every now and then' WHERE name = 'bad'")
    bad = until(lambda: server.call("GET", f"{ALL}/bad")[1], lambda found: found["status"] == "failed")
    assert "every now and then" in bad["error_message"] or "field" in bad["error_message"]
    before = len(server.call("GET", f"{ALL}/good/runs")[1]["items"])
    until(lambda: server.call("GET", f"{ALL}/good/runs")[1]["items"], lambda runs: len(runs) > before)
    assert server.call("PATCH", f"{ALL}/bad", {"schedule": "0 6 * * *"})[1]["status"] == "active"
