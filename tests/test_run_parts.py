"""A run in three calls: prepare, parts in processes of their own, finish; by hand."""

import json
import subprocess

import pytest
from conftest import BINARY, HANG_SECONDS, signature_of
from models import numbers, train, with_ids

AREAS = ["scoring"]
EXAMPLE = "test_the_same_in_one_process"


@pytest.fixture
def ready(lake):
    """A source of four files with 100 rows each."""
    lake.frame = numbers(400)
    lake.booster = train(lake.frame)
    table = lake.create("src.t", with_ids(lake.frame).schema)
    for first in range(0, 400, 100):
        table.append(with_ids(lake.frame).slice(first, 100))
    lake.register("m", lake.booster, signature=signature_of(f0="double", f1="double", f2="double", f3="double"))
    return lake


def start(job, *step: str) -> subprocess.Popen:
    return subprocess.Popen(
        [BINARY, "score", "--job", job, *step], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def end(process: subprocess.Popen, ok: bool = True) -> list[dict]:
    out, err = process.communicate(timeout=HANG_SECONDS)
    assert (process.returncode == 0) == ok, (out, err)
    return [json.loads(line) for line in out.splitlines()]


def step(job, *arguments: str, ok: bool = True) -> list[dict]:
    return end(start(job, *arguments), ok)


def assert_one_copy(lake):
    assert (lake.rows()["prediction"].to_numpy() == lake.booster.predict(lake.frame)).all()


def data_files(lake) -> set[str]:
    return {str(path) for path in lake.files() if path.suffix == ".parquet"}


def named(lake) -> set[str]:
    return {task.file.file_path.removeprefix("file://") for task in lake.catalog.load_table("ml.p").scan().plan_files()}


@pytest.mark.parametrize("partition_column", ["scored_at", "id"])
def test_by_hand(ready, partition_column):
    job = ready.job(partition_column=partition_column)
    planned = step(job, "--prepare", "--parts", "3")[-1]
    assert planned["event"] == "planned" and planned["rows"] == 400 and planned["parts"] == 2, (
        "of about 134 rows, so two files each"
    )
    assert planned == {**planned, "model_version": "1", "skipped_files": 0, "files": 4}
    assert not ready.catalog.table_exists("ml.p")
    # All at once, and one of them by two processes.
    for process in [start(job, "--part", str(part)) for part in (1, 0, 1)]:
        assert end(process)[-1]["event"] == "stages"
    done = step(job, "--finish")[-1]
    assert done["event"] == "committed" and done["rows"] == 400 and not done["already_committed"]
    assert_one_copy(ready)
    assert data_files(ready) == named(ready), "what was done twice is there once"
    for again in ("--finish", "--prepare"):
        found = step(job, again)[-1]
        assert (
            found["event"] == "committed" and found["already_committed"] and found["snapshot_id"] == done["snapshot_id"]
        )
    assert_one_copy(ready)


def test_the_same_in_one_process(ready):
    planned = next(event for event in end(start(ready.job(), "--part-rows", "100")) if event["event"] == "planned")
    assert planned["parts"] == 4
    assert_one_copy(ready)


def test_what_is_missing_is_named(ready):
    job = ready.job()
    assert "--prepare comes first" in step(job, "--part", "0", ok=False)[-1]["message"]
    step(job, "--prepare", "--part-rows", "200")
    assert "no part 2" in step(job, "--part", "2", ok=False)[-1]["message"]
    step(job, "--part", "0")
    assert "part 1 was not done yet" in step(job, "--finish", ok=False)[-1]["message"]
    step(job, "--part", "1")
    step(job, "--prepare", "--part-rows", "200")
    assert "another preparation" in step(job, "--finish", ok=False)[-1]["message"]
    assert "one part" in step(ready.job(rerun="append_dedup"), "--prepare", "--parts", "2", ok=False)[-1]["message"]
    assert not ready.catalog.table_exists("ml.p")
    step(job, "--clean-up")
    assert data_files(ready) == set(), "a run that is given up leaves nothing"


def test_a_run_of_a_deployment(ready, tmp_path):
    """As a DAG carries it: who starts a run names it, and the program makes the job."""
    job = json.loads(ready.job().read_text())
    deployment = tmp_path / "deployment.json"
    deployment.write_text(
        json.dumps(
            {
                "model": "m",
                "name": "d",
                "work": job["work"],
                "places": {**job["places"], "model_cache": ""},
                "cron": None,
            }
        )
    )
    command = [
        BINARY,
        "score",
        "--deployment",
        deployment,
        "--run-id",
        job["run_id"],
        "--logical-date",
        "2024-03-01T06:00:00Z",
    ]
    end(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    assert_one_copy(ready)
    found = end(
        subprocess.Popen([*command, "--attempt", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    )
    assert found[-1]["already_committed"]
    summary = ready.catalog.load_table("ml.p").current_snapshot().summary
    assert summary["slipway.deployment"] == "m/d" and summary["slipway.logical-date"] == "2024-03-01T06:00:00Z"
