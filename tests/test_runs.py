"""What a run does to its target: one copy, whatever happened before or meanwhile."""

import json
import os
import random
import re
import signal
import subprocess
import uuid
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import BINARY, signature_of
from models import numbers, train, with_ids
from pyiceberg.transforms import MonthTransform

AREAS = ["iceberg", "scoring"]
EXAMPLE = "test_overwrite_replaces_the_day_and_only_the_day"

DAY = "2024-03-01T06:00:00Z"
KILLS = int(os.environ.get("SLIPWAY_KILLS", "12"))


@pytest.fixture
def ready(lake):
    """A source of 500 rows with a region, and model m."""
    frame = numbers(500)
    booster = train(frame)
    table = with_ids(frame).append_column(
        "region", pa.array([["north", "south", None][i % 3] for i in range(500)], pa.string())
    )
    lake.table("src.t", table)
    lake.register("m", booster, signature=signature_of(f0="double", f1="double", f2="double", f3="double"))
    return lake


def predictions_schema() -> pa.Schema:
    return pa.schema(
        [
            ("id", pa.int64()),
            ("prediction", pa.float64()),
            ("scored_at", pa.timestamp("us", "UTC")),
            ("model_name", pa.string()),
            ("model_version", pa.string()),
            ("run_id", pa.string()),
        ]
    )


def old_rows(ids, scored_at: str) -> pa.Table:
    count = len(ids)
    stamp = pd.Timestamp(scored_at)
    return pa.table(
        {
            "id": pa.array(ids, pa.int64()),
            "prediction": pa.array([9.0] * count),
            "scored_at": pa.array([stamp] * count, pa.timestamp("us", "UTC")),
            "model_name": ["old"] * count,
            "model_version": ["0"] * count,
            "run_id": ["old"] * count,
        },
        schema=predictions_schema(),
    )


def test_overwrite_replaces_the_day_and_only_the_day(ready):
    ready.score(logical_date="2024-02-29T23:00:00Z")
    ready.score(logical_date=DAY)
    ready.score(logical_date="2024-03-01T22:00:00Z", filter_sql="id < 100")
    rows = ready.rows()
    assert len(rows) == 500 + 100
    assert set(rows["scored_at"].astype(str)) == {"2024-02-29 23:00:00+00:00", "2024-03-01 22:00:00+00:00"}
    table = ready.catalog.load_table("ml.p")
    assert len(table.metadata.snapshots) == 3, "one snapshot for each run"


def test_overwrite_by_zero_rows_empties_the_day(ready):
    ready.score()
    ready.score(filter_sql="id < 0")
    assert len(ready.rows()) == 0


@pytest.mark.parametrize("spec", ["unpartitioned", "month", "evolved"])
def test_overwrite_in_a_target_of_another_partitioning(ready, spec):
    table = ready.create(
        "ml.p", predictions_schema(), ("scored_at", MonthTransform(), "month") if spec == "month" else None
    )
    table.append(
        pa.concat_tables(
            [
                old_rows([1, 2], "2024-03-01T00:00:00Z"),
                old_rows([3, 4], "2024-03-02T00:00:00Z"),
                old_rows([5], "2024-02-29T23:59:59Z"),
            ]
        )
    )
    if spec == "evolved":
        with table.update_spec() as update:
            update.add_field("scored_at", MonthTransform(), "month")
        table.append(old_rows([6], "2024-03-01T12:00:00Z"))
    ready.score()
    ready.score()
    rows = ready.rows()
    assert sorted(rows[rows["model_name"] == "old"]["id"]) == [3, 4, 5], (
        "other days keep their rows, this day's are gone"
    )
    assert (rows["model_name"] == "m").sum() == 500


def test_overwrite_by_a_partition_column(ready):
    ready.score(partition_column="region", filter_sql="region = 'north' OR region IS NULL")
    ready.score(partition_column="region", filter_sql="region = 'south'", logical_date="2024-03-02T06:00:00Z")
    ready.score(partition_column="region", filter_sql="region IS NULL AND id < 10", logical_date="2024-03-03T06:00:00Z")
    rows = ready.rows()
    assert rows["region"].value_counts().to_dict() == {"north": 167, "south": 167}
    assert rows["region"].isna().sum() == 3
    assert rows["id"].is_unique


