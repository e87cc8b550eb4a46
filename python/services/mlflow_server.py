"""MLflow's tracking server and model registry, with artifacts by its own proxy, from a shared folder, or in S3."""

import sys
from pathlib import Path

from .process import Process, Service, free_port


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
        self.environment = {
            "MLFLOW_TRACKING_URI": "",
            "MLFLOW_ENABLE_TELEMETRY": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            **(environment or {}),
        }
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
