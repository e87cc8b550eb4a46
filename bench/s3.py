"""What the object store costs: the same run on S3 and on local files, in turn, and the requests it makes.

    s3.py [ROWS] [TREES] [REPEATS]     (through ./tools/bench s3)

ROWS rows of 28 float32 features as in `bench run`; S3 is versitygw on this machine, over the same disk.
"""

import re
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))
sys.path.insert(0, str(ROOT / "bench"))
from run import prepare, slipway  # noqa: E402 (found by the lines above)
from services.s3 import ACCESS, SECRET, S3  # noqa: E402


def requests(log: Path, start: int) -> dict:
    found: dict[str, int] = {}
    for method in re.findall(r"\b(GET|PUT|HEAD|POST|DELETE)\b", log.read_text(errors="replace")[start:]):
        found[method] = found.get(method, 0) + 1
    return found


def main() -> None:
    rows, trees, repeats = ([int(a) for a in sys.argv[1:]] + [2_000_000, 500, 3][len(sys.argv) - 1 :])[:3]
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder, S3(Path(folder) / "server") as s3:
        work = Path(folder)
        prepare(work, rows, trees)
        local = {
            "name": "iceberg",
            "kind": "sql",
            "uri": f"sqlite:///{work}/catalog.db",
            "warehouse": f"{work}/warehouse",
        }
        remote = {
            "name": "iceberg",
            "kind": "sql",
            "uri": f"sqlite:///{work}/s3.db",
            "warehouse": s3.bucket("warehouse"),
        }
        catalog = SqlCatalog(
            "iceberg",
            uri=remote["uri"],
            warehouse=remote["warehouse"],
            **{
                "s3.endpoint": s3.url,
                "s3.access-key-id": ACCESS,
                "s3.secret-access-key": SECRET,
                "s3.region": "us-east-1",
            },
        )
        here = SqlCatalog("iceberg", uri=local["uri"], warehouse=f"file://{work}/warehouse").load_table("src.t")
        catalog.create_namespace("src")
        there = catalog.create_table("src.t", here.schema())
        for task in here.scan().plan_files():
            there.append(pq.read_table(task.file.file_path.removeprefix("file://")))
        for _ in range(repeats):
            mark = s3.process.log.stat().st_size
            one, two = slipway(work, local), slipway(work, remote, s3.environment())
            assert one["rows"] == two["rows"] == rows
            for name, result in (("local files", one), ("S3", two)):
                stages = ", ".join(f"{k} {v:.2f}" for k, v in result["stages"].items())
                print(
                    f"{name:12} {result['rows'] / result['seconds']:>10,.0f} rows/s  "
                    f"{result['seconds']:6.2f} s  peak {result['peak_mib']:5.0f} MiB  ({stages})"
                )
            print(
                f"  S3 takes {two['seconds'] / one['seconds']:.2f} times as long; "
                f"requests: {requests(s3.process.log, mark)}"
            )


if __name__ == "__main__":
    main()
