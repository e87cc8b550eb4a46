"""Predictions equal LightGBM's own to the last bit."""

import json
import re
import subprocess

import lightgbm
import mlflow.lightgbm
import numpy as np
import pandas as pd
import pytest
from conftest import BINARY, signature_of
from mlflow.models import infer_signature
from models import numbers, train, with_ids
from parity import assert_equal, check, engine, predict

AREAS = ["model/forest", "model/lightgbm"]
EXAMPLE = "test_integer_float32_and_boolean_columns"

OBJECTIVES = {
    "binary": {"objective": "binary", "sigmoid": 1.7},
    "regression": {"objective": "regression"},
    "regression_sqrt": {"objective": "regression", "reg_sqrt": True},
    "regression_l1": {"objective": "regression_l1"},
    "huber": {"objective": "huber"},
    "fair": {"objective": "fair"},
    "quantile": {"objective": "quantile", "alpha": 0.3},
    "mape": {"objective": "mape"},
    "poisson": {"objective": "poisson"},
    "gamma": {"objective": "gamma"},
    "tweedie": {"objective": "tweedie"},
    "cross_entropy": {"objective": "cross_entropy"},
    "cross_entropy_lambda": {"objective": "cross_entropy_lambda"},
    "multiclass": {"objective": "multiclass", "num_class": 3},
    "multiclassova": {"objective": "multiclassova", "num_class": 3, "sigmoid": 0.8},
    "random_forest": {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6},
    "dart": {"boosting": "dart"},
    "zero_as_missing": {"zero_as_missing": True},
    "no_missing": {"use_missing": False},
    "linear_tree": {"objective": "regression", "linear_tree": True},
}


def edge_rows(booster: lightgbm.Booster, features: int) -> pd.DataFrame:
    """Every threshold and its two neighbours in every feature, and the numbers that are special."""
    text = booster.model_to_string()
    thresholds = {float(v) for line in re.findall(r"^threshold=(.*)$", text, re.M) for v in line.split()}
    values = [v for t in sorted(thresholds) for v in (t, np.nextafter(t, -np.inf), np.nextafter(t, np.inf))]
    values += [np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, -5e-324, 1e-35, -1e-35, 1.1e-35, 1e-36, 1e308, -1e308]
    rng = np.random.default_rng(5)
    columns = {f"f{i}": rng.permutation(np.array(values)) for i in range(features)}
    return pd.DataFrame(columns)


def bits(values) -> np.ndarray:
    return np.ascontiguousarray(values, dtype=np.float64).view(np.int64)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_equals_lightgbm(lake, name):
    frame = numbers(600)
    frame.loc[::11, "f1"] = 0.0
    rng = np.random.default_rng(2)
    labels = np.abs(frame["f0"].fillna(0).to_numpy()) + rng.random(600)
    params = OBJECTIVES[name]
    if params.get("num_class"):
        labels = rng.integers(0, 3, 600)
    elif params.get("objective", "binary").startswith(("binary", "cross_entropy")):
        labels = (labels > 0.8).astype(float)
    booster = train(frame, labels=labels, **params)
    rows = pd.concat([frame, edge_rows(booster, 4)], ignore_index=True)
    lake.table("src.t", with_ids(rows))
    lake.register(
        "m", booster, frame.astype("float64"), signature_of(f0="double", f1="double", f2="double", f3="double")
    )
    lake.score()
    got, want = lake.rows(), booster.predict(rows)
    assert len(got) == len(rows)
    if want.ndim == 1:
        assert (bits(got["prediction"]) == bits(want)).all()
    else:
        for k in range(want.shape[1]):
            assert (bits(got[f"prediction_{k}"]) == bits(want[:, k])).all()


def test_pandas_categories_with_unseen_values_and_nulls(lake):
    rng = np.random.default_rng(4)
    frame = numbers(800, features=2)
    frame["city"] = pd.Categorical(rng.choice(["Oslo", "Rome", "Lima", "Kyiv"], 800))
    frame["plan"] = pd.Categorical(rng.choice(["free", "paid"], 800))
    labels = ((frame["city"] == "Rome") ^ (frame["plan"] == "paid")).astype(float)
    booster = train(frame, labels=labels, min_data_per_group=5, cat_smooth=1)
    rows = frame.copy()
    rows["city"] = rows["city"].astype(object)
    rows["plan"] = rows["plan"].astype(object)
    rows.loc[::9, "city"] = "Atlantis"
    rows.loc[::7, "city"] = None
    rows.loc[::5, "plan"] = ""
    lake.table("src.t", with_ids(rows))
    lake.register("m", booster, signature=signature_of(f0="double", f1="double", city="string", plan="string"))
    checked = json.loads(lake.cli("--json", "models", "check", "m").stdout)
    assert (checked["engine"], checked["proof"]) == ("forest", "library only"), checked
    assert "which mlflow.pyfunc refuses" in checked["why"]  # it makes no categories of text
    lake.score()
    coded = rows.copy()
    for name in ("city", "plan"):
        coded[name] = pd.Categorical(rows[name], categories=frame[name].cat.categories)
    assert (bits(lake.rows()["prediction"]) == bits(booster.predict(coded))).all()


