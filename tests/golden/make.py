"""Writes the golden files: python tests/golden/make.py [--check] [FAMILY...].

Each folder is a family; its make.py has make(out), which writes the family's files into the folder `out` with another
implementation than Slipway. A script gives the same bytes each time: no clocks, no random ids.
"""

import argparse
import difflib
import importlib.util
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
FAMILIES = sorted(path.parent.name for path in HERE.glob("*/make.py"))


def make(family: str, out: Path) -> tuple[str, ...]:
    """Writes a family's files; the names of those that were recorded once, and are left as they are."""
    sys.path.insert(0, str(HERE))
    spec = importlib.util.spec_from_file_location(f"golden_{family}", HERE / family / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    out.mkdir(parents=True, exist_ok=True)
    module.make(out)
    return getattr(module, "RECORDED", ())


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def difference(want: bytes, got: bytes) -> str:
    try:
        lines = difflib.unified_diff(
            want.decode().splitlines(), got.decode().splitlines(), "stored", "now", lineterm="", n=0
        )
    except UnicodeDecodeError:
        return f"    {len(want)} bytes stored, {len(got)} now"
    return "\n".join("    " + line[:200] for line in list(lines)[:12])


def check(family: str) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        recorded = make(family, Path(folder))
        want, got = files(HERE / family), files(Path(folder))
    want = {name: bytes_ for name, bytes_ in want.items() if name not in recorded}
    found = [
        f"{family}/{name}: is not what its script writes\n{difference(want[name], got[name])}"
        for name in sorted(want.keys() & got.keys())
        if want[name] != got[name]
    ]
    return found + [
        f"{family}/{name}: only {'stored' if name in want else 'written now'}"
        for name in sorted(want.keys() ^ got.keys())
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing: fail where a stored file differs")
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=", ".join(FAMILIES))
    args = parser.parse_args()
    os.environ["TZ"] = "UTC"
    unknown = set(args.families) - set(FAMILIES)
    if unknown:
        parser.error(f"no family {', '.join(sorted(unknown))}: there are {', '.join(FAMILIES)}")
    problems = []
    for family in args.families or FAMILIES:
        if args.check:
            problems += check(family)
        else:
            make(family, HERE / family)
    print(
        "\n".join(problems)
        or f"golden files: {' '.join(args.families or FAMILIES)}: {'as written' if args.check else 'written'}"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
