"""All that a platform team runs beside Slipway, on this machine: PostgreSQL, S3, an Iceberg REST catalog, Keycloak,
MLflow, Airflow."""

import json
from pathlib import Path

from .airflow import MIGRATED, Airflow
from .airflow import PASSWORD as AIRFLOW_PASSWORD
from .airflow import USER as AIRFLOW_USER
from .iceberg_rest import RestCatalog
from .keycloak import SERVICE_CLIENT, SERVICE_SECRET, Keycloak
from .mlflow_server import MLflow
from .postgresql import PostgreSQL
from .process import free_port
from .s3 import S3

NAMES = ("postgresql", "s3", "catalog", "keycloak", "mlflow", "airflow", "slipway")
WAREHOUSE, DAGS, MODELS = "warehouse", "dags", "models"


class Stack:
    """Starts what `folder` does not have running yet; what it holds from before, ports too, is used again. `say` is
    told of each server. `worker`: more of the environment of Airflow's workers. `postgresql` and `keycloak` may be
    others'."""

    def __init__(
        self,
        folder: Path,
        say=lambda _: None,
        worker: dict | None = None,
        postgresql: PostgreSQL | None = None,
        keycloak: Keycloak | None = None,
    ):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        remembered = self.folder / "ports.json"
        ports = json.loads(remembered.read_text()) if remembered.exists() else {name: free_port() for name in NAMES}
        remembered.write_text(json.dumps(ports))
        self.ports = ports
        self.services = {}

        def started(name: str, service):
            self.services[name] = service
            say(name)
            return service

        try:
            self.postgresql = postgresql or started("postgresql", PostgreSQL(self.folder, port=ports["postgresql"]))
            self.s3 = started("s3", S3(self.folder, port=ports["s3"]))
            self.warehouse, self.dags, models = (self.s3.bucket(name) for name in (WAREHOUSE, DAGS, MODELS))
            self.catalog = started(
                "catalog", RestCatalog(self.folder, f"{self.warehouse}/lake", self.s3, port=ports["catalog"])
            )
            self.mlflow = started(
                "mlflow", MLflow(self.folder, models, environment=self.s3.environment(), port=ports["mlflow"])
            )
            self.keycloak = keycloak or started("keycloak", Keycloak(self.folder, port=ports["keycloak"]))
            self.airflow = started(
                "airflow",
                Airflow(
                    self.folder,
                    f"{self.dags}/airflow",
                    self.s3,
                    self.postgresql.new_database("airflow", like=MIGRATED),
                    {
                        "SLIPWAY_MODEL_CACHE": str(self.folder / "worker-models"),
                        **(worker or {}),
                    },
                    port=ports["airflow"],
                ),
            )
            self.database = self.postgresql.new_database("slipway")
        except BaseException:
            self.stop()
            raise

    def settings(self, public_url: str) -> dict:
        """Slipway's, for all of them."""
        return {
            "server.public_url": public_url,
            "store.location": self.database,
            "catalogs.lake.kind": "rest",
            "catalogs.lake.uri": self.catalog.url,
            "registry.location": f"mlflow+{self.mlflow.url}",
            "auth.issuer": self.keycloak.issuer,
            "auth.service_client": SERVICE_CLIENT,
            "auth.service_secret": SERVICE_SECRET,
            "access.rules": json.dumps(
                [{"roles": ["*"], "tables": ["*.**"], "models": ["*"], "allow": ["read", "write"]}]
            ),
            "dispatch.kind": "airflow",
            "airflow.url": self.airflow.url,
            "airflow.username": AIRFLOW_USER,
            "airflow.password": AIRFLOW_PASSWORD,
            "airflow.dags": f"{self.dags}/airflow",
            "airflow.retry_seconds": 1,
            "airflow.poll_seconds": 1,
            "airflow.check_seconds": 5,
        }

    def environment(self) -> dict:
        return self.s3.environment()

    def running(self) -> bool:
        return all(service.running() for service in self.services.values())

    def stop(self) -> None:
        for name in reversed(list(self.services)):
            self.services.pop(name).stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
