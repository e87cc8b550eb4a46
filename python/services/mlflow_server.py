"""MLflow's tracking server and model registry, with artifacts by its own proxy, from a shared folder, or in S3."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from .process import PREPARED, Process, Service, free_port

ENVIRONMENT = {
    "MLFLOW_TRACKING_URI": "",
    "MLFLOW_ENABLE_TELEMETRY": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


def prepare(folder: Path) -> None:
    """An empty database of a server, which would take seconds to make it at each first start."""
    folder.mkdir(parents=True)
    script = (
        "import sys; from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore; "
        "SqlAlchemyStore(sys.argv[1], sys.argv[2])"
    )
    place = f"sqlite:///{folder}/mlflow.db"
    done = subprocess.run(
        [sys.executable, "-c", script, place, "mlflow-artifacts:/"],
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"MLflow's database could not be prepared: {done.stderr[-2000:]}")


class MLflow(Service):
    """`artifacts`: a folder or s3:// address; with `proxied` clients go through the server, else they go there
    themselves."""

    def __init__(
        self,
        folder: Path,
        artifacts: str | None = None,
        proxied: bool = True,
        environment: dict | None = None,
        basic_auth: bool = False,
        port: int | None = None,
    ):
        self.folder, self.port = Path(folder) / "mlflow", port or free_port()
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "mlflow.db").exists() and proxied:
            shutil.copy(PREPARED / "mlflow/mlflow.db", self.folder)
        self.url = f"http://127.0.0.1:{self.port}"
        artifacts = artifacts or str(self.folder / "artifacts")
        places = (
            ["--artifacts-destination", artifacts]
            if proxied
            else ["--no-serve-artifacts", "--default-artifact-root", artifacts]
        )
        self.arguments = [
            sys.executable,
            "-m",
            "mlflow",
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            self.port,
            "--workers",
            "1",
            "--backend-store-uri",
            f"sqlite:///{self.folder}/mlflow.db",
            *places,
        ]
        self.environment = {**ENVIRONMENT, **(environment or {})}
        if basic_auth:
            config = self.folder / "basic_auth.ini"
            config.write_text(
                f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{self.folder}/auth.db\n"
                "admin_username = keeper\nadmin_password = correct-horse-battery\n"
                "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
            )
            self.arguments += ["--app-name", "basic-auth"]
            self.environment |= {"MLFLOW_AUTH_CONFIG_PATH": str(config), "MLFLOW_FLASK_SERVER_SECRET_KEY": "for-tests"}
        self.start()

    def start(self) -> None:
        self.process = Process("mlflow", self.folder, self.arguments, self.environment)
        self.process.until_answers(self.url + "/health")
