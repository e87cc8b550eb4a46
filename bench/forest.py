"""Rows per second of tree models in memory, one core: Slipway's engine beside what people use, same rows, same run.

    forest.py [SECONDS]     (through ./tools/bench forest)

Each model scores 28 float32 columns. Slipway goes through `slipway models bench` (Arrow columns in, predictions out, on
one core and on all); LightGBM and XGBoost through their C APIs' in-memory calls, the others through their own runtimes,
all with one thread. Slipway's predictions are compared with the library's, bit by bit, before anything is measured.
"""

import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import lightgbm
import mlflow.lightgbm
import mlflow.sklearn
import mlflow.xgboost
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xgboost
from mlflow.models import infer_signature
from sklearn.ensemble import RandomForestClassifier

warnings.filterwarnings("ignore")
ROOT = Path(__file__).resolve().parent.parent
BINARY = ROOT / "build/release/bin/slipway"
FEATURES = [f"f{i}" for i in range(28)]
ROWS = 100_000
os.environ["SLIPWAY_PYTHON"] = sys.executable


def rate(predict, rows: np.ndarray, seconds: float) -> float:
    """Rows/s of the faster of two tries, over as many of the rows as fit into the time."""
    count = 2000
    while True:
        started = time.perf_counter()
        predict(rows[:count])
        took = time.perf_counter() - started
        if took > seconds / 4 or count == len(rows):
            break
        count = min(len(rows), count * 4)
    started = time.perf_counter()
    predict(rows[:count])
    return count / min(took, time.perf_counter() - started)


def lightgbm_c(booster):
    """LGBM_BoosterPredictForMat on float32 rows, raw scores, one thread."""
    library, handle = lightgbm.basic._LIB, booster._handle
    outputs = max(1, booster.num_model_per_iteration())

    def predict(rows):
        out, length = np.zeros(len(rows) * outputs), ctypes.c_int64()
        code = library.LGBM_BoosterPredictForMat(
            handle,
            rows.ctypes.data_as(ctypes.c_void_p),
            0,
            ctypes.c_int32(len(rows)),
            ctypes.c_int32(rows.shape[1]),
            1,
            1,
            0,
            -1,
            b"num_threads=1",
            ctypes.byref(length),
            out.ctypes.data_as(ctypes.POINTER(ctypes.c_double)),
        )
        assert code == 0
        return out

    return predict


def xgboost_c(booster):
    booster.set_param({"nthread": 1})
    return lambda rows: booster.inplace_predict(rows, predict_type="margin")


def onnx(model, kind: str):
    import onnxruntime

    if kind == "lightgbm":
        from onnxmltools import convert_lightgbm as convert
        from onnxmltools.convert.common.data_types import FloatTensorType
    elif kind == "xgboost":
        from onnxmltools import convert_xgboost as convert
        from onnxmltools.convert.common.data_types import FloatTensorType
    else:
        from skl2onnx import convert_sklearn as convert
        from skl2onnx.common.data_types import FloatTensorType
    settings = {"zipmap": False} if kind == "lightgbm" else {"options": {"zipmap": False}} if kind == "sklearn" else {}
    converted = convert(model, initial_types=[("x", FloatTensorType([None, 28]))], **settings)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(converted.SerializeToString(), options)
    return lambda rows: session.run(None, {"x": rows})


def treelite_model(model, kind: str):
    import treelite

    if kind == "lightgbm":
        return treelite.frontend.from_lightgbm(model)
    if kind == "xgboost":
        return treelite.frontend.from_xgboost(model)
    return treelite.sklearn.import_model(model)


def gtil(model, kind: str):
    import treelite

    loaded = treelite_model(model, kind)
    return lambda rows: treelite.gtil.predict(loaded, rows, nthread=1, pred_margin=True)


def tl2cgen_c(model, kind: str, folder: Path):
    import tl2cgen

    library = folder / f"{kind}-{time.monotonic_ns()}.so"
    started = time.perf_counter()
    tl2cgen.export_lib(
        treelite_model(model, kind), toolchain="gcc", libpath=library, params={"parallel_comp": 16}, nthread=2
    )
    print(f"    (tl2cgen compiled for {time.perf_counter() - started:.0f} s)")
    predictor = tl2cgen.Predictor(library, nthread=1)
    return lambda rows: predictor.predict(tl2cgen.DMatrix(rows, dtype="float32"), pred_margin=True)


