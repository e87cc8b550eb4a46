"""Models in a box: what a hostile model tries is refused or cut off, by each way that a model is run, and the error
names it. `slipway doctor` says which boundaries this machine has; a test of one that is missing is skipped by that."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import cloudpickle
import mlflow.pyfunc
import mlflow.sklearn
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from conftest import BINARY, HANG_SECONDS, Server
from deployments import body, until
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from sklearn.linear_model import Ridge

AREAS = ["model/python", "cli"]
EXAMPLE = "test_what_is_outside_of_the_box_is_refused"

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # models carry this module's functions along
ROWS = 50
NUMBER = ModelSignature(inputs=Schema([ColSpec("double", "x")]), outputs=Schema([ColSpec("double")]))
FRAME = pd.DataFrame({"id": np.arange(ROWS), "x": np.arange(ROWS) / 2})


@pytest.fixture(scope="session")
def boundaries() -> set:
    """Those that hold on this machine, by what the doctor says."""
    done = subprocess.run([BINARY, "--json", "doctor"], capture_output=True, text=True, check=True)
    return {check["name"] for check in json.loads(done.stdout)["checks"] if check["holds"]}


@pytest.fixture
def rows(lake):
    lake.table("src.t", pa.Table.from_pandas(FRAME, preserve_index=False))


class Model(mlflow.pyfunc.PythonModel):
    def __init__(self, function):
        self.function = function

    def predict(self, context, model_input, params=None):
        self.function()
        return model_input["x"]


class Loaded(Ridge):
    """A model of scikit-learn that does something when it is loaded: also by the exporter, at registration."""

    def __setstate__(self, state):
        super().__setstate__(state)
        state["what_it_does"]()


def save_loaded(folder: Path, function) -> None:
    model = Loaded().fit(FRAME[["x"]], FRAME["x"])
    model.what_it_does = function
    mlflow.sklearn.save_model(
        model, folder, signature=NUMBER, pip_requirements=["mlflow"], serialization_format="cloudpickle"
    )


def run(*arguments, **how) -> subprocess.CompletedProcess:
    return subprocess.run(
        [BINARY, *arguments], capture_output=True, text=True, errors="replace", timeout=HANG_SECONDS * 4, **how
    )


def by_each_way(lake, folder: Path, way: str) -> subprocess.CompletedProcess:
    """What a run, or a command, of the model says."""
    data = ("--data-dir", lake.dir / "data")
    if way == "run":
        lake.cli("models", "register", "m", str(folder), "--no-check")
        return run("score", "--job", lake.job())
    if way == "predict":
        FRAME[["x"]].to_parquet(lake.dir / "rows.parquet")
        return run(*data, "models", "predict", folder, "-i", lake.dir / "rows.parquet", "-o", lake.dir / "out.parquet")
    if way == "register":
        return run(*data, "models", "register", "m", folder)
    return run(*data, "models", "check", folder)


def attempts(place: Path, pid: int):
    """A function that tries to get out, and prints what came of each try."""
    key, planted, unix = str(place / "platform.psk"), str(place / "planted"), str(place / "listening")

    def trace():
        import ctypes

        assert ctypes.CDLL(None).ptrace(16, pid, 0, 0) == 0, "PTRACE_ATTACH"

    def plant():
        import sysconfig

        open(os.path.join(sysconfig.get_path("purelib"), "planted.pth"), "w").close()

    def connect(family, address):
        with socket.socket(family) as one:
            one.connect(address)

    def attempt():
        tries = {
            "read the key": lambda: open(key).read(),
            "list its folder": lambda: os.listdir(os.path.dirname(key)),
            "write outside": lambda: open(planted, "w").close(),
            "write to /tmp": lambda: open("/tmp/slipway-planted", "w").close(),
            "cut the key": lambda: os.truncate(key, 0),
            "remove the key": lambda: os.unlink(key),
            "link to the key": lambda: os.link(key, "mine"),
            "plant a .pth": plant,
            "connect inet": lambda: connect(socket.AF_INET, ("127.0.0.1", 9)),
            "connect unix": lambda: connect(socket.AF_UNIX, unix),
            "read an environment": lambda: open(f"/proc/{pid}/environ").read(),
            "read the parent's environment": lambda: open(f"/proc/{os.getppid()}/environ").read(),
            "read memory": lambda: open(f"/proc/{pid}/mem", "rb").read(1),
            "trace": trace,
            "end a process": lambda: os.kill(pid, signal.SIGCONT),
            "end the parent": lambda: os.kill(os.getppid(), signal.SIGCONT),
            "make a memfd": lambda: os.memfd_create("x"),
            "share memory": lambda: open("/dev/shm/slipway-planted", "w").close(),
        }
        got = []
        for name, one in tries.items():
            try:
                one()
                got.append(name)
            except Exception:
                pass
        os.chmod(key, 0o777)  # says that it has: the test looks
        print("tried", len(tries), "got", json.dumps(got), file=sys.stderr, flush=True)

    return attempt


@pytest.mark.parametrize("kind", ["pyfunc", "sklearn"])
@pytest.mark.parametrize("way", ["run", "register", "check", "predict"])
def test_what_is_outside_of_the_box_is_refused(lake, rows, tmp_path, boundaries, way, kind):
    if kind == "pyfunc" and way in ("register", "check"):
        pytest.skip("a model that only Python scores is not run by these")
    needed = {"landlock", "seccomp", "signals"}
    if not needed <= boundaries:
        pytest.skip(f"slipway doctor: no {', '.join(needed - boundaries)} here")
    key = tmp_path / "platform.psk"
    key.write_text("secret")
    key.chmod(0o600)
    function, folder = attempts(tmp_path, os.getpid()), tmp_path / "saved"
    if kind == "sklearn":
        save_loaded(folder, function)
    else:
        mlflow.pyfunc.save_model(folder, python_model=Model(function), signature=NUMBER, pip_requirements=["mlflow"])
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "listening"))
        listening.listen()
        done = by_each_way(lake, folder, way)
    tried = [line for line in done.stderr.splitlines() if line.startswith("tried ")]
    assert tried, (done.stdout, done.stderr)
    assert set(tried) == {"tried 18 got []"}
    assert key.read_text() == "secret" and key.stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "planted").exists() and not Path("/tmp/slipway-planted").exists()


def message(lake, function, **python) -> str:
    """Of the run that fails."""
    lake.register_python("m", Model(function), NUMBER)
    return lake.score(ok=False, python=python)[-1]["message"]


def named(name: str) -> list[int]:
    """The processes of that name, but those that have ended."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and (folder / "comm").read_text() == name + "\n":
                if (folder / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                    found.append(int(folder.name))
    return found


def call_itself(name: str) -> None:
    import ctypes

    ctypes.CDLL(None).prctl(15, name.encode(), 0, 0, 0)  # PR_SET_NAME


def test_a_fork_bomb_is_ended_and_nothing_of_it_is_left(lake, rows):
    name = f"bomb-{os.getpid()}"

    def forks():
        import time

        call_itself(name)
        for k in range(800):
            if os.fork() == 0:
                if k % 2:
                    os.setsid()
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                time.sleep(1000)
        time.sleep(1000)

    assert "processes and threads, more than python.tasks = 64" in message(lake, forks, tasks=64)
    assert named(name) == []


@pytest.mark.parametrize("how", ["child", "daemon", "shared", "memfd", "predictions"])
def test_memory_of_all_processes_counts(lake, rows, how):
    size = 700 << 20

    def takes():
        import mmap
        import time

        if how == "memfd":
            os.write(os.memfd_create("hidden"), bytes(1 << 20))
        if how == "predictions":
            for _ in range(size >> 20):
                os.write(5, bytes(1 << 20))
            time.sleep(1000)
        if how == "shared":
            shared = mmap.mmap(-1, size)
            for at in range(0, size, 4096):
                shared[at] = 1
            time.sleep(1000)
        if os.fork() == 0:
            if how == "daemon":
                os.setsid()
                if os.fork() != 0:
                    os._exit(0)
            kept = bytearray(size)
            kept[::4096] = b"x" * len(kept[::4096])
            time.sleep(1000)
        time.sleep(1000)

    says = message(lake, takes, memory_mib=512, batch_seconds=HANG_SECONDS)
    assert ("Function not implemented" if how == "memfd" else "MiB, more than python.memory_mib = 512") in says
    if how in ("child", "daemon"):
        assert "that it has started" in says


def test_memory_that_processes_share_counts_once(lake, rows):
    def shares():
        import time

        kept = np.ones(25 << 20)  # 200 MiB
        children = []
        for _ in range(4):
            if (pid := os.fork()) == 0:
                time.sleep(0.2)
                os._exit(int(kept[0]) - 1)
            children.append(pid)
        for pid in children:
            os.waitpid(pid, 0)

    lake.register_python("m", Model(shares), NUMBER)
    lake.score(python={"memory_mib": 700})


@pytest.mark.parametrize("how", ["one file", "many files"])
def test_what_it_writes_is_limited(lake, rows, how):
    def writes():
        import time

        for k in range(300):
            with open("big" if how == "one file" else f"big-{k}", "ab") as file:
                file.write(bytes(1 << 20))
        time.sleep(1000)

    says = message(lake, writes, disk_mib=64)
    assert ("File too large" if how == "one file" else "more than python.disk_mib = 64") in says


def test_what_it_prints_is_cut(lake, rows):
    def prints():
        for _ in range(40):
            os.write(1, b"a" * (1 << 20))
        os.write(2, b"the end")

    lake.register_python("m", Model(prints), NUMBER)
    done = run("score", "--job", lake.job(python={"output_mib": 1}))
    assert done.returncode == 0, done.stdout
    assert 1 << 20 <= len(done.stderr) < (1 << 20) + 4096
    assert "cut off here" in done.stderr and "python.output_mib = 1" in done.stderr and "the end" not in done.stderr


def daemonizes(name: str, ready: Path | None = None):
    """A function that leaves a process behind, in a session of its own, that ignores what it can."""

    def function():
        import time

        if (pid := os.fork()) != 0:
            os.waitpid(pid, 0)
            if ready is not None:
                ready.touch()
                time.sleep(1000)
            return
        os.setsid()
        if os.fork() != 0:
            os._exit(0)
        call_itself(name)
        for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(one, signal.SIG_IGN)
        time.sleep(1000)

    return function


def test_a_daemon_ends_with_the_run(lake, rows):
    name = f"daemon-{os.getpid() % 100000}"
    lake.register_python("m", Model(daemonizes(name)), NUMBER)
    lake.score()
    assert named(name) == []


def test_a_daemon_ends_with_a_scoring_process_that_is_killed(lake, rows, tmp_path):
    name, ready = f"orphan-{os.getpid() % 100000}", tmp_path / "open" / "ready"
    ready.parent.mkdir()
    lake.register_python("m", Model(daemonizes(name, ready)), NUMBER)
    job = lake.job(python={"writable": [str(ready.parent)]})
    process = subprocess.Popen([BINARY, "score", "--job", job], stdout=subprocess.DEVNULL)
    until(ready.exists, bool)
    until(lambda: named(name), bool)
    process.kill()
    process.wait()
    until(lambda: named(name), lambda left: left == [])


def test_the_server_keeps_secrets_out_of_proc_and_its_runs_are_contained(lake, rows, tmp_path):
    """Neither the server's environment nor that of a scoring process is to be read there, even by root; a run's
    stderr.log stops growing; the daemon of a run goes, though the server is killed."""
    name, ready = f"served-{os.getpid() % 100000}", tmp_path / "open" / "ready"
    ready.parent.mkdir()
    inside = daemonizes(name, ready)

    def function():
        for _ in range(3):
            os.write(1, b"a" * (1 << 20))
        inside()

    lake.register_python("m", Model(function), NUMBER)
    settings = {"python.writable": str(ready.parent), "python.output_mib": 1}
    environment = {"AWS_SECRET_ACCESS_KEY": "of-the-server", "SLIPWAY_AUTH_SERVICE_SECRET": "of-the-server"}
    server = Server(lake.dir, settings, environment)
    try:
        status, answer, _ = server.call("POST", "/api/models/m/deployments", body())
        assert status == 201, answer
        status, started, _ = server.call("POST", "/api/models/m/deployments/d/trigger", {})
        until(ready.exists, bool)
        folder = lake.dir / "runs" / started["run_id"]
        scoring = int((folder / "pid").read_text())
        for pid in (server.process.pid, scoring):
            assert b"of-the-server" not in Path(f"/proc/{pid}/environ").read_bytes()
        assert (folder / "stderr.log").stat().st_size < (1 << 20) + 8192
        assert "cut off here" in (folder / "stderr.log").read_text()
    finally:
        server.kill()
    os.kill(scoring, signal.SIGKILL)
    until(lambda: named(name), lambda left: left == [])


def test_files_that_are_opened_to_models(lake, rows, tmp_path):
    lookup, written = tmp_path / "lookup", tmp_path / "open"
    lookup.write_text("words")
    written.mkdir()

    def function():
        assert lookup.read_text() == "words"
        (written / "result").touch()
        try:
            lookup.write_text("mine")
        except PermissionError:
            return
        raise AssertionError("what may be read was written")

    lake.register_python("m", Model(function), NUMBER)
    lake.score(python={"readable": [str(lookup)], "writable": [str(written)]})
    assert (written / "result").exists() and lookup.read_text() == "words"


def test_a_secret_may_stand_in_a_file(tmp_path):
    (tmp_path / "secret").write_text("the-secret\n")
    place = f"--set=auth.service_secret_file={tmp_path / 'secret'}"
    done = run("--data-dir", tmp_path, "config", place)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("auth.service_secret ")]
    assert "****" in line and str(tmp_path / "secret") in line and "the-secret" not in done.stdout
    both = run("--data-dir", tmp_path, "config", place, "--set=auth.service_secret=x")
    assert both.returncode == 2 and "one of them is enough" in both.stderr
    missing = run("--data-dir", tmp_path, "config", "--set=auth.service_secret_file=/nowhere/secret")
    assert missing.returncode == 3 and "auth.service_secret_file" in missing.stderr