def test_integer_float32_and_boolean_columns(lake):
    rng = np.random.default_rng(6)
    frame = pd.DataFrame(
        {
            "i": rng.integers(-9, 9, 500).astype("int32"),
            "l": rng.integers(-(2**40), 2**40, 500),
            "x": rng.normal(size=500).astype("float32"),
            "b": rng.random(500) > 0.5,
        }
    )
    booster = train(frame, labels=(frame["l"] > 0).astype(float) + frame["b"] * 1.0 > 1)
    lake.table("src.t", with_ids(frame))
    lake.register("m", booster, signature=signature_of(i="integer", l="long", x="float", b="boolean"))
    lake.score()
    assert (bits(lake.rows()["prediction"]) == bits(booster.predict(frame))).all()


def test_large_categories_as_integers(lake):
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"c": rng.integers(0, 90, 2000).astype("int32"), "x": rng.normal(size=2000)})
    booster = lightgbm.train(
        {"objective": "regression", "verbose": -1, "min_data_per_group": 2, "max_cat_to_onehot": 1, "seed": 1},
        lightgbm.Dataset(frame, (frame["c"] % 7) * 1.0, categorical_feature=["c"]),
        10,
    )
    rows = pd.concat([frame, pd.DataFrame({"c": [-1, -5, 91, 2**31 - 1, 64, 63], "x": 0.5})], ignore_index=True).astype(
        {"c": "int32"}
    )
    lake.table("src.t", with_ids(rows))
    lake.register("m", booster, signature=signature_of(c="integer", x="double"))
    lake.score()
    assert (bits(lake.rows()["prediction"]) == bits(booster.predict(rows))).all()


@pytest.mark.parametrize("objective", ["regression", "binary", "multiclass", "linear"])
def test_trees_without_any_split(tmp_path, objective):
    """Too few rows to split, or a class that no row has: some trees of the model, or all, are one leaf."""
    frame = numbers(300 if objective == "multiclass" else 12, missing=0.0)
    labels = np.arange(len(frame)) % 2
    params = {"objective": "regression", "linear_tree": True} if objective == "linear" else {"objective": objective}
    booster = lightgbm.train(
        {"verbose": -1, "num_class": 3 if objective == "multiclass" else 1, **params},
        lightgbm.Dataset(frame, labels),
        5,
    )
    leaves = [int(count) for count in re.findall(r"^num_leaves=(\d+)$", booster.model_to_string(), re.M)]
    assert min(leaves) == 1 and (max(leaves) > 1) == (objective == "multiclass"), leaves
    signature = infer_signature(frame, booster.predict(frame))
    mlflow.lightgbm.save_model(booster, tmp_path / "m", signature=signature, pip_requirements=["lightgbm"])
    check(tmp_path / "m", pd.concat([frame, edge_rows(booster, 4)], ignore_index=True))


def categories_of_the_wrong_column(**kinds) -> tuple[lightgbm.Booster, pd.DataFrame, list[int]]:
    """'size' is a category with an order, a number to LightGBM, whose list the file has; 'shop' is made of plain
    integers, and categorical."""
    rng, sizes = np.random.default_rng(11), [10, 20, 40]
    frame = pd.DataFrame(
        {
            "size": pd.Categorical(rng.choice(sizes, 400), categories=sizes, ordered=True),
            "shop": rng.choice(kinds.get("shops", [20, 10, 40, 3]), 400),
        }
    )
    target = frame["size"].astype(int) / 10 + np.where(frame["shop"] == frame["shop"].max(), 9.0, 0)
    data = lightgbm.Dataset(frame, target, categorical_feature=["shop"])
    return lightgbm.train({"verbose": -1, "min_data_per_group": 1, "cat_smooth": 1}, data, 10), frame, sizes


def save(booster, folder, signature):
    mlflow.lightgbm.save_model(booster, folder, signature=signature, pip_requirements=["lightgbm"])
    return folder


def test_lists_of_categories_belong_to_the_columns_whose_values_they_can_be(tmp_path):
    booster, frame, sizes = categories_of_the_wrong_column()
    rows = frame.astype("int64")
    folder = save(booster, tmp_path / "m", infer_signature(frame, booster.predict(frame)))
    rows.loc[::9, "size"] = 30  # never seen: missing
    given = rows.assign(size=pd.Categorical(rows["size"], categories=sizes))
    assert engine(folder) == "forest"
    assert_equal(predict(folder, rows), booster.predict(given))


def test_lists_that_could_be_of_several_columns_are_not_guessed(tmp_path):
    booster, frame, _ = categories_of_the_wrong_column(shops=[0, 1, 2])
    assert engine(save(booster, tmp_path / "m", infer_signature(frame, booster.predict(frame)))) == "python"


def test_columns_in_another_order_than_the_model_was_trained_with_are_refused(tmp_path):
    """LightGBM takes them by position, and pyfunc gives them by the signature: one would be read as another."""
    frame = numbers(300, missing=0.0).rename(columns={"f1": "a name"})
    booster = train(frame)
    turned = frame[["f0", "f2", "a name", "f3"]]
    folder = save(booster, tmp_path / "m", infer_signature(turned, booster.predict(turned)))
    done = subprocess.run([BINARY, "models", "inspect", folder], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "another order" in done.stderr and "'f2'" in done.stderr, done.stderr
    check(save(booster, tmp_path / "right", infer_signature(frame, booster.predict(frame))), frame)
