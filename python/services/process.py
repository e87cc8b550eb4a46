"""What all servers share: a process of its own, its log, and the wait until it answers."""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
DEPS = ROOT / ".deps"
PREPARED = DEPS / "prepared"  # states that prepare.py made once: databases that are migrated, a realm that is imported
REGISTER = "SLIPWAY_TEST_PROCESSES"  # a file that names all that a test session started (watch.py)


class Known(NamedTuple):
    parent: int
    session: int
    started: int  # clock ticks since the machine's start


def processes() -> dict[int, Known]:
    """All that live on this machine, by process id (proc(5), /proc/[pid]/stat)."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (known := process(int(entry.name))):
            found[int(entry.name)] = known
    return found


def process(pid: int) -> Known | None:
    """None: there is no such process, or only what its parent has not yet collected of it."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else Known(int(fields[1]), int(fields[3]), int(fields[19]))


def with_children(pids: list[int]) -> set[int]:
    """The processes, all that they started, and what of theirs outlived them: each server has a session of its own."""
    everyone, family = processes(), set()
    for pid in everyone:
        ancestor = pid
        while ancestor in everyone and ancestor not in pids:
            ancestor = everyone[ancestor].parent
        if ancestor in pids or everyone[pid].session in pids:
            family.add(pid)
    return family


def register(pid: int, number: int = signal.SIGTERM) -> None:
    """In a test session: the process is ended with the session (by the signal `number`), in whatever way that ends."""
    if os.environ.get(REGISTER) and (known := process(pid)):
        with open(os.environ[REGISTER], "a") as file:
            file.write(f"{pid} {known.started} {int(number)}\n")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A program with its output in `<folder>/<name>.log`; `stop` ends its whole process group. Any process may hold one
    (it can be pickled), not only the one that started the program."""

    def __init__(
        self,
        name: str,
        folder: Path,
        arguments: list,
        environment: dict | None = None,
        user: int | None = None,
        ends_by: int = signal.SIGTERM,
    ):
        self.name, self.folder, self.ends_by = name, Path(folder), ends_by
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / f"{name}.log"
        with open(self.log, "ab") as output:
            self.child = subprocess.Popen(
                [str(a) for a in arguments],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
                user=user,
            )
        self.pid = self.child.pid
        known = process(self.pid)
        self.started = known.started if known else 0
        register(self.pid, ends_by)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "child": None}

    def running(self) -> bool:
        if self.child is not None:
            return self.child.poll() is None
        known = process(self.pid)
        return known is not None and known.started == self.started

    def until(self, ready, seconds: float = 120) -> None:
        """Waits until `ready()` is true; the deadline only ends a start that hangs."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.running():
                break
            if ready():
                return
            time.sleep(0.1)
        raise RuntimeError(f"{self.name} did not start: {self.log.read_text()[-2000:]}")

    def until_answers(self, url: str, seconds: float = 120) -> None:
        self.until(lambda: answers(url), seconds)

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def stop(self, number: int | None = None) -> None:
        if not self.running():
            return
        os.killpg(self.pid, number or self.ends_by)
        deadline = time.monotonic() + 30
        while self.running():
            if time.monotonic() > deadline:
                with suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)
            time.sleep(0.02)


class Service:
    """A server that `with` stops at its end; `self.process` runs it. It can be pickled, as what it consists of can."""

    process: Process

    def stop(self) -> None:
        self.process.stop()

    def running(self) -> bool:
        return self.process.running()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status < 500
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
