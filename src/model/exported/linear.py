"""scikit-learn's linear models: weights, and which function of the sums pyfunc gives."""

import warnings

import numpy as np

REGRESSORS = {
    "LinearRegression",
    "Ridge",
    "RidgeCV",
    "Lasso",
    "LassoCV",
    "LassoLars",
    "LassoLarsCV",
    "LassoLarsIC",
    "Lars",
    "LarsCV",
    "ElasticNet",
    "ElasticNetCV",
    "MultiTaskLasso",
    "MultiTaskLassoCV",
    "MultiTaskElasticNet",
    "MultiTaskElasticNetCV",
    "BayesianRidge",
    "ARDRegression",
    "HuberRegressor",
    "TheilSenRegressor",
    "SGDRegressor",
    "QuantileRegressor",
    "OrthogonalMatchingPursuit",
    "OrthogonalMatchingPursuitCV",
    "PassiveAggressiveRegressor",
    "LinearSVR",
    "PoissonRegressor",
    "GammaRegressor",
    "TweedieRegressor",
}
CLASSIFIERS = {
    "LogisticRegression",
    "LogisticRegressionCV",
    "SGDClassifier",
    "LinearSVC",
    "RidgeClassifier",
    "RidgeClassifierCV",
    "Perceptron",
    "PassiveAggressiveClassifier",
    "LinearDiscriminantAnalysis",
}


def softmax(sums: np.ndarray) -> np.ndarray:
    powers = np.exp(sums - sums.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def sigmoid(sums: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-sums))


def normalized(sums: np.ndarray) -> np.ndarray:
    shares = sigmoid(sums)
    return shares / shares.sum(axis=1, keepdims=True)


def both(sums: np.ndarray) -> np.ndarray:
    return np.concatenate([1 - sigmoid(sums), sigmoid(sums)], axis=1)


def link_of(model, dtype="float64") -> str:
    """Which function of its raw scores a classifier's predict_proba is."""
    sample = np.random.default_rng(3).normal(size=(64, model.n_features_in_)).astype(dtype)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # names of features
        sums, wanted = model.decision_function(sample).reshape(64, -1), model.predict_proba(sample)
        functions = {"sigmoid": both} if sums.shape[1] == 1 else {"softmax": softmax, "normalized": normalized}
        for name, function in functions.items():
            if np.allclose(
                function(sums.astype("float64")), wanted, rtol=1e-5 if wanted.dtype == np.float32 else 1e-9, atol=1e-30
            ):
                return name
    raise NotImplementedError("probabilities that are not a logistic function of its raw scores")


def gives_probabilities(model) -> bool:
    try:
        return callable(model.predict_proba)
    except AttributeError:  # of a loss that has none
        return False


def of_linear(model, columns: list, predict_fn: str) -> dict:
    """What the reader is told of it; `columns` are those of preprocessing.py."""
    name = type(model).__name__
    weights = np.atleast_2d(np.asarray(model.coef_))
    if hasattr(model.coef_, "toarray"):
        raise NotImplementedError("sparse coefficients")
    if weights.shape[1] != len(columns):
        raise NotImplementedError("coefficients of other columns than it is given")
    outputs = weights.shape[0]
    single = weights.dtype == np.float32 and all(column.dtype == np.float32 for column in columns)
    about = {
        "outputs": outputs,
        "weights": [[float(w) for w in row] for row in weights],
        "single": single,
        "link": "identity",
        "pick": "values",
        "shares": False,
        "base": [float(b) for b in np.broadcast_to(np.asarray(model.intercept_, weights.dtype), (outputs,))],
        "refuses_nan": True,
        "refuses_infinity": True,
    }
    if name in REGRESSORS:
        if hasattr(model, "_base_loss"):
            link = type(model._base_loss.link).__name__
            if link not in ("IdentityLink", "LogLink"):
                raise NotImplementedError(f"the link {link}")
            about["link"] = "exp" if link == "LogLink" else "identity"
        return about
    if gives_probabilities(model):
        about["link"] = link_of(model)
    elif predict_fn != "predict":
        raise NotImplementedError(f"{name} has no {predict_fn}")
    if predict_fn == "predict":
        about |= (
            {"pick": "at_least", "at_least": 5e-324} if outputs == 1 else {"pick": "argmax"}
        )  # the second label: above zero
    return about
