"""What makes a server one to trust: TLS, limits, slow clients, backpressure, a graceful stop, probes, configuration,
its page."""

import concurrent.futures
import datetime
import gzip
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

import cloudpickle
import mlflow.pyfunc
import pytest
from conftest import BINARY, Server
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from deployments import ALL, ONE, body, finished, ready, until  # noqa: F401 (a fixture)
from ipaddress import ip_address
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

AREAS = ["http", "server"]
EXAMPLE = "test_metrics_and_logs"

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # models carry this module's functions along


@pytest.fixture
def server(ready):
    started = Server(ready.dir, {"server.read_seconds": 2, "server.connections": 40})
    yield started
    started.stop()


def certificate(folder, serial: int):
    """A self-signed certificate for 127.0.0.1 in folder/cert.pem and folder/key.pem."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "slipway-test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    for file, text in (
        (
            "key.pem",
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        ),
        ("cert.pem", made.public_bytes(serialization.Encoding.PEM)),
    ):
        (folder / (file + ".new")).write_bytes(text)
        os.replace(folder / (file + ".new"), folder / file)


def serial_of(port: int) -> int:
    return x509.load_pem_x509_certificate(ssl.get_server_certificate(("127.0.0.1", port)).encode()).serial_number


def test_tls_and_a_new_certificate(ready):
    certificate(ready.dir, 1111)
    server = Server(
        ready.dir, {"server.tls_certificate": ready.dir / "cert.pem", "server.tls_key": ready.dir / "key.pem"}
    )
    try:
        assert server.url.startswith("https://")
        port = int(server.url.rsplit(":", 1)[1])
        context = ssl.create_default_context(cafile=ready.dir / "cert.pem")
        assert json.loads(urllib.request.urlopen(server.url + "/healthz", context=context).read()) == {"status": "ok"}
        listed = ready.cli("--server", server.url, "--ca-file", str(ready.dir / "cert.pem"), "deployments")
        assert "NAME" in listed.stdout
        assert serial_of(port) == 1111
        certificate(ready.dir, 2222)
        until(lambda: serial_of(port), lambda serial: serial == 2222)
        (ready.dir / "cert.pem").write_text("broken")
        assert serial_of(port) == 2222
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)), socket.create_connection(("127.0.0.1", port)) as plain:
            old.wrap_socket(plain)
        with socket.create_connection(("127.0.0.1", port)) as plain:  # no handshake: no answer, and nothing breaks
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            plain.settimeout(10)
            assert b"HTTP/1.1 200" not in plain.recv(1000)
        certificate(ready.dir, 3333)
        until(lambda: serial_of(port), lambda serial: serial == 3333)
    finally:
        server.stop()


def test_tls_files_that_cannot_work(ready):
    certificate(ready.dir, 1)
    (ready.dir / "other").mkdir()
    certificate(ready.dir / "other", 2)
    for flags, words in (
        (["server.tls_certificate=/nope"], "go together"),
        (["server.tls_certificate=/nope", "server.tls_key=/nope"], "/nope"),
        ([f"server.tls_certificate={ready.dir}/cert.pem", f"server.tls_key={ready.dir}/other/key.pem"], "mismatch"),
    ):
        refused = ready.cli("serve", "--listen", "127.0.0.1:0", *(f"--set={flag}" for flag in flags), check=False)
        assert refused.returncode == 2 and words in refused.stderr, refused.stderr


def connect(server) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", int(server.url.rsplit(":", 1)[1])))
    made.settimeout(20)
    return made


def everything(connection) -> bytes:
    got = b""
    while True:
        try:
            more = connection.recv(65536)
        except ConnectionResetError:
            return got
        if not more:
            return got
        got += more


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n",
        b"",
        b"POST /api/models/m/deployments HTTP/1.1\r\nAuthorization-PSK: KEY\r\nContent-Length: 100\r\n\r\nabc",
    ],
)
def test_a_client_that_never_finishes_is_hung_up_on(server, sent):
    with connect(server) as connection:
        connection.sendall(sent.replace(b"KEY", server.psk.encode()))
        assert everything(connection) == b""
    assert server.call("GET", "/healthz")[0] == 200


@pytest.mark.parametrize(
    "sent, status",
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/9.9\r\n\r\n", b"400"),
        (b"GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.1\r\nA: " + b"x" * 70_000 + b"\r\n\r\n", b"431"),
        (b"GET /healthz HTTP/1.1\r\n" + b"A: b\r\n" * 20_000 + b"\r\n", b"431"),
        (
            b"POST /api/models/m/deployments HTTP/1.1\r\nAuthorization-PSK: KEY\r\nContent-Length: 2000000\r\n\r\n",
            b"413",
        ),
        (b"POST /api/user/psk HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n", b"401"),
        (b"POST /api/user/psk HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (
            b"POST /api/models/m/deployments HTTP/1.1\r\nAuthorization-PSK: KEY\r\n"
            b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"400",
        ),
        (b"GET /" + b"a/" * 20_000 + b" HTTP/1.1\r\nConnection: close\r\n\r\n", b"404"),
        (b"GET /healthz\0 HTTP/1.1\r\nConnection: close\r\n\r\n", b"400"),
        (b"BREW /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", b"405"),
        (b"GET * HTTP/1.1\r\nConnection: close\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.0\r\n\r\n", b"200"),
    ],
)
def test_requests_that_are_wrong(server, sent, status):
    with connect(server) as connection:
        connection.sendall(sent.replace(b"KEY", server.psk.encode()))
        assert everything(connection).startswith((b"HTTP/1.1 " + status, b"HTTP/1.0 " + status))
    assert server.call("GET", "/healthz")[0] == 200


def test_requests_in_one_piece_and_byte_by_byte(server):
    with connect(server) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\n\r\n" * 2 + b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert everything(connection).count(b"HTTP/1.1 200") == 3
    with connect(server) as connection:
        for byte in b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n":
            connection.sendall(bytes([byte]))
        assert everything(connection).startswith(b"HTTP/1.1 200")


def test_too_many_connections(server):
    """Whoever only waits gives way to those who ask."""
    held = [connect(server) for _ in range(200)]
    try:
        assert server.call("GET", "/healthz")[0] == 200
        assert everything(held[0]) == b""  # the oldest ones were closed
    finally:
        for connection in held:
            connection.close()


def test_backpressure(ready):
    """With one handler and no queue, whoever comes while it is busy is told to come again."""
    server = Server(ready.dir, {"server.threads": 1, "server.queue": 0})
    try:
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda i: server.call("POST", ALL, body(name=f"d{i}")), range(200)))
        statuses = [status for status, _, _ in answers]
        assert set(statuses) == {201, 429}
        assert all(headers["Retry-After"] for status, _, headers in answers if status == 429)
        stored, cursor = 0, ""
        while cursor is not None:
            page = server.call("GET", f"{ALL}?limit=100" + (f"&cursor={cursor}" if cursor else ""))[1]
            stored, cursor = stored + len(page["items"]), page["next_cursor"]
        assert stored == statuses.count(201)
    finally:
        server.stop()


def test_a_graceful_stop_finishes_what_was_asked(ready):
    server = Server(ready.dir)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(server.call, "POST", ALL, body(name=f"d{i}")) for i in range(100)]
        until(lambda: sum(f.done() for f in asked), lambda done: done >= 10)
        assert server.stop() == 0
        made = set()
        for i, answer in enumerate(asked):
            try:
                if answer.result()[0] == 201:
                    made.add(f"d{i}")
            except OSError:
                pass  # it came after the door was closed
    again = Server(ready.dir)
    try:
        stored = {d["name"] for d in again.call("GET", f"{ALL}?limit=500")[1]["items"]}
        assert made <= stored and len(made) >= 10
    finally:
        again.stop()


def test_kill_9_loses_nothing_that_was_answered(ready):
    server = Server(ready.dir)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(server.call, "POST", ALL, body(name=f"d{i}")) for i in range(100)]
        until(lambda: sum(f.done() for f in asked), lambda done: done >= 10)
        server.kill()
        made = {f"d{i}" for i, answer in enumerate(asked) if answer.exception() is None and answer.result()[0] == 201}
    again = Server(ready.dir)
    try:
        stored = {d["name"] for d in again.call("GET", f"{ALL}?limit=500")[1]["items"]}
        assert made <= stored and len(made) >= 10
    finally:
        again.stop()


class WaitsForAFile(mlflow.pyfunc.PythonModel):
    """Scores when `file` is there; until then there is `file`.asked."""

    def __init__(self, file: str):
        self.file = file

    def predict(self, context, model_input, params=None):
        open(self.file + ".asked", "w").close()
        while not os.path.exists(self.file):
            time.sleep(0.02)
        return model_input["f0"]


def test_kill_9_during_a_run_leaves_the_port_free(ready):
    """The scoring process, and the model's, go on; they hold neither the port nor its callers' connections."""
    go = ready.dir / "open" / "go"
    go.parent.mkdir()
    one_number = ModelSignature(inputs=Schema([ColSpec("double", "f0")]), outputs=Schema([ColSpec("double")]))
    ready.register_python("waits", WaitsForAFile(str(go)), one_number)
    server = Server(ready.dir, {"python.writable": str(go.parent)})
    port = server.url.rsplit(":", 1)[1]
    with connect(server) as caller:
        one = "/api/models/waits/deployments/d"
        assert (
            server.call(
                "POST", "/api/models/waits/deployments", body(model={"model_name": "waits", "model_version": "1"})
            )[0]
            == 201
        )
        run_id = server.call("POST", f"{one}/trigger")[1]["run_id"]
        until((go.parent / "go.asked").exists, bool)
        server.kill()
        assert everything(caller) == b""  # nobody has it any more
    again = Server(ready.dir, {"server.listen": f"127.0.0.1:{port}"})
    try:
        assert again.url.endswith(f":{port}") and again.call("GET", "/healthz")[0] == 200
        assert again.call("GET", f"{one}/runs/{run_id}")[1]["status"] == "running"
        go.touch()
        assert finished(again, run_id, one)["status"] == "succeeded"
        assert len(ready.rows()) == 300
    finally:
        again.stop()


def test_metrics_and_logs(ready, server):
    server.call("POST", ALL, body())
    run = finished(
        server,
        server.call(
            "POST",
            f"{ONE}/trigger",
            headers={"X-Request-Id": "r-1", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
        )[1]["run_id"],
    )
    text = until(
        lambda: server.call("GET", "/metrics", psk=None)[1],
        lambda text: "slipway_rows_scored_total 300" in text and 'runs_in_progress{state="running"} 0' in text,
    )
    for name in (
        'slipway_requests_total{method="POST",route="/api/models/{model}/deployments",status="201"} 1',
        'slipway_runs_total{status="succeeded"} 1',
        'slipway_stage_seconds_total{stage="score"}',
        "slipway_queue_age_seconds 0",
        'slipway_runs_in_progress{state="running"} 0',
        "slipway_request_seconds_bucket",
    ):
        assert name in text, name
    subprocess.run(
        [
            os.sys.executable,
            "-c",
            "import sys; from prometheus_client.parser import text_string_to_metric_families as p; "
            "assert list(p(sys.stdin.read()))",
        ],
        input=text,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in server.log_file.read_text().splitlines()]
    (request,) = [line for line in lines if line.get("request_id") == "r-1"]
    assert (
        request["event"] == "request"
        and request["trace"] == "0af7651916cd43dd8448eb211c80319c"
        and request["actor"] == "platform"
    )
    assert any(line["event"] == "run_ended" and line["run_id"] == run["run_id"] for line in lines)


def test_configuration(ready):
    file = ready.dir / "slipway.toml"
    file.write_text(
        '[server]\nthreads = 7\nqueue = 9\n[auth]\nservice_secret = "very secret"\n'
        '[webhooks.pager]\nurl = "http://127.0.0.1:1/"\nsecret = "signing"\n'
        '[store]\nlocation = "postgresql://me:hidden@db/slipway"\n'
    )
    environment = {**os.environ, "SLIPWAY_SERVER_QUEUE": "11", "SLIPWAY_WEBHOOKS_PAGER_ATTEMPTS": "3"}

    def config(*args, env=None):
        return subprocess.run(
            [BINARY, "--data-dir", ready.dir, "config", *args], capture_output=True, text=True, env=env or environment
        )

    shown = config("--set", "server.read_seconds=5").stdout
    value = lambda name: re.search(rf"^{re.escape(name)} += (.*?) +# (.*?);", shown, re.M).groups()  # noqa: E731
    assert value("server.threads") == ("7", str(file)) and value("server.queue") == ("11", "$SLIPWAY_SERVER_QUEUE")
    assert value("server.read_seconds") == ("5", "--set") and value("webhooks.pager.attempts")[0] == "3"
    assert (
        value("auth.service_secret")[0] == "****"
        and "very secret" not in shown
        and "signing" not in shown
        and "hidden" not in shown
    )
    for args, env, words in (
        (["--set", "server.thread=1"], None, "server.thread"),
        (["--set", "server.threads=many"], None, "whole number"),
        ([], {**os.environ, "SLIPWAY_SERVER_TREADS": "1"}, "SLIPWAY_SERVER_TREADS"),
    ):
        refused = config(*args, env=env)
        assert refused.returncode == 2 and words in refused.stderr, refused.stderr
    for text, words in (
        ("[server]\nthread = 1", "server.thread"),
        ("threads = 1", "outside"),
        ("[server]\nthreads = 1.5", "line 2"),
        ("[server", "line 1"),
    ):
        file.write_text(text)
        refused = config()
        assert refused.returncode == 2 and words in refused.stderr, refused.stderr


def test_the_page_of_the_api(server):
    status, page, headers = server.call("GET", "/docs", psk=None)
    assert (
        status == 200
        and headers["Content-Type"].startswith("text/html")
        and "default-src 'self'" in headers["Content-Security-Policy"]
    )
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert links and not any("//" in link for link in links)
    for link in links:
        with urllib.request.urlopen(f"{server.url}/{link}") as answer:
            whole, tag = answer.read(), answer.headers["ETag"]
        assert answer.status == 200 and len(whole) > 100
        with urllib.request.urlopen(
            urllib.request.Request(f"{server.url}/{link}", headers={"Accept-Encoding": "gzip"})
        ) as answer:
            packed = answer.headers["Content-Encoding"] == "gzip"
            assert packed == link.endswith((".js", ".css")) or link.endswith("start.js")
            assert (gzip.decompress(answer.read()) if packed else answer.read()) == whole
        with pytest.raises(urllib.error.HTTPError, match="304"):
            urllib.request.urlopen(urllib.request.Request(f"{server.url}/{link}", headers={"If-None-Match": tag}))


def test_platform_keys_rotate(ready, server):
    old = server.psk
    ready.cli("rotate-psk")
    new = (ready.dir / "platform.psk").read_text().split()[0]
    assert new != old
    assert {server.call("GET", "/api/deployments", psk=key)[0] for key in (old, new)} == {200}
    ready.cli("rotate-psk", "--only")
    assert [server.call("GET", "/api/deployments", psk=key)[0] for key in (old, new)] == [401, 401]
    assert server.call("GET", "/api/deployments", psk=(ready.dir / "platform.psk").read_text().strip())[0] == 200


def test_signals_end_it(ready):
    for number in (signal.SIGTERM, signal.SIGINT):
        server = Server(ready.dir)
        server.process.send_signal(number)
        assert server.process.wait(timeout=20) == 0
