"""Tables in S3, behind an Iceberg REST catalog and PyIceberg's SQL catalog in PostgreSQL: what PyIceberg sees after
runs and faults."""

import json
import os
import signal
import subprocess
import uuid

import pyarrow as pa
import pytest
from conftest import BINARY, HANG_SECONDS, Lake, signature_of
from deployments import until
from models import numbers, train, with_ids
from pyiceberg.catalog.rest import RestCatalog as PyIcebergRest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.types import DoubleType, LongType
from services.iceberg_rest import RestCatalog
from services.proxy import Fault, Proxy
from services.session import shared

AREAS = ["iceberg", "scoring"]
EXAMPLE = "test_a_filter_prunes_files"

LOST = [Fault(drop=True), *(Fault(status=status) for status in (419, 500, 502, 503, 504))]


def s3_properties(s3) -> dict:
    access = s3.environment()
    return {
        "s3.endpoint": s3.url,
        "s3.access-key-id": access["AWS_ACCESS_KEY_ID"],
        "s3.secret-access-key": access["AWS_SECRET_ACCESS_KEY"],
        "s3.region": "us-east-1",
    }


def filled(lake: Lake, rows: int = 500) -> Lake:
    frame = numbers(rows)
    lake.table("src.t", with_ids(frame))
    lake.booster = train(frame)
    lake.frame = frame
    lake.register("m", lake.booster, signature=signature_of(f0="double", f1="double", f2="double", f3="double"))
    return lake


def rest_lake(folder, s3, catalog, uri=None, environment=None) -> Lake:
    """Tables of `catalog`, which a run reaches at `uri`."""
    opened = PyIcebergRest("lake", uri=catalog.url, **s3_properties(s3))
    place = {
        "name": "lake",
        "kind": "rest",
        "uri": uri or catalog.url,
        "warehouse": "",
        "oauth2_server_uri": "",
        "scope": "",
    }
    return Lake(folder, opened, place, {"AWS_ENDPOINT_URL": s3.url, **s3.environment(), **(environment or {})})


def sql_lake(folder, s3, warehouse, uri) -> Lake:
    location = f"{warehouse}/{uuid.uuid4().hex}"
    catalog = SqlCatalog(
        "lake", uri=uri.replace("postgresql:", "postgresql+psycopg:"), warehouse=location, **s3_properties(s3)
    )
    return Lake(
        folder,
        catalog,
        {"name": "lake", "kind": "sql", "uri": uri, "warehouse": location},
        {"AWS_ENDPOINT_URL": s3.url, **s3.environment()},
    )


@pytest.fixture(params=["rest", "rest that vends", "sql on postgresql", "sql on sqlite"])
def remote(request, tmp_path, s3, warehouse):
    if request.param == "rest":
        yield filled(rest_lake(tmp_path, s3, request.getfixturevalue("rest_catalog")))
    elif request.param == "rest that vends":
        server = shared("rest-vends", lambda folder: RestCatalog(folder, f"{warehouse}/vends", s3, vends=True))
        lake = filled(rest_lake(tmp_path, s3, server.new_catalog()))
        # No credentials but the catalog's.
        lake.environment = {"AWS_ENDPOINT_URL": s3.url, "AWS_EC2_METADATA_DISABLED": "true"}
        yield lake
    elif request.param == "sql on postgresql":
        yield filled(sql_lake(tmp_path, s3, warehouse, request.getfixturevalue("postgresql").new_database()))
    else:
        yield filled(sql_lake(tmp_path, s3, warehouse, f"sqlite:///{tmp_path}/catalog.db"))


def keys(s3, lake, name="ml.p") -> list[str]:
    bucket, _, prefix = lake.catalog.load_table(name).location().removeprefix("s3://").partition("/")
    found = s3.client.list_objects_v2(Bucket=bucket, Prefix=prefix + "/")
    return [
        item["Key"] for item in found.get("Contents", []) if not item["Key"].endswith("/")
    ]  # Arrow's marks of empty folders


