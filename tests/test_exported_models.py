"""Trees of scikit-learn and CatBoost: exported once, shown to be exact, then scored natively, bit by bit what pyfunc
gives."""

import json
import shutil

import catboost
import lightgbm
import mlflow.catboost
import mlflow.lightgbm
import mlflow.sklearn
import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow.models import infer_signature
from models import numbers, with_ids
from parity import assert_equal, check, edge_rows, engine, predict
from sklearn import ensemble, linear_model, tree
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

AREAS = ["model"]
EXAMPLE = "test_an_exported_model_is_kept_and_a_run_uses_it"

FRAME = numbers(1500, missing=0.0)
HOLES = numbers(1500, missing=0.1)
RNG = np.random.default_rng(2)
NUMBER = (FRAME["f0"] * FRAME["f1"] + RNG.normal(size=1500) / 4).to_numpy()
BINARY_LABEL = (NUMBER > 0).astype(int)
WORDS = np.array(["low", "mid", "high"])[np.digitize(NUMBER, [-0.3, 0.3])]

# estimator, labels, rows, extra settings of save_model
CASES = {
    "forest_regressor": (ensemble.RandomForestRegressor(30, random_state=1), NUMBER, FRAME),
    "forest_of_words": (ensemble.RandomForestClassifier(30, random_state=1), WORDS, FRAME),
    "forest_with_missing": (ensemble.RandomForestClassifier(20, max_depth=12, random_state=1), BINARY_LABEL, HOLES),
    "forest_of_booleans": (ensemble.RandomForestClassifier(10, random_state=1), BINARY_LABEL > 0, FRAME),
    "extra_trees": (ensemble.ExtraTreesClassifier(20, random_state=1), BINARY_LABEL, FRAME),
    "extra_trees_regressor": (ensemble.ExtraTreesRegressor(20, random_state=1), NUMBER, HOLES),
    "tree": (tree.DecisionTreeClassifier(random_state=1), WORDS, HOLES),
    "tree_regressor": (tree.DecisionTreeRegressor(random_state=1), NUMBER, FRAME),
    "boosting_regressor": (ensemble.GradientBoostingRegressor(n_estimators=30, random_state=1), NUMBER, FRAME),
    "boosting": (ensemble.GradientBoostingClassifier(n_estimators=30, random_state=1), BINARY_LABEL, FRAME),
    "boosting_of_words": (ensemble.GradientBoostingClassifier(n_estimators=10, random_state=1), WORDS, FRAME),
    "histogram_regressor": (ensemble.HistGradientBoostingRegressor(max_iter=30, random_state=1), NUMBER, HOLES),
    "histogram": (ensemble.HistGradientBoostingClassifier(max_iter=30, random_state=1), BINARY_LABEL, HOLES),
    "histogram_of_words": (ensemble.HistGradientBoostingClassifier(max_iter=10, random_state=1), WORDS, HOLES),
    "isolation_forest": (ensemble.IsolationForest(n_estimators=30, contamination=0.1, random_state=1), None, FRAME),
    "isolation_forest_of_some": (
        ensemble.IsolationForest(n_estimators=30, max_features=2, random_state=1),
        None,
        FRAME,
    ),
}


def save(model, folder, rows: pd.DataFrame, **settings):
    flavor = mlflow.catboost if isinstance(model, catboost.CatBoost) else mlflow.sklearn
    answer = getattr(model, settings.get("pyfunc_predict_fn", "predict"))(rows.head(20))
    if settings.pop("skops_types", False) is not None and flavor is mlflow.sklearn:
        settings["serialization_format"] = "cloudpickle"
    flavor.save_model(
        model, folder, signature=infer_signature(rows.head(20), answer), pip_requirements=["scikit-learn"], **settings
    )
    return folder


def thresholds(estimator) -> list[float]:
    if hasattr(estimator, "_predictors"):
        return [
            float(t)
            for stage in estimator._predictors
            for p in stage
            for t in p.nodes["num_threshold"][p.nodes["is_leaf"] == 0]
        ]
    trees = np.ravel(estimator.estimators_) if hasattr(estimator, "estimators_") else [estimator]
    return [float(t) for e in trees for t in e.tree_.threshold[e.tree_.children_left >= 0]]


@pytest.mark.parametrize("name", CASES)
def test_trees_of_scikit_learn(tmp_path, name):
    estimator, labels, frame = CASES[name]
    estimator.fit(frame, labels)
    edges = edge_rows(thresholds(estimator), list(frame), finite=True, missing=frame is HOLES)
    check(save(estimator, tmp_path / "m", frame), pd.concat([frame, edges], ignore_index=True))


