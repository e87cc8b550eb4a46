"""`slipway models inspect`, `check` and `bench`: what they say of a model is true, and they need no rows where the
model has some."""

import json
import subprocess
import sys

import cloudpickle
import lightgbm
import mlflow
import numpy as np
import pandas as pd
import pytest
from conftest import BINARY
from mlflow.models import infer_signature
from parity import predict

AREAS = ["model", "cli"]
EXAMPLE = "test_inspect_tells_the_parameters_and_why_python_scores"

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # models carry this module's classes along
RNG = np.random.default_rng(7)
FRAME = pd.DataFrame(
    {
        "x": RNG.normal(size=300),
        "n": RNG.integers(0, 9, 300),
        "when": pd.Timestamp("2024-03-01T12:30:00"),
        "s": RNG.choice(["a", "b"], 300),
    }
)


def run(folder, *arguments):
    return subprocess.run(
        [BINARY, "--data-dir", folder / "data", "--json", *arguments], capture_output=True, text=True, timeout=300
    )


def said(folder, *arguments):
    done = run(folder, *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Doubled(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        assert str(model_input["when"].dtype).startswith("datetime64") and set(model_input["s"]) <= {"a", "b"}
        return model_input["x"] * (params or {"factor": 1.0})["factor"] + model_input["n"]


def save_doubled(folder, **how):
    signature = infer_signature(FRAME, FRAME["x"], params={"factor": 2.0})
    mlflow.pyfunc.save_model(
        folder / "m", python_model=Doubled(), signature=signature, pip_requirements=["mlflow"], **how
    )
    return folder / "m"


def save_trees(folder, **how):
    rows = FRAME[["x", "n"]]
    booster = lightgbm.train({"num_leaves": 7, "verbose": -1}, lightgbm.Dataset(rows, rows["x"] * rows["n"]), 4)
    mlflow.lightgbm.save_model(
        booster,
        folder / "m",
        signature=infer_signature(rows, booster.predict(rows)),
        pip_requirements=["lightgbm"],
        **how,
    )
    return folder / "m", booster


def test_inspect_tells_what_a_model_is_and_why_its_engine_was_taken(tmp_path):
    folder, booster = save_trees(tmp_path)
    assert "not compared" in said(tmp_path, "models", "inspect", folder)["why"]
    checked = said(tmp_path, "models", "check", folder)
    seen = said(tmp_path, "models", "inspect", folder)
    assert seen["flavor"] == f"lightgbm {lightgbm.__version__}"
    assert seen["size"] == sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    assert (seen["engine"], seen["why"]) == ("forest", checked["why"]) and "to the last bit" in seen["why"]
    assert (int(seen["trees"]), int(seen["leaves"])) == (
        booster.num_trees(),
        booster.trees_to_dataframe()["left_child"].isna().sum(),
    )
    assert seen["inputs"] == [
        {"name": "x", "type": "double", "required": True},
        {"name": "n", "type": "long", "required": True},
    ]
    registered = said(tmp_path, "models", "register", "trees", folder)
    assert said(tmp_path, "models", "inspect", "trees")["model"] == f"trees/{registered['version']}"


def test_inspect_tells_the_parameters_and_why_python_scores(tmp_path):
    seen = said(tmp_path, "models", "inspect", save_doubled(tmp_path))
    assert (seen["flavor"], seen["engine"]) == ("python_function", "python") and "no native engine" in seen["why"]
    assert seen["parameters"] == [{"name": "factor", "type": "double", "default": "2E0"}]


def test_a_default_that_is_no_json_is_shown(tmp_path):
    signature = infer_signature(FRAME, FRAME["x"], params={"factor": float("nan")})
    mlflow.pyfunc.save_model(tmp_path / "m", python_model=Doubled(), signature=signature, pip_requirements=["mlflow"])
    (parameter,) = said(tmp_path, "models", "inspect", tmp_path / "m")["parameters"]
    assert '"factor"' in parameter["default"] and "NaN" in parameter["default"]


@pytest.mark.parametrize(
    "example", [None, FRAME[["x", "n"]].head(3), FRAME[["x", "n"]].head(3).to_numpy()], ids=["none", "frame", "array"]
)
def test_the_proof_takes_in_the_input_example(tmp_path, example):
    folder, _ = save_trees(tmp_path, **({} if example is None else {"input_example": example}))
    checked = said(tmp_path, "models", "check", folder)
    assert checked["engine"] == "forest" and checked["why"].endswith("on its input example") == (example is not None)


@pytest.mark.parametrize(
    "example",
    [
        FRAME.head(3),
        (FRAME.head(1), {"factor": 3.0}),
        FRAME.head(2)[["s", "when", "n", "x"]],
    ],
    ids=["frame", "with parameters", "another order"],
)
def test_bench_takes_the_input_example_of_a_python_model(tmp_path, example):
    measured = said(
        tmp_path,
        "models",
        "bench",
        save_doubled(tmp_path, input_example=example),
        "--seconds",
        "0.05",
        "--batch",
        "500",
    )
    assert [one["rows"] for one in measured][:4] == [1, 10, 100, 500]


def test_bench_makes_rows_for_trees(tmp_path):
    folder, booster = save_trees(tmp_path)
    measured = said(tmp_path, "models", "bench", folder, "--seconds", "0.05", "--batch", "5000")
    assert [one["rows"] for one in measured][:4] == [1, 10, 100, 5000] and all(
        one["rows_per_second"] > 0 for one in measured
    )
    assert list(predict(folder, FRAME[["x", "n"]])["prediction"]) == list(booster.predict(FRAME[["x", "n"]]))


def test_bench_without_any_rows_says_what_to_do(tmp_path):
    done = run(tmp_path, "models", "bench", save_doubled(tmp_path))
    assert (
        done.returncode != 0
        and "input example cannot be read: ValueError: the model was saved without one" in done.stderr
        and "--input" in done.stderr
    )


def test_an_example_that_does_not_fit_is_said(tmp_path):
    folder = save_doubled(tmp_path, input_example=FRAME.head(2))
    example = json.loads((folder / "input_example.json").read_text())
    example["data"][0][example["columns"].index("n")] = "no number"
    (folder / "input_example.json").write_text(json.dumps(example))
    done = run(tmp_path, "models", "bench", folder)
    assert done.returncode != 0 and "the input example cannot be read" in done.stderr and "--input" in done.stderr
