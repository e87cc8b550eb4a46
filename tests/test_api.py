"""The API and the dispatcher: what create refuses, how runs go, what a restart finds."""

import json
import os
import signal
from pathlib import Path

import pytest
from conftest import SLOWER, Server, signature_of
from deployments import ALL, ONE, body, finished, ready, until  # noqa: F401 (a fixture)
from models import numbers, train, with_ids

AREAS = ["server", "dispatch", "deployments"]
EXAMPLE = "test_create_trigger_and_read"

STORES = ("sqlite", "postgresql")

BUSY_ROWS = 400_000 // SLOWER  # what takes a while to score


@pytest.fixture
def server(ready):
    started = Server(ready.dir)
    yield started
    started.stop()


def test_create_trigger_and_read(ready, server):
    status, made, headers = server.call(
        "POST",
        "/api/models/m/deployments",
        body(schedule="0 6 * * *", extra=1, model={"model_name": "other", "model_alias": "champion"}),
    )
    assert (
        status == 201 and made["status"] == "active" and made["model"] == "m" and made["resolved_model_version"] == "1"
    )
    assert headers["Slipway-Ignored-Fields"] == "extra"
    assert server.call("POST", "/api/models/m/deployments", body())[0] == 409
    status, run, _ = server.call("POST", f"{ONE}/trigger", {"logical_date": "2024-03-01T06:00:00+01:00"})
    assert status == 202 and run["logical_date"] == "2024-03-01T05:00:00Z"
    run = finished(server, run["run_id"])
    assert run["status"] == "succeeded" and run["rows_scored"] == 300 and run["model_version"] == "1"
    again = server.call("POST", f"{ONE}/trigger", {"logical_date": "2024-03-01T05:00:00Z"})[1]
    finished(server, again["run_id"])
    assert len(ready.rows()) == 300
    snapshot = ready.catalog.load_table("ml.p").current_snapshot()
    assert snapshot.summary["slipway.run-id"] == again["run_id"]
    assert server.call("GET", ONE)[1]["last_run"]["run_id"] == again["run_id"]
    assert [r["run_id"] for r in server.call("GET", f"{ONE}/runs")[1]["items"]] == [again["run_id"], run["run_id"]]
    page = server.call("GET", f"{ONE}/runs?limit=1")[1]
    assert (
        server.call("GET", f"{ONE}/runs?limit=1&cursor={page['next_cursor']}")[1]["items"][0]["run_id"] == run["run_id"]
    )
    assert [d["name"] for d in server.call("GET", "/api/deployments?owner=y")[1]["items"]] == ["d"]
    assert server.call("GET", "/api/deployments?owner=z")[1]["items"] == []


def test_validate_only_stores_nothing(ready, server):
    assert server.call("POST", "/api/models/m/deployments?validate_only=true", body())[0] == 200
    assert server.call("GET", "/api/deployments")[1]["items"] == []
    assert not ready.catalog.table_exists("ml.p")


@pytest.mark.parametrize(
    "change, status, loc, words",
    [
        ({"model__model_version": "9"}, 404, None, "no version '9'"),
        ({"model": {"model_name": "m", "model_alias": "nope"}}, 404, None, "no alias 'nope'"),
        ({"source__table": "nope"}, 404, None, "no table src.nope"),
        ({"source__snapshot_id": 5}, 404, None, "no snapshot 5"),
        ({"schedule": "61 * * * *"}, 422, ["body", "schedule"], "minute field"),
        ({"source__filter_sql": "id >"}, 422, ["body", "source", "filter_sql"], "at character 5"),
        ({"source__filter_sql": "id + 1"}, 422, ["body", "source", "filter_sql"], "boolean"),
        ({"entity_columns": []}, 422, ["body", "entity_columns"], "at least 1 item"),
        ({"entity_columns": ["nope"]}, 422, ["body", "entity_columns"], "'nope'"),
        ({"entity_columns": ["id", "id"]}, 422, ["body", "entity_columns"], "repeated"),
        ({"entity_columns": [""]}, 422, ["body", "entity_columns"], "no name"),
        ({"partition_column": "nope"}, 422, ["body", "partition_column"], "'nope'"),
        ({"source__catalog": "nope"}, 422, ["body", "source", "catalog"], "no catalog 'nope'"),
        ({"target": {"schema": "src", "table": "t"}}, 422, ["body", "target", "table"], "cannot take"),
        ({"entity_columns": ["id"], "model": {"model_name": "m"}}, 422, ["body", "model"], "exactly one"),
    ],
)
def test_what_a_body_means_is_checked(server, change, status, loc, words):
    got, answer, _ = server.call("POST", "/api/models/m/deployments", body(**change))
    assert got == status, answer
    if loc is None:
        assert words in answer["detail"]
    else:
        assert [e["loc"] for e in answer["detail"]] == [loc] and words in answer["detail"][0]["msg"], answer
    assert server.call("GET", "/api/deployments")[1]["items"] == []


