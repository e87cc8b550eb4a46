"""Tables, models and jobs that were made to do harm: what is not the table's is not read, what never ends is not waited
for, and what claims much gets little. A run fails by name, and the server does not notice."""

import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import BINARY, HANG_SECONDS, SLOWER, Server
from deployments import ALL, ONE, body, finished, ready, until  # noqa: F401 (a fixture)
from hostile import IN_FILES, IN_METADATA, Victim, data_is_a_pipe, list_is_a_pipe, pipe
from mlflow.models.signature import ModelSignature
from mlflow.pyfunc import PythonModel
from mlflow.types import ColSpec, Schema
from models import numbers, with_ids

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


def test_a_dictionary_that_unpacks_without_end_is_held_to_the_memory_of_a_run(ready):
    """Some kilobytes of Parquet: one text of 16 MiB, and 20,000 rows that name it."""
    rows = 20_000
    frame = with_ids(numbers(rows))
    ready.table("src.words", frame.append_column("word", [["y"] * rows]))
    data = Victim(ready, "src.words").data_file()
    good = pq.read_table(data)
    word = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array(["x" * (16 << 20)]))
    field = good.schema.field("word").with_type(word.type)
    place = good.schema.get_field_index("word")
    pq.write_table(
        good.set_column(place, field, word), data, compression="zstd", write_statistics=False, store_schema=False
    )
    assert data.stat().st_size < 4 << 20
    job = ready.job(source="src.words", entities=["id", "word"])
    limited(job, memory_mib=700)
    failed, peak = scored(ready, job)
    assert "more than the 700 MiB that the setting dispatch.memory_mib allows" in failed["message"]
    assert peak < 1500 * MIB


def test_a_page_that_claims_gigabytes_is_given_none(ready):
    """The header of a page of 130 MiB, patched to claim 2 GiB unpacked."""
    frame = with_ids(numbers(3))
    ready.table("src.words", frame.append_column("word", [["y"] * 3]))
    data = Victim(ready, "src.words").data_file()
    good = pq.read_table(data)
    place = good.schema.get_field_index("word")
    words = pa.array(["x" * (136 << 20), "y", "z"])
    large = good.set_column(place, good.schema.field("word").with_type(pa.string()), words)
    pq.write_table(large, data, compression="zstd", use_dictionary=False, write_statistics=False)
    whole = bytearray(data.read_bytes())
    at = pq.ParquetFile(data).metadata.row_group(0).column(place).data_page_offset
    assert whole[at] == 0x15 and whole[at + 2] == 0x15 and whole[at + 6] & 0x80, "a varint of five bytes"
    whole[at + 3 : at + 8] = b"\xfe\xff\xff\xff\x0f"
    data.write_bytes(whole)
    failed, peak = scored(ready, source="src.words", entities=["id", "word"])
    assert data.name in failed["message"] and failed["kind"] == "corrupt", failed
    assert peak < 512 * MIB or SLOWER > 1, f"{peak} KiB"


def limited(job, **limits) -> None:
    job.write_text(json.dumps({**json.loads(job.read_text()), "limits": limits}))


@pytest.fixture
def sleeping(ready):
    class Sleeps(PythonModel):  # here, so that it is saved by value
        def predict(self, context, model_input, params=None):
            import time

            time.sleep(3600)
            return model_input

    signature = ModelSignature(Schema([ColSpec("double", "f0")]), Schema([ColSpec("double", "score")]))
    ready.register_python("sleeps", Sleeps(), signature)
    return ready


def test_a_run_that_takes_too_long_is_ended_by_name(sleeping):
    job = sleeping.job(model="sleeps")
    limited(job, seconds=2)
    failed, _ = scored(sleeping, job)
    assert failed["kind"] == "too_large" and "the run took longer than 2 s: `timeout`" in failed["message"]
    assert sleeping.files() == set()


def test_a_run_that_takes_too_much_memory_is_ended_by_name(ready):
    job = ready.job()
    limited(job, memory_mib=1)
    failed, _ = scored(ready, job)
    assert failed["cut_off"] and "more than the 1 MiB that the setting dispatch.memory_mib allows" in failed["message"]


