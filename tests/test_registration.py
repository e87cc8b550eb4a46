"""`slipway models register` is one act: a version, its alias and the proof of its engine, or nothing; and nothing that
runs a model changes the files that were registered."""

import json
import shutil
import sys

import cloudpickle
import lightgbm
import mlflow.lightgbm
import mlflow.pyfunc
import mlflow.sklearn
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow.models import infer_signature
from sklearn.ensemble import RandomForestRegressor

AREAS = ["registry", "cli", "model/python"]
EXAMPLE = "test_a_model_that_is_refused_leaves_version_and_alias_as_they_were"

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # models carry this module's classes along
FRAME = pd.DataFrame({"a": np.arange(100.0), "b": np.arange(100.0) % 7})


def save_good(folder):
    booster = lightgbm.train({"verbose": -1}, lightgbm.Dataset(FRAME, FRAME["a"] * 2), 3)
    mlflow.lightgbm.save_model(
        booster, folder, signature=infer_signature(FRAME, np.array([1.0])), pip_requirements=["lightgbm"]
    )
    return folder


def save_with_library(folder, work, text: str, **how):
    """A model of a class whose module `code_paths` carries along, and does not find here any more."""
    library = work / "shopwords"
    library.mkdir()
    (library / "__init__.py").write_text(text)
    mlflow.pyfunc.save_model(
        folder,
        python_model=Borrows(),
        code_paths=[str(library)],
        signature=infer_signature(FRAME, np.array([1.0])),
        pip_requirements=["mlflow"],
        **how,
    )
    shutil.rmtree(library)
    return folder


class Borrows(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        from shopwords import twice

        self.twice = twice

    def predict(self, context, model_input, params=None):
        return self.twice(model_input["a"]).to_numpy()


def models(lake) -> list[dict]:
    return json.loads(lake.cli("--json", "models", "list").stdout)


@pytest.mark.parametrize("known", [True, False], ids=["second version", "first version"])
def test_a_model_that_is_refused_leaves_version_and_alias_as_they_were(lake, known):
    if known:
        lake.cli("models", "register", "m", str(save_good(lake.dir / "good")), "--alias", "champion")
    before = models(lake)
    rows = FRAME.to_numpy()  # a signature that names no columns
    mlflow.sklearn.save_model(
        RandomForestRegressor(3).fit(rows, FRAME["a"]),
        lake.dir / "bad",
        signature=infer_signature(rows, FRAME["a"].to_numpy()),
        pip_requirements=["scikit-learn"],
        serialization_format="cloudpickle",
    )
    for more in ([], ["--no-check"]):  # an alias that is none is found before anything is made
        path, alias = ("bad", "champion") if not more else ("good", "no/alias")
        if path == "good" and not known:
            save_good(lake.dir / "good")
        done = lake.cli("models", "register", "m", str(lake.dir / path), "--alias", alias, *more, check=False)
        assert done.returncode in (1, 2) and done.stderr, done.stdout
        assert models(lake) == before
    assert not list((lake.dir / "models").rglob(".new-*"))


@pytest.mark.parametrize(
    "text", ["import a_library_that_is_not_here\n", "raise ValueError('made for the shop only')\n"], ids=str.split
)
def test_a_model_whose_code_cannot_be_imported_is_refused_with_the_reason(lake, text):
    folder = save_with_library(lake.dir / "m", lake.dir, text)
    done = lake.cli("models", "register", "m", str(folder), "--alias", "champion", check=False)
    assert done.returncode == 2 and "nothing was registered" in done.stderr, done.stderr
    assert ("a_library_that_is_not_here" if "import" in text else "made for the shop only") in done.stderr
    assert models(lake) == []


def test_a_model_that_fails_on_its_own_input_example_is_refused(lake):
    folder = save_with_library(
        lake.dir / "m", lake.dir, "def twice(x):\n    raise KeyError('twice')\n", input_example=FRAME.head(2)
    )
    done = lake.cli("models", "register", "m", str(folder), check=False)
    assert done.returncode == 2 and "input example" in done.stderr and "KeyError" in done.stderr, done.stderr


def test_a_model_with_code_of_its_own_runs_as_often_as_one_likes(lake):
    """Python would leave bytecode beside the code, in the folder whose digest is looked at before each run. The folder
    is made writable here, as it is on kernels without Landlock."""
    folder = save_with_library(lake.dir / "m", lake.dir, "def twice(x):\n    return x * 2\n")
    lake.cli("models", "register", "m", str(folder), "--alias", "champion")
    lake.table("src.t", pa.table({"id": range(3), "a": [1.0, 2.0, 3.0], "b": [0.0, 0.0, 0.0]}))
    for day in (1, 2, 3):
        lake.score(
            python={"writable": [str(lake.dir / "models")]},
            logical_date=f"2024-03-0{day}T06:00:00Z",
            target=f"ml.p{day}",
        )
        assert list(lake.rows(f"ml.p{day}")["prediction"]) == [2.0, 4.0, 6.0]
    lake.cli("models", "check", "m")
    lake.cli("models", "inspect", "m")
    assert not list(lake.dir.glob("models/**/__pycache__"))
