"""Tables that were updated merge-on-read, as sources and as targets. Position deletes are compared with what PyIceberg
reads; equality deletes, which it does not read, with the specification's rules."""

import datetime
import json

import pyarrow as pa
import pytest
from conftest import signature_of
from deletes import delete_equal, delete_positions, files
from models import numbers, train, with_ids
from pyiceberg.transforms import IdentityTransform

AREAS = ["iceberg"]
EXAMPLE = "test_position_deletes_are_applied_as_pyiceberg_applies_them"

REGIONS = pa.table({"id": pa.array(range(8), pa.int64()), "region": ["eu", "us"] * 4})


def ids(lake, name: str = "src.t", *flags: str) -> list:
    """What Slipway reads."""
    lines = lake.cli("--json", "tables", "preview", name, "--rows", "10000", *flags).stdout.splitlines()
    return sorted(int(json.loads(line)["id"]) for line in lines)


@pytest.fixture
def modelled(lake):
    frame = numbers(400, missing=0.05)
    lake.register("m", train(frame), signature=signature_of(f0="double", f1="double", f2="double", f3="double"))
    lake.frame = frame
    return lake


def test_position_deletes_are_applied_as_pyiceberg_applies_them(modelled):
    rows = with_ids(modelled.frame)
    table = modelled.table("src.t", rows.slice(0, 300))
    table.append(rows.slice(300))
    tasks = sorted(table.refresh().scan().plan_files(), key=lambda task: task.file.record_count)
    newer, older = (task.file.file_path for task in tasks)
    delete_positions(table, [(newer, 3), (newer, 4), (older, 0), (older, 299), ("file:///gone.parquet", 1)])
    delete_positions(table, [(older, 7), (older, 7), (newer, 99), (older, 100_000)])
    table.append(rows.slice(0, 1))
    want = sorted(table.scan().to_arrow()["id"].to_pylist())
    assert 300 < len(want) < 401
    assert ids(modelled) == want
    assert ids(modelled, "src.t", "--filter", "id < 10") == [i for i in want if i < 10]
    modelled.score()
    assert sorted(modelled.rows()["id"]) == want


def test_position_deletes_stay_in_their_partition(lake):
    table = lake.table("src.t", REGIONS, ("region", IdentityTransform(), "region"))
    eu, us = sorted(files(table), key=lambda path: "region=us" in path)
    delete_positions(table, [(eu, 0), (us, 0)], partition=("eu",))
    assert ids(lake) == [1, 2, 3, 4, 5, 6, 7], "as in Java's DeleteFileIndex; PyIceberg goes by the path alone"


def test_equality_deletes_take_older_rows_alone(lake):
    rows = pa.table({"id": pa.array([1, 2, 3, 4], pa.int64()), "s": ["a", None, "b", "a"], "x": [1.0, 2.0, None, 4.0]})
    table = lake.table("src.t", rows)
    delete_equal(table, pa.table({"s": ["a", None]}))
    assert ids(lake) == [3]
    table.append(rows.slice(1))
    assert ids(lake) == [2, 3, 3, 4], "rows that came after the delete live"
    delete_equal(table, pa.table({"id": pa.array([3, 3], pa.int64()), "x": [None, 9.0]}))
    assert ids(lake) == [2, 4], "a row goes where all columns are equal; null equals null"
    lines = lake.cli("--json", "tables", "preview", "src.t", "--filter", "id = 4").stdout.splitlines()
    assert [list(json.loads(line).items()) for line in lines] == [[("id", "4"), ("s", "a"), ("x", "4")]]


def test_equality_deletes_of_every_key_type(lake):
    moment = datetime.datetime(2024, 3, 1, tzinfo=datetime.UTC)
    columns = {
        "b": pa.array([True, False]),
        "i": pa.array([1, 2], pa.int32()),
        "f": pa.array([float("nan"), 1.5], pa.float32()),
        "d": pa.array([float("nan"), -0.5]),
        "m": pa.array(["1.50", "-2.00"]).cast(pa.decimal128(9, 2)),
        "day": pa.array([moment.date(), None]),
        "at": pa.array([moment, None], pa.timestamp("us", "UTC")),
        "t": pa.array(["ü", ""]),
        "y": pa.array([b"\0", b""]),
        "z": pa.array([b"abc", b"abd"], pa.binary(3)),
    }
    for name, values in columns.items():
        rows = pa.table({"id": pa.array([1, 2], pa.int64()), name: values})
        table = lake.table(f"src.{name}", rows)
        delete_equal(table, rows.select([name]).slice(0, 1))
        assert ids(lake, f"src.{name}") == [2], name


