"""The `slipway` program that came with this package."""

import os
import sys
from pathlib import Path

BINARY = Path(__file__).parent / "bin" / "slipway"


def path() -> str:
    """$SLIPWAY_BINARY, or the program of this package."""
    return os.environ.get("SLIPWAY_BINARY") or str(BINARY)


def main() -> None:
    """The console script: the program takes this process's place. Models that need Python get this one."""
    os.environ.setdefault("SLIPWAY_PYTHON", sys.executable)
    os.execv(path(), [path(), *sys.argv[1:]])
