"""What happens to a deployment after it was made: changes, stops, cancels, backfills, callbacks, lists; and ticks that
nobody saw."""

import datetime
import json
import random
import time

import pytest
from conftest import SLOWER, Server
from deployments import ALL, ONE, body, finished, ready, until  # noqa: F401 (a fixture)
from models import numbers, with_ids

AREAS = ["server", "deployments", "dispatch"]
EXAMPLE = "test_stop_start_and_archive"

STORES = ("sqlite", "postgresql")

BUSY_ROWS = 1_500_000 // SLOWER  # what takes a while to score

CALLBACK = f"{ONE}/runs"


@pytest.fixture
def server(ready):
    started = Server(ready.dir)
    yield started
    started.stop()


def big(lake):
    lake.catalog.drop_table("src.t")
    lake.table("src.t", with_ids(numbers(BUSY_ROWS)))


def test_a_change(ready, server):
    made = server.call("POST", ALL, body(schedule="0 6 * * *"))[1]
    status, changed, _ = server.call(
        "PATCH", ONE, {"schedule": None, "owner": "z", "filter_sql": "id < 7", "model_alias": "champion"}
    )
    assert status == 200 and changed["schedule"] is None and changed["owner"] == "z" and changed["domain"] == "x"
    assert changed["updated_at"] > made["updated_at"] and changed["created_at"] == made["created_at"]
    run = finished(server, server.call("POST", f"{ONE}/trigger")[1]["run_id"])
    assert run["rows_scored"] == 7
    for wrong, status, words in (
        ({"schedule": "99 * * * *"}, 422, "minute"),
        ({"filter_sql": "nope = 1"}, 422, "nope"),
        ({"model_version": "9"}, 404, "9"),
        ({"model_version": "1", "model_alias": "champion"}, 422, "only one"),
        ({"model_version": None}, 422, "must stay set"),
        ({"rerun_behavior": "x"}, 422, "Input should be"),
        ({"snapshot_id": 5}, 404, "snapshot"),
    ):
        got, answer, _ = server.call("PATCH", ONE, wrong)
        assert got == status and words in json.dumps(answer), answer
    assert server.call("GET", ONE)[1] == {**changed, "last_run": server.call("GET", ONE)[1]["last_run"]}
    assert server.call("PATCH", ONE, {"ownr": "q"})[0] == 200


FIXED = [
    "name",
    "model",
    "source",
    "target",
    "entity_columns",
    "type",
    "partition_column",
    "trigger_now",
    "allowed_roles",
    "status",
    "deployment_id",
    "created_at",
    "updated_at",
    "created_by",
    "created_by_kind",
    "rights_of",
    "rights_of_kind",
    "resolved_model_version",
    "dag_id",
    "dag_s3_uri",
    "last_run",
    "service_url",
    "replica_count",
    "ready_replicas",
    "error_message",
    "stopped_at",
    "next_tick",
    "replaces",
]


def test_a_field_that_cannot_change_is_refused_by_name(ready, server):
    made = server.call("POST", ALL, body())[1]
    assert set(made) <= {
        *FIXED,
        "schedule",
        "rerun_behavior",
        "owner",
        "domain",
        "runner",
        "timeout",
        "retries",
        "retry_delay",
        "model_version",
        "model_alias",
    }
    for field in FIXED:
        status, answer, _ = server.call("PATCH", ONE, {field: made.get(field), "owner": "z"})
        assert status == 422 and [(e["type"], e["loc"]) for e in answer["detail"]] == [
            ("value_error", ["body", field])
        ], answer
    both = server.call(
        "PATCH", ONE, {"target": {"schema": "ml", "table": "q"}, "status": "stopped", "rerun_behavior": "x"}
    )[1]["detail"]
    assert sorted(e["loc"][-1] for e in both) == ["rerun_behavior", "status", "target"]
    assert "filter_sql" in server.call("PATCH", ONE, {"source": {"filter_sql": "id < 7"}})[1]["detail"][0]["msg"]
    wrong = server.call("PATCH", ONE, {"filter_sql": "id >", "schedule": "61 * * * *", "runner": {"kind": "airflow"}})[
        1
    ]["detail"]
    assert sorted(e["loc"] for e in wrong) == [["body", "filter_sql"], ["body", "runner", "kind"], ["body", "schedule"]]
    assert sorted(e["input"] for e in wrong) == ["61 * * * *", "airflow", "id >"]
    assert server.call("GET", ONE)[1] == made
    assert server.call("PATCH", ONE, {"runner": {"kind": "local"}})[1]["runner"] == {"kind": "local"}