def test_equality_deletes_hold_in_their_partition_and_without_one_everywhere(lake):
    table = lake.table("src.t", REGIONS, ("region", IdentityTransform(), "region"))
    delete_equal(table, pa.table({"id": pa.array([0, 1], pa.int64())}), partition=("eu",))
    assert ids(lake) == [1, 2, 3, 4, 5, 6, 7]
    delete_equal(table, pa.table({"id": pa.array([2, 3], pa.int64())}), spec_id=0)
    assert ids(lake) == [1, 4, 5, 6, 7]


def test_equality_deletes_by_a_column_that_was_dropped(lake):
    table = lake.table("src.t", REGIONS)
    delete_equal(table, pa.table({"region": ["us"]}))
    with table.update_schema() as update:
        update.delete_column("region")
    assert ids(lake) == [0, 2, 4, 6]


def test_deletes_without_effect_cost_nothing(lake):
    """What rewrite_data_files leaves: deletes of files that are gone, here even in a format that is not read."""
    table = lake.table("src.t", REGIONS, ("region", IdentityTransform(), "region"))
    delete_positions(table, [("file:///gone.parquet", 0)], partition=("asia",), format="ORC")
    delete_equal(table, pa.table({"id": pa.array([1], pa.int64())}), partition=("asia",), format="AVRO")
    assert ids(lake) == list(range(8))
    delete_positions(table, [("file:///gone.parquet", 0)], partition=("eu",), format="ORC")
    refused = lake.cli("tables", "preview", "src.t", check=False)
    assert "holds deletes in the format ORC" in refused.stderr


def predictions(days: dict[int, int]) -> pa.Table:
    """Rows as a run writes them: ids and their days of March 2024."""
    at = [datetime.datetime(2024, 3, day, 6, tzinfo=datetime.UTC) for day in days.values()]
    columns = {
        "id": pa.array(list(days), pa.int64()),
        "prediction": pa.array([0.5] * len(days)),
        "scored_at": pa.array(at, pa.timestamp("us", "UTC")),
        **{name: pa.array(["other"] * len(days)) for name in ("model_name", "model_version", "run_id")},
    }
    return pa.table(columns)


def test_no_deleted_row_comes_back_where_a_run_rewrites_a_file(modelled):
    """One file holds two days: the run replaces one, and the rows of the other go into a copy."""
    modelled.table("src.t", with_ids(modelled.frame).slice(0, 5))
    target = modelled.table("ml.p", predictions({1001: 1, 1002: 2, 1003: 2, 1004: 2}))
    delete_positions(target, [(files(target)[0], 1)])
    delete_equal(target, pa.table({"id": pa.array([1003], pa.int64())}))
    modelled.score()  # of 1 March
    assert ids(modelled, "ml.p") == [0, 1, 2, 3, 4, 1004]
    modelled.score()
    assert ids(modelled, "ml.p") == [0, 1, 2, 3, 4, 1004]
    summary = modelled.catalog.load_table("ml.p").current_snapshot().summary
    assert summary.operation.value == "overwrite"


def test_a_deleted_key_is_no_rival_of_append_dedup(modelled):
    modelled.table("src.t", with_ids(modelled.frame).slice(0, 4))
    target = modelled.table("ml.p", predictions({0: 1, 1: 1, 2: 1}))
    delete_positions(target, [(files(target)[0], 0)])
    delete_equal(target, pa.table({"id": pa.array([2], pa.int64())}))
    modelled.score(rerun="append_dedup")
    rows = modelled.cli("--json", "tables", "preview", "ml.p", "--rows", "100").stdout.splitlines()
    writers = {int(row["id"]): row["run_id"] for row in map(json.loads, rows)}
    assert sorted(writers) == [0, 1, 2, 3]
    assert [i for i, run in writers.items() if run == "other"] == [1]


def test_deletes_go_with_the_parts_of_a_run(modelled):
    rows = with_ids(modelled.frame)
    table = modelled.table("src.t", rows.slice(0, 200))
    table.append(rows.slice(200))
    delete_positions(table, [(path, 5) for path in files(table)])
    delete_equal(table, pa.table({"id": pa.array([7, 207], pa.int64())}))
    job = modelled.job()
    for step in (["--prepare", "--parts", "2"], ["--part", "0"], ["--part", "1"], ["--finish"]):
        modelled.cli("score", "--job", str(job), *step)
    assert sorted(modelled.rows()["id"]) == [i for i in range(400) if i not in (5, 205, 7, 207)]
