"""What scikit-learn's transformers make of numbers, and its linear models of rows; doubles by their bits."""

import struct
from pathlib import Path

import numpy as np
from cases import write_cases
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
)
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)


def bits(values) -> list[str]:
    return [struct.pack("<d", float(value)).hex() for value in np.ravel(values)]


def one(value) -> str:
    return bits([value])[0]


def numbers(missing: bool) -> np.ndarray:
    rng = np.random.default_rng(5)
    values = np.concatenate([rng.normal(size=13) * 7, [0.0, -0.0, 1e-300, -1e-300, 1e15, -1e15, 0.1, 1 / 3, 1e-8]])
    if missing:
        values[::7] = np.nan
    return values.reshape(-1, 1)


def transformers() -> list[dict]:
    """The transformers, and the elementary steps that each is said to be, with what it has learned."""
    made = []

    def add(name: str, transformer, steps, missing=True):
        values = numbers(missing)
        with np.errstate(all="ignore"):
            want = transformer.transform(values)
        made.append({"name": name, "steps": steps, "values": bits(values), "want": bits(want)})

    for missing in (True, False):
        learned = numbers(missing)
        kind = "with missing values" if missing else "without missing values"
        scaler = StandardScaler().fit(learned)
        add(
            f"StandardScaler {kind}", scaler, [["subtract", one(scaler.mean_)], ["divide", one(scaler.scale_)]], missing
        )
        scaler = StandardScaler(with_mean=False).fit(learned)
        add(f"StandardScaler without mean {kind}", scaler, [["divide", one(scaler.scale_)]], missing)
        scaler = MinMaxScaler((-1, 2)).fit(learned)
        scale = [["multiply", one(scaler.scale_)], ["add", one(scaler.min_)]]
        add(f"MinMaxScaler {kind}", scaler, scale, missing)
        scaler = MinMaxScaler(clip=True).fit(learned[3:13])
        scale = [["multiply", one(scaler.scale_)], ["add", one(scaler.min_)], ["at_least", one(0)], ["at_most", one(1)]]
        add(f"MinMaxScaler that clips {kind}", scaler, scale, missing)
        scaler = MaxAbsScaler().fit(learned)
        add(f"MaxAbsScaler {kind}", scaler, [["divide", one(scaler.scale_)]], missing)
        scaler = RobustScaler().fit(learned)
        steps = [["subtract", one(scaler.center_)], ["divide", one(scaler.scale_)]]
        add(f"RobustScaler {kind}", scaler, steps, missing)
    for strategy in ("mean", "median", "most_frequent"):
        imputer = SimpleImputer(strategy=strategy).fit(numbers(True))
        add(f"SimpleImputer {strategy}", imputer, [["fill", one(imputer.statistics_)]])
    imputer = SimpleImputer(strategy="constant", fill_value=-7.5).fit(numbers(True))
    add("SimpleImputer constant", imputer, [["fill", one(-7.5)]])
    add("MissingIndicator", MissingIndicator(features="all").fit(numbers(True)), [["is_missing", one(0)]])
    for threshold in (0.0, 0.1, -3.5):
        add(f"Binarizer {threshold}", Binarizer(threshold=threshold), [["above", one(threshold)]], missing=False)
    rounding = FunctionTransformer(lambda x: x.astype("float32"))
    add("float32", rounding, [["round", one(0)]])
    return made


def linear() -> list[dict]:
    """Coefficients, rows and predictions."""
    rng = np.random.default_rng(6)
    x = rng.normal(size=(80, 5)) * [1, 100, 0.01, 5, 1]
    y = x @ [2, -0.1, 300, 0, 1] + rng.normal(size=80)
    rows = rng.normal(size=(10, 5)) * [1, 100, 0.01, 5, 1]
    rows[0] = 0
    made = []

    def add(model, labels, predict="predict", link="identity"):
        model.fit(x, labels)
        coefficients = np.atleast_2d(model.coef_)
        base = np.broadcast_to(np.ravel(model.intercept_), len(coefficients))
        want = np.asarray(getattr(model, predict)(rows), "float64").reshape(len(rows), -1)
        made.append(
            {
                "name": f"{type(model).__name__} {predict}",
                "link": link,
                "base": bits(base),
                "weights": [bits(row) for row in coefficients],
                "rows": [bits(column) for column in rows.T],
                "want": [bits(column) for column in want.T],
            }
        )

    for model in (LinearRegression(), LinearRegression(fit_intercept=False), Ridge(), Lasso(), ElasticNet()):
        add(model, y)
    add(LinearRegression(), np.column_stack([y, -y, y**2]))
    add(PoissonRegressor(max_iter=1000), np.exp(np.clip(y / 10, -3, 3)), link="exp")
    add(LogisticRegression(max_iter=5000), np.digitize(y, [-1, 2]), "predict_proba", "softmax")
    add(LogisticRegression(max_iter=5000), np.digitize(y, [-1, 2]), "decision_function")
    add(RidgeClassifier(), np.digitize(y, [-1, 2]), "decision_function")
    return made


def make(out: Path) -> None:
    write_cases(out / "transformers.json", transformers())
    write_cases(out / "linear.json", linear())
