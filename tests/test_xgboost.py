"""Predictions equal XGBoost's own to the last bit, for what its Booster and its scikit-learn classes save."""

import json

import mlflow.xgboost
import numpy as np
import pandas as pd
import pytest
import xgboost
from conftest import signature_of
from models import numbers
from parity import check, edge_rows

AREAS = ["model/forest", "model/xgboost"]
EXAMPLE = "test_columns_of_other_types"

OBJECTIVES = {
    "binary:logistic": {},
    "binary:logitraw": {},
    "binary:hinge": {},
    "reg:squarederror": {},
    "reg:squaredlogerror": {},
    "reg:logistic": {},
    "reg:pseudohubererror": {},
    "reg:absoluteerror": {},
    "reg:quantileerror": {"quantile_alpha": [0.1, 0.5, 0.9]},
    "reg:gamma": {},
    "reg:tweedie": {},
    "count:poisson": {},
    "survival:cox": {},
    "rank:ndcg": {},
    "multi:softprob": {"num_class": 4},
    "multi:softmax": {"num_class": 4},
}
SHAPES = {
    "deep": {"max_depth": 12, "min_child_weight": 0},
    "lossguide": {"grow_policy": "lossguide", "max_leaves": 300, "max_depth": 0, "min_child_weight": 0},
    "exact": {"tree_method": "exact", "max_depth": 8},
    "dart": {"booster": "dart", "rate_drop": 0.3},
    "parallel": {"num_parallel_tree": 3, "subsample": 0.7},
    "base_score": {"base_score": 0.2},
    "stumps": {"max_depth": 1},
}
SIGNATURE = signature_of(f0="double", f1="double", f2="double", f3="double")


def labels_for(objective: str, rows: int) -> np.ndarray:
    rng = np.random.default_rng(2)
    if objective.startswith("multi"):
        return rng.integers(0, 4, rows)
    if objective.startswith(("binary", "reg:logistic")):
        return rng.integers(0, 2, rows)
    return rng.integers(1, 5, rows) if objective.startswith(("rank", "count", "survival")) else rng.random(rows) + 0.1


