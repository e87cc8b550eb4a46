"""An Airflow 3 that parses what lies in a folder and keeps the runs that it is asked for; their tasks do nothing."""

import json
import re
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class FakeAirflow:
    def __init__(self, dags: Path):
        self.dags, self.runs, self.paused, airflow = dags, {}, {}, self
        dags.mkdir(exist_ok=True)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = [urllib.parse.unquote(part) for part in self.path.split("?")[0].split("/")[1:]]
                status, body = airflow.answer(self.command, path, json.loads(sent) if sent else None)
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PATCH = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def parsed(self) -> list[dict]:
        found = []
        for file in self.dags.glob("slipway*.py"):
            digest = re.search(r'^DIGEST = "(\w+)"', file.read_text(), re.M).group(1)
            tags = [{"name": "slipway"}, {"name": f"slipway-{digest}"}]
            found.append({"dag_id": file.stem, "tags": tags, "is_paused": self.paused.get(file.stem, False)})
        return found

    def answer(self, method: str, path: list[str], body):
        if path == ["auth", "token"]:
            return 201, {"access_token": "t"}
        match method, path[2:]:
            case "GET", ["version"]:
                return 200, {"version": "3.0.0"}
            case "GET", ["dags"]:
                return 200, {"dags": self.parsed()}
            case "GET", ["importErrors"]:
                return 200, {"import_errors": []}
            case "GET", ["dags", "~", "dagRuns"]:
                return 200, {"dag_runs": list(self.runs.values())}
            case "POST", ["dags", dag, "dagRuns"]:
                self.run(dag, body["dag_run_id"], body["conf"], logical_date=body["logical_date"])
                return 200, self.runs[body["dag_run_id"]]
            case "GET", ["dags", _, "dagRuns", name] if name in self.runs:
                return 200, self.runs[name]
            case "PATCH", ["dags", _, "dagRuns", name] if name in self.runs:
                self.runs[name]["state"] = body["state"]
                return 200, self.runs[name]
            case "GET", ["dags", _, "dagRuns", name, "taskInstances", _] if name in self.runs:
                return 200, {"state": "running", "try_number": 1, "max_tries": 2}
            case "PATCH", ["dags", dag]:
                self.paused[dag] = body["is_paused"]
                return 200, {}
            case "PATCH" | "DELETE", _:
                return 200, {}
        return 404, {"detail": "not found"}

    def run(self, dag: str, name: str, conf: dict, logical_date=None) -> None:
        """A DAG run, whoever asked for it."""
        common = {"run_type": "manual", "state": "running", "run_after": "2024-05-05T00:00:00Z", "end_date": None}
        self.runs[name] = {"dag_id": dag, "dag_run_id": name, "conf": conf, "logical_date": logical_date, **common}

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()
