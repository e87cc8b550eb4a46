"""PostgreSQL, as Debian packages it."""

import os
import pwd
import shutil
import signal
import subprocess
import uuid
from pathlib import Path

from .process import PREPARED, Process, Service, free_port

BIN = Path("/usr/lib/postgresql/15/bin")


class PostgreSQL(Service):
    """A cluster of its own, without passwords, for the user `postgres`; a copy of the `prepared` one, if any.
    PostgreSQL refuses to run as root."""

    def __init__(self, folder: Path, port: int | None = None, prepared: Path | None = PREPARED / "postgresql"):
        self.folder, self.port = Path(folder) / "postgresql", port or free_port()
        owner = pwd.getpwnam("postgres")
        self.user = owner.pw_uid if _is_root() else None
        if not (self.folder / "data" / "PG_VERSION").exists():
            self.folder.mkdir(parents=True)
            if _is_root():
                _let_through(self.folder)
                shutil.chown(self.folder, "postgres", "postgres")
            if prepared:
                subprocess.run(["cp", "-a", prepared / "data", self.folder / "data"], check=True)
            else:
                options = ["-U", "postgres", "--auth=trust", "--no-sync", "--locale=C.UTF-8"]
                command = [BIN / "initdb", "-D", self.folder / "data", *options]
                subprocess.run(command, check=True, capture_output=True, user=self.user)
        self.start()

    def start(self) -> None:
        log = self.folder.parent
        self.process = Process(
            "postgresql",
            log,
            [
                BIN / "postgres",
                "-D",
                self.folder / "data",
                "-p",
                self.port,
                "-h",
                "127.0.0.1",
                "-k",
                self.folder,
                "-c",
                "max_connections=200",
            ],
            user=self.user,
            ends_by=signal.SIGINT,  # a fast shutdown
        )
        self.process.until(
            lambda: subprocess.run([BIN / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode == 0
        )

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def sql(self, statement: str, database: str = "postgres") -> str:
        done = subprocess.run(
            [BIN / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", self.url(database), "-c", statement],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def new_database(self, name: str | None = None, like: str = "template1") -> str:
        """The URL of a database like another one, by default empty; one with a name may be there already."""
        if name and self.sql(f"SELECT 1 FROM pg_database WHERE datname = '{name}'"):
            return self.url(name)
        name = name or f"d{uuid.uuid4().hex[:12]}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {like}")
        return self.url(name)


def _is_root() -> bool:
    return os.geteuid() == 0


def _let_through(folder: Path) -> None:
    """Temporary folders are their owner's alone: the way to this one is opened to pass through, not to read."""
    for parent in folder.parents:
        if parent == Path("/"):
            break
        mode = parent.stat().st_mode
        if not mode & 0o001:
            parent.chmod(mode | 0o011)