def test_the_doctor_says_what_holds_and_what_to_do():
    told = run("doctor")
    assert told.returncode == 0, told.stderr
    checks = {check["name"]: check for check in json.loads(run("--json", "doctor").stdout)["checks"]}
    assert set(checks) >= {"landlock", "signals", "seccomp", "user", "site_packages", "cgroup", "undumpable"}
    for name, check in checks.items():
        assert name in told.stdout and check["means"] in told.stdout
        assert (check["advice"] is None) == check["holds"]
    assert not checks["user"]["holds"] and "python.user" in checks["user"]["advice"]


def test_the_doctor_tries_the_box_of_another_user(tmp_path):
    """The system's Python, which everybody can start."""
    environment = {**os.environ, "SLIPWAY_PYTHON": "/usr/bin/python3"}
    done = run("--json", "doctor", "--set=python.user=nobody", env=environment)
    if os.getuid() != 0:
        assert done.returncode == 2 and "only a process of root" in done.stderr
        return
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["user"]["holds"] and checks["user"]["found"] == "models run as nobody"
    assert "is not writable by models' user" in checks["site_packages"]["found"]
    unknown = run("doctor", "--set=python.user=no-such-user")
    assert unknown.returncode == 2 and "no such user" in unknown.stderr


OLDER_KERNEL = """
import os, signal, subprocess, sys
exec(open(sys.argv[1]).read())
owner, other = map(int, sys.argv[2:4])
settings = {"network": False, "installs": False, "user": None, "owners": [owner]}
forbid_calls(settings, int(sys.argv[4]))
tries = {
    "end the owner": lambda: os.kill(owner, 0), "end its group": lambda: os.killpg(owner, 0),
    "end all": lambda: os.kill(-1, 0), "truncate": lambda: os.truncate("victim", 0),
    "truncate by opening": lambda: os.open("victim", os.O_RDONLY | os.O_TRUNC),
    "end itself": lambda: os.kill(os.getpid(), 0), "end another": lambda: os.kill(other, 0),
    "write": lambda: open("mine", "w").close(), "read": lambda: open("victim").read(),
    "start": lambda: subprocess.run(["/bin/true"], check=True),
}
for name, one in tries.items():
    try:
        one()
        print(name)
    except PermissionError:
        pass
"""


