"""Rows per second of scikit-learn's pipelines in memory, one core: Slipway's engines beside the pipeline itself, same
rows, same run.

    pipelines.py [SECONDS]     (through ./tools/bench pipelines)

A table as companies have them: 20 columns of numbers with holes, four of texts with 5 to 1,000 values, two of small
whole numbers. Numbers are imputed and scaled, the rest is one-hot encoded. Slipway goes through `slipway models bench`
(Arrow columns in, predictions out); the others are given a DataFrame that is there already.
"""

import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import mlflow.pyfunc
import mlflow.sklearn
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from forest import BINARY, rate, report, slipway
from lightgbm import LGBMClassifier
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

warnings.filterwarnings("ignore")
ROWS = 100_000


def table(rng) -> pd.DataFrame:
    numbers = pd.DataFrame(rng.normal(size=(ROWS, 20)) * 10, columns=[f"n{i}" for i in range(20)])
    numbers = numbers.mask(rng.random(numbers.shape) < 0.05)
    texts = {
        f"t{count}": np.array([f"value {i}" for i in range(count)], dtype=object)[rng.integers(0, count, ROWS)]
        for count in (5, 20, 100, 1000)
    }
    codes = {f"c{count}": rng.integers(0, count, ROWS) for count in (7, 50)}
    return numbers.assign(**texts, **codes)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    rng = np.random.default_rng(0)
    frame = table(rng)
    labels = (frame["n0"].fillna(0) + 5 * (frame["t5"] == "value 1") + rng.normal(size=ROWS) * 3 > 0).astype(int)
    numbers, others = [c for c in frame if c.startswith("n")], [c for c in frame if not c.startswith("n")]
    cases = {
        "logistic regression": (LogisticRegression(max_iter=300), True),
        "random forest, 100 x depth 12": (RandomForestClassifier(100, max_depth=12, random_state=0), True),
        "HistGradientBoosting, 100 x 31": (HistGradientBoostingClassifier(random_state=0), False),
        "LightGBM, 200 x 63": (LGBMClassifier(n_estimators=200, num_leaves=63, n_jobs=1, verbose=-1), True),
    }
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as work:
        rows_file = Path(work) / "rows.parquet"
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), rows_file)
        for number, (name, (last, sparse)) in enumerate(cases.items()):
            steps = make_column_transformer(
                (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
                (OneHotEncoder(handle_unknown="ignore", sparse_output=sparse, max_categories=200), others),
            )
            if not sparse:
                steps.sparse_threshold = 0
            model = make_pipeline(steps, last).fit(frame[:30_000], labels[:30_000])
            folder = Path(work) / f"model{number}"
            mlflow.sklearn.save_model(
                model,
                folder,
                signature=infer_signature(frame, model.predict(frame.head())),
                pip_requirements=["scikit-learn"],
                serialization_format="cloudpickle",
            )
            out = Path(work) / "out.parquet"
            subprocess.run(
                [BINARY, "--data-dir", work, "models", "predict", folder, "-i", rows_file, "-o", out],
                check=True,
                capture_output=True,
            )
            assert list(pq.read_table(out)["prediction"].to_pylist()) == list(model.predict(frame)), "other labels"
            one = report(f"{name}: the same labels", slipway(folder, rows_file, seconds))
            pyfunc = mlflow.pyfunc.load_model(str(folder))
            for peer, predict in (("scikit-learn", model.predict), ("mlflow.pyfunc", pyfunc.predict)):
                theirs = rate(predict, frame, seconds)
                print(f"  {peer:28} {theirs:>12,.0f} rows/s  Slipway {one / theirs:7.1f}x", flush=True)


if __name__ == "__main__":
    main()
