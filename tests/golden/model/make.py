"""MLmodel files by MLflow, and what they say; small forests of LightGBM and XGBoost, and what pyfunc predicts."""

import re
import shutil
import tempfile
from pathlib import Path

import lightgbm
import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import xgboost
from cases import write_cases
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec
from mlflow.types.schema import AnyType, Array, Map, Object, Property

TYPES = ["boolean", "integer", "long", "float", "double", "string", "binary", "datetime"]


def specs() -> dict:
    columns = Schema([ColSpec(kind, f"c_{kind}", required=n % 2 == 0) for n, kind in enumerate(TYPES)])
    one = Schema([ColSpec("double", "x")])
    made = {
        "every type of column": ModelSignature(columns, Schema([ColSpec("double")])),
        "names that YAML and JSON quote": ModelSignature(
            Schema([ColSpec("double", name) for name in ("é: 'x'", '"q"', "a\\b", "#no", "- dash", "true", "1", " ")]),
            None,
        ),
        "no outputs": ModelSignature(one, None),
        "two outputs without names": ModelSignature(one, Schema([ColSpec("double"), ColSpec("double")])),
        "outputs with names": ModelSignature(
            one, Schema([ColSpec("long", "label"), ColSpec("double", "score", required=False)])
        ),
        "an array goes out": ModelSignature(one, Schema([ColSpec(Array("double"), "v")])),
        "parameters": ModelSignature(
            one,
            None,
            ParamSchema(
                [
                    ParamSpec("k", "long", 5),
                    ParamSpec("name", "string", 'é"x'),
                    ParamSpec("many", "double", [1.0, 2.5], (-1,)),
                ]
            ),
        ),
    }
    for dtype in ("float64", "float32", "int64", "int32", "int8", "uint8", "bool"):
        made[f"a tensor with a name, {dtype}"] = ModelSignature(
            Schema([TensorSpec(np.dtype(dtype), (-1,), "t")]), Schema([TensorSpec(np.dtype("float64"), (-1, 3))])
        )
    refused = {
        "an array goes in": ModelSignature(Schema([ColSpec(Array("double"), "v")]), None),
        "an object goes in": ModelSignature(
            Schema([ColSpec(Object([Property("p", mlflow.types.DataType.string)]), "o")]), None
        ),
        "a map goes in": ModelSignature(Schema([ColSpec(Map("string"), "m")]), None),
        "a tensor of three dimensions": ModelSignature(
            Schema([TensorSpec(np.dtype("float64"), (-1, 2, 3), "t")]), None
        ),
        "a tensor without names": ModelSignature(Schema([TensorSpec(np.dtype("float64"), (-1, 4))]), None),
        "columns without names": ModelSignature(Schema([ColSpec("double"), ColSpec("double")]), None),
    }
    return {
        **{name: (signature, True) for name, signature in made.items()},
        **{name: (signature, False) for name, signature in refused.items()},
    }


def columns(schema, inputs: bool) -> list:
    """Names, types and whether they are required, by MLflow's own objects; Slipway's names where they have none."""
    shown = []
    for n, spec in enumerate(schema.inputs if schema else []):
        if isinstance(spec, TensorSpec):
            kinds = {
                "float64": "double",
                "float32": "float",
                "int64": "long",
                "int32": "integer",
                "int8": "integer",
                "uint8": "integer",
                "bool": "boolean",
            }
            width = spec.shape[1] if len(spec.shape) == 2 else 1
            name = spec.name or "prediction"
            shown += [[name if width == 1 else f"{name}_{k}", kinds[str(spec.type)], True] for k in range(width)]
            continue
        kind = f"array<{spec.type.dtype.name}>" if isinstance(spec.type, Array) else spec.type.name
        name = spec.name if spec.name is not None else "prediction" if len(schema.inputs) == 1 else f"prediction_{n}"
        shown.append([name, kind, spec.required])
    return shown


ROWS = 32
# Each with its parameters; every kind that a run's predictions depend on.
LIGHTGBM = {
    "regression": {"objective": "regression"},
    "binary": {"objective": "binary"},
    "multiclass": {"objective": "multiclass", "num_class": 3},
    "poisson": {"objective": "poisson"},
    "random_forest": {"objective": "regression", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.7},
    "zero_as_missing": {"objective": "regression", "zero_as_missing": True},
    "categories": {"objective": "regression", "categorical_feature": [3]},
    "linear_free": {"objective": "quantile", "alpha": 0.7},
}
XGBOOST = {
    "squarederror": {"objective": "reg:squarederror"},
    "logistic": {"objective": "binary:logistic"},
    "softprob": {"objective": "multi:softprob", "num_class": 3},
    "gamma": {"objective": "reg:gamma"},
    "dart": {"objective": "reg:squarederror", "booster": "dart", "rate_drop": 0.3, "one_drop": 1},
}


