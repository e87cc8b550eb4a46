"""Models that Python scores: they give what pyfunc gives, and one that misbehaves fails its run, clearly, and nothing
else."""

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import cloudpickle
import duckdb
import mlflow.pyfunc
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from conftest import BINARY, HANG_SECONDS
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import Array
from parity import check, predict
from pyiceberg.types import ListType

AREAS = ["model/python"]
EXAMPLE = "test_numbers_strings_and_several_columns"

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # models carry this module's functions along
ROWS = 1000


@pytest.fixture
def rows(lake):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": np.arange(ROWS),
            "x": rng.normal(size=ROWS),
            "n": rng.integers(0, 9, ROWS),
            "s": rng.choice(["a", "b"], ROWS),
        }
    )
    lake.table("src.t", pa.Table.from_pandas(frame, preserve_index=False))
    return frame


INPUTS = Schema([ColSpec("double", "x"), ColSpec("long", "n"), ColSpec("string", "s")])
NUMBER = ModelSignature(inputs=INPUTS, outputs=Schema([ColSpec("double")]))


class Model(mlflow.pyfunc.PythonModel):
    """Does with the frame what the function says, which travels with the model."""

    def __init__(self, function):
        self.function = function

    def predict(self, context, model_input, params=None):
        return self.function(model_input, params)


def failure(lake, function, signature=NUMBER, **python) -> str:
    """The message of the failed run; the target has nothing of it."""
    lake.register_python("m", Model(function), signature)
    events = lake.score(ok=False, python=python)
    assert events[-1]["event"] == "failed"
    assert not lake.catalog.table_exists("ml.p") and not lake.files()
    return events[-1]["message"]


