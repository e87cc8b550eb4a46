"""What the steps of a scikit-learn pipeline do before its last.

Each column that they give is described as a function of one column of the rows.

A number goes through elementary operations, in the precision that scikit-learn has there; a category has a value.
What is not such a function (components, polynomials, norms of rows) raises NotImplementedError. The reader is
preprocessing/derived_column.h.
"""

import copy
import warnings

import numpy as np

OTHER, MISSING = "other", "missing"  # what stands for values that an encoder has not seen, and for nulls
NEVER_SEEN = "a value that was never seen"
MOST_ENCODED = 1_000_000  # categories times columns of an encoder


def evaluate(steps: list, values: np.ndarray) -> np.ndarray:
    """The steps over doubles."""
    for operation, operand in steps:
        match operation:
            case "fill":
                values = np.where(np.isnan(values), operand, values)
            case "is_missing":
                values = np.isnan(values).astype("float64")
            case "subtract":
                values = values - operand
            case "divide":
                values = values / operand
            case "multiply":
                values = values * operand
            case "add":
                values = values + operand
            case "at_least":
                values = np.maximum(values, operand)
            case "at_most":
                values = np.minimum(values, operand)
            case "above":
                values = (values > operand).astype("float64")
            case "round":
                values = values.astype("float32").astype("float64")
    return values


class Column:
    """A column that the next step is given."""

    def __init__(self, source: int, dtype):
        self.source, self.dtype = source, np.dtype(dtype)
        self.steps: list = []  # of a number
        self.values: dict | None = None  # of categories: category, OTHER or MISSING → value
        self.fill: str | None = None  # a text column's null

    @property
    def is_text(self) -> bool:
        return self.dtype == object and self.values is None

    def gives_nan(self, key: str) -> bool:
        """Whether a null, or a category that was never seen, is NaN here."""
        value = (
            self.values[key]
            if self.values is not None
            else float(evaluate(self.steps, np.array([np.nan]))[0])
            if key == MISSING
            else 0.0
        )
        return bool(np.isnan(value))

    def then(self, *steps: tuple) -> None:
        if self.values is None:
            self.steps += steps
        else:
            self.values = {key: float(evaluate(steps, np.array([value]))[0]) for key, value in self.values.items()}


class Input:
    """A column of the rows: what it may hold."""

    def __init__(self, kind: str):
        self.kind = kind
        self.categories: list | None = None
        self.refuses_missing = self.refuses_unknown = self.refuses_infinity = False

    def described(self) -> dict:
        def text(category) -> str:
            return (
                category
                if isinstance(category, str)
                else str(category).lower()
                if isinstance(category, bool)
                else str(int(category))
            )

        categories = [] if self.categories is None and self.kind == "string" else self.categories
        return {
            "categories": None if categories is None else [text(c) for c in categories],
            "refuses_missing": self.refuses_missing,
            "refuses_unknown": self.refuses_unknown,
            "refuses_infinity": self.refuses_infinity,
        }


DTYPES = {
    "double": "float64",
    "float": "float32",
    "long": "int64",
    "integer": "int32",
    "boolean": "bool",
    "string": "object",
}


