"""A crowd that wants nothing but to be in the way, and what it must not take from others: `./tools/bench siege` in
small, and each finding of its own."""

import asyncio
import json
import os
import resource
import signal
import socket
import sqlite3
import stat
import subprocess
import sys

import pytest
from conftest import BINARY, ROOT, Lake, Server
from deployments import ALL, ONE, body, fill, finished, ready, until  # noqa: F401 (a fixture)
from issuer import Issuer

sys.path.insert(0, str(ROOT / "bench"))
from siege import Crowd, ask, host_port, lay_siege, request, stop_or_continue  # noqa: E402 (found by the line above)

AREAS = ["http", "server", "database", "dispatch", "contract"]
EXAMPLE = "test_a_small_siege"


@pytest.fixture
def server(ready):
    started = Server(ready.dir)
    yield started
    started.stop()


def connect(server) -> socket.socket:
    made = socket.create_connection(host_port(server.url))
    made.settimeout(30)
    return made


def test_a_small_siege(tmp_path):
    issuer = Issuer()
    lake = fill(Lake(tmp_path))
    server = Server(lake.dir, {"auth.issuer": issuer.url, "server.connections": 100})
    try:
        tokens = [issuer.token(sub=f"person-{i}") for i in range(5)]
        assert server.call("GET", "/api/deployments", token=tokens[0])[0] == 200
        issuer.answers.clear()
        crowd = Crowd(idle=300, slow=50, strangers=4, people=5, seconds=4, pause=0.1)
        strange = issuer.token({"kid": "nobody-knows"})
        people, probe = asyncio.run(
            lay_siege(server.url, tokens, strange, lambda n: (ALL, body(name=f"d{n}")), crowd, lambda: None)
        )
        assert set(probe.answers) == {200}
        assert people.answers[200] > 0 and set(people.answers) <= {200, 201, 403, 429, 503}
        issuer.answers.set()
        assert server.call("GET", "/readyz")[0] == 200
    finally:
        issuer.answers.set()
        server.stop()
        issuer.stop()


def test_a_database_that_is_stopped(own_postgresql, ready):
    """It accepts connections and says nothing: health is answered, others hear so, and it is well again with it."""
    server = Server(ready.dir, {"store.location": own_postgresql.new_database(), "server.threads": 2})
    pid = own_postgresql.process.pid
    try:
        assert server.call("GET", "/api/deployments")[0] == 200
        stop_or_continue(pid, signal.SIGSTOP)
        answers = [server.call("GET", "/api/deployments") for _ in range(5)]
        assert {status for status, _, _ in answers} == {503}
        assert all("Retry-After" in headers for _, _, headers in answers)
        assert server.call("GET", "/healthz")[0] == 200 and server.call("GET", "/metrics", psk=None)[0] == 200
        until(lambda: server.call("GET", "/readyz")[0], lambda status: status == 503)
        stop_or_continue(pid, signal.SIGCONT)
        until(lambda: server.call("GET", "/readyz")[0], lambda status: status == 200)
        until(lambda: server.call("POST", ALL, body())[0], lambda status: status in (201, 409))
    finally:
        stop_or_continue(pid, signal.SIGCONT)
        server.stop()


