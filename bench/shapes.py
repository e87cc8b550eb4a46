"""./tools/bench shapes [--quick] [NAME...]: ordinary work that is not the benchmark's, each shape at once and twice the
size, beside what does the same work: DuckDB for filters, pyarrow for pages. Processor seconds, which other work on the
machine disturbs least, peak memory, and how the time grows. SLIPWAY_BINARY measures another build."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import uuid
import warnings
from dataclasses import dataclass
from pathlib import Path

import duckdb
import lightgbm
import mlflow.lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from mlflow.models import infer_signature
from pyiceberg.catalog.sql import SqlCatalog

warnings.filterwarnings("ignore")
ROOT = Path(__file__).resolve().parent.parent
BINARY = Path(os.environ.get("SLIPWAY_BINARY", ROOT / "build/release/bin/slipway"))
FEATURES = ["a", "b", "c", "d"]
RNG = np.random.default_rng(0)


@dataclass
class Shape:
    rows: int
    columns: dict  # name -> a function of the number of rows
    filter: str | None = None
    partition: str = "scored_at"
    properties: dict | None = None
    peer: str | None = None  # "duckdb" reads with the filter, "pyarrow" reads all


def texts(values: int):
    return lambda n: pa.array(np.char.add("value ", RNG.integers(0, values, n).astype(str)))


def one_of(column: str, values) -> str:
    return f"{column} IN ({', '.join(map(str, values))})"


def number(n: int):
    return pa.array(RNG.integers(0, 100_000, n))


def shapes() -> dict[str, Shape]:
    made = {}
    for values in (10, 100, 1000):
        keys = {"k": lambda n, values=values: pa.array(RNG.integers(0, values, n))}
        made[f"{values} partitions, in any order"] = Shape(200_000, keys, partition="k")
    for values in (10, 1000):
        kinds = {
            "integers": (number, range(0, 50 * values, 50)),
            "doubles": (lambda n: pa.array(RNG.integers(0, 100_000, n) / 8), [i / 8 for i in range(values)]),
            "texts": (texts(100_000), [f"'value {i}'" for i in range(values)]),
        }
        for kind, (column, listed) in kinds.items():
            made[f"IN of {values} {kind}"] = Shape(2_000_000, {"k": column}, one_of("k", listed), peer="duckdb")
    for kib in (4, 8, 64, 1024):
        more = {f"n{i}": lambda n: pa.array(RNG.normal(size=n)) for i in range(8)}
        properties = {"write.parquet.page-size-bytes": str(kib * 1024), "write.parquet.dict-size-bytes": "1024"}
        made[f"pages of {kib} KiB"] = Shape(1_000_000, more, properties=properties, peer="pyarrow")
    return made


class Bench:
    """One shape at one size, in a folder of its own."""

    def __init__(self, work: Path, shape: Shape, rows: int):
        self.work, self.shape, self.rows = work, shape, rows
        sample = pd.DataFrame(RNG.normal(size=(1000, len(FEATURES))).astype("float32"), columns=FEATURES)
        booster = lightgbm.train({"verbose": -1, "num_threads": 1}, lightgbm.Dataset(sample, sample["a"]), 10)
        signature = infer_signature(sample.head(), booster.predict(sample.head()))
        mlflow.lightgbm.save_model(booster, work / "model", signature=signature, pip_requirements=["lightgbm"])
        command = [BINARY, "--data-dir", work, "models", "register", "m", work / "model", "--no-check"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        catalog = SqlCatalog("iceberg", uri=f"sqlite:///{work}/catalog.db", warehouse=f"file://{work}/warehouse")
        catalog.create_namespace("src")
        columns = {
            "id": pa.array(range(rows), pa.int64()),
            **{name: make(rows) for name, make in shape.columns.items()},
        }
        columns |= {name: pa.array(RNG.normal(size=rows).astype("float32")) for name in FEATURES}
        data = pa.table(columns)
        self.table = catalog.create_table("src.t", data.schema, properties=shape.properties or {})
        self.table.append(data)
        self.files = [task.file.file_path.removeprefix("file://") for task in self.table.scan().plan_files()]

    def slipway(self) -> dict:
        place = {"name": "iceberg", "kind": "sql", "uri": f"sqlite:///{self.work}/catalog.db"}
        job = {
            "version": 2,
            "run_id": str(uuid.uuid4()),
            "deployment": "bench",
            "logical_date": "2024-01-01T00:00:00Z",
            "attempt": 1,
            "work": {
                "model": {"name": "m", "version": "1", "alias": None},
                "source": {
                    "schema": "src",
                    "table": "t",
                    "catalog": "iceberg",
                    "filter_sql": self.shape.filter,
                    "snapshot_id": None,
                },
                "target": {"schema": "ml", "table": "p", "catalog": "iceberg"},
                "entity_columns": ["id", *self.shape.columns],
                "rerun_behavior": "overwrite_partition",
                "partition_column": self.shape.partition,
            },
            "places": {
                "catalogs": [{**place, "warehouse": f"{self.work}/warehouse"}],
                "registry": f"{self.work}/models",
                "model_cache": f"{self.work}/model-cache",
            },
        }
        (self.work / "job.json").write_text(json.dumps(job))
        return measured([BINARY, "score", "--job", self.work / "job.json"])

    def peer(self) -> dict | None:
        if self.shape.peer is None:
            return None
        if self.shape.peer == "duckdb":
            query = f"SELECT * FROM read_parquet({self.files}) WHERE {self.shape.filter}"
            (self.work / "query.sql").write_text(query)
        return measured([sys.executable, __file__, "--peer", self.shape.peer, self.work, *self.files])


def run_peer(kind: str, work: str, *files: str) -> None:
    if kind == "duckdb":
        duckdb.execute("SET threads = 2")
        duckdb.execute((Path(work) / "query.sql").read_text()).to_arrow_table()
    for file in files if kind == "pyarrow" else []:
        pq.read_table(file)
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(json.dumps({"peak_kib": int(peak.split()[1])}))


def measured(command: list) -> dict:
    """Processor seconds of a process, and its peak memory, as the last of its lines that tells it has it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    return {
        "seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_mib": [line["peak_kib"] for line in told if "peak_kib" in line][-1] / 1024,
    }