SHAPES = [
    ({"entity_columns": []}, "too_short", ["body", "entity_columns"]),
    ({"entity_columns": [1]}, "string_type", ["body", "entity_columns", 0]),
    ({"entity_columns": [""]}, "value_error", ["body", "entity_columns"]),
    ({"entity_columns": ["id", "id"]}, "value_error", ["body", "entity_columns"]),
    ({"schedule": "61 * * * *"}, "value_error", ["body", "schedule"]),
    ({"source__filter_sql": "id >"}, "value_error", ["body", "source", "filter_sql"]),
    ({"source__filter_sql": "true ORDER BY id"}, "value_error", ["body", "source", "filter_sql"]),
    ({"source__catalog": "nope"}, "value_error", ["body", "source", "catalog"]),
    ({"target": {"schema": "", "table": "p"}}, "value_error", ["body", "target", "schema"]),
    ({"target": {"schema": "ml", "table": "a/b"}}, "value_error", ["body", "target", "table"]),
    ({"name": "A"}, "string_pattern_mismatch", ["body", "name"]),
    ({"name": "a" * 64}, "string_too_long", ["body", "name"]),
    ({"rerun_behavior": "x"}, "literal_error", ["body", "rerun_behavior"]),
    ({"type": "online"}, "literal_error", ["body", "type"]),
    ({"timeout": 0}, "greater_than_equal", ["body", "timeout"]),
    ({"runner": {"kind": "x"}}, "literal_error", ["body", "runner", "kind"]),
    ({"runner": {"kind": "airflow"}}, "value_error", ["body", "runner", "kind"]),
]
MISSING = {
    "version": {"model__model_version": "9"},
    "table": {"source__table": "nope"},
    "snapshot": {"source__snapshot_id": 5},
}


@pytest.mark.parametrize("missing", MISSING)
def test_shape_comes_before_what_is_looked_up(server, missing):
    """What can be told from the body alone is a 422 at its place, whatever else is missing (a 404 by itself)."""
    assert server.call("POST", "/api/models/m/deployments", body(**MISSING[missing]))[0] == 404
    for shape, kind, loc in SHAPES:
        status, answer, _ = server.call("POST", "/api/models/m/deployments", body(**{**MISSING[missing], **shape}))
        assert status == 422 and [(e["type"], e["loc"]) for e in answer["detail"]] == [(kind, loc)], answer


def test_an_answer_shows_what_the_deployment_does(ready, server):
    made = server.call("POST", ALL, body(schedule="0 6 * * *", source__filter_sql="id < 7"))[1]
    shown = {
        "source": {"schema": "src", "table": "t", "catalog": "iceberg", "filter_sql": "id < 7", "snapshot_id": None},
        "target": {"schema": "ml", "table": "p", "catalog": "iceberg"},
        "entity_columns": ["id"],
        "rerun_behavior": "overwrite_partition",
        "partition_column": "scored_at",
        "model_version": "1",
        "model_alias": None,
        "runner": {"kind": "local"},
        "created_by": "platform",
    }
    assert {name: made[name] for name in shown} == shown
    assert made["next_tick"].endswith("T06:00:00Z")
    assert server.call("GET", ONE)[1] == made and server.call("GET", "/api/deployments")[1]["items"] == [made]
    assert server.call("PATCH", ONE, {"schedule": None})[1]["next_tick"] is None
    schema = server.call("GET", "/openapi.json")[1]["components"]["schemas"]["Deployment"]
    assert set(schema["properties"]) == set(made)


def test_unknown_fields_are_named(ready, server):
    model = {"model_name": "m", "model_version": "1", "alias": "x"}
    status, _, headers = server.call("POST", ALL, body(extra=1, source__filtersql="id < 7", model=model))
    ignored = sorted(headers["Slipway-Ignored-Fields"].split(", "))
    assert status == 201 and ignored == ["extra", "model.alias", "source.filtersql"]
    assert server.call("PATCH", ONE, {"ownr": "q"})[2]["Slipway-Ignored-Fields"] == "ownr"
    assert server.call("POST", f"{ONE}/trigger", {"date": "x"})[2]["Slipway-Ignored-Fields"] == "date"
    assert "Slipway-Ignored-Fields" not in server.call("PATCH", ONE, {"owner": "q"})[2]


def test_a_signature_that_the_source_cannot_feed(ready, server):
    ready.register("n", train(numbers(200, features=2)), signature=signature_of(absent="double", f1="float"))
    status, answer, _ = server.call("POST", "/api/models/n/deployments", body())
    assert status == 422 and [e["loc"] for e in answer["detail"]] == [["body", "source", "table"]] * 2
    assert "'absent'" in answer["detail"][0]["msg"] and "'f1' as float" in answer["detail"][1]["msg"]


