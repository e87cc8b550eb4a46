"""Predictions equal XGBoost's own to the last bit, for what its Booster and its scikit-learn classes save."""

import json
import subprocess

import mlflow.xgboost
import numpy as np
import pandas as pd
import pytest
import xgboost
from conftest import BINARY, signature_of
from mlflow.models import infer_signature
from models import numbers
from parity import assert_equal, check, edge_rows, engine, predict

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


SHOPS, TOWNS = [1970, 1985, 1990, 2001], ["", "Bergen", "Lom", "Oslo"]


@pytest.mark.parametrize("to_onehot", [1, 100])
@pytest.mark.parametrize("kind", ["classes", "booster"])
def test_pandas_categories_are_the_values_of_the_file_not_codes(tmp_path, kind, to_onehot):
    """Integers and text: pyfunc refuses both, since it makes no categories of them. The library itself, given them."""
    rng, rows = np.random.default_rng(7), 900
    frame = pd.DataFrame(
        {
            "store": pd.Categorical(rng.choice(SHOPS, rows), categories=SHOPS),
            "v": rng.normal(size=rows),
            "town": pd.Categorical(rng.choice(TOWNS, rows), categories=TOWNS[::-1]),
        }
    )
    target = frame["store"].astype(int) % 7 + frame["town"].astype(str).str.len() * 3 + frame["v"]
    frame.loc[::13, "town"] = None
    frame.loc[::17, "store"] = None
    model = xgboost.XGBRegressor(enable_categorical=True, n_estimators=20, max_cat_to_onehot=to_onehot)
    model.fit(frame, target)
    signature = signature_of(store="long", v="double", town="string")
    folder = save(model if kind == "classes" else model.get_booster(), tmp_path / "m", signature=signature)
    plain = frame.assign(store=frame["store"].astype("Int64"), town=frame["town"].astype(object))
    given = plain.assign(
        store=pd.Categorical(plain["store"].astype(float), categories=SHOPS),
        town=pd.Categorical(plain["town"], categories=TOWNS),
    )
    done = subprocess.run(
        [BINARY, "--data-dir", tmp_path / "data", "--json", "models", "check", folder], capture_output=True, text=True
    )
    assert done.returncode == 0 and json.loads(done.stdout)["proof"] == "library only", done.stderr
    assert engine(folder) == "forest"
    assert_equal(predict(folder, plain), model.predict(given))
    few = plain.head(9)
    assert_equal(predict(folder, few[["town", "v", "store"]]), model.predict(given.head(9)))
    for column, unseen, known in (("town", "Zagreb", TOWNS), ("store", 2222, SHOPS)):
        strange = few.assign(**{column: [*few[column].head(8), unseen]})
        coded = pd.Categorical(strange[column], categories=[*known, unseen])
        with pytest.raises(xgboost.core.XGBoostError, match="not in the training set"):
            model.predict(given.head(9).assign(**{column: coded}))
        with pytest.raises(AssertionError, match=f"not trained on, but '{column}'"):
            predict(folder, strange)


def test_categories_that_xgboost_does_not_keep_whole_are_left_to_python(tmp_path):
    """Its Python package counts letters where bytes are meant: "Åre", "Oslo" become "År", "eOsl"."""
    frame = pd.DataFrame({"town": pd.Categorical(["Åre", "Oslo"] * 50)})
    model = xgboost.XGBRegressor(enable_categorical=True, n_estimators=2).fit(frame, np.arange(100) % 2)
    folder = save(model, tmp_path / "m", signature=infer_signature(frame, np.float32([1.0])))
    assert engine(folder) == "python"


def test_columns_are_found_by_the_names_that_the_booster_has(tmp_path):
    frame = numbers(600, missing=0.0)
    model = xgboost.XGBRegressor(n_estimators=10).fit(frame[["f2", "f0", "f3", "f1"]], frame["f0"] - frame["f2"] ** 2)
    folder = save(model, tmp_path / "m", signature=SIGNATURE)
    assert engine(folder) == "forest"
    assert_equal(predict(folder, frame), model.predict(frame[["f2", "f0", "f3", "f1"]]))


def test_columns_that_the_booster_does_not_know_are_left_to_python(tmp_path):
    model = xgboost.XGBRegressor(n_estimators=2).fit(numbers(50), np.arange(50))
    folder = save(model, tmp_path / "m", signature=infer_signature(numbers(5).add_prefix("x"), np.float32([1.0])))
    assert engine(folder) == "python"


def test_what_a_dmatrix_refuses_is_refused(tmp_path):
    booster, frame = train("reg:squarederror", rounds=2)
    folder = save(booster, tmp_path / "m")
    for value in (np.inf, -np.inf, 1e39):
        with pytest.raises(xgboost.core.XGBoostError, match="inf"):
            booster.predict(xgboost.DMatrix(frame.head(3).assign(f1=value)))
        with pytest.raises(AssertionError, match="no infinite values, or too large"):
            predict(folder, frame.head(3).assign(f1=value))