def test_stop_start_and_archive(ready, server):
    server.call("POST", ALL, body())
    status, stopped, _ = server.call("POST", f"{ONE}/stop")
    assert status == 200 and stopped["status"] == "stopped" and stopped["stopped_at"]
    assert server.call("POST", f"{ONE}/trigger")[0] == 409 and server.call("POST", f"{ONE}/stop")[0] == 200
    status, started, _ = server.call("POST", f"{ONE}/start")
    assert started["status"] == "active" and started["stopped_at"] is None
    run_id = server.call("POST", f"{ONE}/trigger")[1]["run_id"]
    finished(server, run_id)
    status, archived, _ = server.call("DELETE", ONE)
    assert status == 200 and archived["status"] == "archived"
    assert server.call("GET", ONE)[0] == 404 and server.call("GET", ALL)[1]["items"] == []
    listed = server.call("GET", f"{ALL}?status=archived")[1]["items"]
    assert [d["deployment_id"] for d in listed] == [archived["deployment_id"]] and listed[0]["last_run"][
        "run_id"
    ] == run_id
    status, again, _ = server.call("POST", ALL, body())
    assert status == 201 and again["deployment_id"] != archived["deployment_id"]


@pytest.mark.parametrize("when", ["queued", "running"])
def test_cancel(ready, server, when):
    big(ready)
    server.call("POST", ALL, body())
    first = server.call("POST", f"{ONE}/trigger")[1]["run_id"]
    until(lambda: server.call("GET", f"{ONE}/runs/{first}")[1], lambda run: run["status"] == "running")
    second = server.call("POST", f"{ONE}/trigger", {"logical_date": "2024-01-01T00:00:00Z"})[1]["run_id"]
    target = second if when == "queued" else first
    if when == "queued":
        assert server.call("GET", f"{ONE}/runs/{second}")[1]["status"] == "queued"  # one at a time
    assert server.call("POST", f"{ONE}/runs/{target}/cancel")[0] == 202
    ended = finished(server, target)
    assert ended["status"] == "failed" and ended["error_message"] == "cancelled by platform"
    assert server.call("POST", f"{ONE}/runs/{target}/cancel")[0] == 409
    other = finished(server, second if target == first else first)
    assert other["status"] == "succeeded"
    assert set(ready.rows()["run_id"]) == {other["run_id"]}
    assert {p.name for p in ready.files() if target in p.name} == set()
    assert server.call("POST", f"{ONE}/runs/nope/cancel")[0] == 404


def test_backfill(ready, server):
    server.call("POST", ALL, body(schedule="0 6 * * *"))
    done = server.call("POST", f"{ONE}/trigger", {"logical_date": "2024-01-03T06:00:00Z"})[1]["run_id"]
    assert finished(server, done)["status"] == "succeeded"
    span = {"from": "2024-01-01T00:00:00Z", "to": "2024-01-05T06:00:00Z"}
    status, answer, _ = server.call("POST", f"{ONE}/backfill", span)
    assert status == 202
    dates = [run["logical_date"] for run in answer["items"]]
    assert dates == [
        f"2024-01-0{day}T06:00:00Z" for day in (1, 2, 4, 5)
    ]  # oldest first, and what was done is not done again
    runs = [finished(server, run["run_id"]) for run in answer["items"]]
    assert [r["status"] for r in runs] == ["succeeded"] * 4
    started = [r["started_at"] for r in runs]
    assert started == sorted(started)
    assert ready.rows().groupby("scored_at").size().tolist() == [300] * 5
    assert server.call("POST", f"{ONE}/backfill", span)[1]["items"] == []
    for wrong, status in (
        ({"from": "x", "to": "2024-01-01"}, 422),
        ({"from": "2024-01-02", "to": "2024-01-01"}, 422),
        ({"from": "2024-01-01"}, 422),
        ({"from": "2000-01-01T00:00:00Z", "to": "2024-01-01T00:00:00Z"}, 422),
    ):
        assert server.call("POST", f"{ONE}/backfill", wrong)[0] == status
    server.call("POST", ALL, body(name="manual"))
    assert server.call("POST", f"{ALL}/manual/backfill", span)[0] == 409


def test_a_backfill_of_days_tells_first_what_it_would_do(ready, server):
    """A date is all of its day; what is only told is not queued, and is what comes to be."""
    server.call("POST", ALL, body(schedule="0 */12 * * *"))
    dates = [f"2015-01-{day:02}T{hour}:00:00Z" for day in (30, 31) for hour in ("00", "12")]
    span = {"from": "2015-01-30", "to": "2015-01-31"}
    status, told, _ = server.call("POST", f"{ONE}/backfill?dry_run=true", span)
    assert status == 200 and [run["logical_date"] for run in told["items"]] == dates
    assert server.call("GET", f"{ONE}/runs")[1]["items"] == []
    at = ("--server", server.url, "backfill", "m", "d", "--from", "2015-01-30", "--to", "2015-01-31")
    shown = ready.cli(*at, "--dry-run")
    assert [line.strip() for line in shown.stdout.splitlines()] == ["LOGICAL_DATE", *dates]
    assert "4 runs would be queued" in shown.stderr
    assert server.call("GET", f"{ONE}/runs")[1]["items"] == []
    assert "4 runs are queued" in ready.cli(*at).stderr
    assert [run["logical_date"] for run in server.call("GET", f"{ONE}/runs")[1]["items"]] == dates[::-1]
    assert "every tick of that time has a run already" in ready.cli(*at, "--dry-run").stderr


