"""Webhooks: signed as Standard Webhooks' own library verifies it, retried, and given up as dead letters."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import standardwebhooks
from conftest import Server
from deployments import ONE, body, finished, ready, until  # noqa: F401 (a fixture)

AREAS = ["webhooks"]
EXAMPLE = "test_a_run_is_told_of_and_signed"

STORES = ("sqlite", "postgresql")

SECRET = "whsec_c2VjcmV0LWZvci10ZXN0cy1vZi13ZWJob29rcw=="


class Receiver:
    """Keeps what it was sent; answers with the statuses it is given, then 204."""

    def __init__(self, *statuses: int):
        self.statuses, self.got = list(statuses), []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                text = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((dict(self.headers), text))
                status = receiver.statuses.pop(0) if receiver.statuses else 204
                if status == 0:
                    return self.connection.close()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/hook"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def events(self) -> list[dict]:
        return [json.loads(text) for _, text in self.got]


def serve(lake, receiver, **settings):
    return Server(
        lake.dir,
        {
            "webhooks.pager.url": receiver.url,
            "webhooks.pager.secret": SECRET,
            "webhooks.pager.pause_seconds": 0,
            **{f"webhooks.pager.{name}": value for name, value in settings.items()},
        },
    )


def run(server):
    server.call("POST", "/api/models/m/deployments", body())
    return finished(server, server.call("POST", f"{ONE}/trigger")[1]["run_id"])


def test_a_run_is_told_of_and_signed(ready):
    receiver = Receiver()
    server = serve(ready, receiver, events="run.queued run.running run.succeeded run.failed")
    try:
        done = run(server)
        until(lambda: len(receiver.got), lambda count: count == 3)
        assert [e["event"] for e in receiver.events()] == ["run.queued", "run.running", "run.succeeded"]
        last = receiver.events()[-1]
        assert (
            last["run_id"] == done["run_id"]
            and last["rows_scored"] == 300
            and last["model"] == "m"
            and last["deployment"] == "d"
        )
        for headers, text in receiver.got:
            standardwebhooks.Webhook(SECRET).verify(text, {k.lower(): v for k, v in headers.items()})
        headers, text = receiver.got[0]
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            standardwebhooks.Webhook(SECRET).verify(text + b" ", {k.lower(): v for k, v in headers.items()})
        assert SECRET not in server.log_file.read_text()
    finally:
        server.stop()


def test_what_fails_is_tried_again_with_the_same_id(ready):
    receiver = Receiver(500, 0, 302, 429)
    server = serve(ready, receiver)
    try:
        run(server)
        until(lambda: len(receiver.got), lambda count: count == 5)
        assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
        assert [e["event"] for e in receiver.events()] == ["run.succeeded"] * 5
        until(
            lambda: server.call("GET", "/metrics", psk=None)[1], lambda text: 'deliveries{status="pending"} 0' in text
        )
    finally:
        server.stop()


def test_dead_letters(ready):
    receiver = Receiver(*[500] * 4)
    server = serve(ready, receiver, attempts=2, events="run.succeeded run.failed")
    dead = "/api/webhooks/dead-letters"
    try:
        run(server)
        run(server)
        letters = until(lambda: server.call("GET", dead)[1]["items"], lambda items: len(items) == 2)
        assert {(e["webhook"], e["event"], e["status"], e["attempts"], e["last_error"]) for e in letters} == {
            ("pager", "run.succeeded", "dead", 2, "answered 500")
        }
        page = server.call("GET", f"{dead}?limit=1")[1]
        assert page["items"] == letters[:1]
        assert server.call("GET", f"{dead}?limit=1&cursor={page['next_cursor']}")[1]["items"] == letters[1:]
        assert server.call("POST", f"{dead}/{letters[0]['delivery_id']}/retry")[0] == 204
        until(lambda: len(receiver.got), lambda count: count == 5)
        assert receiver.got[-1][0]["webhook-id"] == letters[0]["delivery_id"]
        assert server.call("DELETE", f"{dead}/{letters[1]['delivery_id']}")[0] == 204
        assert server.call("GET", dead)[1]["items"] == []
        assert server.call("POST", f"{dead}/{letters[1]['delivery_id']}/retry")[0] == 404
    finally:
        server.stop()


def test_what_is_queued_outlives_the_server(ready):
    receiver = Receiver()
    receiver.http.shutdown()
    server = serve(ready, receiver, pause_seconds=1)
    run(server)
    server.kill()
    again = Receiver()
    server = serve(ready, again)
    try:
        until(lambda: len(again.got), lambda count: count == 1)
        assert again.events()[0]["event"] == "run.succeeded"
    finally:
        server.stop()


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"webhooks.a.url": "ftp://x", "webhooks.a.secret": "s"}, "http://"),
        ({"webhooks.a.url": "http://x"}, "secret is missing"),
        (
            {"webhooks.a.url": "http://x", "webhooks.a.secret": "s", "webhooks.a.events": "run.gone"},
            "no event 'run.gone'",
        ),
        ({"webhooks.a.nope": "x"}, "no setting"),
    ],
)
def test_settings_that_cannot_work(lake, settings, words):
    refused = lake.cli(
        "serve", "--listen", "127.0.0.1:0", *(f"--set={k}={v}" for k, v in settings.items()), check=False
    )
    assert refused.returncode == 2 and words in refused.stderr
