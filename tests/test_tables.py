"""Slipway and PyIceberg on the same tables, in both directions."""

import json

import pyarrow as pa
import pytest
from conftest import signature_of
from models import numbers, train, with_ids
from pyiceberg.expressions import EqualTo
from pyiceberg.transforms import BucketTransform, DayTransform, IdentityTransform, MonthTransform, TruncateTransform

AREAS = ["iceberg"]
EXAMPLE = "test_schema_evolution_of_the_source"


@pytest.fixture
def modelled(lake):
    frame = numbers(400, missing=0.05)
    lake.register("m", train(frame), signature=signature_of(f0="double", f1="double", f2="double", f3="double"))
    lake.frame = frame
    return lake


def test_a_preview_tells_a_dash_from_a_null(lake):
    lake.table("src.t", pa.table({"id": [1, 2, 3], "s": ["-", None, "x"]}))
    lines = lake.cli("--json", "tables", "preview", "src.t").stdout.splitlines()
    assert [json.loads(line)["s"] for line in lines] == ["-", None, "x"]
    assert lake.cli("tables", "preview", "src.t").stdout.split() == ["id", "s", "1", "-", "2", "-", "3", "x"]


@pytest.mark.parametrize("version", ["1", "2"])
def test_format_versions_of_source_and_target(modelled, version):
    modelled.table("src.t", with_ids(modelled.frame), format_version=version)
    target = pa.schema(
        [
            ("id", pa.int64()),
            ("prediction", pa.float64()),
            ("scored_at", pa.timestamp("us", "UTC")),
            ("model_name", pa.string()),
            ("model_version", pa.string()),
            ("run_id", pa.string()),
            ("note", pa.string()),
        ]
    )
    modelled.create("ml.p", target, format_version=version)
    modelled.score()
    modelled.score()
    table = modelled.catalog.load_table("ml.p")
    assert table.metadata.format_version == int(version)
    assert len(modelled.rows()) == 400 and modelled.rows()["note"].isna().all()
    table.append(table.scan().to_arrow().slice(0, 5))
    assert len(modelled.rows()) == 405, "PyIceberg appends to what Slipway wrote"
    modelled.score()
    assert len(modelled.rows()) == 400


@pytest.mark.parametrize("transform", [IdentityTransform(), BucketTransform(4), TruncateTransform(50)])
def test_partitioned_target_of_another_writer(modelled, transform):
    modelled.table("src.t", with_ids(modelled.frame))
    target = pa.schema(
        [
            ("id", pa.int64()),
            ("prediction", pa.float64()),
            ("scored_at", pa.timestamp("us", "UTC")),
            ("model_name", pa.string()),
            ("model_version", pa.string()),
            ("run_id", pa.string()),
        ]
    )
    modelled.create("ml.p", target, ("id", transform, "p"))
    modelled.score(filter_sql="id < 120")
    assert len(modelled.rows()) == 120
    # PyIceberg prunes by the partition values that Slipway wrote: a wrong one would lose the row.
    table = modelled.catalog.load_table("ml.p")
    for wanted in (0, 7, 63, 119):
        assert table.scan(row_filter=f"id == {wanted}").to_arrow()["id"].to_pylist() == [wanted]


def test_statistics_let_pyiceberg_prune(modelled):
    modelled.table("src.t", with_ids(modelled.frame))
    modelled.score()
    scan = modelled.catalog.load_table("ml.p").scan
    assert len(list(scan(row_filter="id > 399").plan_files())) == 0
    assert len(list(scan(row_filter="id > 398").plan_files())) == 1
    assert len(list(scan(row_filter="model_name > 'm'").plan_files())) == 0
    assert len(list(scan(row_filter="prediction is null").plan_files())) == 0
    file = next(iter(scan().plan_files())).file
    ids = {f.name: f.field_id for f in modelled.catalog.load_table("ml.p").schema().fields}
    assert (
        file.record_count == 400
        and file.value_counts[ids["id"]] == 400
        and file.nan_value_counts[ids["prediction"]] == 0
    )


