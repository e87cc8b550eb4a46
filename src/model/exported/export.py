"""Writes a scikit-learn or CatBoost model to a file that Slipway's engines read (exported_file.h): trees as Arrow, all else as JSON.

Runs in a worker of the Python engine, with the library that the model was saved for: what leaves are worth and how sums become predictions
is taken from the library's own arrays and functions. A model that cannot be exported exactly raises NotImplementedError.
"""

import json
import os
import tempfile

import numpy as np
import slipway_linear
import slipway_preprocessing


def exact(value):
    """Doubles as the text that Python reads back as the same; not every reader of JSON rounds its numbers to the nearest."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return {name: exact(item) for name, item in value.items()}
    return [exact(item) for item in value] if isinstance(value, (list, tuple)) else value


def labels_of(classes) -> dict:
    classes = np.asarray(classes)
    kinds = {"i": "long", "u": "long", "f": "double", "b": "boolean", "U": "string", "O": "string"}
    kind = kinds.get(classes.dtype.kind)
    if kind is None or (kind == "string" and not all(isinstance(c, str) for c in classes)):
        raise NotImplementedError(f"labels of type {classes.dtype}")
    if kind == "long" and classes.dtype.itemsize == 4:
        kind = "integer"
    if kind == "double" and classes.dtype.itemsize == 4:
        kind = "float"
    return {"type": kind, "values": classes.tolist()}


def write_json(path: str, contents: dict) -> None:
    with open(path + ".part", "w") as file:
        json.dump(exact(contents), file)
    os.rename(path + ".part", path)


class Export:
    """Nodes, one after the other, tree by tree; a leaf's feature is -1."""

    def __init__(self, features: int, width: int = 1):
        self.width = width
        self.trees: list[dict] = []
        self.about = {"features": features, "outputs": width, "base": [0.0] * width, "input": "float", "refuses_nan": False,
                      "refuses_infinity": False, "divide": None, "scale": None, "bias": None, "any_order": 0.0, "pick": "values", "shares": False, "at_least": None, "labels": None,
                      "link": "identity", "category_sets": []}

    def add(self, feature, threshold, left, right, missing_left, values, cover, output: int = 0, categories: dict | None = None) -> None:
        """Arrays by node; children are node numbers. `values`: [nodes, width] for each node that is a leaf; `cover`: how many training rows reached each;
        `categories`: of nodes that split by category, those that go left."""
        sets = np.full(len(feature), -1, "int32")
        for node, some in (categories or {}).items():
            sets[node] = len(self.about["category_sets"])
            self.about["category_sets"].append(some)
        self.trees.append({"feature": np.asarray(feature, "int32"), "threshold": np.asarray(threshold, "float64"), "left": np.asarray(left, "int32"),
                           "right": np.asarray(right, "int32"), "missing_left": np.asarray(missing_left, bool), "set": sets,
                           "cover": np.asarray(cover, "float64"), "value": np.ascontiguousarray(values, "float64").reshape(len(feature), -1), "output": output})

    def label(self, classes) -> None:
        self.about["labels"] = labels_of(classes)

    def write(self, path: str) -> None:
        import pyarrow as pa

        def column(name):
            return np.concatenate([tree[name] for tree in self.trees]) if self.trees else np.zeros(0)

        values = np.concatenate([tree["value"].ravel() for tree in self.trees])
        leaf_width = self.trees[0]["value"].shape[1]
        sizes = [len(tree["feature"]) for tree in self.trees]
        self.about["leaf_width"] = leaf_width
        table = pa.table({
            "tree": pa.array(np.repeat(np.arange(len(self.trees)), sizes), pa.int32()),
            "output": pa.array(np.repeat([tree["output"] for tree in self.trees], sizes), pa.int32()),
            **{name: pa.array(column(name)) for name in ("feature", "threshold", "left", "right", "missing_left", "set", "cover")},
            "value": pa.FixedSizeListArray.from_arrays(pa.array(values), leaf_width)})
        table = table.replace_schema_metadata({"slipway": json.dumps(exact(self.about))})
        with pa.OSFile(path + ".part", "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        os.rename(path + ".part", path)


def add_sklearn_tree(export: Export, tree, values, output: int = 0, features=None) -> None:
    """`values`: [nodes, width]; `features`: the columns that the tree was given, where not all."""
    nodes = tree.__getstate__()["nodes"]
    leaf = nodes["left_child"] == -1
    feature = np.where(leaf, 0, nodes["feature"])
    if features is not None:
        feature = np.asarray(features)[feature]
    missing_left = nodes["missing_go_to_left"] != 0 if "missing_go_to_left" in nodes.dtype.names else np.zeros(len(nodes), bool)
    export.add(np.where(leaf, -1, feature), nodes["threshold"], nodes["left_child"], nodes["right_child"], missing_left, values, nodes["weighted_n_node_samples"], output)


def sklearn_version() -> tuple[int, int]:
    import sklearn

    return tuple(int(part) for part in sklearn.__version__.split(".")[:2])


def check_one_output(model) -> None:
    if getattr(model, "n_outputs_", 1) != 1:
        raise NotImplementedError("several targets")


def fits_missing(estimator) -> bool:
    """Whether predict takes NaN: trees take them since 1.3, forests since 1.4."""
    tags = getattr(estimator, "_support_missing_values", None)
    return tags is not None and bool(tags(np.zeros((1, 1), "float32")))


def class_shares(tree) -> np.ndarray:
    """What predict_proba of a tree gives at each node."""
    values = tree.tree_.value[:, 0, : tree.n_classes_]
    if sklearn_version() < (1, 4):
        total = values.sum(axis=1)[:, np.newaxis]
        total[total == 0.0] = 1.0
        values = values / total
    return values


def spread_of_means(trees: list[dict]) -> float:
    """How far two means of the same values lie apart at most, whose sums were added in other orders, as scikit-learn's threads do (Higham, Accuracy and
    Stability of Numerical Algorithms, 4.2)."""
    largest = [float(np.abs(tree["value"]).max()) for tree in trees]
    return float(np.finfo("float64").eps) * (sum(largest) + max(largest))


def forest(model, trees, predict_fn: str) -> Export:
    """Single trees, random forests and extra trees: shares of classes or means, added tree by tree and divided by their number."""
    from sklearn.base import is_classifier

    check_one_output(model)
    single = len(trees) == 1 and trees[0] is model
    if is_classifier(model):
        export = Export(model.n_features_in_, len(model.classes_))
        for tree in trees:
            add_sklearn_tree(export, tree.tree_, class_shares(tree))
        if predict_fn == "predict":
            export.about |= {"pick": "argmax", "shares": True}
            export.label(model.classes_)
    else:
        export = Export(model.n_features_in_)
        for tree in trees:
            add_sklearn_tree(export, tree.tree_, tree.tree_.value[:, 0, :1])
    if single:
        export.about["base"] = [-0.0] * export.width  # what is added to it keeps its sign
    else:
        export.about["divide"] = float(len(trees))
        if model.n_jobs not in (None, 1) and len(trees) > 2:
            export.about["any_order"] = spread_of_means(export.trees)
    export.about |= {"refuses_nan": not fits_missing(trees[0]), "refuses_infinity": True}
    if not single and sklearn_version() < (1, 4):
        export.about["refuses_nan"] = True
    return export


def gradient_boosting(model, predict_fn: str) -> Export:
    from sklearn.base import is_classifier

    if model.init_ != "zero" and type(model.init_).__name__ not in ("DummyClassifier", "DummyRegressor"):
        raise NotImplementedError("an init estimator of its own")
    outputs = model.estimators_.shape[1]
    export = Export(model.n_features_in_, outputs)
    base = model._raw_predict_init(np.zeros((1, model.n_features_in_), "float32"))
    export.about["base"] = [float(b) for b in base[0]]
    for stage in model.estimators_:
        for k, tree in enumerate(stage):
            add_sklearn_tree(export, tree.tree_, model.learning_rate * tree.tree_.value[:, 0, :1], k)
    export.about |= {"refuses_nan": True, "refuses_infinity": True}
    if is_classifier(model):
        export.about["link"] = slipway_linear.link_of(model, "float32")
        if predict_fn != "predict":
            return export
        if sklearn_version() < (1, 4):
            raise NotImplementedError("labels of GradientBoostingClassifier before scikit-learn 1.4")
        export.label(model.classes_)
        export.about |= {"pick": "at_least", "at_least": 0.0} if outputs == 1 else {"pick": "argmax"}
    return export


def least_true(function) -> float:
    """The least double for which a monotonic function of doubles is true."""
    def key(bits: int) -> float:  # doubles in the order of their bits
        return float(np.array(bits if bits >= 0 else -bits - 1, "int64").view("float64")) * (1 if bits >= 0 else -1)

    top = int(np.array(np.finfo("float64").max).view("int64"))
    low, high = -top, top
    while low < high:
        middle = (low + high) // 2
        if function(key(middle)):
            high = middle
        else:
            low = middle + 1
    return key(low)


def hist_gradient_boosting(model, predict_fn: str) -> Export:
    from sklearn.base import is_classifier

    outputs = model.n_trees_per_iteration_
    export = Export(model.n_features_in_, outputs)
    export.about |= {"input": "double", "base": [float(b) for b in np.ravel(model._baseline_prediction)]}
    for iteration in model._predictors:
        for k, predictor in enumerate(iteration):
            nodes = predictor.nodes
            leaf = nodes["is_leaf"] != 0
            bits = np.unpackbits(np.ascontiguousarray(predictor.raw_left_cat_bitsets).view("uint8"), axis=1, bitorder="little")
            categories = {int(i): np.flatnonzero(bits[nodes["bitset_idx"][i]]).tolist() for i in np.flatnonzero((nodes["is_categorical"] != 0) & ~leaf)}
            export.add(np.where(leaf, -1, nodes["feature_idx"]), np.where(nodes["is_categorical"] != 0, 0.0, nodes["num_threshold"]), nodes["left"], nodes["right"],
                       nodes["missing_go_to_left"] != 0, nodes["value"], nodes["count"], k, categories)
    if not is_classifier(model):
        link = type(model._loss.link).__name__
        if link not in ("IdentityLink", "LogLink"):
            raise NotImplementedError(f"the link {link}")
        export.about["link"] = "exp" if link == "LogLink" else "identity"
        return export
    export.about["link"] = slipway_linear.link_of(model, "object" if has_categories(model) else "float64")
    if predict_fn != "predict":
        return export
    export.label(model.classes_)
    if outputs > 1:
        if sklearn_version() < (1, 6):  # argmax of probabilities: ties of rounded exponentials
            raise NotImplementedError("labels of several classes before scikit-learn 1.6")
        export.about["pick"] = "argmax"
    else:
        def is_second(raw: float) -> bool:
            if sklearn_version() >= (1, 6):
                return raw > 0
            return bool(np.argmax(model._loss.predict_proba(np.array([raw])), axis=1)[0])

        export.about |= {"pick": "at_least", "at_least": least_true(is_second)}
    return export


def isolation_forest(model, predict_fn: str) -> Export:
    """The label depends on the mean depth alone: where it turns is found with numpy's own functions."""
    from sklearn.ensemble._iforest import _average_path_length

    if predict_fn != "predict":
        raise NotImplementedError(predict_fn)
    if not hasattr(model, "_decision_path_lengths"):
        raise NotImplementedError("an isolation forest of before scikit-learn 1.3")
    export = Export(model.n_features_in_)
    some = model._max_features != model.n_features_in_
    for i, (tree, features) in enumerate(zip(model.estimators_, model.estimators_features_, strict=True)):
        worth = model._decision_path_lengths[i] + model._average_path_length_per_tree[i] - 1.0
        add_sklearn_tree(export, tree.tree_, worth, features=features if some else None)
    denominator = len(model.estimators_) * _average_path_length([model._max_samples])

    def is_inlier(depth: float) -> bool:
        depths = np.array([depth])
        scores = 2 ** (-np.divide(depths, denominator, out=np.ones_like(depths), where=denominator != 0))
        return bool((-scores - model.offset_)[0] >= 0)

    export.label(np.array([-1, 1], "int64"))
    export.about |= {"pick": "at_least", "at_least": least_true(is_inlier), "refuses_nan": not fits_missing(model.estimators_[0]), "refuses_infinity": True}
    return export


def of_sklearn(model, predict_fn: str) -> Export:
    if predict_fn not in ("predict", "predict_proba"):
        raise NotImplementedError(f"pyfunc calls {predict_fn}")
    name = type(model).__name__
    if not type(model).__module__.startswith("sklearn."):
        raise NotImplementedError(f"{name} is not one of scikit-learn's own classes")
    if name in ("RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor"):
        return forest(model, model.estimators_, predict_fn)
    if name in ("DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor"):
        return forest(model, [model], predict_fn)
    if name in ("GradientBoostingClassifier", "GradientBoostingRegressor"):
        return gradient_boosting(model, predict_fn)
    if name in ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"):
        return hist_gradient_boosting(model, predict_fn)
    if name == "IsolationForest":
        return isolation_forest(model, predict_fn)
    raise NotImplementedError(f"{name} is not made of trees")


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
            return add_leaf(tree["leaf_values"][index * dimensions : (index + 1) * dimensions], tree["leaf_weights"][index] if "leaf_weights" in tree else 0.0)
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
        export.add(flat, nodes["threshold"], nodes["left"], nodes["right"], missing_left, nodes["values"], nodes["cover"])
    example = np.zeros((2, export.about["features"]), "float32")
    answer = model.predict(example)
    if type(model).__name__ == "CatBoostClassifier":
        export.label(model.classes_)
        if answer.ndim == 1 and dimensions == 1:
            export.about |= {"pick": "at_least", "at_least": float(np.nextafter(0.0, 1.0))}  # the second class: above zero
        else:
            export.about["pick"] = "argmax"
    elif type(model).__name__ != "CatBoostRegressor" or not np.array_equal(answer, model.predict(example, prediction_type="RawFormulaVal")):
        raise NotImplementedError(f"predictions of {type(model).__name__} that are not its raw values")
    return export


class ExportedText:
    """A booster's own text, and the labels that a classifier's predict picks by its probabilities."""

    def __init__(self, library: str, text: str, labels: dict | None):
        self.contents = {library: text, "labels": labels}

    def write(self, path: str) -> None:
        write_json(path, self.contents)


def of_lightgbm(model, predict_fn: str = "predict") -> ExportedText:
    """LightGBM's scikit-learn classes."""
    name = type(model).__name__
    if name not in ("LGBMClassifier", "LGBMRegressor", "LGBMRanker") or not type(model).__module__.startswith("lightgbm."):
        raise NotImplementedError(f"{name} is not one of LightGBM's own classes")
    labels = None
    if name == "LGBMClassifier":
        if callable(model._objective):
            raise NotImplementedError("an objective of its own: predict gives raw scores")
        if predict_fn != "predict":
            raise NotImplementedError(f"{predict_fn} of {name} in a pipeline")
        labels = labels_of(model.classes_)
    booster = model.booster_
    return ExportedText("lightgbm", booster.model_to_string(num_iteration=booster.best_iteration or -1), labels)  # predict stops at the best iteration


def of_xgboost(model, predict_fn: str) -> ExportedText:
    """XGBoost's scikit-learn classes as the last step of a pipeline."""
    name = type(model).__name__
    if name not in ("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor", "XGBRanker") or not type(model).__module__.startswith("xgboost."):
        raise NotImplementedError(f"{name} is not one of XGBoost's own classes")
    if predict_fn != "predict":
        raise NotImplementedError(f"{predict_fn} of {name} in a pipeline")
    if model.missing is not None and not np.isnan(model.missing):
        raise NotImplementedError("a missing value that is not NaN")
    exported = ExportedText("xgboost", model.get_booster().save_raw("json").decode(), None)
    exported.contents["model_class"] = f"xgboost.sklearn.{name}"
    return exported


class ExportedLinear:
    def __init__(self, about: dict):
        self.contents = about

    def write(self, path: str) -> None:
        write_json(path, self.contents)


# As src/model/signature.cc names them.
TENSOR_TYPES = {"float64": "double", "float32": "float", "int64": "long", "int32": "integer", "int16": "integer", "int8": "integer", "uint8": "integer",
                "uint16": "integer", "bool": "boolean", "object": "string", "str": "string", "datetime64": "datetime"}


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


def has_categories(model) -> bool:
    """Whether HistGradientBoosting itself encodes some of its columns."""
    some = getattr(model, "is_categorical_", None)
    return type(model).__name__.startswith("HistGradientBoosting") and some is not None and bool(np.any(some))


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
        about = slipway_linear.of_linear(model, before.columns, predict_fn) | {"features": len(before.columns)} | before.described()
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
