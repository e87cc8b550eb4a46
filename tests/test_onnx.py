"""ONNX models: ONNX Runtime scores them in the Python worker, and gives what pyfunc gives."""

import mlflow.onnx
import mlflow.pyfunc
import numpy as np
import onnx
import onnx.numpy_helper
import pandas as pd
from mlflow.models import infer_signature
from models import numbers
from parity import assert_equal, engine, predict

AREAS = ["model/python"]
EXAMPLE = "test_one_matrix_of_all_columns"

helper = onnx.helper


def value(name: str, *shape):
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, *shape])


def save(folder, nodes: list, inputs: list, weights: np.ndarray, frame: pd.DataFrame) -> None:
    """A graph with the outputs `score` (a float) and `accepted` (a boolean)."""
    outputs = [value("score"), helper.make_tensor_value_info("accepted", onnx.TensorProto.BOOL, [None])]
    squash = [
        helper.make_node("MatMul", ["x", "w"], ["raw"]),
        helper.make_node("Squeeze", ["raw", "axes"], ["margin"]),
        helper.make_node("Sigmoid", ["margin"], ["score"]),
    ]
    constants = [
        onnx.numpy_helper.from_array(np.array([1]), "axes"),
        onnx.numpy_helper.from_array(weights, "w"),
        onnx.numpy_helper.from_array(np.array([0.5], "float32"), "half"),
    ]
    nodes = [*nodes, *squash, helper.make_node("Greater", ["score", "half"], ["accepted"])]
    made = helper.make_graph(nodes, "scores", inputs, outputs, constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    answer = pd.DataFrame({"score": np.zeros(5, "float32"), "accepted": np.zeros(5, bool)})
    mlflow.onnx.save_model(
        model, folder, signature=infer_signature(frame.head(), answer), pip_requirements=["onnxruntime"]
    )


WEIGHTS = np.random.default_rng(1).normal(size=(4, 1)).astype("float32")
FRAME = numbers(3000, missing=0.0).astype("float32")


def check(folder, rows: pd.DataFrame = FRAME) -> None:
    assert engine(folder) == "python"
    got, want = predict(folder, rows), mlflow.pyfunc.load_model(str(folder)).predict(rows)
    assert 0 < want["accepted"].sum() < len(want)
    for name in ("score", "accepted"):
        assert_equal(got[[name]], want[name])


def test_one_matrix_of_all_columns(tmp_path):
    save(tmp_path / "m", [helper.make_node("Identity", ["features"], ["x"])], [value("features", 4)], WEIGHTS, FRAME)
    check(tmp_path / "m")


def test_one_input_for_each_column(tmp_path):
    columns = [helper.make_node("Unsqueeze", [name, "axes"], [name + "_column"]) for name in FRAME]
    nodes = [*columns, helper.make_node("Concat", [name + "_column" for name in FRAME], ["x"], axis=1)]
    save(tmp_path / "m", nodes, [value(name) for name in FRAME], WEIGHTS, FRAME)
    check(tmp_path / "m")


def test_columns_of_several_types_and_missing_values(tmp_path):
    """They become one matrix of doubles, and then of floats, as pyfunc makes them."""
    rows = numbers(3000, missing=0.05).assign(
        f1=np.arange(3000), f2=(np.arange(3000) % 3).astype("int32"), f3=lambda frame: frame["f3"].astype("float32")
    )
    save(
        tmp_path / "m",
        [helper.make_node("Identity", ["features"], ["x"])],
        [value("features", 4)],
        (WEIGHTS * [[1], [1e-3], [1], [1]]).astype("float32"),
        rows,
    )
    check(tmp_path / "m", rows)
