"""What the exporter writes (exported_file.h): trees as Arrow, all else as JSON."""

import json
import os

import numpy as np


def exact(value):
    """Doubles as the text that Python reads back as the same.

    Not every reader of JSON rounds its numbers to the nearest.
    """
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
        self.about = {
            "features": features,
            "outputs": width,
            "base": [0.0] * width,
            "input": "float",
            "refuses_nan": False,
            "refuses_infinity": False,
            "divide": None,
            "scale": None,
            "bias": None,
            "any_order": 0.0,
            "pick": "values",
            "shares": False,
            "at_least": None,
            "labels": None,
            "link": "identity",
            "category_sets": [],
        }

    def add(
        self,
        feature,
        threshold,
        left,
        right,
        missing_left,
        values,
        cover,
        output: int = 0,
        categories: dict | None = None,
    ) -> None:
        """Arrays by node; children are node numbers. `values`: [nodes, width] for each node that is a leaf; `cover`.

        How many training rows reached each; `categories`: of nodes that split by category, those that go left.
        """
        sets = np.full(len(feature), -1, "int32")
        for node, some in (categories or {}).items():
            sets[node] = len(self.about["category_sets"])
            self.about["category_sets"].append(some)
        self.trees.append(
            {
                "feature": np.asarray(feature, "int32"),
                "threshold": np.asarray(threshold, "float64"),
                "left": np.asarray(left, "int32"),
                "right": np.asarray(right, "int32"),
                "missing_left": np.asarray(missing_left, bool),
                "set": sets,
                "cover": np.asarray(cover, "float64"),
                "value": np.ascontiguousarray(values, "float64").reshape(len(feature), -1),
                "output": output,
            }
        )

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
        table = pa.table(
            {
                "tree": pa.array(np.repeat(np.arange(len(self.trees)), sizes), pa.int32()),
                "output": pa.array(np.repeat([tree["output"] for tree in self.trees], sizes), pa.int32()),
                **{
                    name: pa.array(column(name))
                    for name in ("feature", "threshold", "left", "right", "missing_left", "set", "cover")
                },
                "value": pa.FixedSizeListArray.from_arrays(pa.array(values), leaf_width),
            }
        )
        table = table.replace_schema_metadata({"slipway": json.dumps(exact(self.about))})
        with pa.OSFile(path + ".part", "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        os.rename(path + ".part", path)


class ExportedText:
    """A booster's own text, and the labels that a classifier's predict picks by its probabilities."""

    def __init__(self, library: str, text: str, labels: dict | None):
        self.contents = {library: text, "labels": labels}

    def write(self, path: str) -> None:
        write_json(path, self.contents)


class ExportedLinear:
    def __init__(self, about: dict):
        self.contents = about

    def write(self, path: str) -> None:
        write_json(path, self.contents)