def needed(lake, name="ml.p") -> set[str]:
    """The files that the table's snapshots name."""
    table = lake.catalog.load_table(name)
    named = {table.metadata_location, *(entry.metadata_file for entry in table.metadata.metadata_log)}
    for snapshot in table.metadata.snapshots:
        named.add(snapshot.manifest_list)
        for manifest in snapshot.manifests(table.io):
            named.add(manifest.manifest_path)
            named |= {
                entry.data_file.file_path for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False)
            }
    return named


def assert_one_copy(lake, s3, run_ids):
    rows = lake.rows()
    assert (rows["prediction"].to_numpy() == lake.booster.predict(lake.frame)).all()
    table = lake.catalog.load_table("ml.p")
    assert [
        snapshot.summary["slipway.run-id"]
        for snapshot in table.metadata.snapshots
        if "slipway.run-id" in snapshot.summary.additional_properties
    ] == run_ids
    bucket = table.location().removeprefix("s3://").partition("/")[0]
    assert {f"s3://{bucket}/{key}" for key in keys(s3, lake)} <= needed(lake), "files that nobody names"


def run_id_of(job) -> str:
    return json.loads(job.read_text())["run_id"]


def test_runs(remote, s3):
    """The first run makes schema and table; a rerun replaces its day; other days stay; append_dedup adds only what is
    new."""
    first, again, tomorrow = remote.job(), remote.job(), remote.job(logical_date="2024-03-02T06:00:00Z")
    remote.score(first)
    assert_one_copy(remote, s3, [run_id_of(first)])
    remote.score(again)
    assert_one_copy(remote, s3, [run_id_of(first), run_id_of(again)])
    remote.score(tomorrow)
    assert len(remote.rows()) == 1000
    appended = remote.job(logical_date="2024-03-02T07:00:00Z", rerun="append_dedup")
    assert remote.score(appended)[-1]["rows"] == 0
    assert len(remote.rows()) == 1000
    assert remote.score(first)[-1]["already_committed"]  # the same job once more


def test_a_filter_prunes_files(remote):
    more = with_ids(numbers(100))
    remote.catalog.load_table("src.t").append(
        more.set_column(more.schema.get_field_index("id"), "id", pa.array(range(1000, 1100), pa.int64()))
    )
    events = remote.score(filter_sql="id >= 1000")
    planned = next(e for e in events if e["event"] == "planned")
    assert planned["skipped_files"] == 1 and len(remote.rows()) == 100


def test_kill_9_and_again(remote, s3):
    """Killed while it writes, then tried again: one copy, and no file that nobody names."""
    remote.score(remote.job(logical_date="2024-02-01T00:00:00Z"))
    big = with_ids(numbers(300_000))
    remote.catalog.drop_table("src.t")
    remote.table("src.t", big)
    for phase in ("planned", "progress"):
        job = remote.job()
        process = subprocess.Popen(
            [BINARY, "score", "--job", job], stdout=subprocess.PIPE, text=True, env={**os.environ, **remote.environment}
        )
        for line in process.stdout:
            if f'"{phase}"' in line:
                process.send_signal(signal.SIGKILL)
                break
        process.wait()
        described = json.loads(job.read_text())
        job.write_text(json.dumps({**described, "attempt": 2}))
        remote.score(job)
        assert len(remote.rows()) == 300_500
        bucket = remote.catalog.load_table("ml.p").location().removeprefix("s3://").partition("/")[0]
        assert {f"s3://{bucket}/{key}" for key in keys(s3, remote)} <= needed(remote)


def swapped(lake):
    """Dropped, and made again with the same columns in another order: ids of columns mean others."""
    table = lake.catalog.load_table("ml.p")
    names = table.schema().column_names
    empty = table.scan().to_arrow().slice(0, 0).select([names[1], names[0], *names[2:]])
    lake.catalog.drop_table("ml.p")
    lake.catalog.create_table("ml.p", schema=empty.schema)


def dropped_and_added(lake):
    """A column of the same name, and another id: what was written for the old one would be null."""
    with lake.catalog.load_table("ml.p").update_schema() as update:
        update.delete_column("prediction")
    with lake.catalog.load_table("ml.p").update_schema() as update:
        update.add_column("prediction", DoubleType())


