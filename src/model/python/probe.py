"""Tries, in the box of a model, what the box should refuse (src/model/python/probe.cc).

`export(model folder, file)` writes a line "name yes|no" for each boundary: whether it holds. OUTSIDE is a file that a
model has no business with, OWNER the user who runs the box.
"""

import ctypes
import os
import signal
import socket
import sysconfig


def refused(act) -> bool:
    try:
        act()
    except OSError:
        return True
    return False


def trace() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(0, 0, None, None):  # PTRACE_TRACEME
        raise OSError(ctypes.get_errno(), "ptrace")


def export(folder: str, path: str) -> None:
    packages = sysconfig.get_path("purelib")
    holds = {
        "files": refused(lambda: open(OUTSIDE).close()) and refused(lambda: open(OUTSIDE, "a").close()),
        "sockets": all(refused(lambda: socket.socket(one).close()) for one in (socket.AF_INET, socket.AF_UNIX)),
        "calls": refused(trace),
        "signals": refused(lambda: os.kill(os.getppid(), 0)) and refused(lambda: os.kill(os.getppid(), signal.SIGCONT)),
        "user": os.getuid() != OWNER,
        "packages": not os.access(packages, os.W_OK),
    }
    with open(path, "w") as file:
        file.writelines(f"{name} {'yes' if one else 'no'}\n" for name, one in holds.items())
        file.write(f"folder {packages}\n")
