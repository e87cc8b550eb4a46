#!/usr/bin/env python3
"""Checks the structure: includes against tools/layers.toml, file sizes, and calls that only base/ may make.

A header has at most 120 lines, a source 500. The clock, the environment and sleeping belong to base/; the exceptions
below say why.
"""

import re
import sys
import tomllib
from pathlib import Path

import selection

ROOT = Path(__file__).resolve().parent.parent
LAYERS = tomllib.loads((ROOT / "tools/layers.toml").read_text())
INSIDE = LAYERS.pop("inside")
WIDTH = 120
BANNED = re.compile(r"system_clock::now|\bgetenv\(|sleep_for|\busleep\(")
ALLOWED = {
    "src/dispatch/child.cc": "passes four variables on to the scoring process",
    "src/model/python/zygote.cc": "finds the zygotes that a process above this one shares",
    "src/iceberg/retry.cc": "pauses between the tries of a commit",
    "src/scoring/run_interleavings_test.cc": "reads how many orders of events to try",
    "src/cli/api_client.cc": "reads $SLIPWAY_TOKEN and $SLIPWAY_PSK",
    "src/cli/login.cc": "finds the person's configuration, and polls the issuer",
    "src/deployments/test_databases.h": "reads which PostgreSQL to test on",
    "src/dispatch/run_process.cc": "waits for a process that was told to end",
    "src/cli/deployments.cc": "trigger --wait polls the API",
    "src/cli/logs.cc": "logs -f polls the API",
}


def problems() -> list[str]:
    found = []
    for path in sorted((ROOT / "src").rglob("*")):
        if path.suffix not in (".h", ".cc"):
            continue
        name, layer = str(path.relative_to(ROOT)), path.relative_to(ROOT / "src").parts[0]
        text = path.read_text()
        lines = text.count("\n")
        limit = 120 if path.suffix == ".h" else 500
        if lines > limit:
            found.append(f"{name}: {lines} lines, more than {limit}: two ideas in one file?")
        for include in re.findall(r'^#include "([^"]+)"', text, re.M):
            to = include.split("/")[0]
            if to != layer and to not in LAYERS[layer]:
                found.append(f"{name}: includes {include}, but {layer} may not depend on {to} (tools/layers.toml)")
            if to == layer and layer in INSIDE:
                found += inner_problems(name, include, INSIDE[layer])
        if layer != "base" and name not in ALLOWED and BANNED.search(text):
            found.append(f"{name}: uses {BANNED.search(text).group()}, which only base/ may")
    return found + too_wide() + selection.problems()


def inner_problems(name: str, include: str, allowed: dict[str, list[str]]) -> list[str]:
    """Of an include within one folder, by its sub-folders."""
    here, there = (path.split("/")[1:-1] for path in (name.removeprefix("src/"), include))
    for folders in (here, there):
        if folders and folders[0] not in allowed:
            return [f"{name}: the sub-folder {folders[0]} is not in tools/layers.toml"]
    if not here or here == there:
        return []
    if there and there[0] in allowed[here[0]]:
        return []
    return [f"{name}: includes {include}, but {here[0]} may not depend on it (tools/layers.toml)"]


def too_wide() -> list[str]:
    found = []
    for folder in ("tests", "python", "tools", "bench", "deploy"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if len(line) > WIDTH:
                    found.append(f"{path.relative_to(ROOT)}:{number}: {len(line)} columns, more than {WIDTH}")
    return found


if __name__ == "__main__":
    issues = problems()
    print("\n".join(issues) or f"structure: {len(LAYERS)} layers, no include against the direction")
    sys.exit(1 if issues else 0)
