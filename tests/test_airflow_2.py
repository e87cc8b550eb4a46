"""Airflow 2.10: the older API with basic authentication, DAGs in a folder on a shared disk, the embedded catalog."""

import subprocess

import pytest
from conftest import ROOT, Lake, Server
from deployments import ALL, ONE, body, fill, finished, until
from services.airflow2 import PASSWORD, USER, Airflow2
from services.process import free_port

AREAS = ["dispatch/airflow", "python/slipway"]

PATIENCE = 180


@pytest.fixture
def world(tmp_path):
    subprocess.run([ROOT / "tools/wheel", "--into", ROOT / ".deps/airflow2"], check=True)
    lake = fill(Lake(tmp_path / "data"))
    port = free_port()
    with Airflow2(tmp_path, {}) as airflow:
        url = f"http://127.0.0.1:{port}"
        server = Server(
            lake.dir,
            {
                "dispatch.kind": "airflow",
                "airflow.url": airflow.url,
                "airflow.username": USER,
                "airflow.password": PASSWORD,
                "airflow.dags": f"file://{airflow.dags}",
                "server.public_url": url,
                "server.listen": f"127.0.0.1:{port}",
                "airflow.poll_seconds": 1,
                "store.location": str(lake.dir / "slipway.db"),
            },
        )
        yield lake, airflow, server
        server.stop()


def test_a_life(world):
    lake, airflow, server = world
    status, made, _ = server.call("POST", ALL, body(schedule="0 6 * * *"))
    assert status == 201 and made["status"] == "pending" and made["dag_s3_uri"] is None
    until(lambda: server.call("GET", ONE)[1], lambda d: d["status"] == "active", PATIENCE)
    runs = [server.call("POST", f"{ONE}/trigger", {"logical_date": date})[1] for date in (None, "2024-02-03T06:00:00Z")]
    for run in runs:
        ended = finished(server, run["run_id"], seconds=PATIENCE)
        assert ended["status"] == "succeeded" and ended["rows_scored"] == 300, ended
    assert {str(day) for day in lake.rows()["scored_at"].dt.date} >= {"2024-02-03"} and len(lake.rows()) == 600
    assert len(server.call("GET", f"{ONE}/runs")[1]["items"]) == 2  # none for the tick before the deployment was made
    assert server.call("POST", f"{ONE}/stop")[0] == 200
    assert server.call("DELETE", ONE)[1]["status"] == "archived"
    until(lambda: list(airflow.dags.glob("slipway*.py")), lambda files: not files, PATIENCE)
