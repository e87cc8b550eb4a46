"""Rows per second from Iceberg to Iceberg: `slipway score` beside `mlflow.pyfunc` over pyarrow batches, same rows, same run.

    run.py [ROWS] [TREES] [REPEATS]     (through ./tools/bench run)

ROWS rows of 28 float32 features, a LightGBM model of TREES trees of 63 leaves. Prints rows/s, peak memory, and the share of each stage.
"""

import json
import multiprocessing
import os
import resource
import subprocess
import sys
import time
import uuid
import warnings
from pathlib import Path

import lightgbm
import mlflow.lightgbm
import mlflow.pyfunc
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from mlflow.models import infer_signature
from pyiceberg.catalog.sql import SqlCatalog

warnings.filterwarnings("ignore")
ROOT = Path(__file__).resolve().parent.parent
BINARY = ROOT / "build/release/bin/slipway"
FEATURES = [f"f{i}" for i in range(28)]


def prepare(work: Path, rows: int, trees: int) -> None:
    rng = np.random.default_rng(0)
    sample = pd.DataFrame(rng.normal(size=(50_000, 28)).astype("float32"), columns=FEATURES)
    labels = (sample["f0"] * sample["f1"] + sample["f2"] + rng.normal(size=len(sample)) > 0).astype(float)
    booster = lightgbm.train({"objective": "binary", "num_leaves": 63, "verbose": -1, "num_threads": 2}, lightgbm.Dataset(sample, labels), trees)
    mlflow.lightgbm.save_model(booster, work / "model", signature=infer_signature(sample.head(), booster.predict(sample.head())))
    subprocess.run([BINARY, "--data-dir", work, "models", "register", "m", work / "model"], check=True, stdout=subprocess.DEVNULL)
    catalog = SqlCatalog("iceberg", uri=f"sqlite:///{work}/catalog.db", warehouse=f"file://{work}/warehouse")
    catalog.create_namespace("src")
    schema = pa.schema([("id", pa.int64()), *[(name, pa.float32()) for name in FEATURES]])
    table = catalog.create_table("src.t", schema)
    for first in range(0, rows, 500_000):
        count = min(500_000, rows - first)
        columns = {"id": pa.array(range(first, first + count), pa.int64())}
        columns |= {name: rng.normal(size=count).astype("float32") for name in FEATURES}
        table.append(pa.table(columns, schema=schema))


def slipway(work: Path, place: dict | None = None, environment: dict | None = None) -> dict:
    """One run in the catalog `place`, the embedded one by default."""
    place = place or {"name": "iceberg", "kind": "sql", "uri": f"sqlite:///{work}/catalog.db", "warehouse": f"{work}/warehouse"}
    run_id = str(uuid.uuid4())
    job = {"version": 2, "run_id": run_id, "deployment": "bench", "logical_date": "2024-01-01T00:00:00Z", "attempt": 1,
           "work": {"model": {"name": "m", "version": "1", "alias": None},
                    "source": {"schema": "src", "table": "t", "catalog": "iceberg", "filter_sql": None, "snapshot_id": None},
                    "target": {"schema": "ml", "table": "p", "catalog": "iceberg"}, "entity_columns": ["id"],
                    "rerun_behavior": "overwrite_partition", "partition_column": "scored_at"},
           "places": {"catalogs": [place], "registry": f"{work}/models", "model_cache": f"{work}/model-cache"}}
    (work / "job.json").write_text(json.dumps(job))
    started = time.monotonic()
    done = subprocess.run([BINARY, "score", "--job", work / "job.json"], check=True, capture_output=True, text=True,
                          env={**os.environ, **(environment or {})})
    seconds = time.monotonic() - started
    events = {event["event"]: event for event in map(json.loads, done.stdout.splitlines())}
    return {"seconds": seconds, "rows": events["committed"]["rows"], "peak_mib": events["committed"]["peak_kib"] / 1024, "stages": events["stages"]["seconds"]}


def _pyfunc(work: str, answer) -> None:
    model = mlflow.pyfunc.load_model(work + "/model")
    files = sorted(Path(work, "warehouse/src/t/data").rglob("*.parquet"))
    started, rows, writer = time.monotonic(), 0, None
    for file in files:
        for batch in pq.ParquetFile(file).iter_batches(65536):
            frame = batch.to_pandas()
            out = pa.table({"id": frame["id"], "prediction": model.predict(frame[FEATURES])})
            writer = writer or pq.ParquetWriter(work + "/pyfunc.parquet", out.schema, compression="zstd")
            writer.write_table(out)
            rows += len(frame)
    writer.close()
    answer.put({"seconds": time.monotonic() - started, "rows": rows, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})


def pyfunc(work: Path) -> dict:
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=_pyfunc, args=(str(work), answer))
    process.start()
    result = answer.get()
    process.join()
    return result


def main() -> None:
    rows, trees, repeats = ([int(a) for a in sys.argv[1:]] + [2_000_000, 500, 1][len(sys.argv) - 1:])[:3]
    import tempfile

    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        work = Path(folder)
        prepare(work, rows, trees)
        for _ in range(repeats):  # the two in turn, so that a machine whose speed drifts treats both alike
            ours, theirs = slipway(work), pyfunc(work)
            assert ours["rows"] == theirs["rows"] == rows
            for name, one in (("slipway score", ours), ("mlflow.pyfunc over pyarrow", theirs)):
                print(f"{name:28} {one['rows'] / one['seconds']:>10,.0f} rows/s  {one['seconds']:7.1f} s  peak {one['peak_mib']:6.0f} MiB")
            total = sum(ours["stages"].values())
            print("  stages, processor seconds: " + ", ".join(f"{k} {v:.2f} ({100 * v / total:.1f}%)" for k, v in ours["stages"].items()))
            print(f"  ratio {theirs['seconds'] / ours['seconds']:.2f}")


if __name__ == "__main__":
    main()