def test_few_descriptors(ready):
    """More clients than the process may have files: the oldest ones go, and whoever asks is answered."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limited = ready.dir / "limited"
    limited.write_text(f'#!/bin/sh\nulimit -n 120\nexec {BINARY} "$@"\n')
    limited.chmod(0o755)
    server = Server(ready.dir, {"server.connections": 5000}, program=limited)
    held = []
    try:
        for _ in range(300):
            held.append(connect(server))
        assert server.call("GET", "/healthz")[0] == 200
        assert server.call("GET", "/api/deployments")[0] == 200
        assert "connections_limited" in server.log_file.read_text()
    finally:
        for connection in held:
            connection.close()
        server.stop()


@pytest.mark.parametrize("credential, status", [("", b"401"), ("Authorization-PSK: wrong\r\n", b"401")])
def test_who_may_not_ask_is_told_before_the_body(server, credential, status):
    with connect(server) as connection:
        connection.sendall(f"POST {ALL} HTTP/1.1\r\nHost: x\r\n{credential}Content-Length: 1000000\r\n\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 " + status)


def test_large_bodies_have_small_answers(server):
    for items in ("1", "[]", '"x"', "{}"):
        text = '{"name": "a", "allowed_roles": [' + ",".join([items] * (1_000_000 // (len(items) + 1))) + "]}"
        status, answer, _ = server.call("POST", ALL, raw=text.encode())
        assert status == 422 and len(json.dumps(answer)) < 100_000
    peak = int(next(x for x in open(f"/proc/{server.process.pid}/status") if x.startswith("VmHWM")).split()[1])
    assert peak < 400 * 1024


@pytest.mark.parametrize(
    "method, path, sent",
    [
        ("PATCH", "/api/models/m%00x/deployments/d%00zzz", b'{"owner": "z"}'),
        ("GET", "/api/deployments?owner=%00", None),
        ("PUT", f"{ONE}/allowed_roles", b'{"allowed_roles": ["admin\\u0000x"]}'),
        ("PATCH", ONE, b'{"owner": "a\\u0000b"}'),
    ],
)
def test_the_null_character_is_refused(server, method, path, sent):
    assert server.call("POST", ALL, body())[0] == 201
    assert server.call(method, path, raw=sent)[0] in (400, 422)
    assert server.call("GET", ONE)[1]["owner"] == "y"


@pytest.mark.parametrize("path", ["/api/models/m%FF/deployments/d/stop", "/api/deployments?owner=%C0%80"])
def test_bytes_that_are_no_text_are_refused(server, path):
    method = "POST" if path.endswith("stop") else "GET"
    assert server.call(method, path)[0] == 400
    assert all(b"\xff" not in json.dumps(entry).encode() for entry in server.call("GET", "/api/audit")[1]["items"])


def test_a_preference_counts_in_whichever_field_it_stands(server):
    sent = json.dumps({**body(), "nmae": "x"}).encode()
    head = (
        f"POST {ALL} HTTP/1.1\r\nHost: x\r\nAuthorization-PSK: {server.psk}\r\nContent-Type: application/json\r\n"
        f"Prefer: handling=strict\r\nPrefer: respond-async\r\nContent-Length: {len(sent)}\r\n\r\n"
    )
    with connect(server) as connection:
        connection.sendall(head.encode() + sent)
        assert connection.recv(65536).startswith(b"HTTP/1.1 422")


def test_nobody_else_tells_of_a_run_that_the_server_executes(server):
    server.call("POST", ALL, body())
    run = server.call("POST", f"{ONE}/trigger")[1]["run_id"]
    told = {"airflow_run_id": "z", "status": "succeeded", "rows_scored": 12345, "slipway": {"run_id": run}}
    status, answer, _ = server.call("POST", f"{ONE}/runs", told)
    assert status == 409 or answer["rows_scored"] != 12345, answer
    assert finished(server, run, ONE)["rows_scored"] != 12345


@pytest.mark.parametrize("subject", ["ana\u0000x", "ana\nx", "x" * 2000])
def test_a_subject_is_a_name(tmp_path, subject):
    issuer = Issuer()
    server = Server(Lake(tmp_path).dir, {"auth.issuer": issuer.url})
    try:
        assert server.call("GET", "/api/deployments", token=issuer.token(sub="ana"))[0] == 200
        assert server.call("GET", "/api/deployments", token=issuer.token(sub=subject))[0] == 401
    finally:
        server.stop()
        issuer.stop()


CHANGES = [
    ("PATCH", "", {"owner": "z"}),
    ("PUT", "/allowed_roles", {"allowed_roles": ["r"]}),
    ("POST", "/stop", None),
    ("POST", "/start", None),
    ("POST", "/trigger", None),
    ("POST", "/runs", {"airflow_run_id": "a", "status": "running"}),
    ("DELETE", "", None),
]


@pytest.mark.parametrize("method, path, sent", CHANGES, ids=[f"{m} {p}" for m, p, _ in CHANGES])
def test_without_its_audit_entry_no_change_is_made(server, method, path, sent):
    server.call("POST", ALL, body())
    before = server.call("GET", ONE)[1], server.call("GET", f"{ONE}/runs")[1]
    with sqlite3.connect(server.data_dir / "slipway.db", timeout=30) as store:
        store.execute("CREATE TRIGGER no_audit BEFORE INSERT ON audit BEGIN SELECT RAISE(FAIL, 'secret words'); END")
    status, answer, _ = server.call(method, ONE + path, sent)
    assert status >= 500 or status == 409, answer
    assert "secret" not in json.dumps(answer) and "INSERT" not in json.dumps(answer)
    assert (server.call("GET", ONE)[1], server.call("GET", f"{ONE}/runs")[1]) == before
    with sqlite3.connect(server.data_dir / "slipway.db", timeout=30) as store:
        store.execute("DROP TRIGGER no_audit")
    assert server.call(method, ONE + path, sent)[0] < 300
    (entry,) = [e for e in server.call("GET", "/api/audit")[1]["items"] if e["action"].startswith(method + " ")][:1]
    assert entry["status"] < 300


def test_a_store_that_breaks_tells_the_log_and_not_the_client(server):
    server.call("POST", ALL, body())
    with sqlite3.connect(server.data_dir / "slipway.db", timeout=30) as store:
        store.execute("ALTER TABLE runs RENAME TO gone")
    status, answer, headers = server.call("GET", f"{ONE}/runs", headers={"X-Request-Id": "r-7"})
    assert status == 500 and "SELECT" not in json.dumps(answer) and "r-7" in answer["detail"]
    log = server.log_file.read_text()
    assert "store_failed" in log and "request_failed" in log and "SELECT" not in log


def test_deployments_take_turns_and_have_a_quota(ready):
    server = Server(ready.dir, {"dispatch.queued_runs": 20, "clock.speed": 1})
    try:
        for name in ("busy", "other"):
            server.call("POST", ALL, body(name=name, target__table=name, schedule="0 * * * *"))
        span = {"from": "2024-01-01T00:00:00Z", "to": "2024-01-01T12:00:00Z"}
        assert server.call("POST", f"{ALL}/busy/backfill", span)[0] == 202
        run = server.call("POST", f"{ALL}/other/trigger")[1]["run_id"]
        status, answer, _ = server.call(
            "POST", f"{ALL}/busy/backfill", {"from": "2024-02-01T00:00:00Z", "to": "2024-02-02T00:00:00Z"}
        )
        assert status == 409 and "20 runs queued" in answer["detail"] and "cancel" in answer["detail"]
        finished(server, run, f"{ALL}/other")
        waiting = [r for r in server.call("GET", f"{ALL}/busy/runs")[1]["items"] if r["status"] == "queued"]
        assert len(waiting) >= 8  # the other's one run did not wait for them
        assert server.call("DELETE", f"{ALL}/busy")[0] == 200
    finally:
        server.stop()


def test_rates_have_a_limit_for_each_person(tmp_path):
    issuer = Issuer()
    server = Server(Lake(tmp_path).dir, {"auth.issuer": issuer.url, "server.requests_per_minute": 60})
    try:
        one, other = issuer.token(sub="one"), issuer.token(sub="other")
        answers = [server.call("GET", "/api/deployments", token=one) for _ in range(40)]
        limited = [headers for status, _, headers in answers if status == 429]
        assert limited and all("Retry-After" in headers for headers in limited)
        assert server.call("GET", "/api/deployments", token=other)[0] == 200
        assert server.call("GET", "/api/deployments")[0] == 200 and server.call("GET", "/healthz")[0] == 200
    finally:
        server.stop()
        issuer.stop()


def test_a_full_disk(ready):
    """The store's file cannot grow: 503 for what changes, readiness says so, and the log is no flood."""
    limited = ready.dir / "limited"
    limited.write_text(f'#!/bin/bash\ntrap "" XFSZ\nulimit -f 700\nexec {BINARY} "$@"\n')
    limited.chmod(0o755)
    server = Server(ready.dir, program=limited)
    try:
        statuses = set()
        for i in range(400):
            status, answer, headers = server.call("POST", ALL, body(name=f"d{i}", owner="o" * 5000))
            statuses.add(status)
            if status != 201:
                break
        assert status == 503 and "disk" in answer["detail"] and "Retry-After" in headers, answer
        until(lambda: server.call("GET", "/readyz")[0], lambda found: found == 503)
        assert server.call("GET", "/healthz")[0] == 200
        assert server.call("GET", "/api/deployments?limit=1")[0] == 200
        assert server.log_file.read_text().count("leases_failed") < 100
    finally:
        server.stop()


