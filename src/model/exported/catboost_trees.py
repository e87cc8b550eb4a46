"""CatBoost's trees, from its own JSON."""

import json
import os
import tempfile

import numpy as np
from slipway_files import Export


def catboost_nodes(tree: dict, dimensions: int) -> dict:
    """An oblivious tree, or one of nested nodes, as arrays by node. Right: value > border."""
    feature, threshold, left, right, value, covers = [], [], [], [], [], []

    def add_leaf(values, cover) -> int:
        return add(-1, 0.0, values, cover)

    def add(f, t, values, cover=0.0) -> int:
        feature.append(f)
        threshold.append(t)
        left.append(-1)
        right.append(-1)
        value.append(values)
        covers.append(cover)
        return len(feature) - 1

    def split_of(split: dict) -> tuple[int, float]:
        if split.get("split_type") != "FloatFeature":
            raise NotImplementedError(f"CatBoost's {split.get('split_type')} splits")
        return split["float_feature_index"], split["border"]

    def grow_oblivious(level: int, index: int) -> int:
        if level < 0:
            return add_leaf(
                tree["leaf_values"][index * dimensions : (index + 1) * dimensions],
                tree["leaf_weights"][index] if "leaf_weights" in tree else 0.0,
            )
        node = add(*split_of(tree["splits"][level]), [0.0] * dimensions)
        left[node] = grow_oblivious(level - 1, index)
        right[node] = grow_oblivious(level - 1, index | 1 << level)
        return node

    def grow_nested(at: dict) -> int:
        if "split" not in at:
            return add_leaf(np.atleast_1d(at["value"]).tolist(), at.get("weight", 0.0))
        node = add(*split_of(at["split"]), [0.0] * dimensions)
        left[node], right[node] = grow_nested(at["left"]), grow_nested(at["right"])
        return node

    if "leaf_values" in tree:
        grow_oblivious(len(tree.get("splits") or []) - 1, 0)
    else:
        grow_nested(tree)
    return {"feature": feature, "threshold": threshold, "left": left, "right": right, "values": value, "cover": covers}


def of_catboost(model) -> Export:
    with tempfile.TemporaryDirectory() as folder:
        model.save_model(os.path.join(folder, "model.json"), format="json")
        with open(os.path.join(folder, "model.json")) as file:
            exported = json.load(file)
    features = exported["features_info"]
    for kind in ("categorical_features", "text_features", "embedding_features", "ctrs"):
        if features.get(kind):
            raise NotImplementedError(f"CatBoost's {kind.replace('_', ' ')}")
    floats = features["float_features"]
    by_index = {f["feature_index"]: f for f in floats}
    scale, bias = exported["scale_and_bias"]
    dimensions = len(bias)
    export = Export(max(f["flat_feature_index"] for f in floats) + 1, dimensions)
    export.about |= {"scale": float(scale), "bias": [float(b) for b in bias]}
    for tree in exported.get("oblivious_trees") or exported["trees"]:
        nodes = catboost_nodes(tree, dimensions)
        missing_left = [f >= 0 and by_index[f]["nan_value_treatment"] != "AsTrue" for f in nodes["feature"]]
        flat = [by_index[f]["flat_feature_index"] if f >= 0 else -1 for f in nodes["feature"]]
        export.add(
            flat, nodes["threshold"], nodes["left"], nodes["right"], missing_left, nodes["values"], nodes["cover"]
        )
    example = np.zeros((2, export.about["features"]), "float32")
    answer = model.predict(example)
    if type(model).__name__ == "CatBoostClassifier":
        export.label(model.classes_)
        if answer.ndim == 1 and dimensions == 1:
            export.about |= {
                "pick": "at_least",
                "at_least": float(np.nextafter(0.0, 1.0)),
            }  # the second class: above zero
        else:
            export.about["pick"] = "argmax"
    elif type(model).__name__ != "CatBoostRegressor" or not np.array_equal(
        answer, model.predict(example, prediction_type="RawFormulaVal")
    ):
        raise NotImplementedError(f"predictions of {type(model).__name__} that are not its raw values")
    return export
