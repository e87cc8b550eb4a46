"""How golden files are written: JSON with one case a line, which a diff shows case by case."""

import json
from pathlib import Path


def write_cases(path: Path, cases: list[dict]) -> None:
    path.write_text("[\n" + ",\n".join(json.dumps(case, ensure_ascii=True) for case in cases) + "\n]\n")


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=True) + "\n")
