"""scikit-learn's pipelines: what encoders, imputers and scalers do to columns, folded into trees (to the last bit) or
computed before a linear model."""

import json

import lightgbm
import mlflow.sklearn
import numpy as np
import pandas as pd
import pytest
import xgboost
from mlflow.models import infer_signature
from models import numbers, with_ids
from parity import assert_equal, check, engine, predict
from sklearn import ensemble, linear_model, svm
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

AREAS = ["model"]
EXAMPLE = "test_a_run_scores_a_pipeline"

RNG = np.random.default_rng(4)
ROWS = 1500
NUMBERS = numbers(ROWS, missing=0.0) * [1, 100, 1e-3, 1e5] + [0, 50, 0, -1e6]
HOLES = NUMBERS.mask(RNG.random(NUMBERS.shape) < 0.1)
MIXED = HOLES.assign(
    colour=RNG.choice(["red", "green", "blue", "ünüsual"], ROWS),
    size=RNG.choice(["S", "M", "L"], ROWS),
    count=RNG.integers(0, 9, ROWS),
    flag=RNG.random(ROWS) < 0.3,
)
CONTINUOUS, TEXTS = ["f0", "f1", "f2", "f3"], ["colour", "size"]
SCORE = (NUMBERS["f0"] + (NUMBERS["f1"] - 50) / 100 * (MIXED["colour"] == "red") + RNG.normal(size=ROWS) / 3).to_numpy()
TWO, WORDS = (SCORE > 0).astype(int), np.array(["low", "mid", "high"])[np.digitize(SCORE, [-0.3, 0.3])]


def prepared(**encoder):
    """What tutorials do to a table of numbers and texts."""
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), CONTINUOUS),
            ("texts", OneHotEncoder(**({"handle_unknown": "ignore"} | encoder)), TEXTS),
        ],
        remainder="passthrough",
    )


def save(model, folder, rows: pd.DataFrame, **settings):
    answer = getattr(model, settings.get("pyfunc_predict_fn", "predict"))(rows.head(20))
    mlflow.sklearn.save_model(
        model,
        folder,
        signature=infer_signature(rows, answer),
        pip_requirements=["scikit-learn"],
        serialization_format="cloudpickle",
        **settings,
    )
    return folder