def peers(model, kind: str, folder: Path, compile_it: bool):
    own = {
        "lightgbm": ("LightGBM C API", lambda: lightgbm_c(model)),
        "xgboost": ("XGBoost inplace_predict", lambda: xgboost_c(model)),
        "sklearn": ("scikit-learn", lambda: model.predict_proba),
    }[kind]
    yield own
    yield "ONNX Runtime", lambda: onnx(model, kind)
    yield "treelite GTIL", lambda: gtil(model, kind)
    if compile_it:
        yield "tl2cgen, compiled C", lambda: tl2cgen_c(model, kind, folder)


def slipway(folder: Path, rows_file: Path, seconds: float, vectors: str = "", options=()) -> dict:
    command = [
        BINARY,
        "--data-dir",
        folder.parent,
        "--json",
        "models",
        "bench",
        folder,
        "-i",
        rows_file,
        "--seconds",
        str(seconds),
        *options,
    ]
    done = subprocess.run(
        [*command, *(["--vectors", vectors] if vectors else [])], check=True, capture_output=True, text=True
    )
    return {(one["rows"], one["threads"]): one for one in json.loads(done.stdout)}


def rate_of(ours: dict, threads: int = 1) -> float:
    """Rows/s of the largest batch."""
    return ours[(max(rows for rows, _ in ours), threads)]["rows_per_second"]


def report(title: str, ours: dict) -> float:
    """Prints what Slipway did; its rows/s on one core."""
    print(title)
    for threads in sorted({threads for _, threads in ours}):
        print(f"  {f'Slipway, {threads} core(s)':28} {rate_of(ours, threads):>12,.0f} rows/s")
    calls = ", ".join(f"{rows} row(s) {ours[(rows, 1)]['microseconds_per_call']:.0f} us" for rows in (1, 10, 100))
    print(f"  {'Slipway, small calls':28} {calls}")
    return rate_of(ours)


def save(model, kind: str, folder: Path, frame: pd.DataFrame) -> None:
    if kind == "lightgbm":
        mlflow.lightgbm.save_model(
            model,
            folder,
            signature=infer_signature(frame.head(), model.predict(frame.head())),
            pip_requirements=["lightgbm"],
        )
    elif kind == "xgboost":
        mlflow.xgboost.save_model(
            model,
            folder,
            signature=infer_signature(frame.head(), model.predict(xgboost.DMatrix(frame.head()))),
            pip_requirements=["xgboost-cpu"],
        )
    else:
        mlflow.sklearn.save_model(
            model,
            folder,
            signature=infer_signature(frame.head(), model.predict_proba(frame.head())),
            pip_requirements=["scikit-learn"],
            serialization_format="cloudpickle",
            pyfunc_predict_fn="predict_proba",
        )


