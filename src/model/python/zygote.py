"""Imports what all workers need, once, and forks a worker for each who asks: src/model/python/zygote.cc, who starts it.

Behind box.py and worker.py in one program; its arguments are a folder and whether workers have a network. Descriptor 3 is a
socket that listens for this user's processes. Each connection is one worker: a message asks for it ({"folder": ...,
"libraries": [...]}, with the worker's three files and its standard error), the answer is {"pid": n}, or {"stale":
true} or {"unfit": why}, and when the worker has ended {"status": what waitpid says} follows. Whoever closes a
connection, or dies, ends its worker. No model ever runs in this process, and it has no threads: so each worker is
as if newly started.

It ends when the folder's owner, who holds a lock on it, is gone, or when nobody has needed it for a while; but not
before its workers have.
"""

import fcntl
import gc
import importlib
import select
import socket
import tempfile
import traceback

LISTENER, IDLE_SECONDS, WATCH_MILLISECONDS = 3, 600, 500
LONGEST_REQUEST = 1 << 16
# What models of these libraries import when they are loaded; others are not imported here on anyone's word.
LIBRARIES = {
    "sklearn": ["sklearn.ensemble", "sklearn.linear_model", "sklearn.pipeline", "sklearn.compose",
                "sklearn.preprocessing", "sklearn.impute", "mlflow.sklearn"],
    "skops": ["skops.io"],
    "lightgbm": ["lightgbm", "mlflow.lightgbm"],
    "xgboost": ["xgboost", "mlflow.xgboost"],
    "catboost": ["catboost", "mlflow.catboost"],
}


class Unfit(Exception):
    """This process cannot fork workers: they have to be started."""


def environment_stamp() -> list:
    """Differs when the interpreter, or what is installed in its folders, has changed; not when bytecode is written."""
    stamp: list = []
    for place in [sys.executable, os.path.join(sys.prefix, "pyvenv.cfg"), *sys.path]:
        try:
            about = os.stat(place)
            stamp.append((place, about.st_dev, about.st_ino))
            if not os.path.isdir(place):
                stamp.append(about.st_mtime_ns)
                continue
            entries = [entry for entry in os.scandir(place) if entry.name != "__pycache__"]
            for entry in sorted(entries, key=lambda one: one.name):
                # A package's own folder changes with its bytecode, that of its metadata does not.
                changes = entry.name.endswith((".dist-info", ".egg-info", ".egg-link", ".pth", ".py", ".so"))
                stamp.append((entry.name, entry.inode(), changes and entry.stat().st_mtime_ns))
        except OSError:
            stamp.append((place, "is not there"))
    return stamp


def import_all(names: list) -> None:
    """Those that can be imported; a worker will tell what it lacks."""
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:
            pass
    if len(os.listdir("/proc/self/task")) > 1:
        raise Unfit("a library started a thread when it was imported")


def look_up_packages() -> None:
    """mlflow compares what a model requires with what is installed, and looks through all packages for it, once."""
    try:
        from mlflow.utils import requirements_utils

        requirements_utils._init_packages_to_modules_map()
    except Exception:
        pass  # another version of mlflow: each worker looks by itself


