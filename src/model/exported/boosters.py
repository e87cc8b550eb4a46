"""LightGBM's and XGBoost's scikit-learn classes: the text of the booster inside, which the native loaders read."""

import numpy as np
from slipway_files import ExportedText, labels_of


def of_lightgbm(model, predict_fn: str = "predict") -> ExportedText:
    """LightGBM's scikit-learn classes."""
    name = type(model).__name__
    if name not in ("LGBMClassifier", "LGBMRegressor", "LGBMRanker") or not type(model).__module__.startswith(
        "lightgbm."
    ):
        raise NotImplementedError(f"{name} is not one of LightGBM's own classes")
    labels = None
    if name == "LGBMClassifier":
        if callable(model._objective):
            raise NotImplementedError("an objective of its own: predict gives raw scores")
        if predict_fn != "predict":
            raise NotImplementedError(f"{predict_fn} of {name} in a pipeline")
        labels = labels_of(model.classes_)
    booster = model.booster_
    return ExportedText(
        "lightgbm", booster.model_to_string(num_iteration=booster.best_iteration or -1), labels
    )  # predict stops at the best iteration


def of_xgboost(model, predict_fn: str) -> ExportedText:
    """XGBoost's scikit-learn classes as the last step of a pipeline."""
    name = type(model).__name__
    if name not in ("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor", "XGBRanker") or not type(
        model
    ).__module__.startswith("xgboost."):
        raise NotImplementedError(f"{name} is not one of XGBoost's own classes")
    if predict_fn != "predict":
        raise NotImplementedError(f"{predict_fn} of {name} in a pipeline")
    if model.missing is not None and not np.isnan(model.missing):
        raise NotImplementedError("a missing value that is not NaN")
    exported = ExportedText("xgboost", model.get_booster().save_raw("json").decode(), None)
    exported.contents["model_class"] = f"xgboost.sklearn.{name}"
    return exported
