"""Models whose input is a tensor, as arrays give it to infer_signature: `slipway.columns` in their metadata names the
columns that it is made of."""

import subprocess
import sys

import cloudpickle
import lightgbm
import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from conftest import BINARY
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import Schema, TensorSpec
from parity import check, edge_rows, predict
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from xgboost import XGBRegressor

AREAS = ["model"]
EXAMPLE = "test_a_run_reads_the_named_columns_of_its_table"

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # models carry this module's classes along
RNG = np.random.default_rng(3)
NAMES = ["a", "b", "c"]
NAMED = {"slipway.columns": NAMES}
X = RNG.normal(size=(400, 3))
Y = X[:, 0] * X[:, 1] + np.sin(X[:, 2])


def cli(tmp_path, *arguments):
    return subprocess.run(
        [BINARY, "--data-dir", tmp_path / "data", *arguments], capture_output=True, text=True, timeout=300
    )


def save(model, folder, **how):
    mlflow.sklearn.save_model(
        model, folder, serialization_format="cloudpickle", pip_requirements=["scikit-learn"], **how
    )


def frame(array) -> pd.DataFrame:
    return pd.DataFrame(array, columns=NAMES)


MODELS = {
    "forest": (lambda x: RandomForestRegressor(10, max_depth=6, random_state=0).fit(x, Y), "forest"),
    "classifier": (lambda x: RandomForestClassifier(10, max_depth=6, random_state=0).fit(x, Y > 0), "forest"),
    "ridge": (lambda x: Ridge().fit(x, Y), "linear"),
    "pipeline": (
        lambda x: make_pipeline(StandardScaler(), RandomForestRegressor(10, max_depth=6, random_state=0)).fit(x, Y),
        "forest",
    ),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("which", MODELS)
def test_scikit_learn_models_that_learned_from_arrays_are_scored_natively(tmp_path, which, dtype):
    x = X.astype(dtype)
    make, engine = MODELS[which]
    model = make(x)
    save(model, tmp_path / "m", signature=infer_signature(x, model.predict(x)), metadata=NAMED, input_example=x[:3])
    checked = cli(tmp_path, "models", "check", tmp_path / "m")
    assert checked.stdout.startswith(f"scored by the {engine} engine: equal to mlflow.pyfunc"), (
        checked.stdout + checked.stderr
    )
    assert "input example" in checked.stdout
    if engine == "forest":
        check(tmp_path / "m", frame(x), engine)


def test_lightgbm_and_xgboost(tmp_path):
    booster = lightgbm.train({"num_leaves": 15, "verbose": -1}, lightgbm.Dataset(X, Y), 10)
    mlflow.lightgbm.save_model(
        booster,
        tmp_path / "l/m",
        signature=infer_signature(X, booster.predict(X)),
        metadata=NAMED,
        pip_requirements=["lightgbm"],
    )
    check(tmp_path / "l/m", edge_rows(X[:40].ravel(), NAMES))
    model = XGBRegressor(n_estimators=10, max_depth=4).fit(X, Y)
    mlflow.xgboost.save_model(
        model,
        tmp_path / "x/m",
        signature=infer_signature(X, model.predict(X)),
        metadata=NAMED,
        model_format="json",
        pip_requirements=["xgboost"],
    )
    check(tmp_path / "x/m", edge_rows(X[:40].ravel(), NAMES, finite=True))


class Sums(mlflow.pyfunc.PythonModel):
    """Takes nothing but an array of the type and shape that its signature says, or a dictionary of one."""

    def __init__(self, dtype: str, name: str | None = None):
        self.dtype, self.name = dtype, name

    def predict(self, context, model_input, params=None):
        array = model_input[self.name] if self.name else model_input
        assert isinstance(array, np.ndarray) and array.dtype == self.dtype and array.shape[1:] == (3,), (
            array.dtype,
            array.shape,
        )
        return array.astype("float64").sum(axis=1)


def save_sums(folder, dtype: str, name: str | None = None):
    inputs = Schema([TensorSpec(np.dtype(dtype), (-1, 3), name)])
    mlflow.pyfunc.save_model(
        folder / "m",
        python_model=Sums(dtype, name),
        metadata=NAMED,
        pip_requirements=["mlflow"],
        signature=ModelSignature(inputs=inputs, outputs=Schema([TensorSpec(np.dtype("float64"), (-1,))])),
    )
    return folder / "m"


@pytest.mark.parametrize("name", [None, "dense"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int8", "bool"])
def test_python_models_get_the_array_that_they_ask_for(tmp_path, dtype, name):
    folder = save_sums(tmp_path, dtype, name)
    rows = frame((X * 10).astype("int8" if dtype == "int8" else dtype))[["c", "a", "b"]]  # columns are found by name
    got = predict(folder, rows)["prediction"]
    assert np.array_equal(got, rows[NAMES].to_numpy().astype("float64").sum(axis=1))


def test_a_named_tensor_of_one_column(tmp_path):
    class Twice(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input["dense"][:, 0] * 2

    inputs, outputs = (
        Schema([TensorSpec(np.dtype("float64"), (-1, 1), "dense")]),
        Schema([TensorSpec(np.dtype("float64"), (-1,))]),
    )
    mlflow.pyfunc.save_model(
        tmp_path / "m",
        python_model=Twice(),
        metadata={"slipway.columns": ["b"]},
        pip_requirements=["mlflow"],
        signature=ModelSignature(inputs=inputs, outputs=outputs),
    )
    assert np.array_equal(predict(tmp_path / "m", frame(X))["prediction"], X[:, 1] * 2)


def test_what_does_not_fit_into_the_tensor_is_an_error(tmp_path):
    rows = frame(np.arange(6).reshape(2, 3).astype("int32")).astype("Int32")
    folder = save_sums(tmp_path, "int8")
    rows.to_parquet(tmp_path / "rows.parquet")
    assert (
        cli(
            tmp_path, "models", "predict", folder, "-i", tmp_path / "rows.parquet", "-o", tmp_path / "out.parquet"
        ).returncode
        == 0
    )
    for wrong, says in ((pd.NA, "'b' has nulls"), (1000, "not in range")):
        rows.loc[1, "b"] = wrong
        rows.to_parquet(tmp_path / "rows.parquet")
        done = cli(
            tmp_path, "models", "predict", folder, "-i", tmp_path / "rows.parquet", "-o", tmp_path / "out.parquet"
        )
        assert done.returncode != 0 and says in done.stderr


def test_texts(tmp_path):
    x = RNG.choice(["red", "green", "blue"], size=(200, 3)).astype(object)
    model = make_pipeline(OneHotEncoder(), RandomForestRegressor(5, random_state=0)).fit(x, np.arange(200.0))
    save(model, tmp_path / "m", signature=infer_signature(x, model.predict(x)), metadata=NAMED)
    got = predict(tmp_path / "m", frame(x))["prediction"]
    assert np.array_equal(got, model.predict(x))


def test_a_run_reads_the_named_columns_of_its_table(lake):
    model = RandomForestRegressor(10, max_depth=6, random_state=0).fit(X, Y)
    lake.table("src.t", pa.table({"id": np.arange(len(X)), "c": X[:, 2], "b": X[:, 1], "a": X[:, 0]}))
    folder = lake.dir / "saved"
    save(model, folder, signature=infer_signature(X, model.predict(X)), metadata=NAMED)
    lake.cli("models", "register", "m", str(folder))
    lake.score()
    scored = lake.catalog.load_table("ml.p").scan().to_pandas().sort_values("id")
    assert np.array_equal(scored["prediction"].to_numpy(), model.predict(X))


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        (None, 'metadata={"slipway.columns": ["…", …]}'),
        ({"slipway.columns": ["a", "b", "a"]}, "names 'a' twice"),
        ({"slipway.columns": ["a", "b"]}, "names 2 columns, but the model's tensor has 3"),
    ],
)
def test_a_tensor_without_the_names_of_its_columns_is_refused(tmp_path, metadata, says):
    save(Ridge().fit(X, Y), tmp_path / "m", signature=infer_signature(X, Y), metadata=metadata)
    done = cli(tmp_path, "models", "inspect", tmp_path / "m")
    assert done.returncode != 0 and says in done.stderr, done.stderr


def test_names_beside_those_of_a_frame_are_refused(tmp_path):
    save(Ridge().fit(frame(X), Y), tmp_path / "m", signature=infer_signature(frame(X), Y), metadata=NAMED)
    done = cli(tmp_path, "models", "inspect", tmp_path / "m")
    assert done.returncode != 0 and "the signature has columns of its own" in done.stderr