def renamed(lake):
    with lake.catalog.load_table("ml.p").update_schema() as update:
        update.rename_column("model_name", "model")
        update.rename_column("model_version", "model_name")


def owned_by_nobody(lake):
    with lake.catalog.load_table("ml.p").update_schema() as update:
        update.delete_column("deployment")


def with_a_required_column(lake):
    with lake.catalog.load_table("ml.p").update_schema(allow_incompatible_changes=True) as update:
        update.add_column("batch", LongType(), required=True)


@pytest.mark.parametrize(
    "change, words",
    [
        (swapped, "was dropped and made anew during the run"),
        (dropped_and_added, "the column 'prediction'"),
        (renamed, "the column 'model_name'"),
        (owned_by_nobody, "the column 'deployment'"),
        (with_a_required_column, "the column 'batch'"),
    ],
)
def test_a_target_that_changes_while_a_run_scores(remote, change, words):
    """The run fails by name; the table is as the other hand left it."""
    remote.score(remote.job(logical_date="2024-02-01T00:00:00Z"))
    job = remote.job()

    def step(*which: str) -> list[dict]:
        done = subprocess.run(
            [BINARY, "score", "--job", job, *which],
            capture_output=True,
            text=True,
            env={**os.environ, **remote.environment},
            timeout=HANG_SECONDS,
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    step("--prepare")
    assert step("--part", "0")[-1]["event"] == "stages"
    change(remote)
    before = remote.catalog.load_table("ml.p").metadata
    failed = step("--finish")[-1]
    assert failed["event"] == "failed" and words in failed["message"], failed
    assert "start the run again" in failed["message"]
    assert remote.catalog.load_table("ml.p").metadata.snapshots == before.snapshots


def is_commit(seen) -> bool:
    return seen.method == "POST" and "/tables/" in seen.path


@pytest.fixture
def behind_a_proxy(tmp_path, s3, rest_catalog):
    with Proxy(rest_catalog.url) as proxy:
        lake = filled(rest_lake(tmp_path, s3, rest_catalog, uri=proxy.url))
        lake.proxy = proxy
        yield lake


class Once:
    """Gives a fault to the first commit alone."""

    def __init__(self, fault):
        self.fault, self.commits = fault, 0

    def __call__(self, seen):
        if not is_commit(seen):
            return None
        self.commits += 1
        return self.fault if self.commits == 1 else None


@pytest.mark.parametrize("creates", [True, False])
@pytest.mark.parametrize("fault", LOST, ids=lambda f: "dropped" if f.drop else str(f.status))
def test_the_answer_of_a_commit_is_lost(behind_a_proxy, s3, fault, creates):
    """The commit went through, but its answer says nothing of that: one copy."""
    lake, runs = behind_a_proxy, []
    if not creates:
        runs.append(lake.job(logical_date="2024-03-01T00:00:00Z"))
        lake.score(runs[0])
    lake.proxy.rule = Once(fault)
    runs.append(lake.job())
    lake.score(runs[-1])
    assert_one_copy(lake, s3, [run_id_of(job) for job in runs])


@pytest.mark.parametrize(
    "fault",
    [
        Fault(forward=False, status=503),
        Fault(forward=False, drop=True),
        Fault(forward=False, status=429),
        Fault(forward=False, status=409),
    ],
    ids=["503", "dropped", "429", "409"],
)
def test_a_commit_that_did_not_arrive(behind_a_proxy, s3, fault):
    lake = behind_a_proxy
    lake.proxy.rule = Once(fault)
    job = lake.job()
    lake.score(job)
    assert lake.proxy.rule.commits == 2
    assert_one_copy(lake, s3, [run_id_of(job)])


@pytest.mark.parametrize("status, words", [(400, "400"), (403, "403"), (404, "404")])
def test_a_commit_that_is_refused(behind_a_proxy, s3, status, words):
    lake = behind_a_proxy
    lake.score(lake.job(logical_date="2024-01-01T00:00:00Z"))
    before = set(keys(s3, lake))
    lake.proxy.rule = lambda seen: (
        Fault(forward=False, status=status, body=b'{"error": {"message": "not you", "code": 1}}')
        if is_commit(seen)
        else None
    )
    failed = lake.score(ok=False)[-1]
    assert failed["event"] == "failed" and words in failed["message"] and "not you" in failed["message"]
    assert set(keys(s3, lake)) == before


def test_another_writer_comes_between(behind_a_proxy, s3):
    """Their rows and ours are there, each once."""
    lake = behind_a_proxy
    lake.score(lake.job(logical_date="2024-01-01T00:00:00Z"))
    table = lake.catalog.load_table("ml.p")
    theirs = table.scan().to_arrow().slice(0, 10)
    came = []

    def rule(seen):
        if is_commit(seen) and not came:
            came.append(True)
            lake.catalog.load_table("ml.p").append(theirs)

    lake.proxy.rule = rule
    lake.score(lake.job())
    rows = lake.rows()
    assert came and len(rows) == 500 + 10 + 500
    assert {f"s3://warehouse/{key}" for key in keys(s3, lake)} <= needed(lake)


def test_client_credentials(tmp_path, s3, rest_catalog):
    """Tokens are asked for with the secret, used, renewed when they run out early, and the secret stands in no job."""
    tokens, refused = [], []

    def rule(seen):
        if seen.path == "/token":
            tokens.append(f"token-{len(tokens)}")
            assert (
                b"grant_type=client_credentials" in seen.body
                and b"client_secret=s3cr%21t" in seen.body
                and b"scope=tables" in seen.body
            )
            return Fault(
                forward=False,
                status=200,
                body=json.dumps({"access_token": tokens[-1], "token_type": "bearer", "expires_in": 3600}).encode(),
            )
        if seen.headers.get("Authorization") != f"Bearer {tokens[-1] if tokens else None}":
            return Fault(forward=False, status=401)
        if is_commit(seen) and not refused:
            refused.append(True)
            return Fault(forward=False, status=419, body=b'{"error": {"message": "expired"}}')
        return None

    with Proxy(rest_catalog.url, rule) as proxy:
        lake = filled(
            rest_lake(
                tmp_path, s3, rest_catalog, uri=proxy.url, environment={"SLIPWAY_CATALOGS_LAKE_CREDENTIAL": "me:s3cr!t"}
            )
        )
        lake.place |= {"oauth2_server_uri": f"{proxy.url}/token", "scope": "tables"}
        job = lake.job()
        lake.score(job)
        assert len(tokens) == 2 and "s3cr" not in job.read_text()
        assert_one_copy(lake, s3, [run_id_of(job)])
        lake.environment["SLIPWAY_CATALOGS_LAKE_CREDENTIAL"] = ""
        assert "401" in lake.score(ok=False)[-1]["message"]
        lake.environment["SLIPWAY_CATALOGS_LAKE_TOKEN"] = tokens[-1]
        lake.score()


@pytest.mark.parametrize(
    "break_it, words",
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "s3://warehouse"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "MLFLOW_S3_ENDPOINT_URL": ""}, "s3://warehouse"),
    ],
)
def test_s3_that_cannot_be_used(tmp_path, s3, rest_catalog, break_it, words):
    lake = filled(rest_lake(tmp_path, s3, rest_catalog))
    lake.environment |= break_it
    failed = lake.score(ok=False)[-1]
    assert failed["kind"] == "unavailable" and words in failed["message"], failed
    assert "wrong" not in failed["message"]