def check(model, kind: str, folder: Path, frame: pd.DataFrame, rows_file: Path) -> None:
    out = rows_file.with_suffix(".out")
    subprocess.run(
        [BINARY, "--data-dir", folder.parent, "models", "predict", folder, "-i", rows_file, "-o", out],
        check=True,
        capture_output=True,
    )
    part = frame.head(20_000)
    want = {
        "lightgbm": lambda: model.predict(part),
        "xgboost": lambda: model.predict(xgboost.DMatrix(part)),
        "sklearn": lambda: model.predict_proba(part),
    }[kind]()
    got = pq.read_table(out).to_pandas().head(20_000).to_numpy()
    assert np.array_equal(got, np.asarray(want).reshape(len(part), -1)), "not the same bits"


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(ROWS, 28)).astype("float32"), columns=FEATURES)
    holes = frame.mask(rng.random(frame.shape) < 0.1)
    signal = frame["f0"] * frame["f1"] + frame["f2"] + rng.normal(size=ROWS)
    binary, three = (signal > 0).astype(int).to_numpy(), np.digitize(signal, [-0.7, 0.7])
    numbers = {"objective": "binary", "verbose": -1, "num_threads": 2}
    coded = frame.assign(**{f"f{i}": rng.integers(0, 50, ROWS).astype("float32") for i in range(8)})
    cases = [
        (
            "LightGBM 500 x 63 leaves",
            "lightgbm",
            frame,
            lambda: lightgbm.train({**numbers, "num_leaves": 63}, lightgbm.Dataset(frame, binary), 500),
            True,
        ),
        (
            "LightGBM 300 x 255 leaves",
            "lightgbm",
            frame,
            lambda: lightgbm.train({**numbers, "num_leaves": 255}, lightgbm.Dataset(frame, binary), 300),
            False,
        ),
        (
            "XGBoost 500 x depth 8",
            "xgboost",
            frame,
            lambda: xgboost.train(
                {"objective": "binary:logistic", "max_depth": 8, "nthread": 2}, xgboost.DMatrix(frame, binary), 500
            ),
            False,
        ),
        (
            "RandomForest 100 x depth 12",
            "sklearn",
            frame,
            lambda: RandomForestClassifier(100, max_depth=12, n_jobs=2, random_state=0).fit(
                frame[:50_000], binary[:50_000]
            ),
            False,
        ),
        (
            "LightGBM 3 classes, 200 x 31",
            "lightgbm",
            frame,
            lambda: lightgbm.train(
                {**numbers, "objective": "multiclass", "num_class": 3}, lightgbm.Dataset(frame, three), 200
            ),
            False,
        ),
        (
            "LightGBM 8 of 28 categorical, 200 x 63",
            "lightgbm",
            coded,
            lambda: lightgbm.train(
                {**numbers, "num_leaves": 63, "min_data_per_group": 10},
                lightgbm.Dataset(coded, binary, categorical_feature=FEATURES[:8]),
                200,
            ),
            False,
        ),
        (
            "LightGBM 10% missing, 500 x 63",
            "lightgbm",
            holes,
            lambda: lightgbm.train({**numbers, "num_leaves": 63}, lightgbm.Dataset(holes, binary), 500),
            False,
        ),
    ]
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as work:
        for number, (name, kind, data, train, compile_it) in enumerate(cases):
            model = train()
            if kind == "sklearn":
                model.n_jobs = 1
            folder, rows_file = Path(work) / f"model{number}", Path(work) / f"rows{number}.parquet"
            pq.write_table(pa.Table.from_pandas(data, preserve_index=False), rows_file)
            save(model, kind, folder, data)
            check(model, kind, folder, data, rows_file)
            ours = slipway(folder, rows_file, seconds)
            one = report(f"{name}: the library's own bits", ours)
            for vectors in ("AVX2", "SSE4", "SCALAR") if number == 0 else ():
                limited = rate_of(slipway(folder, rows_file, seconds, vectors))
                print(
                    f"  {f'Slipway, {vectors} only, 1 core':28} {limited:>12,.0f} rows/s  {one / limited:7.1f}x as long"
                )
            if number == 0:
                shares = rate_of(slipway(folder, rows_file, seconds, options=["--contributions"]))
                theirs = rate(
                    lambda some: model.predict(some, pred_contrib=True, num_threads=1),
                    data.to_numpy(dtype="float32"),
                    seconds,
                )
                print(
                    f"  {'Slipway, SHAP values, 1 core':28} {shares:>12,.0f} rows/s, "
                    f"LightGBM's pred_contrib {theirs:,.0f}: {shares / theirs:.1f}x"
                )
            rows = np.ascontiguousarray(data.to_numpy(dtype="float32"))
            for peer, make in peers(model, kind, Path(work), compile_it):
                try:
                    theirs = rate(make(), rows, seconds)
                except Exception as error:
                    print(f"  {peer:28} cannot: {str(error).splitlines()[0][:90]}")
                    continue
                print(f"  {peer:28} {theirs:>12,.0f} rows/s  Slipway {one / theirs:7.1f}x", flush=True)


if __name__ == "__main__":
    main()