def test_pruning_skips_files_and_loses_no_row(modelled):
    table = with_ids(modelled.frame).append_column("day", pa.array([i // 100 for i in range(400)], pa.int32()))
    modelled.table("src.t", table, ("day", IdentityTransform(), "day_value"))
    planned = modelled.score(filter_sql="day = 2 AND id >= 200")[0]
    assert planned["files"] == 1 and planned["skipped_files"] == 3
    assert sorted(modelled.rows()["id"]) == list(range(200, 300))
    assert modelled.score(filter_sql="id BETWEEN 90 AND 110")[0]["files"] == 2
    assert sorted(modelled.rows()["id"]) == list(range(90, 111))
    assert modelled.score(filter_sql="day IN (0, 3) AND NOT (id < 50)")[0]["files"] == 2
    assert len(modelled.rows()) == 150


def test_a_given_snapshot_is_read(modelled):
    table = modelled.table("src.t", with_ids(modelled.frame))
    old = table.current_snapshot().snapshot_id
    table.append(with_ids(modelled.frame, first=400))
    modelled.score(snapshot_id=old)
    assert len(modelled.rows()) == 400
    modelled.score()
    assert len(modelled.rows()) == 800


def test_schema_evolution_of_the_source(modelled):
    table = modelled.table("src.t", with_ids(modelled.frame))
    with table.update_schema() as update:
        update.rename_column("f3", "tmp")
    with table.update_schema() as update:
        update.rename_column("tmp", "f3")
        update.add_column("added", __import__("pyiceberg.types").types.IntegerType())
    modelled.score(filter_sql="added IS NULL", entities=("id", "added"))
    assert len(modelled.rows()) == 400 and modelled.rows()["added"].isna().all()


def test_version_3_is_refused_by_name(modelled):
    import json

    table = modelled.table("src.t", with_ids(modelled.frame))
    path = table.metadata_location.removeprefix("file://")
    text = json.loads(open(path).read())
    text["format-version"] = 3
    open(path, "w").write(json.dumps(text))
    failed = modelled.score(ok=False)[-1]
    assert failed["kind"] == "unsupported" and "format version 3" in failed["message"]


def test_timestamps_days_and_partitions_of_time(modelled):
    import pandas as pd

    stamps = pd.date_range("2023-12-30", periods=400, freq="h", tz="UTC")
    table = with_ids(modelled.frame).append_column("at", pa.array(stamps, pa.timestamp("us", "UTC")))
    for number, transform in enumerate([DayTransform(), MonthTransform()]):
        modelled.table(f"src.t{number}", table, ("at", transform, "p"))
        planned = modelled.score(
            source=f"src.t{number}", filter_sql="at >= '2024-01-01' AND at < logical_date - interval '54 days'"
        )[0]
        want = [
            i
            for i, s in enumerate(stamps)
            if pd.Timestamp("2024-01-01", tz="UTC") <= s < pd.Timestamp("2024-01-07T06:00", tz="UTC")
        ]
        assert sorted(modelled.rows()["id"]) == want
        assert planned["skipped_files"] >= 1


@pytest.mark.parametrize("transform", [IdentityTransform(), BucketTransform(4), TruncateTransform(500)])
def test_decimals_as_keys_and_partitions(modelled, transform):
    """Of a target that PyIceberg partitioned; every file lies where PyIceberg's own transform puts its rows."""
    from decimal import Decimal

    prices = [None if i % 7 == 0 else Decimal(i * 37 - 5000).scaleb(-2) for i in range(400)]
    source = with_ids(modelled.frame).append_column("price", pa.array(prices, pa.decimal128(12, 2)))
    modelled.table("src.t", source)
    modelled.score(entities=("price", "id"), partition_column="price")
    made = modelled.catalog.load_table("ml.p")
    assert [str(field.transform) for field in made.spec().fields] == ["identity"]
    with made.update_spec() as update:
        update.remove_field(made.spec().fields[0].name)
        update.add_field("price", transform, "by_price")
    modelled.score(entities=("price", "id"), partition_column="price")
    modelled.score(entities=("price", "id"), partition_column="price", rerun="append_dedup")
    rows = modelled.rows()
    assert len(rows) == 400 and dict(zip(rows["id"], rows["price"], strict=True)) == dict(enumerate(prices))
    table = modelled.catalog.load_table("ml.p")
    column = table.schema().find_field("price")
    places = {task.file.partition[0] for task in table.scan().plan_files()}
    assert places == {transform.transform(column.field_type)(price) for price in prices}
    for price in (prices[1], prices[398]):
        assert len(table.scan(row_filter=EqualTo("price", price)).to_arrow()) == 1, (
            "PyIceberg finds it by its partition"
        )


def test_a_model_is_fed_decimals_as_mlflow_feeds_them(modelled):
    from decimal import Decimal

    import mlflow.pyfunc

    frame = modelled.frame.drop(columns="f1")
    prices = [None if i % 9 == 0 else Decimal(i * 7 - 900).scaleb(-3) for i in range(400)]
    modelled.table("src.t", with_ids(frame).append_column("f1", pa.array(prices, pa.decimal128(12, 3))))
    modelled.score()
    model = mlflow.pyfunc.load_model(str(next((modelled.dir / "models").rglob("MLmodel")).parent))
    frame["f1"] = [float("nan") if price is None else float(price) for price in prices]
    assert list(modelled.rows()["prediction"]) == list(model.predict(frame[["f0", "f1", "f2", "f3"]]))