@pytest.mark.parametrize(
    "status, code", [(403, "AccessDenied"), (507, "InsufficientStorage")], ids=["read-only", "full"]
)
def test_a_warehouse_that_takes_nothing(tmp_path, s3, rest_catalog, status, code):
    """The run fails and names the place; the target is as it was."""
    refuse = Fault(
        forward=False,
        status=status,
        body=f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode(),
        headers={"Content-Type": "application/xml"},
    )
    lake = filled(rest_lake(tmp_path, s3, rest_catalog))
    lake.score(lake.job(logical_date="2024-01-01T00:00:00Z"))
    before = set(keys(s3, lake))
    with Proxy(s3.url, lambda seen: refuse if seen.method in ("PUT", "POST") else None) as bucket:
        lake.environment |= {"AWS_ENDPOINT_URL": bucket.url, "MLFLOW_S3_ENDPOINT_URL": ""}
        failed = lake.score(ok=False)[-1]
    assert failed["kind"] == "unavailable" and f"{rest_catalog.location}/ml/p/" in failed["message"], failed
    assert set(keys(s3, lake)) == before and len(lake.rows()) == 500


def test_a_prefix(tmp_path, s3, rest_catalog):
    """The server's configuration moves every other path; the warehouse is asked for by name."""
    asked = []

    def rule(seen):
        if seen.path.startswith("/v1/config"):
            asked.append(seen.path)
            return Fault(
                forward=False, status=200, body=b'{"defaults": {"prefix": "no"}, "overrides": {"prefix": "ws/one"}}'
            )
        return (
            Fault(path=seen.path.replace("/v1/ws/one/", "/v1/"))
            if seen.path.startswith("/v1/ws/one/")
            else Fault(forward=False, status=404)
        )

    with Proxy(rest_catalog.url, rule) as proxy:
        lake = filled(rest_lake(tmp_path, s3, rest_catalog, uri=proxy.url))
        lake.place["warehouse"] = "my lake"
        job = lake.job()
        lake.score(job)
        assert asked == ["/v1/config?warehouse=my%20lake"]
        assert_one_copy(lake, s3, [run_id_of(job)])


