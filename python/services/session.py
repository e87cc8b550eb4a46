"""Servers for a test session: those that all its workers share are started once, by the first that asks.

A shared server is a file in the session's folder, which says where it is. Nothing outlives the session (watch.py), but
for shared servers with SLIPWAY_TEST_SERVICES=keep: the next session finds them, until
`python/services/session.py stop`.
"""

import fcntl
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from services.process import REGISTER, ROOT, Service  # noqa: E402 (found by the line above)

SHARED = "SLIPWAY_TEST_SHARED"  # the folder of what is shared
KEPT = ROOT / "build/test-services"


class Session:
    """Of the process that leads it; its workers are told by their environment."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="slipway-session-"))
        self.folder.chmod(0o711)  # PostgreSQL, another user, has to get to its own folder
        shared = KEPT if os.environ.get("SLIPWAY_TEST_SERVICES") == "keep" else self.folder
        shared.mkdir(parents=True, exist_ok=True)
        # Python is imported once for all Python models (docs/decisions/0011-zygote.md); the lock makes us the owner.
        zygotes = self.folder / "zygotes"
        zygotes.mkdir(0o700)
        self.zygotes = os.open(zygotes, os.O_RDONLY)
        fcntl.flock(self.zygotes, fcntl.LOCK_EX)
        os.environ["SLIPWAY_ZYGOTES"] = str(zygotes)
        os.environ[REGISTER], os.environ[SHARED] = str(self.folder / "processes"), str(shared)
        self.watch = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("watch.py"), os.environ[REGISTER], self.folder],
            stdin=subprocess.PIPE,
            start_new_session=True,  # what ends the session's group must not end the watch
        )

    def end(self) -> None:
        self.watch.stdin.close()
        self.watch.wait()


@contextmanager
def locked(name: str, how: int = fcntl.LOCK_EX):
    with open(Path(os.environ[SHARED]) / f"{name}.lock", "w") as file:
        fcntl.flock(file, how)
        yield


def shared(name: str, make: Callable[[Path], Service]) -> Service:
    """The session's server of this name; `make(folder)` starts it where it does not run yet. Whoever asks must leave it
    running, and keep to names (databases, buckets, users, namespaces) of its own."""
    folder = Path(os.environ[SHARED])
    with locked(name):
        place = folder / f"{name}.pickle"
        if not (place.exists() and pickle.loads(place.read_bytes()).running()):
            shutil.rmtree(folder / name, ignore_errors=True)
            before = os.environ[REGISTER]
            os.environ[REGISTER] = str(folder / "processes")
            try:
                place.write_bytes(pickle.dumps(make(folder / name)))
            finally:
                os.environ[REGISTER] = before
        return pickle.loads(place.read_bytes())


@contextmanager
def taking_turns(name: str, alone: bool = False):
    """Tests of several workers that share a server use it side by side; one that stops it has it `alone` meanwhile."""
    with locked(f"{name}.gate"):  # whoever wants to be alone keeps it: nobody overtakes
        with open(Path(os.environ[SHARED]) / f"{name}.turn", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            if alone:
                yield
                return
            turn = os.dup(file.fileno())
    try:
        yield
    finally:
        os.close(turn)


if __name__ == "__main__":
    if sys.argv[1:] != ["stop"]:
        sys.exit(__doc__)
    watch = [sys.executable, Path(__file__).with_name("watch.py"), KEPT / "processes", KEPT]
    subprocess.run(watch, stdin=subprocess.DEVNULL, check=True)