class Zygote:
    def __init__(self, folder: str):
        self.folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self.listener = socket.socket(fileno=LISTENER)
        self.workers: dict[int, socket.socket] = {}  # process id → its connection
        self.ended: set[int] = set()  # connections whose worker has been told to end
        self.stamp = environment_stamp()
        self.libraries: set[str] = set()
        self.unfit = ""
        self.used = time.monotonic()
        self.wake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def prepare(self) -> None:
        """The imports, while whoever asks first waits."""
        try:
            import mlflow.pyfunc  # noqa: F401
            import numpy  # noqa: F401
            import pandas  # noqa: F401
            import pyarrow  # noqa: F401

            import_all([])
            look_up_packages()
        except BaseException as error:
            self.unfit = f"{type(error).__name__}: {error}"
        gc.collect()
        gc.freeze()  # what is here is not written to again: children share its memory

    def run(self) -> None:
        while self.listener is not None or self.workers:
            poll = select.poll()
            poll.register(self.wake, select.POLLIN)
            if self.listener is not None:
                poll.register(self.listener, select.POLLIN)
            connections = {one.fileno(): (pid, one) for pid, one in self.workers.items() if pid not in self.ended}
            for number in connections:
                poll.register(number, select.POLLIN)
            for number, _ in poll.poll(WATCH_MILLISECONDS):
                if number == self.wake:
                    os.read(self.wake, 4096)
                elif number in connections:
                    self.end(connections[number][0])  # nothing is said there: it was closed
                else:
                    self.accept()
            self.reap()
            if self.workers:
                self.used = time.monotonic()
            if self.listener is not None and (self.is_orphan() or time.monotonic() - self.used > IDLE_SECONDS):
                self.stop()

    def is_orphan(self) -> bool:
        """Whether nobody holds the folder's lock any more."""
        try:
            fcntl.flock(self.folder, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        fcntl.flock(self.folder, fcntl.LOCK_UN)
        return True

    def stop(self) -> None:
        """No more workers; those that are there go on."""
        self.listener.close()
        self.listener = None

    def accept(self) -> None:
        connection, _ = self.listener.accept()
        connection.settimeout(1)  # whoever connects asks at once
        try:
            _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            if user != os.getuid():
                raise Unfit("another user's process asks")
            message, files, _, _ = socket.recv_fds(connection, LONGEST_REQUEST, 4)
            try:
                self.fork(connection, json.loads(message), files)
            finally:
                for file in files:
                    os.close(file)
        except Exception as error:
            self.tell(connection, {"unfit": f"{type(error).__name__}: {error}"})
            connection.close()

    def fork(self, connection: socket.socket, request: dict, files: list) -> None:
        if self.stamp != environment_stamp():
            self.stop()
            self.tell(connection, {"stale": True})
            connection.close()
            return
        if self.unfit:
            raise Unfit(self.unfit)
        if len(files) != 4:
            raise Unfit("a request without its files")
        self.learn(request["libraries"])
        zygote, pid = os.getpid(), os.fork()
        if pid == 0:
            status = 1
            try:
                self.become_worker(zygote, request["folder"], files)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        self.workers[pid] = connection
        self.tell(connection, {"pid": pid})

    def learn(self, libraries: list) -> None:
        for library in set(libraries) - self.libraries:
            self.libraries.add(library)
            try:
                import_all(LIBRARIES.get(library, []))
            except Unfit as error:
                self.unfit = str(error)
                raise
            gc.collect()
            gc.freeze()

    def become_worker(self, zygote: int, folder: str, files: list) -> None:
        """In the new process: it keeps nothing of the zygote's but what has been imported."""
        os.setsid()
        LIBC.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
        LIBC.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
        if os.getppid() != zygote:
            return  # it died before it could take this one along
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        moved = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, 64) for file in files]
        self.listener.detach()
        for connection in self.workers.values():
            connection.detach()
        for number, file in zip((SOCKET, ROWS, PREDICTIONS, 2), moved, strict=True):
            os.dup2(file, number, inheritable=number == 2)
        for number in [int(name) for name in os.listdir("/proc/self/fd")]:
            if number > PREDICTIONS:
                try:
                    os.close(number)
                except OSError:
                    pass  # that of the listing
        os.chdir(folder)
        os.environ["HOME"] = os.environ["TMPDIR"] = folder
        tempfile.tempdir = None
        sys.modules["numpy"].random.seed()  # random does so by itself
        sys.argv = sys.argv[:1]
        work()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()

    def end(self, pid: int) -> None:
        self.ended.add(pid)
        for kill in (os.killpg, os.kill):
            try:
                kill(pid, SIGKILL)
            except ProcessLookupError:
                pass

    def reap(self) -> None:
        """Tells of workers that have ended. What they have started has come to this process, and ends with them."""
        try:
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if ended.si_pid in self.workers:
                    self.end(ended.si_pid)  # its process group; it is there until it is waited for
                    end_all_but(self.workers)
                _, status = os.waitpid(ended.si_pid, 0)
                connection = self.workers.pop(ended.si_pid, None)
                if connection is not None:
                    self.ended.discard(ended.si_pid)
                    self.tell(connection, {"status": status})
                    connection.close()
        except ChildProcessError:
            return
        end_all_but(self.workers)

    def tell(self, connection: socket.socket, message: dict) -> None:
        try:
            connection.send(json.dumps(message).encode())
        except OSError:
            pass  # who asked is gone, and its worker goes too


def main_of_zygote() -> None:
    if os.fork() != 0:  # whoever started it waits for this one only
        os._exit(0)
    folder, network = sys.argv[1:]
    stand_guard()
    LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if network != "network":
        forbid_network()
    zygote = Zygote(folder)
    zygote.prepare()
    zygote.run()
