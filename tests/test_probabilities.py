"""Labels and probabilities both: a classifier's predictions as pyfunc gives them, and behind them what predict_proba
gives, to the last bit."""

import subprocess
import uuid
from pathlib import Path

import lightgbm
import mlflow.lightgbm
import mlflow.sklearn
import mlflow.xgboost
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xgboost
from conftest import BINARY
from mlflow.models import infer_signature
from models import numbers, with_ids
from parity import bits
from sklearn.ensemble import ExtraTreesClassifier, IsolationForest, RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

AREAS = ["model"]
EXAMPLE = "test_a_run_writes_them"

FRAME = numbers(1200, missing=0.0)
TWO = (FRAME["f0"] * FRAME["f1"] > 0).astype(int).to_numpy()
WORDS = np.array(["low", "mid", "high"])[np.digitize(FRAME["f0"], [-0.5, 0.5])]
WANTS = {"slipway.probabilities": True}


def run(*command) -> subprocess.CompletedProcess:
    return subprocess.run([BINARY, *command], capture_output=True, text=True, timeout=300)


def predict(folder: Path, rows: pd.DataFrame, *options: str) -> pd.DataFrame:
    rows_file, out = folder.parent / f"{uuid.uuid4().hex}.parquet", folder.parent / f"{uuid.uuid4().hex}.parquet"
    pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), rows_file)
    done = run("--data-dir", folder.parent / "data", "models", "predict", folder, "-i", rows_file, "-o", out, *options)
    assert done.returncode == 0, done.stderr
    return pq.read_table(out).to_pandas()


def check(got: pd.DataFrame, model, rows: pd.DataFrame) -> None:
    assert list(got.columns) == ["prediction", *(f"probability_{label}" for label in model.classes_)]
    assert list(got["prediction"]) == list(model.predict(rows))
    want = model.predict_proba(rows)
    shares = got.iloc[:, 1:].to_numpy()
    assert shares.dtype == want.dtype
    assert np.array_equal(bits(shares), bits(want))


def save(flavor, model, folder: Path, **settings) -> Path:
    if flavor is mlflow.sklearn:
        settings["serialization_format"] = "cloudpickle"
    flavor.save_model(
        model,
        folder,
        signature=infer_signature(FRAME.head(), model.predict(FRAME.head())),
        pip_requirements=["mlflow"],
        **settings,
    )
    return folder


@pytest.mark.parametrize(
    ("model", "labels"),
    [
        (RandomForestClassifier(20, random_state=1), WORDS),
        (ExtraTreesClassifier(20, random_state=1), TWO),
        (DecisionTreeClassifier(random_state=1), WORDS),
        (lightgbm.LGBMClassifier(n_estimators=20, verbose=-1), TWO),
        (lightgbm.LGBMClassifier(n_estimators=20, verbose=-1), WORDS),
    ],
    ids=lambda value: type(value).__name__,
)
def test_trees(tmp_path, model, labels):
    model.fit(FRAME, labels)
    flavor = mlflow.lightgbm if isinstance(model, lightgbm.LGBMClassifier) else mlflow.sklearn
    check(predict(save(flavor, model, tmp_path / "m", metadata=WANTS), FRAME), model, FRAME)


@pytest.mark.parametrize("labels", [TWO, np.digitize(FRAME["f0"], [-0.5, 0.5])], ids=["two", "three"])
def test_xgboost(tmp_path, labels):
    model = xgboost.XGBClassifier(n_estimators=20, max_depth=5).fit(FRAME, labels)
    folder = save(mlflow.xgboost, model, tmp_path / "m")
    check(predict(folder, FRAME, "--probabilities"), model, FRAME)
    assert list(predict(folder, FRAME).columns) == ["prediction"]


def test_a_run_writes_them(lake):
    model = RandomForestClassifier(20, random_state=1).fit(FRAME, WORDS)
    lake.cli("models", "register", "m", str(save(mlflow.sklearn, model, lake.dir / "logged", metadata=WANTS)))
    lake.table("src.t", with_ids(FRAME))
    lake.score(python={"cache": str(lake.dir / "engines")})
    check(lake.rows()[["prediction", *(f"probability_{label}" for label in model.classes_)]], model, FRAME)


def test_who_has_none(tmp_path):
    model = IsolationForest(n_estimators=3).fit(FRAME)
    folder = save(mlflow.sklearn, model, tmp_path / "m", metadata=WANTS)
    done = run("--data-dir", tmp_path / "data", "models", "inspect", folder)
    assert done.returncode != 0
    assert "probabilities" in done.stderr
