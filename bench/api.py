"""./tools/bench api [STORED] [SECONDS]: reads and durable creates a second, with 32 clients and STORED deployments
(100,000), on SQLite and on PostgreSQL; beside FastAPI with SQLAlchemy on the same databases in the same run. Load is by
wrk, on loopback."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "python")]

from conftest import Lake, PostgreSQL, Server  # noqa: E402 (found by the line above)
from deployments import body, fill  # noqa: E402
from services.process import Process, free_port  # noqa: E402

STORED = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
SECONDS = int(sys.argv[2]) if len(sys.argv) > 2 else 10
KEY = "k" * 64

READ = """
math.randomseed(os.time())
request = function() return wrk.format("GET", "/api/models/m/deployments/d" .. math.random(0, %d)) end
""" % (STORED - 1)
CREATE = """
local thread = 0
function setup(t) t:set("id", thread); thread = thread + 1 end
function init() n = 0 end
wrk.headers["Content-Type"] = "application/json"
request = function()
  n = n + 1
  return wrk.format("POST", "/api/models/m/deployments", nil, [[%s]] .. "n" .. id .. "-" .. n .. [[%s]])
end
"""


def load(url: str, script: str, folder: Path) -> tuple[float, float]:
    """Answers of 2xx a second, and the 99th percentile of the latency in milliseconds."""
    file = folder / "load.lua"
    file.write_text(script)
    done = subprocess.run(
        ["wrk", "-t2", "-c32", f"-d{SECONDS}s", "--latency", "-s", file, "-H", f"Authorization-PSK: {KEY}", url],
        capture_output=True,
        text=True,
        check=True,
    )
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout).group(1))
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", done.stdout).groups()
    assert "Non-2xx" not in done.stdout, done.stdout
    return rate, float(number) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]


def creating(body_text: str) -> str:
    before, after = body_text.split("NAME")
    return CREATE % (before, after)


FILL = """INSERT INTO deployments (deployment_id, model, name, status, owner, domain, created_by, body, schedule,
  next_tick, resolved_model_version, created_at, updated_at)
SELECT deployment_id || '-' || n, model, 'd' || n, status, owner, domain, created_by, body, schedule, next_tick,
  resolved_model_version, created_at, updated_at
FROM deployments, {series} WHERE name = 'first'"""


def slipway(folder: Path, postgresql: PostgreSQL | None) -> dict:
    """Rates of the two endpoints on a server with STORED deployments."""
    folder.mkdir(parents=True)
    lake = fill(Lake(folder))
    (folder / "platform.psk").write_text(KEY)
    (folder / "platform.psk").chmod(0o600)
    location = postgresql.new_database() if postgresql else str(folder / "slipway.db")
    server = Server(folder, {"store.location": location})
    assert server.call("POST", "/api/models/m/deployments", body(name="first"))[0] == 201
    server.stop()
    if postgresql:
        postgresql.sql(FILL.format(series=f"generate_series(0, {STORED - 1}) AS s(n)"), location.rsplit("/", 1)[1])
        postgresql.sql("ANALYZE", location.rsplit("/", 1)[1])
    else:
        import sqlite3

        with sqlite3.connect(location) as database:
            database.execute(
                FILL.format(
                    series="(WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL "
                    f"SELECT n + 1 FROM s WHERE n < {STORED - 1}) SELECT n FROM s)"
                )
            )
    server = Server(folder, {"store.location": location})
    import json

    try:
        return {
            "reads": load(server.url, READ, folder),
            "creates": load(server.url, creating(json.dumps(body(name="NAME"))), folder),
        }
    finally:
        server.stop()
        del lake


def reference(folder: Path, postgresql: PostgreSQL | None) -> dict:
    import json

    folder.mkdir(parents=True)
    database = (
        postgresql.new_database().replace("postgresql://", "postgresql+psycopg://")
        if postgresql
        else f"sqlite:///{folder}/reference.db"
    )
    environment = {"REFERENCE_DATABASE": database, "REFERENCE_KEY": KEY, "PYTHONPATH": str(ROOT / "bench")}
    subprocess.run(
        [sys.executable, ROOT / "bench/reference_server.py", str(STORED)], env={**os.environ, **environment}, check=True
    )
    port = free_port()
    process = Process(
        "reference",
        folder,
        [
            sys.executable,
            "-m",
            "uvicorn",
            "reference_server:app",
            "--port",
            port,
            "--workers",
            "2",
            "--no-access-log",
            "--log-level",
            "error",
        ],
        environment,
    )
    process.until_answers(f"http://127.0.0.1:{port}/docs")
    try:
        url = f"http://127.0.0.1:{port}"
        return {"reads": load(url, READ, folder), "creates": load(url, creating(json.dumps(body(name="NAME"))), folder)}
    finally:
        process.stop()


def main() -> None:
    print(f"{STORED:,} deployments stored, 32 clients, {SECONDS} s each, two cores shared with wrk")
    print(f"{'':34}{'reads/s':>10}{'p99 ms':>9}{'creates/s':>12}{'p99 ms':>9}")
    with tempfile.TemporaryDirectory() as name, PostgreSQL(Path(name)) as postgresql:
        for store, database in (("SQLite", None), ("PostgreSQL", postgresql)):
            rates = {}
            for server, run in (("slipway", slipway), ("FastAPI + SQLAlchemy (2 workers)", reference)):
                found = rates[server] = run(Path(name) / store / server.split()[0], database)
                print(
                    f"{server + ', ' + store:45.45}"[:34]
                    + f"{found['reads'][0]:>10,.0f}{found['reads'][1]:>9.2f}"
                    + f"{found['creates'][0]:>12,.0f}{found['creates'][1]:>9.2f}",
                    flush=True,
                )
            ours, theirs = rates.values()
            print(
                f"ratio, {store:27}{ours['reads'][0] / theirs['reads'][0]:>10.1f}{'':9}"
                f"{ours['creates'][0] / theirs['creates'][0]:>12.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
