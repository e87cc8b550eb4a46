"""Two attempts of one run at once, whatever is held, released late or killed: one copy, and every file that the table
names is there."""

import json
import os
import queue
import random
import subprocess
import threading
import uuid

import pytest
from conftest import BINARY, HANG_SECONDS
from services.proxy import Fault, Proxy, Seen
from test_lakes import filled, is_commit, keys, needed, rest_lake

AREAS = ["iceberg", "scoring"]
EXAMPLE = "test_an_attempt_killed_at_its_commit"

AREAS = ["iceberg", "scoring"]
EXAMPLE = "test_an_attempt_killed_at_its_commit"

INTERLEAVINGS = int(os.environ.get("SLIPWAY_INTERLEAVINGS", 20))
SEED = int(os.environ.get("SLIPWAY_SEED", 18))


class Held:
    """A request that stands in the proxy until it is released."""

    def __init__(self, seen: Seen):
        self.seen, self.event = seen, threading.Event()

    def release(self) -> None:
        self.event.set()


class Gate:
    """Holds the requests of one attempt that `wanted` picks, each until it is released."""

    def __init__(self, target: str, wanted):
        self.wanted, self.held, self.open = wanted, queue.Queue(), False
        self.proxy = Proxy(target, self.rule)

    def rule(self, seen: Seen) -> Fault | None:
        if not self.open and self.wanted(seen):
            held = Held(seen)
            self.held.put(held)
            held.event.wait()
        return None

    def next(self) -> Held:
        return self.held.get(timeout=HANG_SECONDS)


class Attempt:
    """`slipway score` of one attempt, behind a gate of its own; beside the others of its run."""

    def __init__(self, lake, server, number: int, wanted, **job):
        self.gate = Gate(server.url, wanted)
        lake.place = {**lake.place, "uri": self.gate.proxy.url}
        self.job = lake.job(attempt=number, **job)
        self.process = subprocess.Popen(
            [BINARY, "score", "--job", self.job],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **lake.environment},
        )
        self.ended = threading.Event()
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        self.out, self.err = self.process.communicate()
        self.ended.set()
        self.gate.held.put(None)  # wakes who waits for its next step

    def last(self) -> dict:
        assert self.ended.wait(HANG_SECONDS), "the attempt hangs"
        return json.loads(self.out.splitlines()[-1])

    def close(self) -> None:
        self.gate.open = True
        while not self.gate.held.empty():
            if held := self.gate.held.get():
                held.release()
        self.process.kill()
        self.gate.proxy.stop()


@pytest.fixture
def lake(tmp_path, s3, rest_catalog):
    return filled(rest_lake(tmp_path, s3, rest_catalog))


@pytest.fixture
def attempt(lake, rest_catalog):
    made = []

    def make(number: int, wanted=is_commit_of_target, **job) -> Attempt:
        made.append(Attempt(lake, rest_catalog, number, wanted, **job))
        return made[-1]

    yield make
    for one in made:
        one.close()


def is_commit_of_target(seen: Seen) -> bool:
    return is_commit(seen) and seen.path.endswith("/tables/p")


def is_about_target(seen: Seen) -> bool:
    return seen.path.endswith("/tables/p") or (seen.method == "POST" and seen.path.endswith("/tables"))


def assert_one_copy(lake, s3, run_ids: set[str], tidy: bool = True) -> None:
    """By PyIceberg: each row once with its right prediction, one snapshot for each run, all files there, and none left
    over."""
    rows = lake.rows()  # reads every file
    assert len(rows) == len(lake.frame) and rows["id"].is_unique
    assert (rows["prediction"].to_numpy() == lake.booster.predict(lake.frame)).all()
    table = lake.catalog.load_table("ml.p")
    found = [s.summary["slipway.run-id"] for s in table.metadata.snapshots]
    assert sorted(found) == sorted(run_ids)
    bucket = table.location().removeprefix("s3://").partition("/")[0]
    there = {f"s3://{bucket}/{key}" for key in keys(s3, lake)}
    current = table.current_snapshot()
    live = {current.manifest_list, table.metadata_location}
    for manifest in current.manifests(table.io):
        live |= {manifest.manifest_path, *(e.data_file.file_path for e in manifest.fetch_manifest_entry(table.io))}
    assert live <= there, "files that the table names are gone"
    assert not tidy or there <= needed(lake), "files that nobody names"


