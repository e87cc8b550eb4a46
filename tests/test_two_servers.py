"""Two servers on one PostgreSQL: each tick one run, each run one commit, whoever dies, hangs, or loses the database."""

import datetime
import json
import os
import random
import signal
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from conftest import SLOWER, Lake, Server, signature_of
from deployments import ALL, ONE, body, fill, finished, until
from models import numbers, train_slow, with_ids

AREAS = ["dispatch", "deployments", "database"]
EXAMPLE = "test_keys_and_lists_are_shared"

BUSY_ROWS = 600_000 // SLOWER  # what takes a while to score

SECONDS = float(os.environ.get("SLIPWAY_CHAOS_SECONDS", "20"))
DEPLOYMENTS = 20
SPEED = 15  # the servers' clock: a minute's tick every four seconds


class Pair:
    """Two servers that share a database, a catalog and a registry; each has a data directory of its own."""

    def __init__(self, lake: Lake, postgresql, folder: Path, settings: dict | None = None):
        self.lake, self.postgresql, self.database = lake, postgresql, postgresql.new_database()
        self.settings = {
            "store.location": self.database,
            "catalog.file": lake.dir / "catalog.db",
            "catalog.warehouse": lake.dir / "warehouse",
            "registry.location": lake.dir / "models",
            "dispatch.lease_seconds": 2,
            **(settings or {}),
        }
        self.folders = [folder / "one", folder / "two"]
        self.servers = []
        for data_dir in self.folders:
            data_dir.mkdir()
            (data_dir / "platform.psk").write_text("k" * 64)
            (data_dir / "platform.psk").chmod(0o600)
            self.servers.append(Server(data_dir, self.settings))

    def restart(self, index: int) -> None:
        self.servers[index] = Server(self.folders[index], self.settings)

    def sql(self, statement: str) -> list[list[str]]:
        text = self.postgresql.sql(statement, self.database.rsplit("/", 1)[1])
        return [line.split("|") for line in text.splitlines()]

    def stop(self) -> None:
        for server in self.servers:
            server.stop()


@pytest.fixture
def pair_on(tmp_path, lake):
    fill(lake)
    made = []

    def make(cluster, **settings) -> Pair:
        made.append(Pair(lake, cluster, tmp_path, settings))
        return made[0]

    yield make
    for servers in made:
        servers.stop()


@pytest.fixture
def pair(pair_on, postgresql):
    return partial(pair_on, postgresql)


def runs_in_snapshots(lake, table: str) -> list[str]:
    """The run ids in a table's history, read by PyIceberg."""
    if not lake.catalog.table_exists(table):
        return []
    loaded = lake.catalog.load_table(table)
    return [
        s.summary["slipway.run-id"]
        for s in loaded.metadata.snapshots
        if s.summary and "slipway.run-id" in s.summary.additional_properties
    ]


def test_kill_9_of_either(pair):
    servers = pair(
        **{"clock.speed": SPEED, "dispatch.catch_up": "all", "dispatch.processes": 2, "dispatch.attempts": 1000}
    )
    for i in range(DEPLOYMENTS):
        status, answer, _ = servers.servers[i % 2].call(
            "POST", ALL, body(name=f"d{i}", schedule="* * * * *", target__table=f"p{i}")
        )
        assert status == 201, answer
    rng, kills, deadline = random.Random(7), 0, time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        time.sleep(rng.uniform(0.5, 4))  # when a machine dies is nobody's choice
        victim = rng.randrange(2)
        servers.servers[victim].kill()
        kills += 1
        time.sleep(rng.uniform(0, 3))
        servers.restart(victim)
    for i in range(DEPLOYMENTS):
        assert servers.servers[0].call("POST", f"{ALL}/d{i}/stop")[0] == 200
    # Stopping ends what waits; a run that was lost and queued again since is such a one.
    until(
        lambda: servers.sql("SELECT COUNT(*) FROM runs WHERE status IN ('queued', 'running')"),
        lambda rows: rows == [["0"]],
        120,
    )
    servers.stop()
    total = committed = 0
    for i in range(DEPLOYMENTS):
        rows = servers.sql(
            f"SELECT r.logical_date, r.status, r.run_id, r.error_message "
            f"FROM runs r JOIN deployments d USING (deployment_id) "
            f"WHERE d.name = 'd{i}' AND r.cause = 'schedule' ORDER BY r.logical_date"
        )
        ticks = [int(row[0]) for row in rows]
        assert ticks == list(range(ticks[0], ticks[0] + 60_000_000 * len(ticks), 60_000_000)), (
            f"d{i}: a tick was missed, or fired twice"
        )
        snapshots = runs_in_snapshots(servers.lake, f"ml.p{i}")
        assert len(snapshots) == len(set(snapshots)), f"d{i}: a run was committed twice"
        assert set(snapshots) == {row[2] for row in rows if row[1] == "succeeded"}
        assert all("stopped before the run began" in row[3] for row in rows if row[1] == "failed"), rows
        # Each tick of a schedule this fine stands for rows of its own.
        assert len(servers.lake.rows(f"ml.p{i}")) == 300 * len(snapshots)
        total, committed = total + len(ticks), committed + len(snapshots)
    print(f"\n{SECONDS:.0f} s, {kills} kills, {total} ticks with one run each, {committed} runs with one commit each")
    assert committed > DEPLOYMENTS


SLOW = {"model__model_version": "2"}