def train(objective: str, rounds: int = 12, rows: int = 1500, **params) -> tuple[xgboost.Booster, pd.DataFrame]:
    frame = numbers(rows)
    data = xgboost.DMatrix(frame, labels_for(objective, rows))
    if objective.startswith("rank"):
        data.set_group([10] * (rows // 10))
    return xgboost.train(
        {"objective": objective, "nthread": 2, "seed": 1, "max_depth": 5, **params}, data, rounds
    ), frame


def thresholds(booster: xgboost.Booster) -> list[float]:
    model = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]
    trees = (model.get("gbtree") or model)["model"]["trees"]
    return [
        c
        for tree in trees
        for c, left in zip(tree["split_conditions"], tree["left_children"], strict=True)
        if left != -1
    ]


def save(model, folder, model_format: str = "ubj", signature=SIGNATURE):
    mlflow.xgboost.save_model(
        model, folder, model_format=model_format, signature=signature, pip_requirements=["xgboost-cpu"]
    )
    return folder


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_equals_xgboost(tmp_path, objective):
    booster, frame = train(objective, **OBJECTIVES[objective])
    rows = pd.concat([frame, edge_rows(thresholds(booster), list(frame), finite=True)], ignore_index=True)
    check(save(booster, tmp_path / "m"), rows)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("model_format", ["json", "ubj"])
def test_every_shape_and_format_equals_xgboost(tmp_path, shape, model_format):
    booster, frame = train("binary:logistic", **SHAPES[shape])
    rows = pd.concat([frame, edge_rows(thresholds(booster), list(frame), finite=True)], ignore_index=True)
    check(save(booster, tmp_path / "m", model_format), rows)


@pytest.mark.parametrize("objective", ["reg:squarederror", "binary:logistic", "multi:softprob"])
def test_trees_without_any_split(tmp_path, objective):
    """A gain that no split reaches, or only those of one class: all trees of the model, or some, are one leaf."""
    frame = numbers(300)
    labels = np.arange(300) % 2 if objective == "multi:softprob" else labels_for(objective, 300)
    params = (
        {"num_class": 3, "max_delta_step": 0, "min_child_weight": 40}
        if objective.startswith("multi")
        else {"gamma": 1e9}
    )
    booster = xgboost.train({"objective": objective, **params}, xgboost.DMatrix(frame, labels), 8)
    leaves = [text.count("leaf=") for text in booster.get_dump()]
    assert min(leaves) == 1 and (max(leaves) > 1) == objective.startswith("multi"), leaves
    check(
        save(booster, tmp_path / "m"),
        pd.concat([frame, edge_rows(thresholds(booster), list(frame), finite=True)], ignore_index=True),
    )


@pytest.mark.parametrize("strategy", ["one_output_per_tree", "multi_output_tree"])
def test_several_targets(tmp_path, strategy):
    frame = numbers(1000)
    targets = np.random.default_rng(3).normal(size=(1000, 3))
    booster = xgboost.train(
        {"multi_strategy": strategy, "tree_method": "hist", "max_depth": 5}, xgboost.DMatrix(frame, targets), 10
    )
    check(
        save(booster, tmp_path / "m"),
        pd.concat([frame, edge_rows(thresholds(booster), list(frame), finite=True)], ignore_index=True),
    )


def test_classes_of_the_scikit_learn_api(tmp_path):
    frame, rng = numbers(1200), np.random.default_rng(4)
    binary, many, several = rng.integers(0, 2, 1200), rng.integers(0, 3, 1200), rng.integers(0, 2, (1200, 3))
    models = {
        "binary": xgboost.XGBClassifier(n_estimators=10).fit(frame, binary),
        "many": xgboost.XGBClassifier(n_estimators=10).fit(frame, many),
        "several": xgboost.XGBClassifier(n_estimators=10).fit(frame, several),
        "regressor": xgboost.XGBRegressor(n_estimators=10).fit(frame, rng.random(1200)),
        "random_forest": xgboost.XGBRFClassifier(n_estimators=20).fit(frame, binary),
        "ranker": xgboost.XGBRanker(n_estimators=10).fit(frame, binary, group=[10] * 120),
    }
    stopped = xgboost.XGBClassifier(n_estimators=200, early_stopping_rounds=3)
    stopped.fit(frame[:800], binary[:800], eval_set=[(frame[800:], binary[800:])], verbose=False)
    assert stopped.best_iteration + 1 < stopped.get_booster().num_boosted_rounds()
    models["stopped"] = stopped
    for name, model in models.items():
        edges = edge_rows(thresholds(model.get_booster()), list(frame), finite=True)
        check(save(model, tmp_path / name), pd.concat([frame, edges], ignore_index=True))


def test_categories_as_codes(tmp_path):
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "c": rng.integers(0, 60, 3000).astype("float32"),
            "d": rng.integers(0, 3, 3000).astype("float32"),
            "x": rng.normal(size=3000).astype("float32"),
        }
    ).mask(rng.random((3000, 3)) < 0.1)
    data = xgboost.DMatrix(
        frame,
        (frame["c"].fillna(0) % 7 + frame["d"].fillna(5)).to_numpy(),
        feature_types=["c", "c", "q"],
        enable_categorical=True,
    )
    for to_onehot in (1, 100):
        booster = xgboost.train({"max_cat_to_onehot": to_onehot, "tree_method": "hist", "max_depth": 7}, data, 15)
        booster.feature_types = None  # as pyfunc's plain DMatrix has none
        folder = save(booster, tmp_path / str(to_onehot), signature=signature_of(c="float", d="float", x="float"))
        rows = pd.concat(
            [frame, pd.DataFrame({"c": [61, 500, np.nan, 1.5, 59], "d": [4, np.nan, 2.9, 0, 1], "x": 0.5})],
            ignore_index=True,
        ).astype("float32")
        check(folder, rows)


def test_columns_of_other_types(tmp_path):
    rng = np.random.default_rng(6)
    frame = pd.DataFrame(
        {
            "l": rng.integers(-(2**40), 2**40, 2000),
            "i": rng.integers(-9, 9, 2000).astype("int32"),
            "b": rng.random(2000) > 0.5,
            "x": rng.normal(size=2000).astype("float32"),
            "y": rng.normal(size=2000),
        }
    )
    booster = xgboost.train(
        {"max_depth": 6}, xgboost.DMatrix(frame, frame["l"] % 1000 + frame["b"] * 500.0 + frame["y"]), 10
    )
    check(
        save(
            booster, tmp_path / "m", signature=signature_of(l="long", i="integer", b="boolean", x="float", y="double")
        ),
        frame,
    )


def test_a_linear_booster_is_left_to_python(lake, tmp_path):
    booster, _ = train("reg:squarederror", booster="gblinear")
    done = lake.cli("models", "inspect", str(save(booster, tmp_path / "m")), check=False)
    assert "gblinear" in done.stderr + done.stdout