FINAL = {"succeeded", "failed"}


@pytest.mark.parametrize("seed", range(2))  # as twelve in deployments/reports_test.cc, without HTTP
def test_callbacks_in_any_order(ready, server, seed):
    """Repeated, late and contradicting words: what is final first stays, and nothing goes back."""
    server.call("POST", ALL, body())
    rng = random.Random(seed)
    told, state, seen = [], None, []
    for _ in range(12):
        status = rng.choice(["queued", "running", "succeeded", "failed"])
        report = {"airflow_run_id": "scheduled__1", "status": status, "rows_scored": rng.choice([None, 5, 7])}
        for _ in range(rng.randint(1, 2)):
            code, summary, _ = server.call("POST", CALLBACK, report)
            assert code == 200
        if state not in FINAL and not (state == "running" and status == "queued"):
            state = status
        told.append(status)
        seen.append(summary["status"])
        assert summary["status"] == state, told
        if state in FINAL:
            assert summary["finished_at"] is not None
    runs = server.call("GET", f"{ONE}/runs")[1]["items"]
    assert len(runs) == 1 and runs[0]["status"] == state and runs[0]["airflow_run_id"] == "scheduled__1"
    assert server.call("GET", ONE)[1]["last_run"]["status"] == state


def test_pages_are_stable_under_inserts(ready, server):
    for i in range(7):
        server.call("POST", ALL, body(name=f"d{i}", owner=f"o{i % 2}"))
    page = server.call("GET", f"{ALL}?limit=3")[1]
    names = [d["name"] for d in page["items"]]
    server.call("POST", ALL, body(name="later"))
    server.call("DELETE", f"{ALL}/d1")
    while page["next_cursor"]:
        page = server.call("GET", f"{ALL}?limit=3&cursor={page['next_cursor']}")[1]
        names += [d["name"] for d in page["items"]]
    assert names == [f"d{i}" for i in range(7)] + ["later"]
    assert [d["name"] for d in server.call("GET", "/api/deployments?owner=o1&domain=x")[1]["items"]] == ["d3", "d5"]
    assert server.call("GET", f"{ALL}?limit=0")[0] == 422 and server.call("GET", f"{ALL}?limit=501")[0] == 422
    assert server.call("GET", f"{ALL}?cursor=x")[0] == 422 and server.call("GET", f"{ALL}?status=nope")[0] == 422


@pytest.mark.parametrize("catch_up", ["latest", "all"])
def test_ticks_that_nobody_saw(ready, catch_up):
    """The server is down for some minutes of its own, fast, clock."""
    settings = {"clock.speed": 120, "dispatch.catch_up": catch_up}
    server = Server(ready.dir, settings)
    server.call("POST", ALL, body(schedule="* * * * *"))

    def dates():
        return [r["logical_date"] for r in server.call("GET", f"{ONE}/runs?limit=500")[1]["items"]][::-1]

    seen = until(dates, lambda found: len(found) >= 1)
    server.kill()
    time.sleep(2.5)  # five minutes of that clock
    server = Server(ready.dir, settings)
    try:
        until(dates, lambda found: len(found) >= len(seen) + 2)
        server.call("POST", f"{ONE}/stop")
        found = [datetime.datetime.fromisoformat(date) for date in dates()]
        gaps = [(later - earlier).total_seconds() / 60 for earlier, later in zip(found, found[1:])]
        assert all(gap == 1 for gap in gaps) if catch_up == "all" else max(gaps) >= 4, gaps
        assert len(set(found)) == len(found)
    finally:
        server.stop()


def test_a_schedule_in_a_time_zone(ready):
    """Six in the morning in Paris, on the server's clock, through the summer's begin: by the ticks that a backfill
    makes."""
    server = Server(ready.dir, {"dispatch.time_zone": "Europe/Paris"})
    try:
        server.call("POST", ALL, body(schedule="0 6 * * *"))
        answer = server.call("POST", f"{ONE}/backfill", {"from": "2024-03-30T00:00:00Z", "to": "2024-04-01T23:00:00Z"})[
            1
        ]
        assert [r["logical_date"] for r in answer["items"]] == [
            "2024-03-30T05:00:00Z",
            "2024-03-31T04:00:00Z",
            "2024-04-01T04:00:00Z",
        ]
        server.call("POST", ALL, body(name="midnight", schedule="30 0 * * *"))
        span = {"from": "2024-03-31", "to": "2024-03-31"}  # the day of 23 hours there
        answer = server.call("POST", f"{ALL}/midnight/backfill?dry_run=true", span)[1]
        assert [r["logical_date"] for r in answer["items"]] == ["2024-03-30T23:30:00Z"]
    finally:
        server.stop()


def test_an_online_route_on_a_batch_deployment(ready, server):
    server.call("POST", ALL, body())
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        assert server.call(method, f"{ONE}/run/predict/this")[0] == 409
