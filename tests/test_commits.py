"""Commits beside other writers, and on tables as other writers leave them; PyIceberg says what is right."""

import datetime
import decimal
import subprocess
import threading

import pandas as pd
import pyarrow as pa
import pytest
from conftest import BINARY, HANG_SECONDS, signature_of
from models import numbers, train, with_ids
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import EqualTo
from pyiceberg.transforms import BucketTransform, IdentityTransform, TruncateTransform, YearTransform
from pyiceberg.types import DoubleType
from test_runs import old_rows, predictions_schema

AREAS = ["iceberg", "scoring"]
EXAMPLE = "test_a_pinned_snapshot_is_read_by_its_own_schema"

DAY, OTHER_DAY = "2024-03-01T06:00:00Z", "2024-02-05T00:00:00Z"
COLUMNS = ("f0", "f1", "f2", "f3")


def filled(lake, rows: int):
    lake.frame = numbers(rows)
    lake.booster = train(numbers(300))
    lake.table("src.t", with_ids(lake.frame))
    lake.register("m", lake.booster, signature=signature_of(**dict.fromkeys(COLUMNS, "double")))
    return lake


@pytest.mark.parametrize("rerun", ["overwrite_partition", "append_dedup"])
def test_beside_a_writer_that_never_pauses(lake, rerun):
    """Who only adds elsewhere costs a run a try, and never all of its work again."""
    filled(lake, 300_000)
    lake.catalog.create_table("ml.p", predictions_schema())
    theirs = SqlCatalog("iceberg", uri=f"sqlite:///{lake.dir}/catalog.db", warehouse=f"file://{lake.dir}/warehouse")
    process = subprocess.Popen([BINARY, "score", "--job", lake.job(rerun=rerun)], stdout=subprocess.PIPE, text=True)
    done, appended = threading.Event(), 0
    threading.Thread(target=lambda: (process.wait(), done.set()), daemon=True).start()
    while not done.is_set():
        theirs.load_table("ml.p").append(old_rows([10**9 + appended], OTHER_DAY))
        appended += 1
    out, _ = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 0, out
    rows = lake.rows()
    assert len(rows) == 300_000 + appended and rows["id"].is_unique


def test_a_pinned_snapshot_is_read_by_its_own_schema(lake):
    """A column that was dropped and added again has another id: by today's schema the old values would be gone."""
    filled(lake, 40)
    table = lake.catalog.load_table("src.t")
    pinned = table.current_snapshot().snapshot_id
    with table.update_schema() as update:
        update.delete_column("f1")
    with table.update_schema() as update:
        update.add_column("f1", DoubleType())
    table.append(with_ids(numbers(10, seed=5), first=100))
    lake.score(snapshot_id=pinned)
    then = table.scan(snapshot_id=pinned).to_pandas().sort_values("id")
    assert (lake.rows()["prediction"].to_numpy() == lake.booster.predict(then[list(COLUMNS)])).all()
    lake.score()
    now = table.scan().to_pandas().sort_values("id")
    assert (lake.rows()["prediction"].to_numpy() == lake.booster.predict(now[list(COLUMNS)].astype(float))).all()


def rows_of(column: str, values: list, days: list[str]) -> pa.Table:
    rows = pa.concat_tables([old_rows([10**9 + i], day) for i, day in enumerate(days)])
    return rows.append_column(column, values)


@pytest.mark.parametrize("transform", [IdentityTransform(), TruncateTransform(50), BucketTransform(4)], ids=str)
def test_manifests_of_decimal_partitions_stay_readable(lake, transform):
    """Rewritten by an overwrite, they keep the Avro types of their writer."""
    filled(lake, 40)
    prices = [decimal.Decimal(p) if p else None for p in ("0.00", "0.49", "12.34", "-3.00", None, "100.00")] * 4
    table = lake.catalog.create_table("ml.p", predictions_schema().append(pa.field("price", pa.decimal128(12, 2))))
    with table.update_spec() as update:
        update.add_field("price", transform, "price_part")
    table.append(rows_of("price", pa.array(prices, pa.decimal128(12, 2)), [DAY] * 12 + [OTHER_DAY] * 12))
    lake.score()
    table = lake.catalog.load_table("ml.p")
    left = table.scan().to_arrow().to_pandas()
    assert len(left) == 12 + 40 and set(left[left["model_name"] == "old"]["scored_at"]) == {pd.Timestamp(OTHER_DAY)}
    for price in ("0.00", "12.34", "-3.00"):
        assert len(table.scan(row_filter=EqualTo("price", decimal.Decimal(price))).to_arrow()) == 2


@pytest.mark.parametrize(
    "kind, values, transform",
    [
        (pa.int64(), [1, 2], IdentityTransform()),
        (pa.string(), ["a", "b"], IdentityTransform()),
        (pa.int32(), [1, 2], BucketTransform(4)),
        (pa.int64(), [10, 200], TruncateTransform(10)),
        (pa.date32(), [datetime.date(2024, 1, 1)] * 2, YearTransform()),
        (pa.float64(), [1.5, 2.5], IdentityTransform()),
    ],
    ids=str,
)
def test_the_source_column_of_an_old_spec_was_dropped(lake, kind, values, transform):
    filled(lake, 40)
    table = lake.catalog.create_table("ml.p", predictions_schema().append(pa.field("part", kind)))
    with table.update_spec() as update:
        update.add_field("part", transform, "p")
    for day in (DAY, OTHER_DAY):
        table.append(rows_of("part", pa.array(values, kind), [day] * 2))
    with table.update_spec() as update:
        update.remove_field("p")
    with table.update_schema() as update:
        update.delete_column("part")
    for _ in range(2):
        lake.score()
    seen = lake.cli("--json", "tables", "preview", "ml.p", "--rows", "1000").stdout.splitlines()
    assert len(seen) == 42
    assert len(lake.rows()) == 42


def test_an_append_without_rows(lake):
    """PyIceberg's manifest list is an Avro file with a block of no values then."""
    filled(lake, 40)
    table = lake.catalog.load_table("src.t")
    table.append(table.scan().to_arrow().slice(0, 0))
    target = lake.catalog.create_table("ml.p", predictions_schema())
    target.append(predictions_schema().empty_table())
    lake.score()
    assert len(lake.rows()) == 40


def test_a_clock_behind_another_writers(lake):
    """Iceberg's Java library opens no table whose snapshot log goes back."""
    filled(lake, 40)
    target = lake.catalog.create_table("ml.p", predictions_schema())
    ahead = int((datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)).timestamp() * 1000)
    target.append(old_rows([10**9], OTHER_DAY))
    document = target.metadata.model_copy(
        update={
            "last_updated_ms": ahead,
            "snapshot_log": [
                entry.model_copy(update={"timestamp_ms": ahead}) for entry in target.metadata.snapshot_log
            ],
            "snapshots": [
                snapshot.model_copy(update={"timestamp_ms": ahead}) for snapshot in target.metadata.snapshots
            ],
        }
    )
    with open(target.metadata_location.removeprefix("file://"), "w", encoding="utf-8") as file:
        file.write(document.model_dump_json(by_alias=True, exclude_none=True))
    done = subprocess.run([BINARY, "score", "--job", lake.job()], capture_output=True, text=True, timeout=HANG_SECONDS)
    assert done.returncode == 0, done.stdout
    assert "table_is_ahead_of_this_clock" in done.stderr
    metadata = lake.catalog.load_table("ml.p").metadata
    stamps = [entry.timestamp_ms for entry in metadata.snapshot_log]
    assert stamps == sorted(stamps) and len(set(stamps)) == 2 and metadata.last_updated_ms >= stamps[-1]