def test_append_dedup_keeps_the_first(ready):
    ready.score(rerun="append_dedup", filter_sql="id < 300")
    first = ready.rows().set_index("id")["run_id"]
    files = {t.file.file_path for t in ready.catalog.load_table("ml.p").scan().plan_files()}
    ready.score(rerun="append_dedup")
    rows = ready.rows()
    assert len(rows) == 500 and rows["id"].is_unique
    assert (rows.set_index("id")["run_id"].loc[first.index] == first).all(), "the rows there stay"
    assert files <= {t.file.file_path for t in ready.catalog.load_table("ml.p").scan().plan_files()}, (
        "the snapshot only adds files"
    )
    ready.score(rerun="append_dedup", logical_date="2024-03-02T06:00:00Z")
    assert len(ready.rows()) == 1000, "another day is another partition"


def test_append_dedup_within_one_run_keeps_the_first_in_file_order(lake):
    frame = numbers(300, missing=0)
    booster = train(frame)
    table = with_ids(frame).set_column(0, "id", pa.array([i % 100 for i in range(300)], pa.int64()))
    lake.table("src.t", table)
    lake.register("m", booster, signature=signature_of(f0="double", f1="double", f2="double", f3="double"))
    lake.score(rerun="append_dedup")
    assert (lake.rows()["prediction"].to_numpy() == booster.predict(frame.head(100))).all()


def test_a_run_id_is_committed_once(ready):
    run_id = str(uuid.uuid4())
    ready.score(run_id=run_id)
    again = ready.score(run_id=run_id, attempt=2)
    assert again[-1]["event"] == "committed" and again[-1]["already_committed"] == 1 and again[-1]["rows"] == 500
    assert len(ready.catalog.load_table("ml.p").metadata.snapshots) == 1
    assert len(ready.rows()) == 500


