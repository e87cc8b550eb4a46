"""Generates models of one library, with rows on and around every threshold and the library's own predictions. Runs in
an environment with that library's version alone: generate.py LIBRARY COUNT SEED FOLDER. See tools/parity.
"""

import json
import re
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
SPECIAL = [np.nan, 0.0, -0.0, 5e-324, -5e-324, 1e-45, -1e-45, 1e-35, -1e-35, 1.1e-35, 1e-36, 1e30, -1e30]
MOST_ROWS = 30_000


def around(thresholds) -> np.ndarray:
    t = np.unique(np.asarray(list(thresholds), "float64"))
    t = t[np.isfinite(t) & (np.abs(t) < 1e38)]
    f = t.astype("float32")
    near = [
        t,
        np.nextafter(t, np.inf),
        np.nextafter(t, -np.inf),
        f,
        np.nextafter(f, np.float32(np.inf)),
        np.nextafter(f, np.float32(-np.inf)),
    ]
    values = np.unique(np.concatenate([n.astype("float64") for n in near]))
    return np.concatenate([values, SPECIAL])


def edge_rows(
    rng, thresholds, frame: pd.DataFrame, categories: dict[str, int], missing: bool, infinite: bool
) -> pd.DataFrame:
    values = around(thresholds)
    if infinite:
        values = np.concatenate([values, [np.inf, -np.inf, 1e308, -1e308]])
    if not missing:
        values = values[~np.isnan(values)]
    if len(values) > MOST_ROWS:
        values = rng.choice(values, MOST_ROWS, replace=False)
    rows = pd.DataFrame({name: rng.permutation(values) for name in frame})
    for name, count in categories.items():
        rows[name] = rng.choice(
            np.array([*range(count), count, count + 7, 1000, np.nan] if missing else range(count), "float64"), len(rows)
        )
    return pd.concat([frame, rows.astype(frame.dtypes.to_dict())], ignore_index=True)


def data(rng, rows: int, features: int, missing: float, categories: dict[str, int]) -> pd.DataFrame:
    kind = rng.choice(["normal", "rounded", "float32"])
    matrix = rng.normal(size=(rows, features))
    frame = pd.DataFrame(
        np.round(matrix, 1) if kind == "rounded" else matrix, columns=[f"f{i}" for i in range(features)]
    )
    for name, count in categories.items():
        frame[name] = rng.integers(0, count, rows).astype("float64")
    if missing:
        frame = frame.mask(rng.random(frame.shape) < missing)
    return frame.astype("float32") if kind == "float32" else frame


def labels(rng, frame: pd.DataFrame, kind: str) -> np.ndarray:
    signal = (
        np.nan_to_num(frame.iloc[:, 0].to_numpy() * frame.iloc[:, -1].to_numpy() + frame.iloc[:, 1].to_numpy())
        + rng.normal(size=len(frame)) / 2
    )
    if kind == "binary":
        return (signal > np.median(signal)).astype(int)
    if kind == "three":
        return np.digitize(signal, np.quantile(signal, [1 / 3, 2 / 3]))
    return np.abs(signal) + 0.1 if kind == "positive" else signal