def test_the_timeout_of_a_deployment(sleeping):
    server = Server(sleeping.dir, {"dispatch.run_seconds": 3600})
    try:
        made = body(model__model_name="sleeps", timeout=1)
        path = "/api/models/sleeps/deployments"
        for wrong in (0, -1, "x", 2_592_001):
            status, answer, _ = server.call("POST", path, {**made, "timeout": wrong})
            assert status == 422 and answer["detail"][0]["loc"] == ["body", "timeout"], answer
        assert server.call("POST", path, made)[1]["timeout"] == 1
        run = server.call("POST", f"{path}/d/trigger")[1]["run_id"]
        ended = finished(server, run, f"{path}/d")
        assert ended["status"] == "failed" and "took longer than 1 s: `timeout`" in ended["error_message"]
        assert sleeping.files() == set()
        assert server.call("PATCH", f"{path}/d", {"timeout": 7})[1]["timeout"] == 7
        assert server.call("PATCH", f"{path}/d", {"timeout": None})[1]["timeout"] is None
    finally:
        server.stop()


def test_a_run_that_was_halted_is_killed_when_its_time_is_over(sleeping):
    """It cannot end itself: the server does, some seconds later."""
    server = Server(sleeping.dir)
    try:
        path = "/api/models/sleeps/deployments"
        server.call("POST", path, body(model__model_name="sleeps", timeout=1))
        run = server.call("POST", f"{path}/d/trigger")[1]["run_id"]
        pid_file = sleeping.dir / "runs" / run / "pid"
        until(pid_file.exists, bool)
        pid = int(until(lambda: pid_file.read_text().strip(), bool))
        os.kill(pid, 19)
        ended = finished(server, run, f"{path}/d", seconds=3 * HANG_SECONDS)
        assert "took longer than 1 s" in ended["error_message"]
    finally:
        server.stop()


def test_scoring_processes_are_offered_to_the_oom_killer_first(sleeping):
    server = Server(sleeping.dir)
    try:
        path = "/api/models/sleeps/deployments"
        server.call("POST", path, body(model__model_name="sleeps"))
        run = server.call("POST", f"{path}/d/trigger")[1]["run_id"]
        pid_file = sleeping.dir / "runs" / run / "pid"
        until(lambda: pid_file.exists() and pid_file.read_text().strip(), bool)
        until(lambda: Path(f"/proc/{pid_file.read_text().strip()}/oom_score_adj").read_text().strip(), "500".__eq__)
        server.call("POST", f"{path}/d/runs/{run}/cancel")
        assert finished(server, run, f"{path}/d")["status"] == "failed"
    finally:
        server.stop()


def test_the_server_is_not_moved(ready):
    """Every attack, one after the other, on one server: each create or run fails by name, the answers come at once, and
    the memory of the server stays."""
    attacks = {**IN_METADATA, **IN_FILES}
    for attack in attacks:
        ready.table(f"src.{attack.__name__}", with_ids(numbers(20)))
    server = Server(ready.dir)
    try:
        first = body(name="first", target__table="first")
        assert server.call("POST", ALL, first)[0] == 201
        before = peak_kib(server.process.pid)
        for number, (attack, words) in enumerate(attacks.items()):
            name, one = attack.__name__, f"{ALL}/d{number}"
            made = body(name=f"d{number}", source__table=name, target__table=f"p{number}")
            if attack in IN_METADATA:
                attack(Victim(ready, f"src.{name}"))
                status, answer, _ = server.call("POST", ALL, made)
                assert status in (400, 422, 500) and words in json.dumps(answer), (name, status, answer)
                continue
            assert server.call("POST", ALL, made)[0] == 201
            attack(Victim(ready, f"src.{name}"))
            run = server.call("POST", f"{one}/trigger")[1]["run_id"]
            ended = finished(server, run, one)
            assert ended["status"] == "failed" and words in ended["error_message"], (name, ended)
        assert finished(server, server.call("POST", f"{ALL}/first/trigger")[1]["run_id"], f"{ALL}/first")
        grown = peak_kib(server.process.pid) - before
        assert grown < 64 * MIB or SLOWER > 1, f"{grown} KiB"
    finally:
        server.stop()


