"""Ends what a test session started: `watch.py FILE [FOLDER]`, with a pipe from the session as its standard input.

When the session ends, in whatever way (kill -9 too), the pipe does, and every process that FILE names is ended with all
that it started. FOLDER is removed then. `watch.py FILE </dev/null` ends what a session left running on purpose.
"""

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from services.process import process, with_children  # noqa: E402 (found by the line above)

PATIENCE = 5  # seconds in which a process may end by itself


def named(file: Path) -> dict[int, int]:
    """Process id → signal. A number that belongs to another process now is left out; one that belongs to none may still
    be that of a session whose other processes live."""
    found = {}
    for line in file.read_text().splitlines() if file.exists() else []:
        pid, started, number = (int(part) for part in line.split())
        known = process(pid)
        if known is None or known.started == started:
            found[pid] = number
    return found


def end_all(file: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while family := with_children(list(wanted := named(file))):
        for pid, number in wanted.items():
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        while time.monotonic() < deadline and any(process(pid) for pid in family):
            time.sleep(0.05)
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the session, whose end this process awaits
    sys.stdin.read()
    end_all(Path(sys.argv[1]))
    for folder in sys.argv[2:]:
        shutil.rmtree(folder, ignore_errors=True)
