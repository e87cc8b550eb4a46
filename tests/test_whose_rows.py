"""What stands in a target after runs of several deployments, people, schedules and triggers: docs/semantics.md, case by
case. Read by PyIceberg and DuckDB, never by Slipway."""

import json
import subprocess

import duckdb
import pyarrow as pa
import pytest
from conftest import BINARY, Server
from deployments import ALL, ONE, OPEN_RULES, body, finished, ready  # noqa: F401 (a fixture)
from issuer import Issuer
from pyiceberg.transforms import DayTransform
from pyiceberg.types import StringType
from test_runs import old_rows, predictions_schema

AREAS = ["scoring", "deployments", "dispatch"]
EXAMPLE = "test_champion_and_challenger_in_one_table"

ROWS = 300


@pytest.fixture
def server(ready):
    started = Server(ready.dir)
    yield started
    started.stop()


def create(server, name="d", status=201, token=None, **changes):
    got, answer, _ = server.call("POST", ALL, body(name=name, **changes), token=token)
    assert got == status, answer
    return answer


def run(server, name="d", at="2024-03-01T06:00:00Z"):
    """A run for a logical date, to its end."""
    one = f"{ALL}/{name}"
    status, started, _ = server.call("POST", f"{one}/trigger", {"logical_date": at})
    assert status == 202, started
    return finished(server, started["run_id"], one)


def ran(server, name="d", at="2024-03-01T06:00:00Z"):
    done = run(server, name, at)
    assert done["status"] == "succeeded", done
    return done


def backfill(server, name, first, last):
    one = f"{ALL}/{name}"
    status, answer, _ = server.call("POST", f"{one}/backfill", {"from": first, "to": last})
    assert status in (200, 201, 202), answer
    done = [finished(server, queued["run_id"], one) for queued in answer["items"]]
    assert all(d["status"] == "succeeded" for d in done), done
    return done


def only(server, name, **changes):
    status, answer, _ = server.call("PATCH", f"{ALL}/{name}", changes)
    assert status == 200, answer
    return answer


