"""A server with both runners: each deployment is executed by the one that it names, or by the default."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from conftest import Server
from deployments import ALL, body, finished, ready, until  # noqa: F401 (a fixture)

AREAS = ["dispatch", "deployments"]


class EmptyAirflow:
    """An Airflow 3 that has parsed nothing yet: what Slipway wants of it stays wanted. Keeps what it was asked."""

    def __init__(self):
        self.asked, airflow = [], self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = self.path.split("?")[0]
                airflow.asked.append((self.command, path))
                found = {"/api/v2/version": {"version": "3.0.0"}, "/auth/token": {"access_token": "t"}}.get(path)
                text = json.dumps(found or {"dags": [], "dag_runs": [], "import_errors": [], "total_entries": 0})
                self.send_response(201 if path == "/auth/token" else 200)
                self.send_header("Content-Length", str(len(text)))
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = do_PATCH = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def airflow():
    started = EmptyAirflow()
    yield started
    started.stop()


def settings(ready, airflow, kind: str) -> dict:
    (ready.dir / "dags").mkdir(exist_ok=True)
    return {
        "dispatch.kind": kind,
        "airflow.url": airflow.url,
        "airflow.username": "u",
        "airflow.dags": f"file://{ready.dir}/dags",
        "airflow.poll_seconds": 1,
        "server.public_url": "http://127.0.0.1:1",
    }


def dags(ready) -> list[str]:
    return sorted(path.name.split(".")[2] for path in (ready.dir / "dags").glob("*.py"))


def test_each_deployment_has_its_runner(ready, airflow):
    server = Server(ready.dir, settings(ready, airflow, "local airflow"))
    try:
        for name, runner in (("plain", None), ("here", {"kind": "local"}), ("there", {"kind": "airflow"})):
            made = server.call("POST", ALL, body(name=name, target__table=name, runner=runner))[1]
            assert made["runner"] == {"kind": "airflow" if name == "there" else "local"}
            assert made["status"] == ("pending" if name == "there" else "active") and (made["dag_id"] is None) == (
                name != "there"
            )
        until(lambda: dags(ready), lambda found: found == ["there"])
        for name in ("plain", "here"):
            run = server.call("POST", f"{ALL}/{name}/trigger")[1]["run_id"]
            assert finished(server, run, f"{ALL}/{name}")["status"] == "succeeded"
        assert until(lambda: server.call("GET", f"{ALL}/there")[1], lambda d: d["status"] == "deploying")
        # From Airflow to here: its DAG goes, and its runs are this server's.
        moved = server.call("PATCH", f"{ALL}/there", {"runner": {"kind": "local"}})[1]
        assert moved["status"] == "active" and moved["runner"] == {"kind": "local"}
        until(lambda: dags(ready), lambda found: found == [])
        run = server.call("POST", f"{ALL}/there/trigger")[1]["run_id"]
        assert finished(server, run, f"{ALL}/there")["status"] == "succeeded"
        # And the other way, for one that named none; then as the server has it, again.
        assert server.call("PATCH", f"{ALL}/plain", {"runner": {"kind": "airflow"}})[1]["status"] == "pending"
        until(lambda: dags(ready), lambda found: found == ["plain"])
        assert server.call("PATCH", f"{ALL}/plain", {"runner": None})[1]["runner"] == {"kind": "local"}
        until(lambda: dags(ready), lambda found: found == [])
        assert server.call("DELETE", f"{ALL}/there")[0] == 200
        assert server.process.poll() is None
    finally:
        server.stop()
    log = (ready.dir / "server.log").read_text()
    assert '"level":"error"' not in log, log[-3000:]


def test_the_default_is_the_servers(ready, airflow):
    server = Server(ready.dir, settings(ready, airflow, "airflow local"))
    try:
        assert server.call("POST", ALL, body())[1]["runner"] == {"kind": "airflow"}
        until(lambda: dags(ready), lambda found: found == ["d"])
    finally:
        server.stop()
    server = Server(ready.dir)  # a server with its own runner only: what names none follows
    try:
        assert server.call("GET", f"{ALL}/d")[1]["runner"] == {"kind": "local"}
        status, answer, _ = server.call("PATCH", f"{ALL}/d", {"runner": {"kind": "airflow"}})
        assert status == 422 and answer["detail"][0]["loc"] == ["body", "runner", "kind"]
        assert "dispatch.kind" in answer["detail"][0]["msg"]
    finally:
        server.stop()


@pytest.mark.parametrize("kind", ["", "nope", "local local", "airflow nope"])
def test_a_kind_that_is_none(ready, kind):
    refused = ready.cli("serve", "--listen", "127.0.0.1:0", f"--set=dispatch.kind={kind}", check=False)
    assert refused.returncode != 0 and "dispatch.kind" in refused.stderr