@contextlib.contextmanager
def zygotes(folder: Path):
    """The environment of processes that share a zygote, which ends with the lock on its folder."""
    folder.mkdir(mode=0o700)
    lock = os.open(folder, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    yield {"SLIPWAY_ZYGOTES": str(folder)}
    os.close(lock)


def test_numbers_strings_and_several_columns(lake, rows):
    def frame_of(frame, params):
        return pd.DataFrame(
            {
                "label": np.where(frame["x"] > 0, "up", "down"),
                "size": frame["n"] * 2,
                "both": frame["s"] + frame["n"].astype(str),
            }
        )

    outputs = Schema([ColSpec("string", "label"), ColSpec("long", "size"), ColSpec("string", "both")])
    lake.register_python("m", Model(frame_of), ModelSignature(inputs=INPUTS, outputs=outputs))
    events = lake.score()
    assert events[-1]["rows"] == ROWS
    got, want = lake.rows(), frame_of(rows, None)
    for name in want:
        assert list(got[name]) == list(want[name]), name


@pytest.mark.parametrize("answer", ["array", "matrix", "series", "list", "dict", "strings", "float32", "bool"])
def test_every_kind_of_answer_is_what_pyfunc_gives(tmp_path, answer):
    functions = {
        "array": lambda f, p: f["x"].to_numpy(),
        "matrix": lambda f, p: np.column_stack([f["x"], f["x"] * 3]),
        "series": lambda f, p: f["x"] - 1,
        "list": lambda f, p: [float(v) for v in f["x"]],
        "dict": lambda f, p: {"a": f["x"].to_numpy(), "b": f["x"].to_numpy() > 0},
        "strings": lambda f, p: ["é" * int(abs(v)) for v in f["x"]],
        "float32": lambda f, p: f["x"].to_numpy().astype("float32"),
        "bool": lambda f, p: f["x"].to_numpy() > 0,
    }
    frame = pd.DataFrame({"x": [0.5, -2.25, np.nan if answer in ("array", "matrix", "series", "float32") else 3.5]})
    function = functions[answer]
    example = function(frame, None)
    signature = infer_signature(frame, pd.DataFrame(example) if isinstance(example, dict) else example)
    mlflow.pyfunc.save_model(
        tmp_path / "m", python_model=Model(function), signature=signature, pip_requirements=["mlflow"]
    )
    if answer == "dict":
        assert list(predict(tmp_path / "m", frame)["b"]) == list(example["b"])
    elif answer == "strings":
        assert list(predict(tmp_path / "m", frame)["prediction"]) == example
    else:
        check(tmp_path / "m", frame, "python")


@pytest.mark.parametrize("rerun", ["overwrite_partition", "append_dedup"])
def test_lists_are_columns_of_lists(lake, rows, rerun):
    """An embedding, and words of which there may be none; in a rerun files with lists are read and written again."""

    def lists(frame, params):
        return pd.DataFrame(
            {
                "embedding": [np.array([x, n]) for x, n in zip(frame["x"], frame["n"], strict=True)],
                "words": [["a"] * (int(n) % 3) for n in frame["n"]],
            }
        )

    outputs = Schema([ColSpec(Array("double"), "embedding"), ColSpec(Array("string"), "words")])
    lake.register_python("m", Model(lists), ModelSignature(inputs=INPUTS, outputs=outputs))
    want = lists(rows, None)
    for filter_sql in ("id < 600", None):
        lake.score(filter_sql=filter_sql, rerun=rerun)
    got = lake.rows()
    assert len(got) == ROWS
    for name in want:
        assert [list(value) for value in got[name]] == [list(value) for value in want[name]], name
    table = lake.catalog.load_table("ml.p")
    elements = {
        field.name: field.field_type.element_id
        for field in table.schema().fields
        if isinstance(field.field_type, ListType)
    }
    assert (
        len(set(elements.values()) | {field.field_id for field in table.schema().fields})
        == len(table.schema().fields) + 2
    )
    assert table.metadata.last_column_id == max(elements.values())
    files = [task.file.file_path.removeprefix("file://") for task in table.scan().plan_files()]
    answer = duckdb.sql(f"select sum(len(words)), sum(embedding[1]) from read_parquet({files})").fetchall()[0]
    assert answer[0] == sum(map(len, want["words"]))
    assert answer[1] == pytest.approx(rows["x"].sum())


def test_a_matrix_may_be_a_list_for_each_row(lake, rows):
    signature = ModelSignature(inputs=INPUTS, outputs=Schema([ColSpec(Array("double"))]))
    lake.register_python("m", Model(lambda f, p: np.column_stack([f["x"], f["x"] * 2, f["n"]])), signature)
    lake.score()
    got = np.stack(lake.rows()["prediction"])
    assert np.array_equal(got, np.column_stack([rows["x"], rows["x"] * 2, rows["n"]]))


def test_parameters_have_their_defaults_and_missing_columns_may_be_optional(lake, rows):
    inputs = Schema([ColSpec("double", "x"), ColSpec("double", "maybe", required=False)])
    signature = ModelSignature(inputs, Schema([ColSpec("double")]), ParamSchema([ParamSpec("factor", "double", 3.0)]))
    lake.register_python("m", Model(lambda f, p: f["x"] * p["factor"] + ("maybe" in f)), signature)
    lake.score()
    assert np.array_equal(lake.rows()["prediction"], rows["x"] * 3.0)


def test_types_are_enforced_as_pyfunc_enforces_them(lake):
    lake.table(
        "src.t", pa.table({"id": [1, 2], "x": [1.0, 2.0], "n": pa.array([1, None], pa.int64()), "s": ["a", "b"]})
    )
    assert "Incompatible input types" in failure(lake, lambda f, p: f["x"])


def test_an_exception_is_told(lake, rows):
    def raises(frame, params):
        raise KeyError("no such thing")

    assert "KeyError" in failure(lake, raises) and not lake.files()


@pytest.mark.parametrize(
    ("name", "function", "says"),
    [
        ("few", lambda f, p: f["x"].to_numpy()[:7], f"7 predictions for {ROWS} rows"),
        ("wide", lambda f, p: np.zeros((len(f), 2)), "2 columns, but its signature says 1"),
        ("deep", lambda f, p: np.zeros((len(f), 2, 2)), "3 dimensions"),
        ("text", lambda f, p: ["x"] * len(f), "ArrowInvalid"),
        ("nothing", lambda f, p: None, "TypeError"),
    ],
)
def test_an_answer_that_does_not_fit(lake, rows, name, function, says):
    message = failure(lake, function)
    assert says in message or name == "nothing" and "the model failed" in message


def test_a_crash_names_the_signal_and_the_batch(lake, rows):
    message = failure(lake, lambda f, p: os.kill(os.getpid(), signal.SIGSEGV))
    assert "signal 11" in message and f"scoring {ROWS} rows" in message and "batch 0" in message


def test_a_crash_that_does_not_come_again_is_survived(lake, rows, tmp_path):
    mark = tmp_path / "crashed"

    def once(frame, params):
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return frame["x"]

    lake.register_python("m", Model(once), NUMBER)
    lake.score(python={"writable": [str(tmp_path)]})
    assert mark.exists() and np.array_equal(lake.rows()["prediction"], rows["x"])


def test_leaving_the_process(lake, rows):
    assert "status 3" in failure(lake, lambda f, p: os._exit(3))


@pytest.mark.parametrize("what", ["closes", "drips"])
def test_a_process_that_leaves_the_socket_or_drips_into_it_is_ended(lake, rows, what):
    def closes(frame, params):
        os.close(3)
        time.sleep(1000)

    def drips(frame, params):
        while True:
            os.write(3, b"x")
            time.sleep(0.005)

    message = failure(lake, closes if what == "closes" else drips, batch_seconds=2)
    assert "signal 9" in message if what == "closes" else "longer than 2 s" in message


def test_a_hang_is_ended(lake, rows):
    assert "longer than 1 s" in failure(lake, lambda f, p: time.sleep(1000), batch_seconds=1)


def test_too_much_memory_is_ended(lake, rows):
    def eats(frame, params):
        kept = []
        while True:
            kept.append(np.ones(1 << 22))

    assert "more than python.memory_mib = 1024" in failure(lake, eats, memory_mib=1024)


def test_garbage_on_standard_output_is_no_answer(lake, rows):
    def prints(frame, params):
        print('{"rows": 1}')
        os.write(1, b"\xff\x00garbage")
        return frame["x"]

    lake.register_python("m", Model(prints), NUMBER)
    lake.score()
    assert len(lake.rows()) == ROWS


@pytest.mark.parametrize("text", [b"garbage\n", b"x" * (2 << 20), b'{"rows": 5}\n'])
def test_garbage_in_the_place_of_an_answer(lake, rows, text):
    def writes(frame, params):
        os.write(3, text)
        time.sleep(1000)

    assert "not an answer" in (message := failure(lake, writes, batch_seconds=20)) or "do not fit" in message


def test_no_secrets_and_no_network(lake, rows):
    def environment(frame, params):
        assert "SECRET" not in " ".join(os.environ) and not any(
            name.startswith(("SLIPWAY", "AWS", "MLFLOW_TRACKING")) for name in os.environ
        ), os.environ
        for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):
            try:
                socket.socket(family, socket.SOCK_RAW if family == socket.AF_NETLINK else socket.SOCK_STREAM)
            except PermissionError:
                continue
            raise AssertionError("a socket was opened")
        socket.socketpair()
        return frame["x"]

    lake.environment = {"AWS_SECRET_ACCESS_KEY": "s", "MLFLOW_TRACKING_TOKEN": "t", "MY_SECRET": "m"}
    lake.register_python("m", Model(environment), NUMBER)
    lake.score()


