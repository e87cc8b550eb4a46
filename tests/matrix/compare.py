"""Compares `slipway models predict` with the predictions that generate.py kept: compare.py FOLDER PYTHON. Exit status 1
where any bit differs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

BINARY = Path(
    os.environ.get("SLIPWAY_BINARY") or Path(__file__).resolve().parent.parent.parent / "build/release/bin/slipway"
)
VECTORS = ("AVX3_DL", "AVX3", "AVX2", "SSE4", "SCALAR")


def bits(values: np.ndarray) -> np.ndarray:
    """A linear leaf of infinities is NaN, whose sign no library means."""
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), np.nan, values).astype(values.dtype)
    return np.ascontiguousarray(values).view(f"i{values.dtype.itemsize}") if values.dtype.kind == "f" else values


def differs(got: np.ndarray, want: np.ndarray, apart: list | None) -> np.ndarray:
    """Where bits differ, or values by more than the order of a linear model's sum can make them."""
    other = bits(got) != bits(want)
    if apart is None:
        return other
    allowed = np.array(apart)
    return other & (
        np.abs(got.astype("float64") - want.astype("float64")) > allowed if got.dtype.kind == "f" else allowed == 0
    )


def run(place: Path, python: str, *arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [BINARY, "--data-dir", place.parent / "data", "--json", "models", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "SLIPWAY_PYTHON": python},
    )


def main() -> None:
    folder, python = Path(sys.argv[1]), sys.argv[2]
    engines: dict[str, int] = {}
    rows = wrong = 0
    compared: set[str] = set()
    for place in sorted(p for p in folder.iterdir() if (p / "about.json").exists()):
        inspected = run(place, python, "inspect", place / "model")
        facts = json.loads(inspected.stdout or "{}")
        engine = facts.get("engine", "none")
        engines[engine] = engines.get(engine, 0) + 1
        about = json.loads((place / "about.json").read_text())
        apart = about.pop("apart", None) if engine == "linear" else None
        want = pq.read_table(place / "predictions.parquet").to_pandas().to_numpy()
        for vectors in VECTORS if engine == "forest" else ("",):
            done = run(
                place,
                python,
                "predict",
                place / "model",
                "-i",
                place / "rows.parquet",
                "-o",
                place / "out.parquet",
                *(["--vectors", vectors] if vectors else []),
            )
            if "processor does not have the vectors" in done.stderr:
                continue
            if done.returncode != 0:
                wrong += 1
                print(
                    f"{place}: {done.stderr.strip() or inspected.stderr.strip()}\n  "
                    f"{(place / 'about.json').read_text()}"
                )
                break
            got = pq.read_table(place / "out.parquet").to_pandas().to_numpy()
            rows += len(got)
            compared.add(vectors)
            alike = got.shape == want.shape and got.dtype == want.dtype
            if not alike or differs(got, want, apart).any():
                wrong += 1
                where = np.argwhere(differs(got, want, apart))[:1].tolist() if alike else ""
                print(
                    f"{place} ({engine}, {vectors}): differs, {got.dtype} {got.shape}, {want.dtype} {want.shape}, "
                    f"{where}\n  {about}"
                )
                break
        if engine == "python":
            print(f"  {place.name}: python, {facts.get('why')}")
    print(
        f"{folder.name}: {sum(engines.values())} models ({', '.join(f'{k} {v}' for k, v in engines.items())}), "
        f"{rows:,} rows compared with {' '.join(v for v in VECTORS if v in compared) or 'no vectors'}, "
        f"{wrong} models differ"
    )
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