def edges(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with texts that were never seen, nulls, and numbers far away, where the columns may have them."""
    out = rows.head(300).copy()
    for name in out:
        if out[name].dtype == object or str(out[name].dtype) == "str":
            out[name] = out[name].astype(object)
            out.iloc[::7, out.columns.get_loc(name)] = "never seen"
            out.iloc[3::11, out.columns.get_loc(name)] = None
        elif out[name].dtype.kind == "f":
            out.iloc[::5, out.columns.get_loc(name)] *= 1e9
            out.iloc[1::5, out.columns.get_loc(name)] = -0.0
    return out


TREES = {
    "forest": (lambda: make_pipeline(prepared(), ensemble.RandomForestClassifier(20, random_state=1)), MIXED, WORDS),
    "boosting": (
        lambda: make_pipeline(
            prepared(sparse_output=False), ensemble.GradientBoostingClassifier(n_estimators=20, random_state=1)
        ),
        MIXED,
        TWO,
    ),
    "histogram": (
        lambda: make_pipeline(
            prepared(sparse_output=False, drop="first"),
            ensemble.HistGradientBoostingRegressor(max_iter=20, random_state=1),
        ),
        MIXED,
        SCORE,
    ),
    "lightgbm": (lambda: make_pipeline(prepared(), lightgbm.LGBMClassifier(n_estimators=20, verbose=-1)), MIXED, WORDS),
    "xgboost": (lambda: make_pipeline(prepared(), xgboost.XGBClassifier(n_estimators=20, max_depth=4)), MIXED, TWO),
    "ordinal": (
        lambda: make_pipeline(
            make_column_transformer(
                (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2), TEXTS),
                (SimpleImputer(add_indicator=True), CONTINUOUS),
            ),
            ensemble.ExtraTreesRegressor(20, random_state=1),
        ),
        MIXED,
        SCORE,
    ),
    "target": (
        lambda: make_pipeline(
            make_column_transformer((TargetEncoder(random_state=1), [*TEXTS, "count"]), remainder=MinMaxScaler()),
            ensemble.HistGradientBoostingClassifier(max_iter=10, random_state=1),
        ),
        MIXED,
        TWO,
    ),
    "counts": (
        lambda: make_pipeline(
            make_column_transformer(
                (OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=170), ["count", "flag", *TEXTS]),
                (RobustScaler(), ["f1"]),
            ),
            ensemble.RandomForestRegressor(10, random_state=1),
        ),
        MIXED,
        SCORE,
    ),
    "categories": (
        lambda: make_pipeline(
            make_column_transformer(
                (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), TEXTS),
                remainder="passthrough",
            ),
            ensemble.HistGradientBoostingClassifier(max_iter=10, categorical_features=[0, 1, 6], random_state=1),
        ),
        MIXED,
        WORDS,
    ),
    "scalers": (
        lambda: make_pipeline(
            StandardScaler(),
            FeatureUnion(
                [("a", MinMaxScaler(clip=True)), ("b", make_pipeline(MaxAbsScaler(), Binarizer(threshold=0.1)))]
            ),
            RobustScaler(with_centering=False),
            ensemble.RandomForestRegressor(20, random_state=1),
        ),
        NUMBERS,
        SCORE,
    ),
    "floats": (
        lambda: make_pipeline(StandardScaler(), MinMaxScaler(), ensemble.HistGradientBoostingRegressor(max_iter=20)),
        NUMBERS.astype("float32"),
        SCORE,
    ),
    "selected": (
        lambda: make_pipeline(SelectKBest(f_classif, k=2), lightgbm.LGBMRegressor(n_estimators=10, verbose=-1)),
        NUMBERS,
        SCORE,
    ),
    "searched": (
        lambda: GridSearchCV(
            make_pipeline(StandardScaler(), ensemble.RandomForestClassifier(5, random_state=1)),
            {"standardscaler__with_mean": [True, False]},
            cv=2,
        ),
        NUMBERS,
        WORDS,
    ),
}


@pytest.mark.parametrize("name", TREES)
def test_trees_behind_preprocessing_are_exact(tmp_path, name):
    make, rows, labels = TREES[name]
    model = make().fit(rows, labels)
    more = edges(rows)
    if name in ("target", "counts"):
        more = more.fillna({"colour": "never seen", "size": "never seen"})
    check(save(model, tmp_path / "m", rows), pd.concat([rows, more], ignore_index=True))


def bound(model, rows: pd.DataFrame) -> np.ndarray:
    """How far two orders of adding up a linear model's terms may lead apart (Higham, Accuracy and Stability of
    Numerical Algorithms, 3.1), by row and output."""
    columns = model[:-1].transform(rows) if hasattr(model, "steps") else rows.to_numpy(dtype=float)
    columns = np.abs(columns.toarray() if hasattr(columns, "toarray") else columns)
    last = model[-1] if hasattr(model, "steps") else model
    return (
        2
        * (columns.shape[1] + 2)
        * np.finfo("float64").eps
        * (columns @ np.abs(np.atleast_2d(last.coef_)).T + np.abs(last.intercept_))
    )


LINEAR = {
    "regression": (lambda: make_pipeline(prepared(), linear_model.LinearRegression()), MIXED, SCORE),
    "ridge": (lambda: make_pipeline(prepared(), linear_model.Ridge()), MIXED, SCORE),
    "lasso": (lambda: linear_model.Lasso(alpha=0.01), NUMBERS, SCORE),
    "several": (
        lambda: make_pipeline(StandardScaler(), linear_model.LinearRegression()),
        NUMBERS,
        np.stack([SCORE, -2 * SCORE, SCORE**2], axis=1),
    ),
    "huber": (lambda: make_pipeline(MaxAbsScaler(), linear_model.HuberRegressor()), NUMBERS, SCORE),
    "svr": (lambda: make_pipeline(RobustScaler(), svm.LinearSVR(dual=True, random_state=1)), NUMBERS, SCORE),
}


@pytest.mark.parametrize("name", LINEAR)
def test_linear_regressions_are_within_the_rounding_of_their_sums(tmp_path, name):
    make, rows, labels = LINEAR[name]
    model = make().fit(rows, labels)
    folder = save(model, tmp_path / "m", rows)
    assert engine(folder) == "linear"
    rows = pd.concat([rows, edges(rows)], ignore_index=True) if rows is MIXED else rows
    got, want = predict(folder, rows).to_numpy(), np.asarray(model.predict(rows)).reshape(len(rows), -1)
    assert got.dtype == want.dtype
    assert np.all(np.abs(got - want) <= bound(model, rows))
    # The same row, alone: scikit-learn's own bits may be others, Slipway's are not.
    assert_equal(predict(folder, rows.head(1)), got[:1])


CLASSIFIERS = {
    "logistic": (linear_model.LogisticRegression(max_iter=1000), TWO),
    "logistic_of_words": (linear_model.LogisticRegression(max_iter=1000), WORDS),
    "sgd": (linear_model.SGDClassifier(loss="log_loss", random_state=1), WORDS),
    "svc": (svm.LinearSVC(dual=True, random_state=1), WORDS),
    "ridge": (linear_model.RidgeClassifier(), TWO > 0),
    "discriminant": (LinearDiscriminantAnalysis(), TWO),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_linear_classifiers(tmp_path, name):
    estimator, labels = CLASSIFIERS[name]
    model = make_pipeline(prepared(sparse_output=False), estimator).fit(MIXED, labels)
    folder = save(model, tmp_path / "m", MIXED)
    assert engine(folder) == "linear"
    assert list(predict(folder, MIXED)["prediction"]) == list(model.predict(MIXED))
    if not hasattr(model, "predict_proba"):
        return
    shares = save(model, tmp_path / "shares", MIXED, pyfunc_predict_fn="predict_proba")
    assert engine(shares) == "linear"
    assert np.allclose(predict(shares, MIXED).to_numpy(), model.predict_proba(MIXED), rtol=1e-11, atol=1e-14)
    both = save(model, tmp_path / "both", MIXED, metadata={"slipway.probabilities": True})
    got = predict(both, MIXED)
    assert list(got.columns) == ["prediction", *(f"probability_{label}" for label in model.classes_)]
    assert np.allclose(got.iloc[:, 1:].to_numpy(), model.predict_proba(MIXED), rtol=1e-11, atol=1e-14)


def test_what_is_refused_is_refused(tmp_path):
    """A text that was never seen, a null and an infinity, where scikit-learn raises an error."""
    clean = MIXED.drop(columns=CONTINUOUS[1:]).dropna()
    step = make_column_transformer((OneHotEncoder(), TEXTS), (StandardScaler(), ["f0"]), remainder="drop")
    labels = SCORE[clean.index]
    for last, scored in (
        (ensemble.GradientBoostingRegressor(n_estimators=5), "forest"),
        (linear_model.Ridge(), "linear"),
    ):
        model = make_pipeline(step, last).fit(clean, labels)
        folder = save(model, tmp_path / scored, clean)
        assert engine(folder) == scored
        for column, value, says in (
            ("colour", "never seen", "not trained on"),
            ("size", None, "no missing values"),
            ("f0", np.nan, "no missing values"),
            ("f0", np.inf, "no infinite values"),
        ):
            rows = clean.head(3).reset_index(drop=True)
            rows[column] = rows[column].astype(object if isinstance(value, (str, type(None))) else float)
            rows.loc[1, column] = value
            with pytest.raises(ValueError, match=r".*"):
                model.predict(rows)
            with pytest.raises(AssertionError, match=says):
                predict(folder, rows)


def test_what_is_no_function_of_one_column_goes_to_python(tmp_path):
    model = make_pipeline(StandardScaler(), PCA(2), ensemble.RandomForestRegressor(5)).fit(NUMBERS, SCORE)
    check(save(model, tmp_path / "m", NUMBERS), NUMBERS, "python")


@pytest.mark.parametrize(
    "encoder, scored", [(OneHotEncoder(handle_unknown="ignore"), "python"), (OrdinalEncoder(), "forest")]
)
def test_an_encoder_of_very_many_categories(tmp_path, encoder, scored):
    """A column for each of thousands of categories is for sparse matrices: exporting it took gigabytes."""
    rows = NUMBERS.assign(place=[f"place {i * 7 % ROWS}" for i in range(ROWS)])
    prepare = ColumnTransformer([("places", encoder, ["place"])], remainder="passthrough")
    model = make_pipeline(prepare, ensemble.RandomForestRegressor(5, random_state=0)).fit(rows, SCORE)
    check(save(model, tmp_path / "m", rows), rows, scored)


def test_boosting_gives_probabilities(tmp_path):
    for name, model, labels in (
        ("two", ensemble.GradientBoostingClassifier(n_estimators=10), TWO),
        ("words", ensemble.HistGradientBoostingClassifier(max_iter=10), WORDS),
    ):
        model.fit(NUMBERS, labels)
        shares = save(model, tmp_path / name, NUMBERS, pyfunc_predict_fn="predict_proba")
        assert engine(shares) == "forest"
        got = predict(shares, NUMBERS).to_numpy()
        assert np.max(np.abs(got / model.predict_proba(NUMBERS) - 1)) < 1e-13


def test_a_run_scores_a_pipeline(lake):
    model = make_pipeline(prepared(), linear_model.LogisticRegression(max_iter=1000)).fit(MIXED, WORDS)
    folder = save(model, lake.dir / "logged", MIXED)
    registered = json.loads(lake.cli("--json", "models", "register", "m", str(folder)).stdout)
    assert registered["engine"] == "linear"
    lake.table("src.t", with_ids(MIXED))
    lake.score(python={"interpreter": "", "cache": str(lake.dir / "engines")})
    assert list(lake.rows()["prediction"]) == list(model.predict(MIXED))


@pytest.mark.parametrize(
    "encoder",
    [
        OneHotEncoder(handle_unknown="ignore"),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
        TargetEncoder(random_state=1),
    ],
    ids=lambda one: type(one).__name__,
)
def test_infinity_behind_an_encoder_of_numbers_is_refused_as_scikit_learn_refuses_it(tmp_path, encoder):
    rows = pd.DataFrame({"kind": RNG.integers(0, 4, ROWS).astype("float64"), "x": RNG.normal(size=ROWS)})
    steps = make_column_transformer((encoder, ["kind"]), remainder="passthrough")
    model = make_pipeline(steps, ensemble.RandomForestClassifier(5, random_state=1)).fit(rows, TWO)
    folder = save(model, tmp_path / "m", rows)
    check(folder, pd.concat([rows.head(50), rows.head(9).assign(kind=99.0)], ignore_index=True))
    for value in (np.inf, -np.inf):
        strange = rows.head(5).assign(kind=[0.0, 1.0, value, 2.0, 99.0])
        with pytest.raises(ValueError, match="infinity"):
            model.predict(strange)
        with pytest.raises(AssertionError, match="no infinite values"):
            predict(folder, strange)