def main() -> None:
    if sys.argv[1:2] == ["--peer"]:
        return run_peer(*sys.argv[2:])
    quick = "--quick" in sys.argv
    names = [name for name in sys.argv[1:] if not name.startswith("--")]
    idle = measured([sys.executable, __file__, "--peer", "nobody", "."])["seconds"]
    print(f"{'':34}{'rows':>11}{'seconds':>9}{'peak MiB':>10}{'twice':>8}{'files':>7}   beside it")
    for name, shape in shapes().items():
        if names and not any(part in name for part in names):
            continue
        times = []
        for rows in (shape.rows // (10 if quick else 1), shape.rows // (5 if quick else 1) * (1 if quick else 2)):
            with tempfile.TemporaryDirectory(prefix="slipway-shapes-") as folder:
                bench = Bench(Path(folder), shape, rows)
                found, peer = bench.slipway(), bench.peer()
                times.append((found, peer, len(list(Path(folder, "warehouse/ml/p/data").rglob("*.parquet")))))
        (found, peer, files), (twice, _, _) = times
        beside = f"{shape.peer} {peer['seconds'] - idle:.2f} s, {peer['peak_mib']:.0f} MiB" if peer else ""
        grown = f"{twice['seconds'] / found['seconds']:.2f}x"
        print(
            f"{name:34}{shape.rows // (10 if quick else 1):>11,}{found['seconds']:>9.2f}{found['peak_mib']:>10.0f}"
            f"{grown:>8}{files:>7}   {beside}",
            flush=True,
        )


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