@pytest.mark.parametrize("version", [0, 2, 5])
def test_what_an_older_landlock_lacks_a_filter_refuses(tmp_path, version):
    """The filter alone, as on a kernel with that version."""
    (tmp_path / "victim").write_text("whole")
    box = Path(__file__).parent.parent / "src/model/python/box.py"
    with subprocess.Popen(["sleep", "1000"], start_new_session=True) as owner:
        with subprocess.Popen(["sleep", "1000"]) as other:
            arguments = [box, str(owner.pid), str(other.pid), str(version)]
            done = subprocess.run(
                [sys.executable, "-I", "-c", OLDER_KERNEL, *arguments], capture_output=True, text=True, cwd=tmp_path
            )
            other.kill()
        owner.kill()
    assert done.returncode == 0, done.stderr
    allowed = ["end itself", "end another", "write", "read", "start"]
    assert done.stdout.splitlines() == (["truncate", "truncate by opening"] if version == 5 else []) + allowed
    assert (tmp_path / "victim").read_text() == ("" if version == 5 else "whole")


WITHOUT_LANDLOCK = """
import os, sys
exec(open(sys.argv[1]).read())
calls = Filter()
calls.refuse({"landlock_create_ruleset": (444, 444)}, ENOSYS)
calls.close()
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_where_the_kernel_has_no_landlock_it_is_said(lake, rows, tmp_path):
    """A filter answers as such a kernel does. Models run, without that wall; the doctor and the server say so."""
    box = Path(__file__).parent.parent / "src/model/python/box.py"
    program, source = tmp_path / "slipway", tmp_path / "without.py"
    source.write_text(WITHOUT_LANDLOCK)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -I {source} {box} {BINARY} "$@"\n')
    program.chmod(0o755)
    told = subprocess.run([program, "--json", "doctor"], capture_output=True, text=True, check=True)
    checks = {check["name"]: check for check in json.loads(told.stdout)["checks"]}
    assert not checks["landlock"]["holds"] and "lsm=landlock" in checks["landlock"]["advice"]
    assert not checks["signals"]["holds"] and checks["seccomp"]["holds"]
    writable = os.access(Path(np.__file__).parent.parent, os.W_OK)
    assert checks["site_packages"]["holds"] != writable
    server = Server(lake.dir, program=program)
    server.kill()
    log = server.log_file.read_text()
    assert "no_landlock" in log and ("site_packages_writable" in log) == writable
    lake.register_python("m", Model(lambda: None), NUMBER)
    assert subprocess.run([program, "score", "--job", lake.job()], capture_output=True).returncode == 0
    assert len(lake.rows()) == ROWS


def test_a_server_refuses_a_user_that_it_cannot_take(tmp_path):
    for user, says in (("root", "must not be root's"), ("no-such-user", "this machine has no such user")):
        done = run("--data-dir", tmp_path, "serve", f"--set=python.user={user}", "--listen=127.0.0.1:0")
        assert done.returncode == 2 and says in done.stderr
