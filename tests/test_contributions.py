"""Contribution columns (SHAP values) are those of the libraries' own TreeSHAP, of the definition itself, and add up to
the raw score."""

import itertools
import math
import subprocess
import uuid
from pathlib import Path

import catboost
import lightgbm
import mlflow.catboost
import mlflow.lightgbm
import mlflow.sklearn
import mlflow.xgboost
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xgboost
from conftest import BINARY, signature_of
from mlflow.models import infer_signature
from models import numbers, train, with_ids
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)

AREAS = ["model"]
EXAMPLE = "test_a_run_writes_them"

SIGNATURE = signature_of(f0="double", f1="double", f2="double", f3="double")
WANTS = {"slipway.contributions": True}


def contributions(folder: Path, rows: pd.DataFrame, *options: str) -> np.ndarray:
    """[rows, outputs * (features + 1)]: of each output the features' and the expected value, behind the predictions."""
    rows_file, out = folder.parent / f"{uuid.uuid4().hex}.parquet", folder.parent / f"{uuid.uuid4().hex}.parquet"
    pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), rows_file)
    done = subprocess.run(
        [
            BINARY,
            "--data-dir",
            folder.parent / "data",
            "models",
            "predict",
            folder,
            "-i",
            rows_file,
            "-o",
            out,
            *options,
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    frame = pq.read_table(out).to_pandas()
    return frame[[name for name in frame if name.startswith(("contribution_", "expected_value"))]].to_numpy()


def assert_close(got: np.ndarray, want: np.ndarray, bound: float) -> None:
    assert got.shape == want.shape
    scale = max(1.0, float(np.abs(want).max()))
    assert np.abs(got - want).max() <= bound * scale


def special_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame's rows, and some with values that are special."""
    rng = np.random.default_rng(9)
    special = pd.DataFrame(
        {name: rng.choice([np.nan, 0.0, -0.0, 1e300, -1e300, 0.5, -0.5], 101) for name in frame.columns}
    )
    return pd.concat([frame, special], ignore_index=True)


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"num_leaves": 200, "min_data_in_leaf": 1},
        {"num_leaves": 2},
        {"objective": "multiclass", "num_class": 3},
        {"boosting": "dart"},
        {"use_missing": False},
        {"zero_as_missing": True},
        {"bagging_fraction": 0.5, "bagging_freq": 1},
    ],
)
def test_lightgbm(tmp_path, shape):
    frame = numbers(900)
    labels = np.random.default_rng(4).integers(0, 3, len(frame)) if "num_class" in shape else None
    booster = train(frame, rounds=20, labels=labels, **shape)
    mlflow.lightgbm.save_model(booster, tmp_path / "model", signature=SIGNATURE, pip_requirements=["mlflow"])
    rows = special_rows(frame)
    assert_close(
        contributions(tmp_path / "model", rows, "--contributions"), booster.predict(rows, pred_contrib=True), 1e-12
    )


def test_lightgbm_categories(tmp_path):
    rng = np.random.default_rng(3)
    frame = numbers(2000).assign(f1=rng.integers(0, 40, 2000).astype(float))
    labels = (frame["f1"] % 3 + frame["f0"].fillna(0) > 1).astype(float)
    data = lightgbm.Dataset(frame, labels, categorical_feature=["f1"])
    booster = lightgbm.train(
        {"objective": "binary", "verbose": -1, "num_threads": 2, "min_data_per_group": 5}, data, 20
    )
    mlflow.lightgbm.save_model(booster, tmp_path / "model", signature=SIGNATURE, pip_requirements=["mlflow"])
    rows = frame.assign(f1=rng.choice([*range(50), -3.0, np.nan, 1.5], len(frame)))
    assert_close(
        contributions(tmp_path / "model", rows, "--contributions"), booster.predict(rows, pred_contrib=True), 1e-12
    )


@pytest.mark.parametrize(
    "params",
    [
        {"objective": "binary:logistic", "max_depth": 8},
        {"objective": "multi:softprob", "num_class": 3},
        {"booster": "dart", "rate_drop": 0.3},
        {"objective": "reg:squarederror", "base_score": 3.0},
    ],
)
def test_xgboost(tmp_path, params):
    frame = numbers(900)
    labels = np.random.default_rng(4).integers(0, 3 if "num_class" in params else 2, len(frame))
    booster = xgboost.train({"nthread": 2, "seed": 1, **params}, xgboost.DMatrix(frame, labels), 15)
    mlflow.xgboost.save_model(booster, tmp_path / "model", signature=SIGNATURE, pip_requirements=["mlflow"])
    want = booster.predict(xgboost.DMatrix(frame), pred_contribs=True)
    got = contributions(tmp_path / "model", frame, "--contributions")
    assert_close(got, want.reshape(len(frame), -1), 2e-5)  # XGBoost's own are float32
    margins = booster.predict(xgboost.DMatrix(frame), output_margin=True).reshape(len(frame), -1)
    assert_close(got.reshape(len(frame), margins.shape[1], -1).sum(axis=2), margins, 1e-6)


