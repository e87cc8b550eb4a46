"""Callbacks of batch DAGs in every order: the records agree with a model of what they may become.

A thousand sequences run without HTTP in src/deployments/reports_test.cc; these show that the way from a request to a
record is the same. SLIPWAY_CALLBACK_SEQUENCES: how many."""

import http.client
import json
import os
import random
import uuid

from deployments import ALL, ONE, body, ready  # noqa: F401 (a fixture)

AREAS = ["deployments"]

SEQUENCES = int(os.environ.get("SLIPWAY_CALLBACK_SEQUENCES", 60))
FINAL = ("succeeded", "failed")


class Model:
    """What the contract says of one run: what is final stays, and a running one is not queued again."""

    def __init__(self):
        self.status = self.rows = self.error = None

    def take(self, status, rows, error) -> None:
        if self.status in FINAL or (self.status == "running" and status == "queued"):
            return
        self.status = status
        self.rows = self.rows if rows is None else rows
        self.error = None if status == "succeeded" else self.error if error is None else error


def sequence(rng: random.Random):
    """Reports of one to three runs, repeated, reordered, of a cleared run too, and of runs that nobody knew."""
    names = [f"dag-{uuid.UUID(int=rng.getrandbits(128))}" for _ in range(rng.randint(1, 3))]
    ids = {
        name: [None]
        if rng.random() < 0.6
        else [str(uuid.UUID(int=rng.getrandbits(128))) for _ in range(rng.randint(1, 2))]
        for name in names
    }
    reports = []
    for name in names:
        for run_id in ids[name]:
            life = [
                ("queued", None, None),
                ("running", None, None),
                ("running", rng.randint(0, 9), None),
                ("succeeded", rng.randint(0, 99), None)
                if rng.random() < 0.6
                else ("failed", None, f"e{rng.randint(0, 9)}"),
            ]
            reports += [(name, run_id, *step) for step in life if rng.random() < 0.8]
    reports += [rng.choice(reports) for _ in range(rng.randint(0, 4))] if reports else []
    if rng.random() < 0.7:
        rng.shuffle(reports)
    return reports


def test_callbacks_in_every_order(ready, server):
    server.call("POST", ALL, body())
    rng, models, told = random.Random(20261124), {}, 0
    address = server.url.removeprefix("http://")
    connection = http.client.HTTPConnection(address)

    def call(method, path, sent=None):
        connection.request(
            method,
            path,
            None if sent is None else json.dumps(sent),
            {"Content-Type": "application/json", "Authorization-PSK": server.psk},
        )
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    for _ in range(SEQUENCES):
        for name, run_id, status, rows, error in sequence(rng):
            sent = {"airflow_run_id": name, "status": status, "rows_scored": rows, "error_message": error}
            if run_id:
                sent["slipway"] = {"run_id": run_id, "logical_date": "2024-01-01T00:00:00Z"}
            model = models.setdefault((name, run_id), Model())
            model.take(status, rows, error)
            code, told_back = call("POST", f"{ONE}/runs", sent)
            told += 1
            assert code == 200 and told_back["airflow_run_id"] == name and run_id in (None, told_back["run_id"])
            assert (told_back["status"], told_back["rows_scored"], told_back["error_message"]) == (
                model.status,
                model.rows,
                model.error,
            ), sent
    records, cursor = {}, ""
    while cursor is not None:
        code, page = call("GET", f"{ONE}/runs?limit=500{cursor and f'&cursor={cursor}'}")
        records |= {(run["airflow_run_id"], run["run_id"]): run for run in page["items"]}
        cursor = page["next_cursor"]
    assert len(records) == len(models)
    by_name = {name: run for (name, _), run in records.items()}
    for (name, run_id), model in models.items():
        run = records[name, run_id] if run_id else by_name[name]
        assert (run["status"], run["rows_scored"], run["error_message"]) == (model.status, model.rows, model.error)
        assert (run["finished_at"] is not None) == (model.status in FINAL)
    print(f"{SEQUENCES} sequences, {told} reports, {len(models)} runs")
