"""What tests rely on: servers that a session shares are started once, and nothing outlives it, however it ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from deployments import until
from services.process import process
from services.session import SHARED, shared
from services.watch import named

AREAS = ["python/services"]

PROGRAM = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from services.process import Process, Service
from services.session import Session, shared

class Sleeper(Service):
    def __init__(self, folder):
        command = "trap '' TERM; sleep 1000 & setsid sleep 1000 & wait"  # it will not go by itself
        self.process = Process("sleeper", folder, ["bash", "-c", command])

session = Session()
first, second = shared("sleeper", Sleeper), shared("sleeper", Sleeper)
assert first.process.pid == second.process.pid
print(json.dumps([str(session.folder), first.process.pid]), flush=True)
sys.stdin.readline()
session.end()
"""


@pytest.mark.parametrize("end", ["by itself", "kill -9"])
def test_nothing_outlives_a_session(end):
    without = {name: value for name, value in os.environ.items() if not name.startswith("SLIPWAY_TEST")}
    leader = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, ROOT / "python"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=without,
    )
    folder, pid = json.loads(leader.stdout.readline())
    family = until(lambda: children(pid), lambda found: len(found) == 2)
    assert process(pid)
    leader.send_signal(signal.SIGKILL) if end == "kill -9" else leader.communicate("\n")
    until(lambda: [one for one in (pid, *family) if process(one)], lambda alive: not alive)
    until(lambda: os.path.exists(folder), lambda there: not there)


def children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(one) for one in file.read().split()]


def test_a_shared_server_is_one(postgresql):
    again = shared("postgresql", lambda folder: pytest.fail("it runs already"))
    assert again.process.pid == postgresql.process.pid and postgresql.running()
    assert postgresql.process.pid in named(Path(os.environ[SHARED]) / "processes")