def test_no_descriptor_is_inherited(lake, rows):
    """A model has its three standard files, its socket and the two of rows and predictions, whatever its ancestors have
    open."""

    def descriptors(frame, params):
        there = [int(name) for name in os.listdir("/proc/self/fd")]
        assert [fd for fd in there if os.path.exists(f"/proc/self/fd/{fd}")] == [0, 1, 2, 3, 4, 5], there
        return frame["x"]

    lake.register_python("m", Model(descriptors), NUMBER)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.set_inheritable(True)
        done = subprocess.run(
            [BINARY, "score", "--job", lake.job()],
            capture_output=True,
            text=True,
            timeout=HANG_SECONDS,
            pass_fds=[listening.fileno()],
        )
    assert done.returncode == 0, done.stdout


def where_it_runs(mark: Path):
    """A model that asserts that nobody else's code is imported, and tells where it runs."""

    def function(frame, params):
        home = os.path.expanduser("~")
        assert sys.flags.isolated and sys.flags.no_user_site and "" not in sys.path and home not in sys.path, sys.path
        assert os.getcwd() == home == tempfile.gettempdir(), (os.getcwd(), home)
        about = os.stat(home)
        assert (about.st_uid, stat.S_IMODE(about.st_mode)) == (os.getuid(), 0o700), about
        Path("left-behind").mkdir()
        part = mark.with_suffix(".part")
        part.write_text(home)
        part.rename(mark)
        return frame["x"]

    return function