@pytest.mark.parametrize("creates", [True, False], ids=["new target", "target"])
@pytest.mark.parametrize("rerun", ["overwrite_partition", "append_dedup"])
@pytest.mark.parametrize("when", ["after the other's end", "while the other stands at its commit"])
def test_an_attempt_held_at_its_commit(lake, attempt, s3, when, rerun, creates):
    """The first attempt hangs with its commit on the way, the second does the run, then the first goes on."""
    runs = set()
    if not creates:
        before = lake.job(logical_date="2024-03-01T01:00:00Z", rerun=rerun, filter_sql="id < 0")
        lake.score(before)
        runs.add(json.loads(before.read_text())["run_id"])
    run_id = str(uuid.uuid4())
    first = attempt(1, run_id=run_id, rerun=rerun)
    commit = first.gate.next()
    second = attempt(2, run_id=run_id, rerun=rerun)
    theirs = second.gate.next()
    if when == "after the other's end":
        theirs.release()
        assert second.last()["event"] == "committed"
        commit.release()
    else:
        commit.release()
        assert first.last()["event"] == "committed"
        theirs.release()
    for one in (first, second):
        assert one.last()["event"] == "committed", (one.out, one.err)
    assert_one_copy(lake, s3, runs | {run_id})


def test_an_attempt_killed_at_its_commit(lake, attempt, s3):
    """The process is gone, its commit is not: it arrives while the next attempt is under way."""
    run_id = str(uuid.uuid4())
    first = attempt(1, run_id=run_id)
    commit = first.gate.next()
    first.process.kill()
    second = attempt(2, run_id=run_id)
    theirs = second.gate.next()
    answered = until_answered(first.gate, commit)
    theirs.release()
    assert answered == 200 and second.last()["event"] == "committed" and second.last()["already_committed"]
    assert_one_copy(lake, s3, {run_id})


def until_answered(gate: Gate, held: Held) -> int:
    """Releases a request whose client is gone, and waits for the server's answer; its status."""
    gate.proxy.answered.clear()
    held.release()
    assert gate.proxy.answered.wait(HANG_SECONDS)
    return held.seen.status


@pytest.mark.parametrize("seed", range(SEED, SEED + INTERLEAVINGS))
def test_interleavings(lake, attempt, s3, seed):
    """Two attempts of a run, each stopped at every request about the target, go on in any order; some are killed, their
    last request arrives late."""
    rng = random.Random(seed)
    run_id = str(uuid.uuid4())
    job = {"run_id": run_id, "rerun": rng.choice(["overwrite_partition", "append_dedup"])}
    runs = {run_id}
    if rng.random() < 0.5:
        before = lake.job(logical_date="2024-03-01T01:00:00Z", rerun=job["rerun"], filter_sql="id < 0")
        lake.score(before)
        runs.add(json.loads(before.read_text())["run_id"])
    attempts = [attempt(number, is_about_target, **job) for number in (1, 2)]
    standing = {one: one.gate.next() for one in attempts}
    late, one = [], None
    while any(standing.values()) or late:
        alive = [one for one, held in standing.items() if held]
        if late and (not alive or rng.random() < 0.3):
            gate, held = late.pop(rng.randrange(len(late)))
            until_answered(gate, held)
            continue
        if one not in alive or rng.random() < 0.3:  # mostly the same one goes on: who hangs does so for long
            one = rng.choice(alive)
        if rng.random() < 0.15:
            late.append((one.gate, standing[one]))
            one.process.kill()
            assert one.ended.wait(HANG_SECONDS)
            standing[one] = one.gate.next()
            continue
        standing[one].release()
        standing[one] = one.gate.next()
    last = attempt(3, lambda _: False, **job)  # finds the run, or does it; and tidies up
    assert last.last()["event"] == "committed", (last.out, last.err)
    for one in attempts:
        assert one.process.returncode != 0 or one.last()["event"] == "committed"
    assert_one_copy(lake, s3, runs)