def learning(seed: int = 7, rows: int = 400):
    """Features with ties, zeros, missing values and small categories; labels that depend on all of them."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "f0": np.round(rng.normal(size=rows), 1),
            "f1": rng.normal(size=rows),
            "f2": rng.integers(0, 5, rows) * rng.integers(0, 2, rows),
            "f3": rng.integers(0, 9, rows).astype(float),
        }
    ).astype("float64")
    frame.loc[rng.random(rows) < 0.1, "f1"] = np.nan
    frame.loc[rng.random(rows) < 0.1, "f0"] = np.nan
    label = np.nan_to_num(frame.f0) * 2 + np.nan_to_num(frame.f1) ** 2 + frame.f2 + np.sin(frame.f3)
    return frame, label.to_numpy()


def rows_to_score() -> pd.DataFrame:
    frame, _ = learning(seed=8, rows=ROWS)
    edges = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, 1e300, -1e300, 8.0, 100.0, -3.0, 0.1]
    for n, value in enumerate(edges):
        frame.loc[n, "f0"] = value
        frame.loc[n, "f3"] = edges[-1 - n]
    for n, tiny in enumerate((1e-40, -1e-40, 9e-36, -9e-36, 1.1e-35, -1.1e-35)):  # LightGBM's zeros reach to 1e-35
        frame.loc[n + 14, ["f0", "f1", "f2"]] = tiny
    return frame


def labels(kind: str, frame: pd.DataFrame, label: np.ndarray) -> np.ndarray:
    if "multi" in kind or "softprob" in kind:
        return np.digitize(label, np.quantile(label, [0.4, 0.7]))
    if kind in ("binary", "logistic"):
        return (label > np.median(label)).astype(int)
    if kind == "zero_as_missing":  # the labels of zeros are unlike those of their neighbours: the way of a zero tells
        return label + 3 * (frame.f2 == 0).to_numpy()
    return label - label.min() + 0.1 if kind in ("poisson", "gamma") else label


def saved(out: Path, name: str, save) -> None:
    """What a run needs of a saved model, without what differs each time; rows, and pyfunc's predictions of them."""
    signature = ModelSignature(Schema([ColSpec("double", f"f{n}") for n in range(4)]))
    rows = rows_to_score()
    if name.startswith("xgboost"):  # refuses what is infinite in 32 bits
        rows = rows.where(rows.abs() < 1e38)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m")
        save(path, signature)
        predictions = np.asarray(mlflow.pyfunc.load_model(str(path)).predict(rows))
        (out / name).mkdir(parents=True)
        for file in ("model.lgb", "model.xgb", "model.json", "model.ubj"):
            if (path / file).exists():
                shutil.copy(path / file, out / name / file)
        text = (path / "MLmodel").read_text()
        text = re.sub(r"(?m)^(utc_time_created|model_uuid|model_id|model_size_bytes|prompts|env_vars):.*\n", "", text)
        (out / name / "MLmodel").write_text(text)
    columns = {f"want_{k}": pa.array(column) for k, column in enumerate(predictions.reshape(ROWS, -1).T)}
    table = pa.table({**{c: pa.array(rows[c], from_pandas=False) for c in rows}, **columns})
    with pa.ipc.new_file(out / name / "rows.arrow", table.schema) as writer:
        writer.write_table(table)


def forests(out: Path) -> None:
    import mlflow.lightgbm
    import mlflow.xgboost

    frame, label = learning()
    for name, parameters in LIGHTGBM.items():
        data = lightgbm.Dataset(
            frame, labels(name, frame, label), categorical_feature=parameters.get("categorical_feature", "auto")
        )
        fixed = {
            "num_leaves": 7,
            "verbose": -1,
            "num_threads": 1,
            "deterministic": True,
            "force_row_wise": True,
            "seed": 3,
            "min_data_in_leaf": 5,
        }
        booster = lightgbm.train(
            {**fixed, **{k: v for k, v in parameters.items() if k != "categorical_feature"}}, data, 4
        )
        saved(
            out,
            f"lightgbm_{name}",
            lambda path, signature: mlflow.lightgbm.save_model(
                booster, path, signature=signature, pip_requirements=["lightgbm"]
            ),
        )
    for name, parameters in XGBOOST.items():
        data = xgboost.DMatrix(frame, labels(name, frame, label))
        booster = xgboost.train({"max_depth": 3, "nthread": 1, "seed": 3, **parameters}, data, 4)
        saved(
            out,
            f"xgboost_{name}",
            lambda path, signature: mlflow.xgboost.save_model(
                booster, path, signature=signature, pip_requirements=["xgboost"], model_format="json"
            ),
        )
    write_cases(
        out / "forests.json",
        [
            {"folder": folder.name}
            for folder in sorted(out.iterdir())
            if folder.is_dir() and folder.name.startswith(("lightgbm_", "xgboost_"))
        ],
    )


def make(out: Path) -> None:
    for folder in (*out.glob("lightgbm_*"), *out.glob("xgboost_*")):
        shutil.rmtree(folder)
    forests(out)
    cases = []
    for name, (signature, accepted) in specs().items():
        model = Model(
            artifact_path="model",
            run_id="0" * 32,
            utc_time_created="2024-01-31 06:00:00",
            signature=signature,
            model_uuid="1" * 32,
            mlflow_version=mlflow.__version__,
        )
        model.add_flavor(
            "python_function", loader_module="mlflow.lightgbm", python_version="3.11.7", env={"conda": "conda.yaml"}
        )
        model.add_flavor(
            "lightgbm", lgb_version="4.7.0", data="model.lgb", model_class="lightgbm.basic.Booster", code=None
        )
        cases.append(
            {
                "name": name,
                "text": model.to_yaml(),
                "accepted": accepted,
                **(
                    {
                        "inputs": columns(signature.inputs, True),
                        "outputs": columns(signature.outputs, False),
                        "parameters": [
                            [p.name, p.dtype.name] for p in (signature.params.params if signature.params else [])
                        ],
                    }
                    if accepted
                    else {}
                ),
            }
        )
    write_cases(out / "mlmodel.json", cases)