def test_credentials(server):
    for path in ("/api/deployments", ONE):
        status, _, headers = server.call("GET", path, psk=None)
        assert status == 401 and headers["WWW-Authenticate"].startswith("Bearer")
        assert server.call("GET", path, psk="0" * 64)[0] == 401
    assert server.call("GET", "/api/deployments", psk=None, headers={"Authorization": f"Bearer {server.psk}"})[0] == 200
    assert server.call("GET", "/openapi.json", psk=None)[0] == 200
    assert (Path(server.data_dir) / "platform.psk").stat().st_mode & 0o777 == 0o600
    assert server.psk not in (Path(server.data_dir) / "server.log").read_text()


def test_openapi_describes_what_validates(server):
    document = server.call("GET", "/openapi.json")[1]
    schema = document["components"]["schemas"]["CreateDeployment"]
    assert (
        document["openapi"] == "3.1.0"
        and schema["properties"]["name"]["maxLength"] == 63
        and "trigger_now" not in schema["required"]
    )


def test_a_failed_run_says_why(ready, server):
    server.call("POST", "/api/models/m/deployments", body())
    data = next((ready.dir / "warehouse/src/t/data").rglob("*.parquet"))
    data.write_bytes(b"PAR1 not PAR1")
    run = finished(server, server.call("POST", f"{ONE}/trigger")[1]["run_id"])
    assert run["status"] == "failed" and data.name in run["error_message"]


def pid_of(lake, run_id) -> int | None:
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"{run_id}/job.json" in (entry / "cmdline").read_text():
                return int(entry.name)
        except OSError:
            continue
    return None


def big(lake):
    """A source that takes a while to score."""
    lake.catalog.drop_table("src.t")
    lake.table("src.t", with_ids(numbers(BUSY_ROWS)))


def test_a_lost_process_is_tried_again(ready, server):
    big(ready)
    server.call("POST", "/api/models/m/deployments", body())
    run_id = server.call("POST", f"{ONE}/trigger")[1]["run_id"]
    os.kill(until(lambda: pid_of(ready, run_id), lambda pid: pid), signal.SIGKILL)
    run = finished(server, run_id)
    assert run["status"] == "succeeded" and run["attempt"] == 2
    assert len(ready.rows()) == BUSY_ROWS


@pytest.mark.parametrize("child_dies", [False, True])
def test_a_restarted_server_finds_its_runs(ready, server, child_dies, store):
    dies_with_its_server = store == "postgresql"
    big(ready)
    server.call("POST", "/api/models/m/deployments", body())
    run_id = server.call("POST", f"{ONE}/trigger")[1]["run_id"]
    pid = until(lambda: pid_of(ready, run_id), lambda found: found)
    server.kill()
    if child_dies:
        os.kill(pid, signal.SIGKILL)
    restarted = Server(ready.dir)
    try:
        run = finished(restarted, run_id)
        assert run["status"] == "succeeded" and run["attempt"] == (2 if child_dies or dies_with_its_server else 1)
        assert len(ready.rows()) == BUSY_ROWS
    finally:
        restarted.stop()


def test_two_servers_on_one_folder(ready, server):
    second = ready.cli("serve", "--listen", "127.0.0.1:0", check=False)
    assert second.returncode == 1 and "another server" in second.stderr


def test_only_loopback(ready):
    refused = ready.cli("serve", "--listen", "0.0.0.0:0", check=False)
    assert refused.returncode == 2 and "loopback" in refused.stderr


def test_the_command_line(ready, server):
    file = ready.dir / "d.yaml"
    file.write_text(
        "name: d\nmodel: {model_name: m, model_version: '1'}\nsource: {schema: src, table: t, filter_sql: 'id < 7'}\n"
        "target: {schema: ml, table: p}\nentity_columns: [id]\ndomain: x\nowner: y\n"
    )
    at = ("--server", server.url)
    assert json.loads(ready.cli(*at, "--json", "deploy", str(file)).stdout)["name"] == "d"
    again = ready.cli(*at, "deploy", str(file), check=False)
    assert again.returncode == 1 and "409" in again.stderr
    run = json.loads(ready.cli(*at, "--json", "trigger", "m", "d", "--wait").stdout)
    assert run["status"] == "succeeded" and run["rows_scored"] == 7
    assert run["run_id"] in ready.cli(*at, "runs", "m", "d").stdout
    assert "m" in ready.cli(*at, "deployments").stdout
    preview = ready.cli("--json", "tables", "preview", "ml.p", "--filter", "id = 3").stdout
    assert json.loads(preview)["id"] == "3"
    assert "ml" in ready.cli("tables", "list").stdout and "prediction" in ready.cli("tables", "show", "ml.p").stdout
    assert ready.cli(*at, "runs", "m", "nope", check=False).returncode == 3
    assert ready.cli("trigger", check=False).returncode == 2
    assert "trigger" in ready.cli("completion", "bash").stdout + ready.cli("complete").stdout