def standing(lake, table="ml.p") -> dict:
    """(deployment, logical date) → rows; `None` for rows that name no deployment. The tests are about 2024: what the
    real clock fires while they run, where an hour begins just then, is not counted."""
    rows = lake.catalog.load_table(table).scan().to_arrow()
    if "deployment" not in rows.column_names:
        rows = rows.append_column("deployment", pa.nulls(len(rows), pa.string()))
    counted = duckdb.sql(
        "SELECT deployment, strftime(scored_at AT TIME ZONE 'UTC', '%d %H:%M') AS at, count(*), count(DISTINCT id) "
        "FROM rows WHERE scored_at < TIMESTAMPTZ '2025-01-01 00:00:00+00' GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    assert all(count == distinct for _, _, count, distinct in counted), "each entity once"
    return {(whose, at): count for whose, at, count, _ in counted}


def spec_of(lake, table="ml.p") -> list[str]:
    return [str(field.transform) for field in lake.catalog.load_table(table).spec().fields]


def test_two_people_one_target(ready):
    """Neither loses a row by the other's runs."""
    issuer = Issuer()
    server = Server(ready.dir, {"auth.issuer": issuer.url, "access.rules": json.dumps(OPEN_RULES)})
    try:
        for person in ("ana", "bob"):
            create(server, f"of-{person}", token=issuer.token(sub=person, preferred_username=person))
        ran(server, "of-ana")
        ran(server, "of-bob")
        only(server, "of-bob", filter_sql="id < 3")
        ran(server, "of-bob")
        assert standing(ready) == {("m/of-ana", "01 06:00"): ROWS, ("m/of-bob", "01 06:00"): 3}
    finally:
        server.stop()
        issuer.stop()


def test_two_targets_one_name(ready, server):
    """Of two schemas: two tables. Of one: the first run makes it, with the column, whoever comes first."""
    create(server, "a")
    create(server, "b")
    create(server, "c", target__schema="ml2")
    for name in ("a", "b", "c", "a"):
        ran(server, name)
    assert standing(ready) == {("m/a", "01 06:00"): ROWS, ("m/b", "01 06:00"): ROWS}
    assert standing(ready, "ml2.p") == {("m/c", "01 06:00"): ROWS}


def test_champion_and_challenger_in_one_table(ready, server):
    create(server, "champion")
    create(server, "challenger", source__filter_sql="id < 100")
    for day in ("2024-03-01T06:00:00Z", "2024-03-02T06:00:00Z"):
        for name in ("champion", "challenger", "champion"):
            ran(server, name, day)
    assert standing(ready) == {
        ("m/champion", "01 06:00"): ROWS,
        ("m/champion", "02 06:00"): ROWS,
        ("m/challenger", "01 06:00"): 100,
        ("m/challenger", "02 06:00"): 100,
    }
    names = ready.catalog.load_table("ml.p").schema().column_names
    assert names == ["id", "prediction", "scored_at", "model_name", "model_version", "run_id", "deployment"]


def test_six_hourly_ticks_leave_six_sets_of_rows(ready, server):
    create(server, schedule="0 * * * *")
    done = backfill(server, "d", "2024-03-01T00:00:00Z", "2024-03-01T05:00:00Z")
    six = {("m/d", f"01 0{hour}:00"): ROWS for hour in range(6)}
    assert len(done) == 6 and standing(ready) == six
    assert spec_of(ready) == ["hour"]
    only(server, "d", filter_sql="id < 10")
    ran(server, at="2024-03-01T03:00:00Z")
    assert standing(ready) == {**six, ("m/d", "01 03:00"): 10}, "a rerun of one tick replaces its own"


def test_hourly_and_daily_in_one_table(ready, server):
    create(server, "daily", schedule="30 2 * * *")
    create(server, "hourly", schedule="0 * * * *")
    ran(server, "daily", "2024-03-01T02:30:00Z")
    backfill(server, "hourly", "2024-03-01T01:00:00Z", "2024-03-01T03:00:00Z")
    ran(server, "daily", "2024-03-01T02:30:00Z")
    assert spec_of(ready) == ["day"], "of the one that came first"
    assert standing(ready) == {
        ("m/daily", "01 02:30"): ROWS,
        ("m/hourly", "01 01:00"): ROWS,
        ("m/hourly", "01 02:00"): ROWS,
        ("m/hourly", "01 03:00"): ROWS,
    }


def test_by_hand_twice_a_day(ready, server):
    """Of a deployment without a schedule, and of a daily one: the day has one set of rows, that of the last run."""
    create(server, "manual")
    create(server, "daily", schedule="0 6 * * *")
    for name in ("manual", "daily"):
        ran(server, name, "2024-03-01T09:00:00Z")
        ran(server, name, "2024-03-01T17:00:00Z")
    assert standing(ready) == {("m/manual", "01 17:00"): ROWS, ("m/daily", "01 17:00"): ROWS}


def test_by_hand_between_two_ticks(ready, server):
    """The interval has one set of rows, that of the last run: the tick's, or that of the trigger by hand."""
    create(server, schedule="0 * * * *")
    backfill(server, "d", "2024-03-01T10:00:00Z", "2024-03-01T12:00:00Z")
    ran(server, at="2024-03-01T11:20:00Z")
    ran(server, at="2024-03-01T11:40:00Z")
    assert standing(ready) == {
        ("m/d", "01 10:00"): ROWS,
        ("m/d", "01 11:40"): ROWS,
        ("m/d", "01 12:00"): ROWS,
    }
    ran(server, at="2024-03-01T11:00:00Z")
    assert standing(ready) == {("m/d", f"01 {hour}:00"): ROWS for hour in (10, 11, 12)}


def test_append_dedup_looks_at_its_own_window_and_rows(ready, server):
    create(server, "a", rerun_behavior="append_dedup", source__filter_sql="id < 10")
    create(server, "b", rerun_behavior="append_dedup", schedule="0 * * * *")
    ran(server, "a")
    only(server, "a", filter_sql="id < 20")
    assert ran(server, "a", "2024-03-01T07:00:00Z")["rows_scored"] == 10
    assert standing(ready) == {("m/a", "01 06:00"): 10, ("m/a", "01 07:00"): 10}, "ten stood on that day already"
    backfill(server, "b", "2024-03-01T06:00:00Z", "2024-03-01T07:00:00Z")
    backfill(server, "b", "2024-03-01T06:00:00Z", "2024-03-01T07:00:00Z")
    got = standing(ready)
    assert got["m/b", "01 06:00"] == got["m/b", "01 07:00"] == ROWS and len(got) == 4


@pytest.mark.parametrize(
    "schedule, first, last, ticks",
    [
        # Half past midnight in London comes twice on 31 March in UTC, when clocks are put forward.
        ("30 0 * * *", "2024-03-30T12:00:00Z", "2024-04-01T12:00:00Z", ["31 00:30", "31 23:30"]),
        # 27 October: one o'clock is there twice, an hour apart.
        ("0 * * * *", "2024-10-26T23:00:00Z", "2024-10-27T02:00:00Z", ["26 23:00", "27 00:00", "27 01:00", "27 02:00"]),
    ],
)
def test_clocks_that_change(ready, schedule, first, last, ticks):
    server = Server(ready.dir, {"dispatch.time_zone": "Europe/London"})
    try:
        create(server, schedule=schedule)
        for tick in backfill(server, "d", first, last):
            ran(server, at=tick["logical_date"])
        assert standing(ready) == {("m/d", tick): ROWS for tick in ticks}
    finally:
        server.stop()


def old_target(lake, rows=(), name="ml.p"):
    """As an earlier version has made it: it does not tell whose a row is."""
    table = lake.create(name, predictions_schema(), ("scored_at", DayTransform(), "scored_at_day"))
    for ids, at in rows:
        table.append(old_rows(ids, at))
    return table


def test_a_table_without_the_column_is_one_deployments(ready, server):
    """Everything of the day is replaced there, as it always was; and nobody else may do so too."""
    old_target(ready, [([1, 2], "2024-03-01T00:00:00Z"), ([3], "2024-03-02T00:00:00Z")])
    made = create(server, "first")
    assert "whoever wrote them" in made["replaces"] and "ml.p" in made["replaces"]
    ran(server, "first")
    ran(server, "first")
    assert standing(ready) == {(None, "01 06:00"): ROWS, (None, "02 00:00"): 1}
    for path in (ALL, f"{ALL}?validate_only=true"):
        status, answer, _ = server.call("POST", path, body(name="second"))
        assert status == 409 and "'m/first'" in answer["detail"] and "ml.p" in answer["detail"], answer
    create(server, "second", rerun_behavior="append_dedup")
    status, answer, _ = server.call("PATCH", f"{ALL}/second", {"rerun_behavior": "overwrite_partition"})
    assert status == 409 and "'m/first'" in answer["detail"], answer
    assert server.call("GET", f"{ALL}/second")[1]["rerun_behavior"] == "append_dedup"
    server.call("DELETE", f"{ALL}/second")
    server.call("POST", f"{ALL}/first/stop")
    create(server, "third")
    status, answer, _ = server.call("POST", f"{ALL}/first/start")
    assert status == 409 and "'m/third'" in answer["detail"], answer
    assert server.call("GET", f"{ALL}/first")[1]["status"] == "stopped"
    server.call("DELETE", f"{ALL}/third")
    assert server.call("POST", f"{ALL}/first/start")[1]["status"] == "active"


def test_the_column_is_added_later(ready, server):
    """Rows that name no deployment are replaced by whoever runs in their window; from then on each has its own."""
    old_target(ready)
    create(server, "first")
    ran(server, "first", "2024-03-01T06:00:00Z")
    ran(server, "first", "2024-03-02T06:00:00Z")
    with ready.catalog.load_table("ml.p").update_schema() as update:
        update.add_column("deployment", StringType())
    create(server, "second", source__filter_sql="id < 7")  # welcome now
    ran(server, "first", "2024-03-01T06:00:00Z")
    ran(server, "second", "2024-03-01T06:00:00Z")
    ran(server, "first", "2024-03-01T06:00:00Z")
    assert standing(ready) == {
        ("m/first", "01 06:00"): ROWS,
        ("m/second", "01 06:00"): 7,
        (None, "02 06:00"): ROWS,
    }
    assert "this deployment wrote" in only(server, "first", owner="z")["replaces"]


def test_the_column_is_added_while_a_run_scores(ready):
    """The run had in mind to replace everybody's rows: it leaves the table as it is."""
    old_target(ready, [([1, 2], "2024-03-01T00:00:00Z")])
    job = ready.job()
    score("--job", str(job), "--prepare")
    score("--job", str(job), "--part", "0")
    with ready.catalog.load_table("ml.p").update_schema() as update:
        update.add_column("deployment", StringType())
    failed = score("--job", str(job), "--finish", ok=False)[-1]
    assert "the column 'deployment' was added to the table ml.p during the run" in failed["message"], failed
    assert standing(ready) == {(None, "01 00:00"): 2}


def test_a_table_that_appears_in_between(ready, server):
    """By another hand, and without the column: no run replaces what it cannot tell apart."""
    create(server, "first")
    create(server, "second")
    old_target(ready, [([1, 2], "2024-03-01T00:00:00Z")])
    failed = run(server, "second")
    assert failed["status"] == "failed" and "the target ml.p has no column 'deployment'" in failed["error_message"]
    assert standing(ready) == {(None, "01 00:00"): 2}
    # One that has stopped and starts again takes the table as it is, when it is alone there.
    server.call("POST", f"{ALL}/second/stop")
    status, answer, _ = server.call("POST", f"{ALL}/second/start")
    assert status == 409 and "'m/first'" in answer["detail"], answer
    server.call("DELETE", f"{ALL}/first")
    assert server.call("POST", f"{ALL}/second/start")[0] == 200
    ran(server, "second")
    assert standing(ready) == {(None, "01 06:00"): ROWS}


def test_what_a_rerun_will_replace_is_said(ready, server):
    """In one sentence: where it is deployed, and where it is looked at."""
    one = "A run replaces the rows that this deployment wrote to iceberg.ml.p whose scored_at lies on the same day"
    assert server.call("POST", f"{ALL}?validate_only=true", body())[1]["replaces"].startswith(one)
    file = ready.dir / "d.json"
    file.write_text(json.dumps(body()))
    to = ("--server", server.url)
    assert one in ready.cli(*to, "deploy", str(file)).stdout
    assert one in ready.cli(*to, "deployments", "m", "d").stdout
    assert server.call("GET", ONE)[1]["replaces"].startswith(one)
    assert server.call("GET", ALL)[1]["items"][0]["replaces"].startswith(one)
    hourly = only(server, "d", schedule="0 * * * *")["replaces"]
    assert "interval of the schedule '0 * * * *' (UTC), from tick to tick" in hourly
    assert only(server, "d", rerun_behavior="append_dedup")["replaces"].startswith("A run replaces nothing: it adds")
    schema = server.call("GET", "/openapi.json")[1]["components"]["schemas"]["Deployment"]
    assert "what a run will replace" in schema["properties"]["replaces"]["description"]


def score(*arguments, ok=True) -> list[dict]:
    done = subprocess.run([BINARY, "score", *arguments], capture_output=True, text=True, timeout=120)
    assert (done.returncode == 0) == ok, done.stdout
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_runs_of_a_dag_and_in_parts_do_the_same(ready):
    """A worker has the deployment as its DAG carries it; by hand a run is done part by part. It is one job."""
    job = json.loads(ready.job().read_text())
    carried = {"model": "m", "name": "dag", "work": job["work"], "places": job["places"]}
    file = ready.dir / "deployment.json"
    file.write_text(json.dumps({**carried, "cron": "0 */6 * * *", "time_zone": "Europe/Paris"}))
    runs = "00000000-0000-4000-8000-00000000000"
    for number, at in enumerate(("2024-03-30T23:00:00Z", "2024-03-31T04:00:00Z", "2024-03-30T23:00:00Z")):
        score("--deployment", str(file), "--run-id", f"{runs}{number}", "--logical-date", at)
    assert spec_of(ready) == ["hour"]
    ticks = {("m/dag", "30 23:00"): ROWS, ("m/dag", "31 04:00"): ROWS}
    assert standing(ready) == ticks
    window = {"from": "2024-03-31T04:00:00Z", "to": "2024-03-31T10:00:00Z", "finer_than_a_day": True}
    for number in (3, 4):
        path = ready.job(logical_date="2024-03-31T04:00:00Z", run_id=f"{runs}{number}")
        path.write_text(json.dumps({**json.loads(path.read_text()), "version": 3, "window": window}))
        for step in (["--prepare"], ["--part", "0"], ["--finish"]):
            score("--job", str(path), *step)
    assert standing(ready) == {**ticks, ("m/d", "31 04:00"): ROWS}