class Preprocessing:
    """Follows the columns through the steps; `kinds` are the types of the signature's inputs."""

    def __init__(self, kinds: list[str]):
        if unknown := set(kinds) - set(DTYPES):
            raise NotImplementedError(f"a column of type {unknown.pop()}")
        self.inputs = [Input(kind) for kind in kinds]
        self.columns = [Column(i, DTYPES[kind]) for i, kind in enumerate(kinds)]

    def described(self) -> dict:
        kinds: dict[int, bool] = {}
        for column in self.columns:
            if column.is_text:
                raise NotImplementedError("a column of text that no step encodes")
            if kinds.setdefault(column.source, column.values is None) != (column.values is None):
                raise NotImplementedError("a column that is used as a number and as categories")

        def one(column: Column) -> dict:
            if column.values is None:
                return {"input": column.source, "steps": column.steps}
            keys = [*self.inputs[column.source].categories, OTHER, MISSING]
            return {"input": column.source, "values": [column.values[key] for key in keys]}

        return {"inputs": [one.described() for one in self.inputs], "columns": [one(column) for column in self.columns]}

    def apply(self, step) -> None:
        self.columns = self.applied(step, self.columns)

    def apply_histogram(self, model) -> None:
        """What HistGradientBoosting does to its columns: those of categories come first, encoded.

        What it does not know is NaN.
        """
        inside = getattr(model, "_preprocessor", None)
        if inside is None:
            raise NotImplementedError("categories of HistGradientBoosting before scikit-learn 1.4")
        by_name = inside._transformer_to_input_indices
        encoded = self.encoded(inside.named_transformers_["encoder"], [self.columns[i] for i in by_name["encoder"]])
        self.columns = encoded + [self.columns[i] for i in by_name.get("numerical", [])]

    def applied(self, step, columns: list[Column]) -> list[Column]:
        if step is None or (isinstance(step, str) and step == "passthrough"):
            return columns
        name = type(step).__name__
        if not type(step).__module__.startswith("sklearn."):
            raise NotImplementedError(f"{name} is not one of scikit-learn's own classes")
        if name == "Pipeline":
            for _, inner in step.steps:
                columns = self.applied(inner, columns)
            return columns
        if name == "FunctionTransformer" and step.func is None:
            return columns
        if name in ("ColumnTransformer", "FeatureUnion"):
            return self.side_by_side(step, columns)
        if name in ("OneHotEncoder", "OrdinalEncoder", "TargetEncoder"):
            return self.encoded(step, columns)
        if name == "SimpleImputer":
            return self.imputed(step, columns)
        if name in SCALERS:
            return self.scaled(step, SCALERS[name](step), columns)
        if hasattr(step, "get_support"):
            self.as_numbers(step, columns)
            return [column for column, wanted in zip(columns, step.get_support(), strict=True) if wanted]
        raise NotImplementedError(f"{name} is not a function of one column each")

    def side_by_side(self, step, columns: list[Column]) -> list[Column]:
        if step.transformer_weights:
            raise NotImplementedError("weights of transformers")
        if type(step).__name__ == "FeatureUnion":
            branches = [(transformer, range(len(columns))) for _, transformer in step.transformer_list]
        else:
            branches = [
                (transformer, step._transformer_to_input_indices[name]) for name, transformer, _ in step.transformers_
            ]
        together: list[Column] = []
        for transformer, indices in branches:
            if not (isinstance(transformer, str) and transformer == "drop") and len(indices):
                together += self.applied(transformer, [copy.deepcopy(columns[i]) for i in indices])
        if not any(column.is_text for column in together):
            dtype = np.result_type(*[column.dtype for column in together])
            for column in together:
                column.dtype = dtype
        return together

    def as_numbers(self, step, columns: list[Column]) -> np.dtype:
        """What scikit-learn makes of the columns: floats if all fit, else doubles.

        They are never infinite, and NaN only where the step takes it.
        """
        if any(column.is_text for column in columns):
            raise NotImplementedError(f"{type(step).__name__} over text")
        dtype = np.result_type(*[column.dtype for column in columns])
        if dtype not in (np.float32, np.float64):
            dtype = np.dtype("float64")
        try:
            self.quietly(step, np.full((1, len(columns)), np.nan), dtype)
            takes_nan = True
        except ValueError:
            takes_nan = False
        for column in columns:
            column.dtype = dtype
            self.inputs[column.source].refuses_infinity = True
            if not takes_nan:
                self.inputs[column.source].refuses_missing |= column.gives_nan(MISSING)
                self.inputs[column.source].refuses_unknown |= column.gives_nan(OTHER)
        return dtype

    def scaled(self, step, operations: list, columns: list[Column]) -> list[Column]:
        """`operations`: a name and a value for each column.

        Versions differ in whether values are rounded first: what this one does is tried.
        """
        dtype = self.as_numbers(step, columns)
        rng = np.random.default_rng(7)
        sample = (rng.normal(size=(256, len(columns))) * 10.0 ** rng.integers(-3, 6, size=(256, len(columns)))).astype(
            dtype
        )
        wanted = self.quietly(step, sample.copy(), dtype)
        for as_column in (False, True):
            plans = []
            for j in range(len(columns)):
                plan: list = []
                for operation, operands in operations:
                    operand = np.broadcast_to(operands, len(columns))[j]
                    plan.append((operation, float(dtype.type(operand) if as_column else operand)))
                    if dtype == np.float32:
                        plan.append(("round", 0.0))
                plans.append(plan)
            got = np.stack([evaluate(plan, sample[:, j].astype("float64")) for j, plan in enumerate(plans)], axis=1)
            if np.array_equal(got, wanted.astype("float64")):
                for column, plan in zip(columns, plans, strict=True):
                    column.then(*plan)
                return columns
        raise NotImplementedError(f"{type(step).__name__} in ways of its own")

    def imputed(self, step, columns: list[Column]) -> list[Column]:
        texts = [column.is_text for column in columns]
        statistics = list(step.statistics_)
        if any(not isinstance(value, str) and (value is None or np.isnan(value)) for value in statistics):
            raise NotImplementedError("an imputer of columns that have no values")
        if all(texts):
            frame = np.array([statistics] * (len(columns) + 1), dtype=object)
            frame[np.arange(len(columns)), np.arange(len(columns))] = None
            filled = np.asarray(self.quietly(step, frame), dtype=object)
            for j, column in enumerate(columns):
                if isinstance(filled[j, j], str):
                    column.fill = column.fill or filled[j, j]
            if step.add_indicator:
                raise NotImplementedError("an indicator of missing texts")
            return columns
        if any(texts) or not (isinstance(step.missing_values, float) and np.isnan(step.missing_values)):
            raise NotImplementedError("an imputer of other values than NaN")
        before = copy.deepcopy(columns)
        self.as_numbers(step, columns)
        for column, value in zip(columns, statistics, strict=True):
            column.then(("fill", float(column.dtype.type(value))))
        if step.add_indicator:
            for j in step.indicator_.features_:
                before[j].then(("is_missing", 0.0))
                before[j].dtype = columns[0].dtype
                columns.append(before[j])
        return columns

    def quietly(self, step, frame: np.ndarray, dtype=object) -> np.ndarray:
        """A step's answer to texts and numbers."""
        import pandas as pd

        names = getattr(step, "feature_names_in_", None)
        if names is not None:
            frame = pd.DataFrame(frame, columns=names).astype(dtype)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = step.transform(frame)
        return answer.toarray() if hasattr(answer, "toarray") else np.asarray(answer)

    def encoded(self, step, columns: list[Column]) -> list[Column]:
        """The encoder itself is asked what it makes of each category, of one that it has not seen, and of a null."""
        known = [
            [c for c in of if not (c is None or (isinstance(c, float) and np.isnan(c)))] for of in step.categories_
        ]
        if not all(known):
            raise NotImplementedError("an encoder without categories")

        dtype = object if any(of.dtype.kind not in "iufb" for of in step.categories_) else np.float64

        def answers_to(j: int, values: list) -> np.ndarray:
            frame = np.array([[categories[0] for categories in known]] * len(values), dtype=object)
            for row, value in enumerate(values):
                frame[row, j] = value
            return self.quietly(step, frame.astype(dtype), dtype)

        total = answers_to(0, [known[0][0]]).shape[1]
        widths = getattr(step, "_n_features_outs", None) or [total // len(columns)] * len(columns)
        # What is asked for and kept grows with the square of the categories where each has a column of its own.
        if sum(map(len, known)) * total > MOST_ENCODED:
            raise NotImplementedError(f"{type(step).__name__} of {sum(map(len, known))} categories")
        out, at = [], 0
        for j, (column, categories, width) in enumerate(zip(columns, known, widths, strict=True)):
            given = self.given(column, categories)
            made: dict = {}
            for key, refusal in ((OTHER, "refuses_unknown"), (MISSING, "refuses_missing")):
                try:
                    made[key] = answers_to(j, [given.pop(key)])[0]
                except ValueError:
                    setattr(self.inputs[column.source], refusal, True)
                    made[key] = np.zeros(total)
            answers = answers_to(j, list(given.values()))
            made |= dict(zip(given, answers, strict=True))
            for k in range(at, at + width):
                one = Column(column.source, answers.dtype)
                one.values = {key: float(row[k]) for key, row in made.items()}
                out.append(one)
            at += width
        return out

    def given(self, column: Column, categories: list) -> dict:
        """What an encoder is given for each category of the column, for one that it has not seen, and for a null."""
        if column.values is not None:
            return dict(column.values)
        if any(operation != "fill" for operation, _ in column.steps):
            raise NotImplementedError("an encoder of numbers that other steps computed")
        self.know(self.inputs[column.source], column, categories)
        null = column.fill if column.is_text else evaluate(column.steps, np.array([np.nan]))[0]
        other = NEVER_SEEN if column.is_text else max(categories) + 1
        return {**{category: category for category in categories}, OTHER: other, MISSING: null}

    def know(self, one: Input, column: Column, categories: list) -> None:
        if not column.is_text and not all(isinstance(c, (bool, np.bool_)) or float(c).is_integer() for c in categories):
            raise NotImplementedError("an encoder of numbers that are not whole")
        if column.is_text and not all(isinstance(c, str) for c in categories):
            raise NotImplementedError("an encoder of mixed categories")
        if not column.is_text:
            categories = [c.item() if hasattr(c, "item") else c for c in categories]
        if one.categories is not None and one.categories != categories:
            raise NotImplementedError("two encoders of one column that know other categories")
        one.categories = list(categories)
        one.refuses_infinity |= not column.is_text  # an encoder looks its numbers over before it encodes them


SCALERS = {
    "StandardScaler": lambda s: (
        ([("subtract", s.mean_)] if s.with_mean else []) + ([("divide", s.scale_)] if s.with_std else [])
    ),
    "MinMaxScaler": lambda s: [
        ("multiply", s.scale_),
        ("add", s.min_),
        *([("at_least", s.feature_range[0]), ("at_most", s.feature_range[1])] if s.clip else []),
    ],
    "MaxAbsScaler": lambda s: [
        ("divide", s.scale_),
        *([("at_least", -1.0), ("at_most", 1.0)] if getattr(s, "clip", False) else []),
    ],
    "RobustScaler": lambda s: (
        ([("subtract", s.center_)] if s.with_centering else []) + ([("divide", s.scale_)] if s.with_scaling else [])
    ),
    "Binarizer": lambda s: [("above", s.threshold)],
}