def big(lake):
    """A table and a model that keep a scoring process busy for some seconds."""
    lake.catalog.drop_table("src.t")
    lake.table("src.t", with_ids(numbers(BUSY_ROWS)))
    lake.register(
        "m", train_slow(numbers(300)), signature=signature_of(f0="double", f1="double", f2="double", f3="double")
    )


def holder(servers, run_id) -> Server:
    """Whose scoring process executes the run."""
    found = lambda: [s for s in servers.servers if (s.data_dir / "runs" / run_id / "pid").exists()]  # noqa: E731
    return until(found, bool)[-1]


def test_a_server_that_hangs_commits_nothing_late(pair):
    """It is stopped, not dead: its scoring process goes on, but its lease runs out, and another server does the run."""
    servers = pair()
    big(servers.lake)
    assert servers.servers[0].call("POST", ALL, body(**SLOW))[0] == 201
    run_id = servers.servers[0].call("POST", f"{ONE}/trigger")[1]["run_id"]
    hung = holder(servers, run_id)
    events = hung.data_dir / "runs" / run_id / "events-1.jsonl"
    until(lambda: events.exists() and events.read_text(), lambda text: text and '"planned"' in text)
    child = int((hung.data_dir / "runs" / run_id / "pid").read_text())
    hung.process.send_signal(signal.SIGSTOP)
    os.kill(child, signal.SIGSTOP)
    other = next(s for s in servers.servers if s is not hung)
    try:
        done = finished(other, run_id)
        assert done["status"] == "succeeded" and done["attempt"] == 2
        os.kill(child, signal.SIGCONT)
        until(lambda: events.read_text(), lambda text: '"failed"' in text or '"committed"' in text)
        assert "lease" in json.loads(events.read_text().splitlines()[-1])["message"]
    finally:
        hung.process.send_signal(signal.SIGCONT)
    assert runs_in_snapshots(servers.lake, "ml.p") == [run_id]
    assert len(servers.lake.rows()) == BUSY_ROWS
    assert finished(hung, run_id)["attempt"] == 2


def test_a_stopped_server_hands_its_run_over(pair):
    servers = pair()
    big(servers.lake)
    servers.servers[0].call("POST", ALL, body(**SLOW))
    run_id = servers.servers[0].call("POST", f"{ONE}/trigger")[1]["run_id"]
    leaving = holder(servers, run_id)
    assert leaving.stop() == 0
    other = next(s for s in servers.servers if s is not leaving)
    done = finished(other, run_id)
    assert done["status"] == "succeeded" and done["attempt"] == 1  # the one that was handed over does not count
    assert runs_in_snapshots(servers.lake, "ml.p") == [run_id] and len(servers.lake.rows()) == BUSY_ROWS


def test_what_is_cancelled_at_one_server_ends_at_the_other(pair):
    servers = pair()
    big(servers.lake)
    servers.servers[0].call("POST", ALL, body(**SLOW))
    run_id = servers.servers[0].call("POST", f"{ONE}/trigger")[1]["run_id"]
    working = holder(servers, run_id)
    other = next(s for s in servers.servers if s is not working)
    assert other.call("POST", f"{ONE}/runs/{run_id}/cancel")[0] == 202
    done = finished(other, run_id)
    assert done["status"] == "failed" and "cancelled by platform" in done["error_message"]
    assert not servers.lake.catalog.table_exists("ml.p") and not servers.lake.files()


def test_the_database_goes_away_for_a_while(pair_on, own_postgresql):
    servers = pair_on(own_postgresql)
    servers.servers[0].call("POST", ALL, body())
    own_postgresql.stop()
    try:
        status, answer, headers = servers.servers[0].call("GET", "/api/deployments")
        assert status == 503 and "Retry-After" in headers, answer
        assert servers.servers[1].call("POST", ALL, body(name="e"))[0] == 503
        until(lambda: servers.servers[0].call("GET", "/readyz")[0], lambda status: status == 503)
        assert servers.servers[0].call("GET", "/healthz")[0] == 200
    finally:
        own_postgresql.start()
    until(lambda: servers.servers[0].call("GET", "/readyz")[0], lambda status: status == 200)
    assert servers.servers[1].call("POST", ALL, body(name="e"))[0] == 201
    run_id = servers.servers[0].call("POST", f"{ONE}/trigger")[1]["run_id"]
    assert finished(servers.servers[1], run_id)["status"] == "succeeded"


def test_names_are_unique_across_servers(pair):
    servers = pair()
    answers = []
    for i in range(20):
        threads = [
            threading.Thread(target=lambda s=s: answers.append((i, s.call("POST", ALL, body(name=f"same{i}"))[0])))
            for s in servers.servers
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for i in range(20):
        assert sorted(status for n, status in answers if n == i) == [201, 409]


def test_keys_and_lists_are_shared(pair):
    servers = pair()
    one, two = servers.servers
    assert one.call("POST", ALL, body())[0] == 201
    assert two.call("GET", ONE)[1]["name"] == "d" and two.call("GET", "/api/audit")[1]["items"][0]["status"] == 201
    assert two.call("POST", f"{ONE}/stop")[1]["status"] == "stopped" and one.call("POST", f"{ONE}/trigger")[0] == 409
    assert datetime.datetime.fromisoformat(one.call("GET", ONE)[1]["stopped_at"]) <= datetime.datetime.now(datetime.UTC)