def modes(folder) -> dict:
    return {p.name: stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir() if not p.is_symlink()}


def test_files_are_nobody_elses_business(tmp_path):
    lake = Lake(tmp_path / "lake")
    data = tmp_path / "data"
    server = Server.__new__(Server)
    server.data_dir, server.program, server.log_file = data, BINARY, tmp_path / "log"
    server.log = open(server.log_file, "ab")
    old = os.umask(0)  # what would let everybody in
    try:
        server.start({}, {})
        server.stop()
    finally:
        os.umask(old)
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert all(mode & 0o027 == 0 for mode in modes(data).values()), modes(data)
    # What is open already: the folder stays as it is, which the log says; what Slipway made in it does not.
    data.chmod(0o755)
    (data / "slipway.db").chmod(0o644)
    server.start({}, {})
    server.stop()
    assert stat.S_IMODE(data.stat().st_mode) == 0o755 and modes(data)["slipway.db"] & 0o027 == 0
    assert "data_dir_open_to_others" in server.log_file.read_text()
    del lake


def test_plain_text_is_a_choice(tmp_path):
    def serve(*flags):
        return subprocess.run(
            [BINARY, "--data-dir", tmp_path / "data", "serve", *flags], capture_output=True, text=True, timeout=60
        )

    refused = serve("--set=server.listen=0.0.0.0:0", "--set=auth.issuer=https://127.0.0.1:1/realms/x")
    assert refused.returncode == 2 and "server.insecure" in refused.stderr, refused.stderr
    refused = serve("--set=auth.issuer=http://keycloak.example.com/realms/x")
    assert refused.returncode == 2 and "server.insecure" in refused.stderr, refused.stderr
    refused = serve("--set=server.insecure=perhaps")
    assert refused.returncode == 2 and "yes or no" in refused.stderr
    server = Server(Lake(tmp_path / "lake").dir, {"server.insecure": "yes"})
    try:
        assert '"insecure"' in server.log_file.read_text()
    finally:
        server.stop()