def test_two_catalogs(tmp_path, s3, warehouse, rest_catalog, postgresql):
    """From a table behind the REST catalog into one of PostgreSQL's SQL catalog; and a name that nobody configured."""
    source = filled(rest_lake(tmp_path / "a", s3, rest_catalog))
    target = sql_lake(tmp_path / "b", s3, warehouse, postgresql.new_database())
    target.booster, target.frame = source.booster, source.frame
    job = source.job()
    described = json.loads(job.read_text())
    described["work"]["target"]["catalog"] = "other"
    described["places"]["catalogs"].append({**target.place, "name": "lake", "kind": "sql"} | {"name": "other"})
    job.write_text(json.dumps(described))
    source.score(job)
    other = SqlCatalog(
        "other",
        uri=target.place["uri"].replace("postgresql:", "postgresql+psycopg:"),
        warehouse=target.place["warehouse"],
        **s3_properties(s3),
    )
    target.catalog = other
    assert_one_copy(target, s3, [run_id_of(job)])
    described["work"]["target"]["catalog"] = "nobody"
    job.write_text(json.dumps(described))
    failed = source.score(job, ok=False)[-1]
    assert failed["kind"] == "invalid" and "lake, other" in failed["message"]


def test_a_missing_bucket(tmp_path, s3, warehouse, postgresql):
    lake = sql_lake(tmp_path, s3, warehouse, postgresql.new_database())
    filled(lake)
    lake.place["allowed_prefixes"] = [lake.place["warehouse"]]  # the source stays where it is
    lake.place["warehouse"] = "s3://no-such-bucket/w"
    failed = lake.score(ok=False)[-1]
    assert failed["kind"] == "not_found" and "no-such-bucket" in failed["message"], failed


def test_a_catalog_that_is_down(tmp_path, s3, rest_catalog):
    lake = filled(rest_lake(tmp_path, s3, rest_catalog))
    lake.place["uri"] = "http://127.0.0.1:9"
    failed = lake.score(ok=False)[-1]
    assert failed["kind"] == "unavailable" and "catalog 'lake'" in failed["message"], failed


def test_a_database_that_goes_away_and_comes_back(tmp_path, s3, warehouse, own_postgresql):
    """The SQL catalog connects again."""
    lake = filled(sql_lake(tmp_path, s3, warehouse, own_postgresql.new_database()))
    lake.score()
    own_postgresql.stop()
    try:
        assert lake.score(ok=False)[-1]["kind"] == "unavailable"
    finally:
        own_postgresql.start()
    lake.catalog.engine.dispose()
    lake.score()
    until(lambda: len(lake.rows()), lambda rows: rows == 500)
