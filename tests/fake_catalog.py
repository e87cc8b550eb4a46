"""An Iceberg REST catalog that knows its callers by their tokens, and an issuer that exchanges tokens (RFC 8693). It
only gives tables out."""

import base64
import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SERVER = "the-servers-own"  # the token that Slipway itself has there
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


def subject_of(token: str) -> str:
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["sub"]


class FakeCatalog:
    """`tables`: metadata by (schema, table); `lets`: by subject, what happens to each table that is not given out: a
    status."""

    def __init__(self, tables: dict, lets: dict):
        self.tables, self.lets, self.asked, self.exchanged = tables, lets, [], []
        self.exchanges = False  # the catalog takes exchanged tokens only
        catalog = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                sent = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                status, body = catalog.answer(self.path, self.headers.get("Authorization", ""), sent)
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def who(self, authorization: str) -> str | None:
        token = authorization.removeprefix("Bearer ")
        if token == SERVER:
            return SERVER
        if self.exchanges:
            return token.removeprefix("for-the-catalog-") if token.startswith("for-the-catalog-") else None
        try:
            return subject_of(token)
        except (IndexError, ValueError):
            return None

    def answer(self, path: str, authorization: str, sent: str):
        path = path.split("?")[0]
        if path == "/token":
            form = dict(urllib.parse.parse_qsl(sent))
            self.exchanged.append(form)
            if form.get("grant_type") != EXCHANGE or form.get("client_secret") != "of-slipway":
                return 400, {"error": "invalid_client"}
            who = subject_of(form["subject_token"])
            if who == "unknown":
                return 400, {"error": "invalid_request", "error_description": "nobody is called unknown"}
            return 200, {"access_token": f"for-the-catalog-{who}", "token_type": "Bearer", "expires_in": 60}
        who = self.who(authorization)
        if who is None or who not in (SERVER, *self.lets):
            return 401, {"error": {"message": "who are you?", "type": "NotAuthorizedException", "code": 401}}
        if path == "/v1/config":
            return 200, {"defaults": {}, "overrides": {}}
        _, _, _, schema, _, table = [urllib.parse.unquote(part) for part in path.split("/")]
        self.asked.append((who, f"{schema}.{table}"))
        status = self.lets.get(who, {}).get((schema, table))
        if status:
            return status, {"error": {"message": f"{schema}.{table} is not for {who}", "code": status}}
        if (schema, table) not in self.tables:
            return 404, {"error": {"message": f"there is no {schema}.{table}", "code": 404}}
        return 200, {"metadata-location": "s3://x/1.json", "metadata": self.tables[schema, table], "config": {}}

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()