@pytest.mark.parametrize("name", ["tree", "forest", "some_of_a_forest", "boosting", "histogram", "catboost"])
def test_trees_without_any_split(tmp_path, name):
    """All trees of the model are one leaf, or some of them."""
    few = ensemble.RandomForestRegressor(20, max_samples=2, random_state=1)
    models = {
        "tree": (tree.DecisionTreeRegressor(), np.ones(1500)),
        "forest": (ensemble.RandomForestClassifier(5, min_samples_split=9999), WORDS),
        "some_of_a_forest": (few, NUMBER.round()),
        "boosting": (ensemble.GradientBoostingRegressor(n_estimators=3, min_samples_split=9999), NUMBER),
        "histogram": (ensemble.HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=9999), NUMBER),
        "catboost": (
            catboost.CatBoostRegressor(
                iterations=3, verbose=0, allow_writing_files=False, allow_const_label=True, bootstrap_type="No"
            ),
            np.full(1500, 2.5),
        ),
    }
    model, labels = models[name]
    model.fit(FRAME, labels)
    if name == "some_of_a_forest":
        assert len({one.tree_.node_count for one in model.estimators_}) == 2
    check(save(model, tmp_path / "m", FRAME), FRAME)


def test_shares_of_classes(tmp_path):
    model = ensemble.RandomForestClassifier(20, random_state=1).fit(FRAME, WORDS)
    check(save(model, tmp_path / "m", FRAME, pyfunc_predict_fn="predict_proba"), FRAME)


@pytest.mark.parametrize(
    "labels, predict_fn",
    [(WORDS, "predict_proba"), (WORDS, "predict"), (NUMBER * 1e6, "predict")],
    ids=["shares", "labels", "means"],
)
def test_a_forest_whose_threads_add_in_any_order_is_native_and_has_the_bits_of_one_thread(tmp_path, labels, predict_fn):
    kind = ensemble.RandomForestRegressor if labels is not WORDS else ensemble.ExtraTreesClassifier
    model = kind(100, random_state=1, n_jobs=4, bootstrap=True).fit(FRAME, labels)
    folder = save(model, tmp_path / "m", FRAME, pyfunc_predict_fn=predict_fn)
    assert engine(folder) == "forest"
    model.n_jobs = 1
    assert_equal(predict(folder, FRAME), getattr(model, predict_fn)(FRAME))


@pytest.mark.parametrize(
    "settings", [{}, {"grow_policy": "Lossguide"}, {"grow_policy": "Depthwise"}, {"nan_mode": "Max"}], ids=str
)
def test_catboost(tmp_path, settings):
    models = {
        "regressor": catboost.CatBoostRegressor(iterations=40, verbose=0, allow_writing_files=False, **settings).fit(
            HOLES, NUMBER
        ),
        "binary": catboost.CatBoostClassifier(iterations=40, verbose=0, allow_writing_files=False, **settings).fit(
            HOLES, BINARY_LABEL
        ),
        "words": catboost.CatBoostClassifier(iterations=20, verbose=0, allow_writing_files=False, **settings).fit(
            HOLES, WORDS
        ),
    }
    for name, model in models.items():
        borders = [b for column in model.get_borders().values() for b in column]
        check(
            save(model, tmp_path / name, HOLES),
            pd.concat([HOLES, edge_rows(borders, list(HOLES), finite=True)], ignore_index=True),
        )


def test_lightgbm_of_the_scikit_learn_api(tmp_path):
    settings = {"n_estimators": 20, "verbose": -1}
    stopped = lightgbm.LGBMClassifier(n_estimators=300, verbose=-1, learning_rate=0.5)
    stopped.fit(
        HOLES[:1000],
        BINARY_LABEL[:1000],
        eval_set=[(HOLES[1000:], BINARY_LABEL[1000:])],
        callbacks=[lightgbm.early_stopping(3, verbose=False)],
    )
    assert stopped.best_iteration_ < 300
    models = {
        "regressor": lightgbm.LGBMRegressor(**settings).fit(HOLES, NUMBER),
        "binary": lightgbm.LGBMClassifier(**settings).fit(HOLES, BINARY_LABEL),
        "words": lightgbm.LGBMClassifier(**settings).fit(HOLES, WORDS),
        "stopped": stopped,
    }
    for name, model in models.items():
        signature = infer_signature(HOLES.head(20), model.predict(HOLES.head(20)))
        mlflow.lightgbm.save_model(model, tmp_path / name, signature=signature, pip_requirements=["lightgbm"])
        check(tmp_path / name, HOLES)


def test_what_cannot_be_exported_is_scored_by_python_and_says_why(tmp_path):
    several = ensemble.RandomForestRegressor(5, random_state=1).fit(FRAME, np.stack([NUMBER, -NUMBER], axis=1))
    check(save(several, tmp_path / "several", FRAME), FRAME, "python")
    mixed = make_pipeline(PolynomialFeatures(), linear_model.LogisticRegression(max_iter=500)).fit(FRAME, BINARY_LABEL)
    check(save(mixed, tmp_path / "mixed", FRAME), FRAME, "python")


def test_means_of_counts_are_exponentials_within_a_few_units_of_the_last_place(tmp_path):
    poisson = ensemble.HistGradientBoostingRegressor(loss="poisson", max_iter=5).fit(FRAME, np.abs(NUMBER))
    folder = save(poisson, tmp_path / "poisson", FRAME)
    assert engine(folder) == "forest"
    assert np.max(np.abs(predict(folder, FRAME)["prediction"] / poisson.predict(FRAME) - 1)) < 1e-14