def lightgbm_model(rng, number: int):
    import lightgbm

    categories = {"f0": int(rng.integers(3, 400)), "f2": 5} if rng.random() < 0.35 else {}
    frame = data(rng, int(rng.integers(800, 5000)), int(rng.integers(3, 12)), float(rng.choice([0, 0.1])), categories)
    objective = str(
        rng.choice(
            [
                "binary",
                "regression",
                "regression_l1",
                "huber",
                "fair",
                "poisson",
                "quantile",
                "mape",
                "gamma",
                "tweedie",
                "multiclass",
                "multiclassova",
                "cross_entropy",
                "lambdarank",
            ]
        )
    )
    kind = {
        "binary": "binary",
        "cross_entropy": "binary",
        "multiclass": "three",
        "multiclassova": "three",
        "lambdarank": "binary",
    }.get(objective, "positive")
    leaves = int(rng.choice([2, 7, 31, 63, 255, 1000, 4096]))
    params = {
        "objective": objective,
        "num_leaves": leaves,
        "min_data_in_leaf": int(rng.choice([1, 5, 20])),
        "verbose": -1,
        "num_threads": 2,
        "seed": number,
        "learning_rate": 0.1,
        "max_depth": int(rng.choice([-1, 1, 3, 16])),
        "min_data_per_group": 2,
        "cat_smooth": 1,
        "zero_as_missing": bool(rng.random() < 0.2),
        "use_missing": bool(rng.random() < 0.85),
        "max_bin": int(rng.choice([15, 255, 2000])),
        "boosting": str(rng.choice(["gbdt", "gbdt", "gbdt", "dart", "rf"])),
        "bagging_freq": 1,
        "bagging_fraction": 0.7,
    }
    if kind == "three":
        params["num_class"] = 3
    if objective in ("regression", "huber") and not categories and params["boosting"] == "gbdt" and rng.random() < 0.6:
        params |= {"linear_tree": True, "zero_as_missing": False}
    rounds = (
        1
        if number % 9 == 0
        else 5000
        if number % 25 == 24 and leaves <= 31 and kind != "three"
        else int(rng.integers(2, 60))
    )
    if rounds == 5000:
        params["boosting"] = "gbdt"
    group = [len(frame) // 10] * 9 + [len(frame) - len(frame) // 10 * 9] if objective == "lambdarank" else None
    train = lightgbm.Dataset(
        frame, labels(rng, frame, kind), categorical_feature=list(categories) or "auto", group=group
    )
    booster = lightgbm.train(params, train, rounds)
    text = booster.model_to_string()
    thresholds = {float(v) for line in re.findall(r"^threshold=(.*)$", text, re.M) for v in line.split()}
    rows = edge_rows(rng, thresholds, frame, categories, True, True)
    return booster, rows, booster.predict(rows), {"params": params, "rounds": rounds}


def xgboost_model(rng, number: int):
    import xgboost

    version = tuple(int(p) for p in xgboost.__version__.split(".")[:2])
    categories = {"f0": int(rng.integers(3, 300))} if rng.random() < 0.3 else {}
    frame = data(rng, int(rng.integers(800, 5000)), int(rng.integers(3, 12)), float(rng.choice([0, 0.1])), categories)
    objective = str(
        rng.choice(
            [
                "binary:logistic",
                "binary:logitraw",
                "binary:hinge",
                "reg:squarederror",
                "reg:logistic",
                "reg:gamma",
                "reg:tweedie",
                "count:poisson",
                "reg:pseudohubererror",
                "multi:softprob",
                "multi:softmax",
                "rank:pairwise",
                "reg:absoluteerror",
            ]
        )
    )
    kind = (
        "three"
        if objective.startswith("multi")
        else "binary"
        if objective.startswith(("binary", "reg:logistic", "rank"))
        else "positive"
    )
    params = {
        "objective": objective,
        "max_depth": int(rng.choice([1, 3, 6, 8, 12, 16])),
        "nthread": 2,
        "seed": number,
        "min_child_weight": float(rng.choice([0, 1])),
        "booster": str(rng.choice(["gbtree", "gbtree", "gbtree", "dart"])),
        "rate_drop": 0.2,
        "subsample": 0.8,
        "tree_method": "hist" if categories else str(rng.choice(["hist", "exact", "approx"])),
        "max_cat_to_onehot": int(rng.choice([1, 4, 100])),
        "num_parallel_tree": int(rng.choice([1, 1, 3])),
    }
    if kind == "three":
        params["num_class"] = 3
    if rng.random() < 0.3:
        params["base_score"] = 0.3
    types = ["c" if name in categories else "q" for name in frame] if categories else None
    settings = {"feature_types": types, "enable_categorical": True} if categories else {}
    matrix = xgboost.DMatrix(frame, labels(rng, frame, kind), **settings)
    if objective.startswith("rank"):
        matrix.set_group([len(frame) // 10] * 9 + [len(frame) - len(frame) // 10 * 9])
    if objective == "reg:absoluteerror":
        params["num_parallel_tree"] = 1
    rounds = (
        1 if number % 9 == 0 else 1500 if number % 25 == 24 and params["max_depth"] <= 6 else int(rng.integers(2, 50))
    )
    if rounds == 1500:
        params["booster"] = "gbtree"
    booster = xgboost.train(params, matrix, rounds)
    model = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]
    trees = (model.get("gbtree") or model)["model"]["trees"]
    thresholds = {c for tree in trees for c, left in zip(tree["split_conditions"], tree["left_children"]) if left != -1}
    rows = edge_rows(rng, thresholds, frame, categories, True, False)
    if categories:
        rows.loc[rows["f0"] > categories["f0"], "f0"] = np.nan if version < (2, 0) else float(categories["f0"])
    predictions = booster.predict(xgboost.DMatrix(rows, **settings))
    booster.feature_types = None
    return booster, rows, predictions, {"params": params, "rounds": rounds}


def texts(rng, frame: pd.DataFrame) -> pd.DataFrame:
    """The numbers, and columns of words and of whole numbers that depend on them."""
    words = np.array(["red", "green", "blue", "grey", "ünusual"], dtype=object)
    frame = frame.copy()
    frame["colour"] = words[np.clip(np.nan_to_num(frame["f0"]) + rng.normal(size=len(frame)) + 2, 0, 4).astype(int)]
    frame["count"] = rng.integers(0, 6, len(frame))
    return frame


def pipeline_model(rng, number: int):
    """Preprocessing before trees, whose predictions are exact, or before a linear model, whose sums may be added up in
    other orders."""
    import sklearn
    from sklearn import compose, ensemble, impute, linear_model, pipeline, preprocessing

    version = tuple(int(p) for p in sklearn.__version__.split(".")[:2])
    missing = rng.random() < 0.5
    numbers = data(rng, int(rng.integers(500, 2000)), int(rng.integers(3, 8)), 0.1 if missing else 0.0, {})
    numbers = numbers * rng.choice([1, 1e-3, 1e5], numbers.shape[1]).astype(numbers.dtypes.iloc[0]) + rng.choice(
        [0, 50], numbers.shape[1]
    ).astype(numbers.dtypes.iloc[0])
    frame = texts(rng, numbers)
    scaler = rng.choice(
        [
            preprocessing.StandardScaler(),
            preprocessing.MinMaxScaler(clip=True),
            preprocessing.RobustScaler(),
            preprocessing.MaxAbsScaler(),
        ]
    )
    steps = [
        impute.SimpleImputer(strategy=str(rng.choice(["mean", "median"])), add_indicator=bool(rng.random() < 0.5)),
        scaler,
    ]
    if not missing and rng.random() < 0.5:
        steps = steps[1:]
    encoder = rng.choice(
        [
            preprocessing.OneHotEncoder(
                handle_unknown="ignore",
                drop=None if rng.random() < 0.6 else "first",
                sparse_output=bool(rng.random() < 0.5),
            ),
            preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
            preprocessing.OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=0.15),
        ]
    )
    prepared = compose.ColumnTransformer(
        [("numbers", pipeline.make_pipeline(*steps), list(numbers)), ("texts", encoder, ["colour", "count"])]
    )
    name = str(
        rng.choice(
            [
                "RandomForestRegressor",
                "ExtraTreesClassifier",
                "GradientBoostingRegressor",
                "HistGradientBoostingClassifier",
                "LinearRegression",
                "Ridge",
                "LogisticRegression",
                "LogisticRegression",
            ]
        )
    )
    kind = str(rng.choice(["binary", "three"])) if name.endswith(("Classifier", "LogisticRegression")) else "positive"
    settings = (
        {"max_iter": 20}
        if name.startswith("Hist")
        else {"max_iter": 500}
        if name == "LogisticRegression"
        else {}
        if name in ("LinearRegression", "Ridge")
        else {"n_estimators": 15}
    )
    last = getattr(
        ensemble if settings and "n_estimators" in settings or name.startswith("Hist") else linear_model, name
    )(**settings)
    if name.startswith("Hist"):
        prepared.sparse_threshold = 0
    model = pipeline.make_pipeline(prepared, last).fit(frame, labels(rng, numbers, kind))
    rows = pd.concat([frame, frame.head(200)], ignore_index=True)
    edges = np.arange(len(frame), len(rows))
    rows.loc[edges[::3], "colour"] = "never seen"
    rows.loc[edges[1::3], "count"] = 77
    for column in numbers:
        rows.loc[edges[2::5], column] *= rows[column].dtype.type(1e6)
        rows.loc[edges[3::5], column] = rows[column].dtype.type(-0.0)
    about = {"class": name, "steps": str(prepared), "version": version}
    if hasattr(last, "coef_"):
        made = model[:-1].transform(rows)
        made = np.abs(made.toarray() if hasattr(made, "toarray") else made).astype("float64")
        epsilon = np.finfo("float32" if last.coef_.dtype == np.float32 else "float64").eps
        apart = (
            2 * (made.shape[1] + 2) * epsilon * (made @ np.abs(np.atleast_2d(last.coef_)).T + np.abs(last.intercept_))
        )
        if name == "LogisticRegression":
            margins = model.decision_function(rows).reshape(len(rows), -1)
            top = np.sort(np.concatenate([margins, np.zeros((len(rows), int(margins.shape[1] == 1)))], axis=1), axis=1)
            apart = np.where(top[:, -1] - top[:, -2] <= 2 * apart.max(axis=1), np.inf, 0.0)[:, None]
        about["apart"] = [[min(a, 1e300) for a in row] for row in apart.tolist()]
    return model, rows, model.predict(rows), about


def sklearn_model(rng, number: int):
    if number % 3 == 2:
        return pipeline_model(rng, number)
    import sklearn
    from sklearn import ensemble, tree

    version = tuple(int(p) for p in sklearn.__version__.split(".")[:2])
    name = str(
        rng.choice(
            [
                "RandomForestClassifier",
                "RandomForestRegressor",
                "ExtraTreesClassifier",
                "ExtraTreesRegressor",
                "DecisionTreeClassifier",
                "DecisionTreeRegressor",
                "GradientBoostingClassifier",
                "GradientBoostingRegressor",
                "HistGradientBoostingClassifier",
                "HistGradientBoostingRegressor",
                "IsolationForest",
            ]
        )
    )
    takes_missing = name.startswith("Hist") or (name.startswith("RandomForest") and version >= (1, 4))
    frame = data(
        rng,
        int(rng.integers(500, 3000)),
        int(rng.integers(3, 10)),
        0.1 if takes_missing and rng.random() < 0.6 else 0.0,
        {},
    )
    depth = int(rng.choice([1, 4, 12, 16]))
    params = {"random_state": number}
    if name.startswith("Hist"):
        params |= {"max_iter": int(rng.integers(1, 40)), "max_leaf_nodes": int(rng.choice([7, 31, 255]))}
    elif name == "IsolationForest":
        params |= {
            "n_estimators": int(rng.integers(1, 60)),
            "contamination": 0.1,
            "max_features": float(rng.choice([0.6, 1.0])),
        }
    else:
        params |= {"max_depth": depth}
        if not name.startswith("DecisionTree"):
            params |= {"n_estimators": int(rng.integers(1, 40))}
    estimator = getattr(tree if name.startswith("DecisionTree") else ensemble, name)(**params)
    kind = str(rng.choice(["binary", "three"])) if name.endswith("Classifier") else "positive"
    estimator.fit(frame, labels(rng, frame, kind))
    if hasattr(estimator, "_predictors"):
        thresholds = {
            float(t)
            for stage in estimator._predictors
            for p in stage
            for t in p.nodes["num_threshold"][p.nodes["is_leaf"] == 0]
        }
    else:
        trees = np.ravel(estimator.estimators_) if hasattr(estimator, "estimators_") else [estimator]
        thresholds = {float(t) for e in trees for t in e.tree_.threshold[e.tree_.children_left >= 0]}
    rows = edge_rows(rng, thresholds, frame, {}, bool(frame.isna().any().any()), False)
    return estimator, rows, estimator.predict(rows), {"class": name, "params": params}


def catboost_model(rng, number: int):
    import catboost

    frame = data(rng, int(rng.integers(500, 3000)), int(rng.integers(3, 10)), float(rng.choice([0, 0.1])), {})
    params = {
        "iterations": int(rng.integers(1, 80)),
        "depth": int(rng.choice([1, 4, 8])),
        "verbose": 0,
        "allow_writing_files": False,
        "random_seed": number,
        "grow_policy": str(rng.choice(["SymmetricTree", "Depthwise", "Lossguide"])),
        "nan_mode": str(rng.choice(["Min", "Max"])),
        "thread_count": 2,
    }
    kind = str(rng.choice(["binary", "three", "positive"]))
    model = (catboost.CatBoostRegressor if kind == "positive" else catboost.CatBoostClassifier)(**params).fit(
        frame, labels(rng, frame, kind)
    )
    rows = edge_rows(rng, {b for column in model.get_borders().values() for b in column}, frame, {}, True, False)
    return model, rows, model.predict(rows), {"params": params, "kind": kind}


def main() -> None:
    library, count, seed, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    import importlib

    import mlflow
    from mlflow.models import infer_signature

    flavor = importlib.import_module(f"mlflow.{library}")
    make = globals()[f"{library}_model"]
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        model, rows, predictions, about = make(rng, number)
        place = folder / f"{number:03}"
        place.mkdir(parents=True)
        settings = (
            {"serialization_format": "cloudpickle"}
            if library == "sklearn"
            else {"model_format": str(rng.choice(["json", "ubj"]))}
            if library == "xgboost"
            else {}
        )
        flavor.save_model(
            model,
            str(place / "model"),
            signature=infer_signature(rows.head(50), predictions[:50]),
            pip_requirements=[library],
            **settings,
        )
        rows.to_parquet(place / "rows.parquet", index=False)
        pd.DataFrame(np.asarray(predictions).reshape(len(rows), -1)).rename(columns=str).to_parquet(
            place / "predictions.parquet", index=False
        )
        (place / "about.json").write_text(json.dumps(about))
    print(
        f"{library} {importlib.import_module(library).__version__} (mlflow {mlflow.__version__}): "
        f"{count} models generated"
    )


if __name__ == "__main__":
    main()
