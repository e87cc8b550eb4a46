"""scikit-learn's trees, and ensembles of them, as arrays of nodes.

What leaves are worth and how sums become predictions is taken from the library's own arrays and functions.
"""

import warnings

import numpy as np
import slipway_linear
from slipway_files import Export


def add_sklearn_tree(export: Export, tree, values, output: int = 0, features=None) -> None:
    """`values`: [nodes, width]; `features`: the columns that the tree was given, where not all."""
    nodes = tree.__getstate__()["nodes"]
    leaf = nodes["left_child"] == -1
    feature = np.where(leaf, 0, nodes["feature"])
    if features is not None:
        feature = np.asarray(features)[feature]
    missing_left = (
        nodes["missing_go_to_left"] != 0 if "missing_go_to_left" in nodes.dtype.names else np.zeros(len(nodes), bool)
    )
    export.add(
        np.where(leaf, -1, feature),
        nodes["threshold"],
        nodes["left_child"],
        nodes["right_child"],
        missing_left,
        values,
        nodes["weighted_n_node_samples"],
        output,
    )


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
    """How far two means of the same values lie apart at most, whose sums were added in other orders, as scikit-learn's
    threads do (Higham, Accuracy and Stability of Numerical Algorithms, 4.2).
    """
    largest = [float(np.abs(tree["value"]).max()) for tree in trees]
    return float(np.finfo("float64").eps) * (sum(largest) + max(largest))


def forest(model, trees, predict_fn: str) -> Export:
    """Single trees, random forests and extra trees.

    Shares of classes or means, added tree by tree and divided by their number.
    """
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
            bits = np.unpackbits(
                np.ascontiguousarray(predictor.raw_left_cat_bitsets).view("uint8"), axis=1, bitorder="little"
            )
            categories = {
                int(i): np.flatnonzero(bits[nodes["bitset_idx"][i]]).tolist()
                for i in np.flatnonzero((nodes["is_categorical"] != 0) & ~leaf)
            }
            export.add(
                np.where(leaf, -1, nodes["feature_idx"]),
                np.where(nodes["is_categorical"] != 0, 0.0, nodes["num_threshold"]),
                nodes["left"],
                nodes["right"],
                nodes["missing_go_to_left"] != 0,
                nodes["value"],
                nodes["count"],
                k,
                categories,
            )
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
        depths = model._decision_path_lengths[i] + model._average_path_length_per_tree[i] - 1.0
        add_sklearn_tree(export, tree.tree_, depths, features=features if some else None)
    denominator = len(model.estimators_) * _average_path_length([model._max_samples])

    def is_inlier(depth: float) -> bool:
        depths = np.array([depth])
        scores = 2 ** (-np.divide(depths, denominator, out=np.ones_like(depths), where=denominator != 0))
        return bool((-scores - model.offset_)[0] >= 0)

    export.label(np.array([-1, 1], "int64"))
    export.about |= {
        "pick": "at_least",
        "at_least": least_true(is_inlier),
        "refuses_nan": not fits_missing(model.estimators_[0]),
        "refuses_infinity": not takes_infinity(model),
    }
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


def takes_infinity(model) -> bool:
    """Versions differ: what this one does is tried."""
    rows = np.full((1, model.n_features_in_), np.inf)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.predict(rows)
    except ValueError:
        return False
    return True


def has_categories(model) -> bool:
    """Whether HistGradientBoosting itself encodes some of its columns."""
    some = getattr(model, "is_categorical_", None)
    return type(model).__name__.startswith("HistGradientBoosting") and some is not None and bool(np.any(some))