def test_missing_and_infinite_values_are_refused_where_scikit_learn_refuses_them(tmp_path):
    model = ensemble.GradientBoostingRegressor(n_estimators=3).fit(FRAME, NUMBER)
    folder = save(model, tmp_path / "m", FRAME)
    for value, says in (
        (np.nan, "no missing values"),
        (np.inf, "no infinite values"),
        (1e300, "too large for float32"),
    ):
        rows = FRAME.head(3).copy()
        rows.loc[1, "f2"] = value
        with pytest.raises(AssertionError, match=says):
            predict(folder, rows)


def test_an_exported_model_is_kept_and_a_run_uses_it(lake):
    model = ensemble.RandomForestClassifier(20, random_state=1).fit(FRAME, WORDS)
    folder = save(model, lake.dir / "forest", FRAME)
    registered = json.loads(lake.cli("--json", "models", "register", "m", str(folder)).stdout)
    assert registered["engine"] == "forest"
    lake.table("src.t", with_ids(FRAME))
    lake.score(python={"interpreter": "", "cache": str(lake.dir / "engines")})
    assert list(lake.rows()["prediction"]) == list(model.predict(FRAME))
    (kept,) = (lake.dir / "engines").glob("*.arrow")
    before = kept.stat().st_mtime_ns
    lake.score(python={"cache": str(lake.dir / "engines")}, logical_date="2024-03-02T06:00:00Z")
    assert kept.stat().st_mtime_ns == before


def save_with_another_in_pyfunc(flavor, model, other, folder, **how):
    """pyfunc loads another model than the native engine reads: whatever the native engine gives is wrong."""
    signature = infer_signature(FRAME.head(), model.predict(FRAME.head()))
    for place, one in ((folder, model), (folder / "other", other)):
        flavor.save_model(one, place, signature=signature, **how)
    about = yaml.safe_load((folder / "MLmodel").read_text())
    settings = about["flavors"]["python_function"]
    settings |= {"data": "other"} if "data" in settings else {"model_path": "other/" + settings["model_path"]}
    (folder / "MLmodel").write_text(yaml.safe_dump(about))
    return folder


def test_a_first_run_compares_unless_the_configuration_says_otherwise(lake):
    one, other = (
        lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(FRAME, labels), 5)
        for labels in (BINARY_LABEL, 1 - BINARY_LABEL)
    )
    folder = save_with_another_in_pyfunc(mlflow.lightgbm, one, other, lake.dir / "m", pip_requirements=["lightgbm"])
    shutil.copytree(folder, lake.dir / "models/m/versions/1/model")  # as an MLflow server's models come: unseen
    digest = lake.cli("--json", "models", "register", "n", str(folder), "--unproven").stdout
    about = {"digest": json.loads(digest)["digest"]}
    (lake.dir / "models/m/versions/1/version.json").write_text(json.dumps(about))
    lake.table("src.t", with_ids(FRAME))
    lake.score(python={"cache": str(lake.dir / "engines")}, target="ml.unproven")  # as `register` was told
    assert_equal(lake.rows("ml.unproven")[["prediction"]], one.predict(FRAME))
    (record,) = (lake.dir / "engines").glob("*.json")
    assert json.loads(record.read_text())["evidence"] == "unproven"
    record.unlink()
    lake.score(python={"cache": str(lake.dir / "engines"), "check_first": False}, target="ml.before")
    assert_equal(lake.rows("ml.before")[["prediction"]], one.predict(FRAME))
    lake.score(python={"cache": str(lake.dir / "engines"), "check_first": True}, target="ml.after")
    assert_equal(lake.rows("ml.after")[["prediction"]], other.predict(FRAME))
    (record,) = (lake.dir / "engines").glob("*.json")
    assert json.loads(record.read_text())["engine"] == "python"


def test_a_native_engine_that_is_wrong_is_found_out(lake):
    """Registration compares."""
    one, other = (ensemble.RandomForestRegressor(5, random_state=k).fit(FRAME, NUMBER) for k in (1, 2))
    settings = {"serialization_format": "cloudpickle", "pip_requirements": ["scikit-learn"]}
    folder = save_with_another_in_pyfunc(mlflow.sklearn, one, other, lake.dir / "m", **settings)
    done = lake.cli("models", "register", "m", str(folder))
    assert "python engine" in done.stdout and "differs from mlflow.pyfunc" in done.stdout
    assert engine(folder) == "python"
    assert_equal(predict(folder, FRAME), other.predict(FRAME))


def test_answers_are_not_rounded_to_what_a_signature_says(lake):
    """pyfunc gives doubles, whatever the signature promises: so does the native engine."""
    model = ensemble.RandomForestRegressor(5, random_state=1).fit(FRAME, NUMBER)
    signature = infer_signature(FRAME.head(), model.predict(FRAME.head()).astype("float32"))
    mlflow.sklearn.save_model(
        model,
        lake.dir / "forest",
        signature=signature,
        serialization_format="cloudpickle",
        pip_requirements=["scikit-learn"],
    )
    assert engine(lake.dir / "forest") == "forest"
    assert_equal(predict(lake.dir / "forest", FRAME), model.predict(FRAME))
