"""What people use today to score an Iceberg table with an MLflow model, each as a function that runs in a process of
its own: {rows, seconds, peak_mib}.

All read the same Parquet files with the same model and write `id` and `prediction`; Spark goes from Iceberg to Iceberg.
"""

import multiprocessing
import os
import sys
import threading
import time
import warnings
from pathlib import Path

FEATURES = [f"f{i}" for i in range(28)]


def files_of(work: Path) -> list[Path]:
    return sorted(Path(work, "warehouse/src/t/data").rglob("*.parquet"))


def pyfunc(work: Path) -> int:
    """mlflow.pyfunc over pyarrow's batches."""
    import mlflow.pyfunc
    import pyarrow as pa
    import pyarrow.parquet as pq

    model = mlflow.pyfunc.load_model(str(work / "model"))
    rows, writer = 0, None
    for file in files_of(work):
        for batch in pq.ParquetFile(file).iter_batches(65536):
            frame = batch.to_pandas()
            out = pa.table({"id": frame["id"], "prediction": model.predict(frame[FEATURES])})
            writer = writer or pq.ParquetWriter(work / "pyfunc.parquet", out.schema, compression="zstd")
            writer.write_table(out)
            rows += len(frame)
    writer.close()
    return rows


def polars(work: Path) -> int:
    """polars reads and writes, LightGBM scores the frame's matrix."""
    import lightgbm
    import polars as pl

    booster = lightgbm.Booster(model_file=str(work / "model/model.lgb"))
    rows, parts = 0, []
    for file in files_of(work):
        frame = pl.read_parquet(file)
        parts.append(
            pl.DataFrame({"id": frame["id"], "prediction": booster.predict(frame.select(FEATURES).to_numpy())})
        )
        rows += len(frame)
    pl.concat(parts).write_parquet(work / "polars.parquet", compression="zstd")
    return rows


def duckdb(work: Path) -> int:
    """DuckDB with a Python function over Arrow columns."""
    import duckdb as db
    import lightgbm
    import numpy as np
    import pyarrow as pa

    booster = lightgbm.Booster(model_file=str(work / "model/model.lgb"))

    def score(columns):
        return pa.array(booster.predict(np.column_stack([np.asarray(c) for c in columns])))

    connection = db.connect()
    by_name = eval(
        f"lambda {', '.join(FEATURES)}: score([{', '.join(FEATURES)}])", {"score": score}
    )  # DuckDB counts a function's parameters
    connection.create_function("score", by_name, ["FLOAT"] * 28, "DOUBLE", type="arrow")
    files = ", ".join(f"'{file}'" for file in files_of(work))
    connection.execute(
        f"COPY (SELECT id, score({', '.join(FEATURES)}) AS prediction FROM read_parquet([{files}])) "
        f"TO '{work}/duckdb.parquet' (FORMAT parquet, COMPRESSION zstd)"
    )
    return connection.execute(f"SELECT count(*) FROM '{work}/duckdb.parquet'").fetchone()[0]


def spark(work: Path, timed) -> int:
    """mlflow.pyfunc.spark_udf on local[2], Iceberg to Iceberg; the session, the source and one small run come before
    the clock starts."""
    import mlflow.pyfunc
    from pyspark.sql import SparkSession
    from pyspark.sql.functions import struct

    os.environ["PYSPARK_PYTHON"] = sys.executable
    jars = ",".join(str(jar) for jar in (Path(__file__).resolve().parent.parent / ".deps/bench/jars").glob("*.jar"))
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.jars", jars)
        .config("spark.driver.memory", "3g")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.log.level", "ERROR")
        .config("spark.sql.catalog.local", "org.apache.iceberg.spark.SparkCatalog")
        .config("spark.sql.catalog.local.type", "hadoop")
        .config("spark.sql.catalog.local.warehouse", str(work / "spark"))
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "65536")
        .getOrCreate()
    )
    session.read.parquet(*map(str, files_of(work))).writeTo("local.src.t").create()
    predict = mlflow.pyfunc.spark_udf(session, str(work / "model"), result_type="double", env_manager="local")

    def run(rows, target):
        rows.select("id", predict(struct(*FEATURES)).alias("prediction")).writeTo(target).createOrReplace()

    run(session.table("local.src.t").limit(10_000), "local.ml.warm")
    timed()
    run(session.table("local.src.t"), "local.ml.p")
    return session.table("local.ml.p").count()


PEERS = {
    "mlflow.pyfunc over pyarrow": pyfunc,
    "polars + LightGBM": polars,
    "DuckDB, Arrow function": duckdb,
    "mlflow spark_udf, local[2]": spark,
}


def _resident_mib(root: int) -> float:
    """Of a process and all below it."""
    parents, resident = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        parents[int(folder.name)], resident[int(folder.name)] = int(stat[1]), int(stat[21]) * 4096
    below = {root}
    for pid in sorted(parents):
        if parents[pid] in below:
            below.add(pid)
    return sum(resident.get(pid, 0) for pid in below) / 2**20


class Watch:
    """The most memory that a process and those below it had at once, looked at ten times a second."""

    def __init__(self, pid: int):
        self.pid, self.peak_mib, self.over = pid, 0.0, threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()

    def _look(self) -> None:
        while not self.over.wait(0.1):
            self.peak_mib = max(self.peak_mib, _resident_mib(self.pid))

    def end(self) -> float:
        self.over.set()
        self.thread.join()
        return self.peak_mib


def _run(name: str, work: Path, answer) -> None:
    warnings.filterwarnings("ignore")
    started = [time.monotonic()]
    arguments = (lambda: started.__setitem__(0, time.monotonic()),) if PEERS[name] is spark else ()
    try:
        rows = PEERS[name](work, *arguments)
    except BaseException as error:
        return answer.put({"error": f"{type(error).__name__}: {error}"})
    answer.put({"rows": rows, "seconds": time.monotonic() - started[0]})


def measure(name: str, work: Path) -> dict:
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=_run, args=(name, work, answer))
    process.start()
    watch = Watch(process.pid)
    result = answer.get(timeout=3600)
    peak = watch.end()
    process.join()
    if "error" in result:
        raise RuntimeError(f"{name}: {result['error']}")
    return {**result, "peak_mib": peak}
