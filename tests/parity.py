"""Slipway's predictions beside those of `mlflow.pyfunc`, for the same rows of the same saved model, bit by bit."""

import subprocess
import uuid
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from conftest import BINARY

SPECIAL = [
    np.nan,
    np.inf,
    -np.inf,
    0.0,
    -0.0,
    5e-324,
    -5e-324,
    1e-45,
    -1e-45,
    1e-35,
    -1e-35,
    1.1e-35,
    1e-36,
    1e308,
    -1e308,
    3.4e38,
    -3.4e38,
]


def around(thresholds, finite: bool = False) -> np.ndarray:
    """Each threshold and its neighbours, as doubles and as floats, and the numbers that are special."""
    values = {float(t) for t in thresholds if np.isfinite(t)}
    values |= {float(np.nextafter(t, way)) for t in list(values) for way in (-np.inf, np.inf)}
    values |= {float(np.nextafter(np.float32(t), np.float32(way))) for t in list(values) for way in (-np.inf, np.inf)}
    special = [v for v in SPECIAL if not finite or np.isnan(v) or abs(v) < 1e38]
    return np.array(sorted(v for v in values if not finite or abs(v) < 1e38) + special)


def edge_rows(
    thresholds, columns: list[str], most: int = 20_000, finite: bool = False, missing: bool = True
) -> pd.DataFrame:
    """Rows whose columns run through the values of `around`, each in its own order. `finite`: without infinities."""
    rng = np.random.default_rng(5)
    values = around(thresholds, finite)
    if not missing:
        values = values[~np.isnan(values)]
    if len(values) > most:
        values = rng.choice(values, most, replace=False)
    return pd.DataFrame({name: rng.permutation(values) for name in columns})


def predict(folder: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """What `slipway models predict` gives."""
    rows_file, out = folder.parent / f"{uuid.uuid4().hex}.parquet", folder.parent / f"{uuid.uuid4().hex}.parquet"
    pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), rows_file)
    done = subprocess.run(
        [BINARY, "--data-dir", folder.parent / "data", "models", "predict", folder, "-i", rows_file, "-o", out],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return pq.read_table(out).to_pandas()


def engine(folder: Path) -> str:
    done = subprocess.run(
        [BINARY, "--data-dir", folder.parent / "data", "models", "inspect", folder],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("engine"))


def bits(values) -> np.ndarray:
    values = np.ascontiguousarray(values)
    return values.view(f"i{values.dtype.itemsize}") if values.dtype.kind == "f" else values


def assert_equal(got: pd.DataFrame, want) -> None:
    """`want`: what pyfunc gave, an array or a frame. Types and bits are the same."""
    want = want.to_numpy() if isinstance(want, (pd.DataFrame, pd.Series)) else np.asarray(want)
    want = want.reshape(len(want), -1)
    assert got.shape == want.shape
    for k, name in enumerate(got.columns):
        ours, theirs = got[name].to_numpy(), want[:, k]
        if theirs.dtype.kind == "U":
            theirs = theirs.astype(object)
        assert ours.dtype == theirs.dtype, f"{name}: {ours.dtype}, pyfunc {theirs.dtype}"
        different = np.flatnonzero(bits(ours) != bits(theirs))
        assert not len(different), (
            f"{name}: {len(different)} of {len(ours)} rows differ, first row {different[0]}: "
            f"{ours[different[0]]!r}, not {theirs[different[0]]!r}"
        )


def check(folder: Path, rows: pd.DataFrame, wants_engine: str = "forest") -> None:
    """Few rows (walked; of a Python model only one such call, which starts Python) and all of them (evaluated together)
    are what pyfunc predicts."""
    assert engine(folder) == wants_engine
    want = mlflow.pyfunc.load_model(str(folder)).predict(rows)
    assert_equal(predict(folder, rows), want)
    for count in (5,) if wants_engine == "python" else (1, 2, 7, 16, 17):
        few = predict(folder, rows.tail(count).reset_index(drop=True))
        assert_equal(few, want.tail(count) if isinstance(want, (pd.DataFrame, pd.Series)) else want[-count:])
