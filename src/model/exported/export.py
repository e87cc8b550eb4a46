"""Writes a scikit-learn, CatBoost, LightGBM or XGBoost model to a file that Slipway's engines read (exported_file.h).

Runs in a worker of the Python engine, with the library that the model was saved for. A model that cannot be exported
exactly raises NotImplementedError.
"""

import json
import os

import slipway_linear
import slipway_preprocessing
from slipway_boosters import of_lightgbm, of_xgboost
from slipway_catboost_trees import of_catboost
from slipway_files import ExportedLinear, labels_of
from slipway_sklearn_trees import has_categories, of_sklearn

# As src/model/mlflow/column_type.cc names them.
TENSOR_TYPES = {
    "float64": "double",
    "float32": "float",
    "int64": "long",
    "int32": "integer",
    "int16": "integer",
    "int8": "integer",
    "uint8": "integer",
    "uint16": "integer",
    "bool": "boolean",
    "object": "string",
    "str": "string",
    "datetime64": "datetime",
}


def signature_of(mlmodel: dict, model) -> list[tuple[str, str]]:
    """Names and types of the columns that pyfunc gives the model."""
    text = (mlmodel.get("signature") or {}).get("inputs")
    if not text:
        return [(str(name), "double") for name in getattr(model, "feature_names_in_", range(model.n_features_in_))]
    columns = json.loads(text)
    if columns[0]["type"] == "tensor":  # by position: pyfunc gives an array
        kind = TENSOR_TYPES[columns[0]["tensor-spec"]["dtype"]]
        return [(str(k), kind) for k in range(model.n_features_in_)]
    return [(column.get("name", str(k)), column["type"]) for k, column in enumerate(columns)]


def last_step(model, kinds: list[tuple[str, str]]):
    """The estimator at the end, and the columns that it is given."""
    if hasattr(model, "best_estimator_") and type(model).__module__.startswith("sklearn.model_selection"):
        model = model.best_estimator_
    names = getattr(model, "feature_names_in_", None)
    if names is not None and list(names) != [name for name, _ in kinds]:
        raise NotImplementedError("a signature whose columns are in another order than those that it was trained on")
    before = slipway_preprocessing.Preprocessing([kind for _, kind in kinds])
    if type(model).__name__ == "Pipeline" and type(model).__module__.startswith("sklearn."):
        for _, step in model.steps[:-1]:
            before.apply(step)
        model = model.steps[-1][1]
    return model, before


def of_scikit_learn(model, predict_fn: str, kinds: list[tuple[str, str]]):
    """An estimator, or a pipeline whose steps are functions of one column each."""
    name = type(model).__name__
    wraps = name == "Pipeline" or hasattr(model, "best_estimator_") or has_categories(model)
    if not wraps and name not in slipway_linear.REGRESSORS | slipway_linear.CLASSIFIERS:
        return of_sklearn(model, predict_fn)
    model, before = last_step(model, kinds)
    if has_categories(model):
        before.apply_histogram(model)
    name, module = type(model).__name__, type(model).__module__
    if model is None or isinstance(model, str):
        raise NotImplementedError("a pipeline that ends without an estimator")
    if module.startswith(("lightgbm.", "xgboost.")):
        exported = (of_lightgbm if module.startswith("lightgbm.") else of_xgboost)(model, predict_fn)
        exported.contents |= before.described()
        return exported
    if module.startswith("sklearn.") and name in slipway_linear.REGRESSORS | slipway_linear.CLASSIFIERS:
        if predict_fn not in ("predict", "predict_proba"):
            raise NotImplementedError(f"pyfunc calls {predict_fn}")
        about = (
            slipway_linear.of_linear(model, before.columns, predict_fn)
            | {"features": len(before.columns)}
            | before.described()
        )
        if about["pick"] != "values":
            about["labels"] = labels_of(model.classes_)
        return ExportedLinear(about)
    export = of_sklearn(model, predict_fn)
    if wraps:
        export.about |= before.described()
    return export


def export(folder: str, path: str) -> None:
    """The MLflow model in `folder`, as a file."""
    import yaml

    with open(os.path.join(folder, "MLmodel")) as file:
        mlmodel = yaml.safe_load(file)
    flavors = mlmodel["flavors"]
    predict_fn = flavors.get("python_function", {}).get("predict_fn", "predict")
    if "sklearn" in flavors:
        import mlflow.sklearn

        model = mlflow.sklearn.load_model(folder)
        of_scikit_learn(model, predict_fn, signature_of(mlmodel, model)).write(path)
    elif "catboost" in flavors:
        import mlflow.catboost

        of_catboost(mlflow.catboost.load_model(folder)).write(path)
    elif "lightgbm" in flavors:
        import mlflow.lightgbm

        of_lightgbm(mlflow.lightgbm.load_model(folder)).write(path)
    else:
        raise NotImplementedError("a flavor that is not exported")
