"""A store that an earlier version has written is brought up to date at start, and everything in it goes on working."""

import hashlib
import sqlite3
from datetime import datetime, timezone
from pathlib import Path

import pytest
from conftest import Server
from deployments import ALL, body, finished, ready  # noqa: F401 (a fixture)

AREAS = ["database", "deployments", "auth", "webhooks"]

STORES = sorted((Path(__file__).parent / "stores").glob("*.sql"))
FAILED_RUN = "2ad45a83-f5c2-599d-b629-ae1fb153add8"  # of the deployment `manual`, told of by a callback


@pytest.mark.parametrize("dump", STORES, ids=lambda path: path.stem)
def test_a_store_of_an_earlier_version(ready, dump):
    file = ready.dir / "slipway.db"
    with sqlite3.connect(file) as store:
        store.executescript(dump.read_text())
    for _ in range(2):  # the second start finds it up to date
        server = Server(ready.dir, {"store.location": file})
        try:
            assert {d["name"]: d["status"] for d in server.call("GET", ALL)[1]["items"]} == {
                "daily": "active",
                "stopped": "stopped",
                "manual": "active",
            }
            assert [d["name"] for d in server.call("GET", f"{ALL}?status=archived")[1]["items"]] == ["gone"]
            daily = server.call("GET", f"{ALL}/daily")[1]
            assert (
                daily["error_message"] is None
                and daily["owner"] == "z"
                and sorted(daily["allowed_roles"]) == ["blue", "red"]
            )
            assert (
                daily["source"]["filter_sql"] == "id < 7"
                and daily["model_alias"] == "champion"
                and daily["runner"] == {"kind": "local"}
            )
            told = server.call("GET", f"{ALL}/manual/runs/{FAILED_RUN}")[1]
            assert (told["status"], told["error_message"], told["airflow_run_id"]) == (
                "failed",
                "it was too late",
                "scheduled__1",
            )
            run = finished(server, server.call("POST", f"{ALL}/daily/trigger")[1]["run_id"], f"{ALL}/daily")
            assert run["status"] == "succeeded" and run["rows_scored"] == 7
            # The run of that name is final: the callback finds it, and changes nothing.
            report = {"airflow_run_id": "scheduled__1", "status": "running"}
            assert server.call("POST", f"{ALL}/manual/runs", report)[1]["run_id"] == FAILED_RUN
        finally:
            server.stop()
    server = Server(ready.dir, {"store.location": file})
    try:
        assert server.call("POST", f"{ALL}/stopped/start")[1]["status"] == "active"
        assert (
            server.call("PATCH", f"{ALL}/daily", {"model_version": "1", "rerun_behavior": "append_dedup"})[1][
                "rerun_behavior"
            ]
            == "append_dedup"
        )
        assert server.call("POST", ALL, body(name="gone"))[0] == 201  # its name was free
        assert len(server.call("GET", "/api/audit?limit=500")[1]["items"]) > 10
    finally:
        server.stop()
    with sqlite3.connect(file) as store:
        newest = store.execute("SELECT version FROM schema_version").fetchone()[0]
        store.execute("UPDATE schema_version SET version = version + 1")
    assert newest > int(dump.stem)
    refused = ready.cli("serve", "--listen", "127.0.0.1:0", check=False)
    assert refused.returncode == 1 and "start a newer one" in refused.stderr


@pytest.mark.parametrize("dump", STORES, ids=lambda path: path.stem)
def test_keys_that_had_no_end_get_one(ready, dump):
    """They work on, for as long as a new key would, from the day of the upgrade."""
    file, secret = ready.dir / "slipway.db", "slipway_" + "0" * 64
    with sqlite3.connect(file) as store:
        store.executescript(dump.read_text())
        store.execute("INSERT INTO people VALUES ('u-1', 'ana', '[\"red\"]', 1)")
        store.execute(
            "INSERT INTO user_keys (id, subject, hash, description, created_at) VALUES ('k', 'u-1', ?, 'old', 1)",
            (hashlib.sha256(secret.encode()).hexdigest(),),
        )
    for _ in range(2):
        server = Server(ready.dir, {"store.location": file})
        try:
            assert [d["name"] for d in server.call("GET", ALL, psk=secret)[1]["items"]] == ["daily"]  # allows red
            key = server.call("GET", "/api/users/u-1/psk")[1]["items"][0]
            assert key["is_active"] and key["last_used_at"]
        finally:
            server.stop()
    days = (datetime.fromisoformat(key["expires_at"].replace("Z", "+00:00")) - datetime.now(timezone.utc)).days
    assert days == 89  # and some hours
    assert server.log_file.read_text().count("keys_dated") == 1