def test_kill_at_any_moment_leaves_one_copy(ready):
    """kill -9 while the process does what it does, then the next attempt of the same run; at the end nothing is left
    over."""
    random.seed(11)
    took = max(0.05, _seconds(ready))
    for kill in range(KILLS):
        run_id = str(uuid.uuid4())
        job = ready.job(run_id=run_id, rerun=["overwrite_partition", "append_dedup"][kill % 2])
        process = subprocess.Popen(
            [BINARY, "score", "--job", job], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(timeout=random.uniform(0, took))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.wait()
        text = json.loads(job.read_text())
        text["attempt"] = 2
        job.write_text(json.dumps(text))
        ready.score(job)
        rows = ready.rows()
        assert len(rows) == 500 and rows["id"].is_unique, f"kill {kill}"
        snapshots = [
            s
            for s in ready.catalog.load_table("ml.p").metadata.snapshots
            if s.summary.additional_properties.get("slipway.run-id") == run_id
        ]
        assert len(snapshots) == 1, f"kill {kill}: one snapshot of the run"
    assert _unnamed_files(ready) == set()


def _seconds(lake) -> float:
    import time

    started = time.monotonic()
    lake.score()
    return time.monotonic() - started


def _committed_metadata(location: str) -> set[str]:
    """The table's metadata file and all before it: a log names the last hundred, the oldest of which has a log too."""
    committed = {location}
    while True:
        log = json.loads(Path(location.removeprefix("file://")).read_text())["metadata-log"]
        committed |= {entry["metadata-file"] for entry in log}
        if not log:
            return committed
        location = log[0]["metadata-file"]


def _unnamed_files(lake) -> set:
    """Files below the target that no snapshot, manifest list, manifest or metadata log names."""
    table = lake.catalog.load_table("ml.p")
    named = _committed_metadata(table.metadata_location)
    for snapshot in table.metadata.snapshots:
        named.add(snapshot.manifest_list)
        for manifest in snapshot.manifests(table.io):
            named.add(manifest.manifest_path)
            named.update(e.data_file.file_path for e in manifest.fetch_manifest_entry(table.io, discard_deleted=False))
    return {str(p) for p in lake.files()} - {n.removeprefix("file://") for n in named}


def test_writers_at_once_all_commit(ready):
    ready.catalog.create_table("ml.p", predictions_schema())
    jobs = [
        ready.job(logical_date=f"2024-04-{day:02}T00:00:00Z", rerun=["overwrite_partition", "append_dedup"][day % 2])
        for day in range(1, 7)
    ]
    processes = [subprocess.Popen([BINARY, "score", "--job", job], stdout=subprocess.PIPE, text=True) for job in jobs]
    ready.catalog.load_table("ml.p").append(old_rows([7], "2024-05-01T00:00:00Z"))
    for process in processes:
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0, out
    rows = ready.rows()
    assert len(rows) == 6 * 500 + 1
    assert rows[rows["model_name"] == "m"].groupby("scored_at")["id"].nunique().tolist() == [500] * 6
    # PyIceberg leaves the metadata file of an attempt that it lost; Slipway's names carry the run id.
    ids = [json.loads(job.read_text())["run_id"][:23] for job in jobs]
    assert {file for file in _unnamed_files(ready) if any(run in str(file) for run in ids)} == set()


def test_two_appending_runs_of_the_same_rows_leave_one_copy(ready):
    ready.catalog.create_table("ml.p", predictions_schema())
    jobs = [ready.job(rerun="append_dedup") for _ in range(4)]
    processes = [subprocess.Popen([BINARY, "score", "--job", job], stdout=subprocess.PIPE, text=True) for job in jobs]
    for process in processes:
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0, out
    assert len(ready.rows()) == 500 and ready.rows()["id"].is_unique
    assert _unnamed_files(ready) == set()


def test_a_failed_run_changes_nothing(ready):
    ready.score()
    before, files = ready.rows(), ready.files()
    data = next(p for p in (ready.dir / "warehouse" / "src" / "t" / "data").rglob("*.parquet"))
    good = data.read_bytes()
    data.write_bytes(good[: len(good) // 2])
    failed = ready.score(ok=False)[-1]
    assert failed["event"] == "failed" and data.name in failed["message"] and failed["kind"] == "corrupt"
    data.write_bytes(good[:100] + bytes(1000) + good[1100:])
    assert ready.score(ok=False)[-1]["event"] == "failed"
    data.write_bytes(good)
    pd.testing.assert_frame_equal(ready.rows(), before)
    assert ready.files() == files, "no file is left over"


def test_a_file_whose_columns_differ_in_length_is_named(lake):
    """One column says that it has 100 values, and so ends after its first page; the decoder of the other one reads
    3,000."""
    frame = numbers(3000)[["f3"]]
    lake.table("src.t", with_ids(frame))
    lake.register("m", train(frame), signature=signature_of(f3="double"))
    data = next((lake.dir / "warehouse" / "src" / "t" / "data").rglob("*.parquet"))
    pq.write_table(pq.read_table(data), data, data_page_size=1000, write_batch_size=500, use_dictionary=False)
    whole = data.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for found in re.finditer(rb"\xf0\x2e", whole[footer:]):  # 3000 as a zigzag varint
        at = footer + found.start()
        data.write_bytes(whole[:at] + b"\xc8\x01" + whole[at + 2 :])
        lengths = {
            name: sum(batch.num_rows for batch in pq.ParquetFile(data).iter_batches(columns=[name]))
            for name in ("id", "f3")
        }
        if lengths["id"] == 3000 and lengths["f3"] < 3000:
            break
    else:
        pytest.fail("no such place in the footer")
    failed = lake.score(ok=False)[-1]
    assert (
        failed["kind"] == "corrupt"
        and data.name in failed["message"]
        and ("differ" in failed["message"] or "same size" in failed["message"])
    )
    assert lake.files() == set()


def test_a_damaged_manifest_is_named(ready):
    manifest = next((ready.dir / "warehouse" / "src" / "t" / "metadata").glob("*-m0.avro"))
    manifest.write_bytes(manifest.read_bytes()[:-30])
    failed = ready.score(ok=False)[-1]
    assert failed["kind"] == "corrupt" and manifest.name in failed["message"]


def test_a_changed_model_file_is_refused(ready):
    model = ready.dir / "models/m/versions/1/model/model.lgb"
    model.write_text(model.read_text().replace("shrinkage=", "shrinkage=1", 1))
    failed = ready.score(ok=False)[-1]
    assert failed["kind"] == "corrupt" and "not those that were registered" in failed["message"]


def test_a_column_whose_type_changed_is_named(ready):
    table = ready.catalog.load_table("src.t")
    with table.update_schema() as update:
        update.delete_column("f2")
    with table.update_schema() as update:
        from pyiceberg.types import StringType

        update.add_column("f2", StringType())
    failed = ready.score(ok=False)[-1]
    assert "'f2'" in failed["message"] and "string" in failed["message"]


def test_a_full_disk_fails_the_run_and_leaves_nothing(ready):
    ready.score()
    before, files = ready.rows(), ready.files()
    job = ready.job()
    # RLIMIT_FSIZE makes every write beyond 4 KiB fail, as a full disk would; the signal is ignored so that the error is
    # seen.
    script = (
        "import os, resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); "
        f"os.execv('{BINARY}', ['slipway', 'score', '--job', '{job}'])"
    )
    done = subprocess.run(["python3", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert ".parquet" in done.stdout and "File too large" in done.stdout
    pd.testing.assert_frame_equal(ready.rows(), before)
    assert ready.files() == files
