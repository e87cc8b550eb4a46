"""Tables, models and jobs that were made to do harm: what is not the table's is not read, what never ends is not waited
for, and what claims much gets little. A run fails by name, and the server does not notice."""

import json
import subprocess
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import BINARY, HANG_SECONDS, SLOWER
from hostile import IN_FILES, IN_METADATA, Victim, pipe
from models import numbers, with_ids

from deployments import ready  # noqa: F401 (a fixture)

AREAS = ["iceberg", "scoring", "dispatch", "base"]
EXAMPLE = "test_another_tables_files_are_not_read"
SPREAD = 3

MIB = 1 << 10  # in KiB, as /proc counts


def name_of(value):
    return getattr(value, "__name__", None)


def peak_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


def scored(lake, job=None, **kwargs) -> tuple[dict, int]:
    """The last event of a run that fails, and the most memory that it took, in KiB."""
    command = [BINARY, "score", "--job", job or lake.job(**kwargs)]
    peak = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        done = threading.Event()

        def watch():
            nonlocal peak
            while not done.wait(0.005):
                try:
                    peak = max(peak, peak_kib(process.pid))
                except OSError:
                    return

        watcher = threading.Thread(target=watch)
        watcher.start()
        out, _ = process.communicate(timeout=HANG_SECONDS)
        done.set()
        watcher.join()
    assert process.returncode != 0, out
    return json.loads(out.splitlines()[-1]), peak


@pytest.mark.parametrize("attack", [*IN_METADATA, *IN_FILES], ids=name_of)
def test_a_run_fails_by_name(ready, attack):
    attack(Victim(ready))
    failed, peak = scored(ready)
    assert {**IN_METADATA, **IN_FILES}[attack] in failed["message"], failed
    assert peak < 512 * MIB or SLOWER > 1, f"{peak} KiB"
    assert ready.files() == set()


def secret(lake):
    """A table of somebody else, with the columns that the model of `ready` wants."""
    lake.catalog.create_namespace("fin")
    lake.table("fin.secret", with_ids(numbers(50, seed=5), first=9000))
    return Victim(lake, "fin.secret")


def test_another_tables_files_are_not_read(ready):
    """A table of mine whose manifest list, manifest, data file or whole place is another one's."""
    theirs, mine = secret(ready), Victim(ready)
    words = "which is a file of the table fin.secret: if that is right, an administrator can admit the folder"
    mine.name_manifest_list(theirs.manifest_list())
    assert words in scored(ready)[0]["message"]
    # Its location is what a table says of itself: it admits nothing.
    mine.metadata["location"] = str(theirs.table.metadata.location)
    mine.metadata["properties"]["write.data.path"] = str(theirs.table.metadata.location)
    mine.name_manifest_list(theirs.manifest_list())
    assert words in scored(ready)[0]["message"]
    # Nor does a place of one's own around it.
    outer = ready.catalog.create_table(
        "src.outer", theirs.table.schema(), location=f"file://{ready.dir}/warehouse/fin", properties={}
    )
    outer.append(with_ids(numbers(5)))
    ready.score(source="src.outer", target="ml.q")
    around = Victim(ready, "src.outer")
    around.name_manifest_list(theirs.manifest_list())
    assert words in scored(ready, source="src.outer", target="ml.q")[0]["message"]
    # PyIceberg takes another table's data files into one's own.
    ready.table("src.thief", with_ids(numbers(5)))
    files = [f"file://{theirs.data_file()}"]
    stolen = pq.read_table(theirs.data_file()).replace_schema_metadata(None)
    plain = ready.dir / "warehouse/fin/secret/data/plain.parquet"
    pq.write_table(pa.table({n: stolen[n].to_numpy() for n in stolen.column_names}), plain)
    ready.catalog.load_table("src.thief").add_files([f"file://{plain}"])
    assert words in scored(ready, source="src.thief", target="ml.r")[0]["message"], files


def test_another_tables_folder_is_not_written_to(ready):
    theirs = secret(ready)
    before = sorted(theirs.folder.parent.rglob("*"))
    ready.score()
    target = Victim(ready, "ml.p")
    target.metadata["location"] = str(theirs.table.metadata.location)
    target.metadata_file.write_text(json.dumps(target.metadata))
    failed, _ = scored(ready)
    assert "which is a file of the table fin.secret" in failed["message"]
    assert sorted(theirs.folder.parent.rglob("*")) == before
    assert len(ready.rows("fin.secret")) == 50


def test_ordinary_tables_that_lie_elsewhere(ready):
    """add_files from a folder of the warehouse, and a table that was renamed, work; a folder outside is admitted by the
    setting that the error names."""
    frame = with_ids(numbers(20))
    staged = ready.dir / "warehouse" / "staging"
    staged.mkdir()
    landing = ready.dir / "landing"
    landing.mkdir()
    pq.write_table(frame, staged / "a.parquet")
    ready.create("src.imported", frame.schema)
    ready.catalog.load_table("src.imported").add_files([f"file://{staged}/a.parquet"])
    failed, _ = scored(ready, source="src.imported", target="ml.a")
    assert "no field ids" in failed["message"], "the file is reached; name mapping is another matter"
    ready.table("src.old", frame)
    ready.catalog.rename_table("src.old", "src.new")
    ready.score(source="src.new", target="ml.b")
    assert len(ready.rows("ml.b")) == 20
    elsewhere = ready.catalog.create_table("src.elsewhere", frame.schema, location=f"file://{landing}/t")
    elsewhere.append(frame)
    failed, _ = scored(ready, source="src.elsewhere", target="ml.c")
    assert "outside of its place" in failed["message"] and "catalog.allowed_prefixes" in failed["message"]
    ready.place["allowed_prefixes"] = [f"file://{landing}"]
    ready.score(source="src.elsewhere", target="ml.c")
    assert len(ready.rows("ml.c")) == 20


def test_rows_that_the_manifest_does_not_name_are_not_read(ready):
    data = Victim(ready).data_file()
    pq.write_table(pa.concat_tables([pq.read_table(data)] * 2), data)
    assert "claims more than the 300 rows that its manifest names" in scored(ready)[0]["message"]


def test_a_job_that_is_a_pipe_is_refused(ready):
    job = pipe(ready.dir / "job.json")
    done = ready.cli("score", "--job", str(job), check=False)
    assert done.returncode != 0 and "is a pipe" in done.stdout + done.stderr, done