def test_nothing_is_imported_from_the_temporary_folder(lake, rows, tmp_path):
    """What anybody may plant there (struct.py; modules in .local) is no part of the model; what the model leaves behind
    is removed."""
    shared = tmp_path / "shared"
    site = shared / ".local" / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    site.mkdir(parents=True)
    for planted in (shared / "struct.py", site / "usercustomize.py"):
        planted.write_text(f"open({str(tmp_path / 'imported')!r}, 'w').close()\n")
    lake.environment = {"TMPDIR": str(shared), "HOME": str(shared), "PYTHONPATH": str(shared)}
    lake.register_python("m", Model(where_it_runs(tmp_path / "where")), NUMBER)
    lake.score(python={"writable": [str(tmp_path)]})
    assert not (tmp_path / "imported").exists()
    where = Path((tmp_path / "where").read_text())
    assert where.parent == shared and sorted(path.name for path in shared.iterdir()) == [".local", "struct.py"]


def test_the_folder_of_a_killed_process_is_removed_by_the_next(lake, rows, tmp_path):
    mark, go = tmp_path / "where", tmp_path / "go"
    inside = where_it_runs(mark)

    def waits(frame, params):
        answer = inside(frame, params)
        while not go.exists():
            time.sleep(0.01)
        return answer

    lake.register_python("m", Model(waits), NUMBER)
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [BINARY, "score", "--job", lake.job(python={"writable": [str(tmp_path)]})],
        stdout=subprocess.DEVNULL,
        env=environment,
    )
    while not mark.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    left = Path(mark.read_text())
    assert left.is_dir()
    go.touch()
    lake.environment = {"TMPDIR": str(tmp_path)}
    lake.score(python={"writable": [str(tmp_path)]})
    assert not left.exists()


def test_network_where_it_is_allowed(lake, rows):
    lake.register_python("m", Model(lambda f, p: f["x"] + 0 * socket.socket().fileno()), NUMBER)
    lake.score(python={"network": True})
    assert len(lake.rows()) == ROWS


def test_runs_fork_their_processes_from_one_that_they_share(lake, rows, tmp_path):
    """As those of a server do; by itself a run has its own."""
    lake.register_python("m", Model(lambda f, p: f["x"] * 0 + os.getppid()), NUMBER)
    seen = []
    with zygotes(tmp_path / "shared") as shared:
        for day, environment in enumerate(
            [shared, shared, {"SLIPWAY_ZYGOTES": str(tmp_path)}, {"SLIPWAY_ZYGOTES": ""}], start=1
        ):
            lake.environment = environment
            lake.score(logical_date=f"2024-03-{day:02}T06:00:00Z", target=f"ml.p{day}")
            (parent,) = set(lake.rows(f"ml.p{day}")["prediction"].astype(int))
            seen.append(parent)
        assert seen[0] == seen[1] and len(set(seen)) == 3
        assert "zygote" in Path(f"/proc/{seen[0]}/cmdline").read_text()
    while Path(f"/proc/{seen[0]}").exists() and "State:\tZ" not in Path(f"/proc/{seen[0]}/status").read_text():
        time.sleep(0.01)  # it ends with its folder's owner