def shapley(trees, values, row: np.ndarray) -> np.ndarray:
    """By the definition, over all coalitions: what a tree expects where only some features are known. [features + 1,
    width]"""
    features = len(row)

    def expects(tree, leaf_values, known: frozenset, at: int = 0) -> np.ndarray:
        left, right = tree.children_left[at], tree.children_right[at]
        if left < 0:
            return leaf_values[at]
        if tree.feature[at] in known:
            return expects(
                tree, leaf_values, known, left if np.float32(row[tree.feature[at]]) <= tree.threshold[at] else right
            )
        share = tree.weighted_n_node_samples[left] / tree.weighted_n_node_samples[at]
        return share * expects(tree, leaf_values, known, left) + (1 - share) * expects(tree, leaf_values, known, right)

    worth = {
        known: sum(expects(tree, leaf_values, known) for tree, leaf_values in zip(trees, values, strict=True))
        for count in range(features + 1)
        for known in map(frozenset, itertools.combinations(range(features), count))
    }
    shares = []
    for feature in range(features):
        shares.append(
            sum(
                math.factorial(len(known))
                * math.factorial(features - len(known) - 1)
                / math.factorial(features)
                * (worth[known | {feature}] - worth[known])
                for known in worth
                if feature not in known
            )
        )
    return np.array([*shares, worth[frozenset()]])


@pytest.mark.parametrize(
    "model",
    [
        ExtraTreesRegressor(10, random_state=0),
        RandomForestClassifier(10, random_state=0),
        GradientBoostingRegressor(n_estimators=20, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_the_definition(tmp_path, model):
    frame = numbers(300, missing=0)
    labels = np.random.default_rng(4).integers(0, 3, len(frame))
    model.fit(frame, labels)
    mlflow.sklearn.save_model(
        model,
        tmp_path / "model",
        signature=infer_signature(frame, model.predict(frame)),
        serialization_format="cloudpickle",
        metadata=WANTS,
        pip_requirements=["mlflow"],
    )
    rows = frame.head(30)
    got = contributions(tmp_path / "model", rows)
    trees = [tree.tree_ for tree in np.ravel(model.estimators_)]
    values = [tree.value[:, 0, :] for tree in trees]
    if isinstance(model, GradientBoostingRegressor):
        want = np.array([model.learning_rate * shapley(trees, values, row) for row in rows.to_numpy()])
        want[:, -1] += model.init_.constant_.item()
    else:
        want = np.array([shapley(trees, values, row) for row in rows.to_numpy()]) / len(trees)
    assert_close(got, want.transpose(0, 2, 1).reshape(len(rows), -1), 1e-12)


def test_catboost(tmp_path):
    frame = numbers(600)
    model = catboost.CatBoostRegressor(
        iterations=30, depth=5, verbose=False, allow_writing_files=False, thread_count=2, random_seed=1
    ).fit(frame, frame["f0"].fillna(0) + frame["f1"].fillna(1))
    mlflow.catboost.save_model(
        model,
        tmp_path / "model",
        signature=infer_signature(frame, model.predict(frame)),
        metadata=WANTS,
        pip_requirements=["mlflow"],
    )
    want = model.get_feature_importance(catboost.Pool(frame), type="ShapValues", shap_calc_type="Regular")
    assert_close(contributions(tmp_path / "model", frame), want, 1e-9)


def test_hist_gradient_boosting_adds_up(tmp_path):
    frame = numbers(600)
    model = HistGradientBoostingRegressor(max_iter=20).fit(frame, frame["f0"].fillna(0))
    mlflow.sklearn.save_model(
        model,
        tmp_path / "model",
        signature=infer_signature(frame, model.predict(frame)),
        serialization_format="cloudpickle",
        metadata=WANTS,
        pip_requirements=["mlflow"],
    )
    got = contributions(tmp_path / "model", frame)
    assert_close(got.sum(axis=1), model.predict(frame), 1e-12)
    mean = np.average(model.predict(frame))
    assert abs(got[0, -1] - mean) < 0.05 * max(1, abs(mean))


def test_a_run_writes_them(lake):
    """The model asks for them itself: in the metadata that it was logged with."""
    frame = numbers(500)
    booster = train(frame)
    mlflow.lightgbm.save_model(
        booster, lake.dir / "logged", signature=SIGNATURE, metadata=WANTS, pip_requirements=["mlflow"]
    )
    lake.cli("models", "register", "m", str(lake.dir / "logged"), "--no-check")
    lake.table("src.t", with_ids(frame))
    lake.score()
    rows = lake.rows()
    got = rows[[*(f"contribution_f{i}" for i in range(4)), "expected_value"]].to_numpy()
    assert_close(got, booster.predict(frame, pred_contrib=True), 1e-12)
    np.testing.assert_array_equal(rows["prediction"].to_numpy(), booster.predict(frame))


def test_who_has_none(tmp_path):
    """Linear leaves, and a model that Python scores."""
    frame = numbers(300, missing=0)
    mlflow.lightgbm.save_model(
        train(frame, objective="regression", linear_tree=True),
        tmp_path / "linear",
        signature=SIGNATURE,
        metadata=WANTS,
        pip_requirements=["mlflow"],
    )
    done = subprocess.run(
        [BINARY, "--data-dir", tmp_path / "data", "models", "inspect", tmp_path / "linear"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode != 0
    assert "tree 0: has linear leaves, for which there are no SHAP values" in done.stderr
