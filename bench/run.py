"""Rows per second from Iceberg to Iceberg: `slipway score` beside what people use today (bench/peers.py), same rows,
same model, same run.

    run.py [ROWS] [TREES] [REPEATS]     (through ./tools/bench run; 5,000,000 rows, 500 trees, once)

ROWS rows of 28 float32 features, a LightGBM model of TREES trees of 63 leaves. Prints rows/s, peak memory and the share
of each stage, beside what the stages take alone, and draws docs/bench-run.svg when all of it was measured.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
import warnings
from pathlib import Path

import lightgbm
import mlflow.lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
from mlflow.models import infer_signature
from peers import FEATURES, PEERS, measure
from pyiceberg.catalog.sql import SqlCatalog

warnings.filterwarnings("ignore")
ROOT = Path(__file__).resolve().parent.parent
BINARY = ROOT / "build/release/bin/slipway"


def prepare(work: Path, rows: int, trees: int) -> None:
    rng = np.random.default_rng(0)
    sample = pd.DataFrame(rng.normal(size=(50_000, 28)).astype("float32"), columns=FEATURES)
    labels = (sample["f0"] * sample["f1"] + sample["f2"] + rng.normal(size=len(sample)) > 0).astype(float)
    booster = lightgbm.train(
        {"objective": "binary", "num_leaves": 63, "verbose": -1, "num_threads": 2},
        lightgbm.Dataset(sample, labels),
        trees,
    )
    mlflow.lightgbm.save_model(
        booster,
        work / "model",
        signature=infer_signature(sample.head(), booster.predict(sample.head())),
        pip_requirements=["lightgbm"],
    )
    subprocess.run(
        [BINARY, "--data-dir", work, "models", "register", "m", work / "model", "--no-check"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
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
    place = place or {
        "name": "iceberg",
        "kind": "sql",
        "uri": f"sqlite:///{work}/catalog.db",
        "warehouse": f"{work}/warehouse",
    }
    run_id = str(uuid.uuid4())
    job = {
        "version": 2,
        "run_id": run_id,
        "deployment": "bench",
        "logical_date": "2024-01-01T00:00:00Z",
        "attempt": 1,
        "work": {
            "model": {"name": "m", "version": "1", "alias": None},
            "source": {"schema": "src", "table": "t", "catalog": "iceberg", "filter_sql": None, "snapshot_id": None},
            "target": {"schema": "ml", "table": "p", "catalog": "iceberg"},
            "entity_columns": ["id"],
            "rerun_behavior": "overwrite_partition",
            "partition_column": "scored_at",
        },
        "places": {"catalogs": [place], "registry": f"{work}/models", "model_cache": f"{work}/model-cache"},
    }
    (work / "job.json").write_text(json.dumps(job))
    started = time.monotonic()
    done = subprocess.run(
        [BINARY, "score", "--job", work / "job.json"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    seconds = time.monotonic() - started
    events = {event["event"]: event for event in map(json.loads, done.stdout.splitlines())}
    return {
        "seconds": seconds,
        "rows": events["committed"]["rows"],
        "peak_mib": events["committed"]["peak_kib"] / 1024,
        "stages": events["stages"]["seconds"],
    }


def draw(results: dict[str, dict], file: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    matplotlib.rcParams.update({"svg.hashsalt": "slipway", "font.size": 10})
    names = sorted(results, key=lambda name: results[name]["rate"])
    figure, (rates, memory) = pyplot.subplots(1, 2, figsize=(10, 2.8), sharey=True)
    colours = ["#1565c0" if name == "Slipway" else "#b0bec5" for name in names]
    for axes, key, title, form in (
        (rates, "rate", "rows per second", "{:,.0f}"),
        (memory, "peak_mib", "peak memory, MiB", "{:,.0f}"),
    ):
        bars = axes.barh(names, [results[name][key] for name in names], color=colours)
        axes.bar_label(bars, [" " + form.format(results[name][key]) for name in names], fontsize=9)
        axes.set_title(title, fontsize=10, loc="left")
        axes.set_xlim(0, max(results[name][key] for name in names) * 1.22)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.set_xticks([])
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


def main() -> None:
    rows, trees, repeats = ([int(a) for a in sys.argv[1:]] + [5_000_000, 500, 1][len(sys.argv) - 1 :])[:3]
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        work = Path(folder)
        prepare(work, rows, trees)
        for _ in range(repeats):
            results = {}
            for name in ["Slipway", *PEERS]:
                one = slipway(work) if name == "Slipway" else measure(name, work)
                assert one["rows"] == rows, name
                results[name] = {**one, "rate": rows / one["seconds"]}
                print(
                    f"{name:28} {results[name]['rate']:>12,.0f} rows/s  "
                    f"{one['seconds']:7.1f} s  peak {one['peak_mib']:6.0f} MiB",
                    flush=True,
                )
            after = [
                slipway(work) for _ in range(3)
            ]  # at once: a run after another program also pays for memory that a hypervisor has taken back
            for again in after:
                print(
                    f"{'Slipway, again':28} {rows / again['seconds']:>12,.0f} rows/s  "
                    f"{again['seconds']:7.1f} s  peak {again['peak_mib']:6.0f} MiB"
                )
            stages, cores = again["stages"], os.cpu_count()
            total = sum(stages.values())
            print(
                "  stages, processor seconds: "
                + ", ".join(f"{k} {v:.2f} ({100 * v / total:.1f}%)" for k, v in stages.items())
            )
            print(
                f"  all of it: {again['seconds']:.2f} s on {cores} cores, "
                f"{again['seconds'] / (total / cores):.2f} times what the stages take spread over them"
            )
            best = max(results[name]["rate"] for name in PEERS)
            times = ", ".join(f"{rows / one['seconds'] / best:.1f}x" for one in after)
            print(f"  beside the best of the others: {results['Slipway']['rate'] / best:.1f}x; again {times}")
        if rows >= 5_000_000:
            draw(results, ROOT / "docs/bench-run.svg")
            print("  drawn: docs/bench-run.svg")


if __name__ == "__main__":
    main()
