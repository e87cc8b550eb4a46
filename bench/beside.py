"""Two builds of Slipway in one sitting.

    beside.py PROGRAM [PAIRS] [ROWS]     (through ./tools/bench beside; PROGRAM is an earlier `slipway`)

What each figure needs is made once; then the two programs take turns, PAIRS times (5), and the first one changes from
pair to pair. Printed is the median of the ratios pair by pair, with the smallest and the largest: above 1, this build
is the faster one.

- run: rows/s of a run, Iceberg to Iceberg, ROWS rows (5,000,000) of 28 columns, 500 trees of 63 leaves
- forest: rows/s on one core in memory: LightGBM 500 x 63, 300 x 255, XGBoost 500 x depth 8, a random forest
- api: reads and durable creates a second on SQLite, 32 clients, 20,000 deployments stored
- python: seconds to register a scikit-learn model, and of the first run of a Python model
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import run as runs

ROOT = Path(__file__).resolve().parent.parent
THIS = ROOT / "build/release/bin/slipway"


def compare(name: str, measure, other: Path, pairs: int) -> None:
    """`measure(program)` gives {figure: value}, more is better."""
    ratios, values = {}, {}
    for pair in range(pairs):
        order = [THIS, other] if pair % 2 == 0 else [other, THIS]
        found = {program: measure(program) for program in order}
        for figure, value in found[THIS].items():
            ratios.setdefault(figure, []).append(value / found[other][figure])
            values.setdefault(figure, []).append(value)
    for figure, all_ratios in ratios.items():
        median, least, most = statistics.median(all_ratios), min(all_ratios), max(all_ratios)
        ours = statistics.median(values[figure])
        print(f"{f'{name}: {figure}':44} {median:6.3f}x  ({least:.3f} to {most:.3f}; this {ours:,.1f})", flush=True)


def measure_run(work: Path, rows: int):
    def measure(program: Path) -> dict:
        runs.BINARY = program
        done = runs.slipway(work)
        assert done["rows"] == rows
        return {"rows/s": rows / done["seconds"], "1 / MiB at most": 1 / done["peak_mib"]}

    return measure


def forests(work: Path):
    """A case for each model: its name and its `measure`."""
    import forest
    import lightgbm
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq
    import xgboost
    from sklearn.ensemble import RandomForestClassifier

    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(forest.ROWS, 28)).astype("float32"), columns=forest.FEATURES)
    labels = (frame["f0"] * frame["f1"] + frame["f2"] + rng.normal(size=len(frame)) > 0).astype(int).to_numpy()
    numbers = {"objective": "binary", "verbose": -1, "num_threads": 2}
    rows_file = work / "rows.parquet"
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), rows_file)
    data = lightgbm.Dataset(frame, labels, free_raw_data=False)
    cases = {
        "LightGBM 500 x 63": ("lightgbm", lambda: lightgbm.train({**numbers, "num_leaves": 63}, data, 500)),
        "LightGBM 300 x 255": ("lightgbm", lambda: lightgbm.train({**numbers, "num_leaves": 255}, data, 300)),
        "XGBoost 500 x depth 8": (
            "xgboost",
            lambda: xgboost.train(
                {"objective": "binary:logistic", "max_depth": 8, "nthread": 2}, xgboost.DMatrix(frame, labels), 500
            ),
        ),
        "random forest 100 x depth 12": (
            "sklearn",
            lambda: RandomForestClassifier(100, max_depth=12, n_jobs=2, random_state=0).fit(
                frame[:50_000], labels[:50_000]
            ),
        ),
    }
    for number, (name, (kind, train)) in enumerate(cases.items()):
        folder = work / f"forest{number}"
        forest.save(train(), kind, folder, frame)

        def measure(program: Path, folder=folder) -> dict:
            forest.BINARY = program
            ours = forest.slipway(folder, rows_file, 0.5)
            return {"rows/s": forest.rate_of(ours), "calls of 1 row": 1e6 / ours[(1, 1)]["microseconds_per_call"]}

        yield name, measure


def measure_api(work: Path, folders=iter(range(1000))):
    import api
    import conftest

    api.STORED, api.SECONDS = 20_000, 4
    reads = api.READ.replace("99999", str(api.STORED - 1))

    def measure(program: Path) -> dict:
        start = conftest.Server.__init__.__defaults__
        conftest.Server.__init__.__defaults__ = (*start[:-1], program)
        api.READ = reads
        try:
            rates = api.slipway(work / f"api{next(folders)}", None)
        finally:
            conftest.Server.__init__.__defaults__ = start
        return {"reads/s": rates["reads"][0], "creates/s": rates["creates"][0]}

    return measure


def measure_python(work: Path, numbers=iter(range(1000))):
    """Registering a scikit-learn pipeline (exported, compared with pyfunc), and what a Python model predicts first."""
    import subprocess

    import mlflow.pyfunc
    import mlflow.sklearn
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq
    from mlflow.models import infer_signature
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    class Sum(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input.sum(axis=1)

    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(1000, 4)), columns=list("abcd"))
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, frame["a"] > 0)
    mlflow.sklearn.save_model(
        pipeline,
        work / "pipeline",
        signature=infer_signature(frame, pipeline.predict(frame)),
        pip_requirements=["scikit-learn"],
        serialization_format="cloudpickle",
    )
    mlflow.pyfunc.save_model(
        work / "python",
        python_model=Sum(),
        signature=infer_signature(frame, frame.sum(axis=1)),
        pip_requirements=["mlflow"],
    )
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), work / "few.parquet")

    def seconds(program: Path, *command) -> float:
        started = time.monotonic()
        folder = work / f"python{next(numbers)}"
        subprocess.run([program, "--data-dir", folder, *command], check=True, capture_output=True)
        return time.monotonic() - started

    def measure(program: Path) -> dict:
        out = work / "out.parquet"
        predict = ("models", "predict", work / "python", "-i", work / "few.parquet", "-o", out)
        return {
            "registrations/s": 1 / seconds(program, "models", "register", "m", work / "pipeline"),
            "first predictions/s": 1 / seconds(program, *predict),
        }

    return measure


def main() -> None:
    other = Path(sys.argv[1]).resolve()
    pairs, rows = ([int(a) for a in sys.argv[2:4]] + [5, 5_000_000][len(sys.argv) - 2 :])[:2]
    del sys.argv[1:]  # the other measurements, imported below, would take them for theirs
    with tempfile.TemporaryDirectory(prefix="slipway-beside-") as folder:
        work = Path(folder)
        (work / "run").mkdir()
        runs.prepare(work / "run", rows, 500)
        compare("run", measure_run(work / "run", rows), other, pairs)
        for name, measure in forests(work):
            compare(name, measure, other, pairs)
        compare("api", measure_api(work), other, pairs)
        compare("python", measure_python(work), other, pairs)


if __name__ == "__main__":
    main()