def test_a_table_with_much_metadata_is_planned_in_another_process(ready):
    """The server reads a little of it; that a run of such a target had committed is found out there too."""
    for name in ("src.t", "ml.p"):
        if name == "ml.p":
            ready.score()
        victim = Victim(ready, name)
        victim.metadata["properties"]["note"] = "n" * (30 << 20)
        victim.metadata_file.write_text(json.dumps(victim.metadata))
    server = Server(ready.dir, {"dispatch.attempts": 1})
    try:
        before = peak_kib(server.process.pid)
        assert server.call("POST", ALL, body())[0] == 201
        status, answer, _ = server.call("POST", ALL, body(name="e", entity_columns=["nope"]))
        assert status == 422 and answer["detail"][0]["loc"] == ["body", "entity_columns"], answer
        run = server.call("POST", f"{ONE}/trigger")[1]["run_id"]
        pid_file = ready.dir / "runs" / run / "pid"
        os.kill(int(until(lambda: pid_file.exists() and pid_file.read_text().strip(), bool)), 9)
        ended = finished(server, run)
        told = ended["status"] == "succeeded" or "the scoring process was lost" in ended["error_message"]
        assert told, ended
        grown = peak_kib(server.process.pid) - before
        assert grown < 64 * MIB or SLOWER > 1, f"{grown} KiB"
    finally:
        server.stop()


@pytest.mark.parametrize("attack", [list_is_a_pipe, data_is_a_pipe], ids=name_of)
def test_a_hostile_target_keeps_nobody_from_their_runs(ready, attack):
    """SECURITY's one cancel: the clean-up reads the target."""
    ready.score()
    attack(Victim(ready, "ml.p"))
    server = Server(ready.dir, {"dispatch.lease_seconds": 1})
    try:
        server.call("POST", ALL, body())
        run = server.call("POST", f"{ONE}/trigger")[1]["run_id"]
        server.call("POST", f"{ONE}/runs/{run}/cancel")
        assert finished(server, run)["status"] in ("failed", "succeeded")
        server.call("POST", ALL, body(name="other", target__table="other"))
        other = server.call("POST", f"{ALL}/other/trigger")[1]["run_id"]
        assert finished(server, other, f"{ALL}/other")["status"] == "succeeded"
    finally:
        server.stop()


YAML_BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    "text, words",
    [
        (YAML_BOMB + "flavors: *a11\n", "MLmodel"),
        ("flavors: &a {python_function: *a}\n", "model bomb version 1: "),
        ("flavors: " + "[" * 200_000, "MLmodel"),
        ("flavors: {lightgbm: {data: x}}\nsignature: {inputs: '" + "[" * 100_000 + "'}\n", "JSON"),
    ],
    ids=["aliases", "cycle", "nested", "signature"],
)
def test_a_bomb_in_a_model_is_refused(ready, text, words):
    folder = ready.dir / "bomb"
    folder.mkdir()
    (folder / "MLmodel").write_text(text)
    done = ready.cli("models", "register", "bomb", str(folder), "--no-check", check=False)
    if done.returncode == 0:
        failed, peak = scored(ready, model="bomb")
        assert words in failed["message"] and peak < 512 * MIB, failed
    else:
        assert words in done.stderr


def test_a_bomb_in_a_deployments_file_is_refused(ready):
    file = ready.dir / "d.yaml"
    for text in (YAML_BOMB + "model: {model_name: *a11}\n", "model: &a {model_name: *a}\n", "model: " + "[" * 100_000):
        file.write_text(text)
        done = ready.cli("deploy", str(file), check=False)
        assert done.returncode != 0 and str(file) in done.stderr, done.stderr


@pytest.mark.parametrize("place", ["MLmodel", "model.lgb", "data/more"])
def test_a_pipe_in_a_model_is_refused(ready, place):
    folder = ready.dir / "models/m/versions/1/model"
    shutil.copytree(folder, ready.dir / "copy")
    (ready.dir / "copy" / place).parent.mkdir(exist_ok=True)
    pipe(ready.dir / "copy" / place)
    done = ready.cli("models", "register", "copy", str(ready.dir / "copy"), "--no-check", check=False)
    assert done.returncode != 0 and "regular file" in done.stderr and place in done.stderr, done.stderr
    (folder / place).parent.mkdir(exist_ok=True)
    pipe(folder / place)
    failed, _ = scored(ready)
    assert place in failed["message"] or "not those that were registered" in failed["message"], failed


def test_a_job_that_is_a_pipe_is_refused(ready):
    job = pipe(ready.dir / "job.json")
    done = ready.cli("score", "--job", str(job), check=False)
    assert done.returncode != 0 and "is a pipe" in done.stdout + done.stderr, done