@pytest.mark.parametrize("way", ["SIGKILL", "SIGSEGV", "exit", "hang"])
def test_a_zygote_outlives_what_its_workers_do(lake, rows, tmp_path, way):
    def ends(frame, params):
        if (tmp_path / "bad").exists():
            time.sleep(1000) if way == "hang" else os._exit(3) if way == "exit" else os.kill(
                os.getpid(), getattr(signal, way)
            )
        return frame["x"] * 0 + os.getppid()

    lake.register_python("m", Model(ends), NUMBER)
    python = {"readable": [str(tmp_path)]}
    with zygotes(tmp_path / "shared") as lake.environment:
        lake.score(target="ml.a", python=python)
        (tmp_path / "bad").touch()
        lake.score(ok=False, target="ml.b", python={**python, "batch_seconds": 2})
        (tmp_path / "bad").unlink()
        lake.score(target="ml.c", python=python)
    assert set(lake.rows("ml.a")["prediction"]) == set(lake.rows("ml.c")["prediction"])


def test_no_interpreter_with_mlflow(lake, rows):
    lake.register_python("m", Model(lambda f, p: f["x"]), NUMBER)
    for interpreter in ("/usr/bin/python3", "/nowhere/python"):
        events = lake.score(ok=False, python={"interpreter": interpreter})
        assert "python.interpreter" in events[-1]["message"]


def test_a_model_without_outputs_in_its_signature(lake, rows):
    lake.register_python("m", Model(lambda f, p: f["x"]), ModelSignature(inputs=INPUTS))
    assert "needs a signature" in lake.score(ok=False)[-1]["message"]


def test_processes_end_with_the_run(lake, rows):
    lake.register_python("m", Model(lambda f, p: f["x"] * 0 + os.getpid()), NUMBER)
    lake.score()
    for pid in set(lake.rows()["prediction"].astype(int)):
        assert pid != os.getpid()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def tiny_wheel(folder: Path, gives: int) -> Path:
    """A package that nothing else has."""
    wheel = folder / "slipway_tiny-1.0-py3-none-any.whl"
    about = {
        "METADATA": "Metadata-Version: 2.1\nName: slipway-tiny\nVersion: 1.0\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("slipway_tiny.py", f"GIVES = {gives}\n")
        for name, text in about.items():
            file.writestr(f"slipway_tiny-1.0.dist-info/{name}", text)
    return wheel


def test_an_environment_of_the_models_own(lake, rows, tmp_path):
    """Made once, from the model's requirements; a model whose requirements cannot be met fails with pip's words."""

    def of_the_package(x, params):
        import slipway_tiny

        return x["x"] * 0 + slipway_tiny.GIVES

    requirements = [
        f"mlflow-skinny=={mlflow.__version__}",
        f"pandas=={pd.__version__}",
        f"cloudpickle=={cloudpickle.__version__}",
    ]
    folder = lake.dir / "model"
    for what in (f"slipway-tiny @ file://{tiny_wheel(tmp_path, 42)}", "slipway-there-is-no-such-package==9"):
        mlflow.pyfunc.save_model(
            folder, python_model=Model(of_the_package), signature=NUMBER, pip_requirements=[*requirements, what]
        )
        lake.cli("models", "register", "m", str(folder), "--no-check")
        shutil.rmtree(folder)
    python = {"environment_of_model": True, "cache": str(lake.dir / "engines"), "readable": [str(tmp_path)]}
    assert "No module named 'slipway_tiny'" in lake.score(ok=False)[-1]["message"]
    lake.score(python=python)
    assert set(lake.rows()["prediction"]) == {42.0}
    made = list((lake.dir / "engines" / "environments").glob("*/ready"))
    before = made[0].stat().st_mtime_ns
    lake.score(python=python)
    assert [file.stat().st_mtime_ns for file in (lake.dir / "engines" / "environments").glob("*/ready")] == [before]
    assert "slipway-there-is-no-such-package" in lake.score(ok=False, python=python, version="2")[-1]["message"]


def test_this_interpreter_is_the_one(lake, rows):
    signature = ModelSignature(inputs=INPUTS, outputs=Schema([ColSpec("string")]))
    lake.register_python("m", Model(lambda f, p: [sys.prefix] * len(f)), signature)
    lake.score()
    assert set(lake.rows()["prediction"]) == {sys.prefix}