def test_who_asks_is_what_a_trusted_proxy_says(ready):
    for trusted, remote in (("", "127.0.0.1"), ("127.0.0.0/8", "203.0.113.9")):
        server = Server(ready.dir, {"server.trusted_proxies": trusted})
        try:
            server.call(
                "POST", f"{ALL}?validate_only=true", body(), headers={"X-Forwarded-For": "1.1.1.1, 203.0.113.9"}
            )
            assert server.call("GET", "/api/audit")[1]["items"][0]["remote"] == remote
        finally:
            server.stop()


def test_probes_wait_for_no_thread(ready):
    """All threads are held by clients whose requests hang; the probes are answered all the same."""
    server = Server(ready.dir, {"server.threads": 1, "server.queue": 1})
    try:
        with sqlite3.connect(server.data_dir / "slipway.db", timeout=30, isolation_level=None) as store:
            store.execute("BEGIN IMMEDIATE")  # changes wait
            with connect(server) as one, connect(server) as other:
                for connection in (one, other):
                    connection.sendall(
                        f"POST {ONE}/stop HTTP/1.1\r\nHost: x\r\nAuthorization-PSK: {server.psk}\r\n"
                        "Content-Length: 0\r\n\r\n".encode()
                    )
                for path in ("/healthz", "/metrics"):
                    assert asyncio.run(ask(host_port(server.url), request("GET", path))) == 200
            store.execute("ROLLBACK")
    finally:
        server.stop()
