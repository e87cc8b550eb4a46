"""A proxy that loses, delays and forges answers: for the faults that real servers and networks have."""

import http.client
import http.server
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Fault:
    """What happens to one request. By default it passes."""

    forward: bool = True  # whether the server sees it
    status: int | None = None  # an answer of our own
    body: bytes = b""
    headers: dict = field(default_factory=dict)
    drop: bool = False  # no answer: the connection is closed
    seconds: float = 0  # before the answer
    path: str | None = None  # where it is forwarded to instead


@dataclass
class Seen:
    method: str
    path: str
    headers: dict
    body: bytes
    status: int | None = None


class Proxy:
    """Forwards to `target`, which may have a path before the requests'. `rule(seen)` gives the fault of a
    request, or None; all that came is in `seen`."""

    def __init__(self, target: str, rule: Callable[[Seen], Fault | None] = lambda _: None):
        self.target, self.rule, self.seen = target, rule, []
        self.answered = threading.Event()  # set when the server has answered a request, whoever waits for that
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self):
                try:
                    super().handle_one_request()
                except (ConnectionError, TimeoutError):
                    self.close_connection = True

            def do_any(self):
                proxy.handle(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_any

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def handle(self, handler) -> None:
        body = read_body(handler)
        seen = Seen(handler.command, handler.path, dict(handler.headers), body)
        fault = self.rule(seen) or Fault()
        self.seen.append(seen)
        status, headers, answer = fault.status, fault.headers, fault.body
        if fault.forward:
            target = urllib.parse.urlsplit(self.target)
            connection = http.client.HTTPConnection(target.hostname, target.port, timeout=60)
            kept = {
                k: v
                for k, v in handler.headers.items()
                if k.lower() not in ("connection", "keep-alive", "transfer-encoding", "expect", "content-length")
            }
            try:
                connection.request(handler.command, target.path + (fault.path or handler.path), body, kept)
                real = connection.getresponse()
                text = real.read()
            except OSError:
                seen.status = 502
                status, answer = status or 502, b"the server behind the proxy is down"
            else:
                seen.status = real.status
                if status is None:
                    status, answer = real.status, text
                    length = () if handler.command == "HEAD" else ("content-length",)
                    headers = {
                        k: v
                        for k, v in real.getheaders()
                        if k.lower() not in ("connection", "transfer-encoding", "date", "server", *length)
                    }
            finally:
                connection.close()
                self.answered.set()
        time.sleep(fault.seconds)
        if fault.drop:
            handler.close_connection = True
            return
        handler.send_response(status or 500)
        for name, value in headers.items():
            handler.send_header(name, value)
        if handler.command != "HEAD":
            handler.send_header("Content-Length", str(len(answer)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(answer)

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def read_body(handler) -> bytes:
    if "chunked" not in (handler.headers.get("Transfer-Encoding") or ""):
        return handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    body = b""
    while size := int(handler.rfile.readline().split(b";")[0], 16):
        body += handler.rfile.read(size)
        handler.rfile.readline()
    while handler.rfile.readline().strip():
        pass  # trailers
    return body
