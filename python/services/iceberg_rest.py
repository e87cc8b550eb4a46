"""The Iceberg project's own REST catalog server, over a SQLite file, with tables in a folder or in S3."""

import uuid
from pathlib import Path
from typing import NamedTuple

from .keycloak import java_home
from .process import DEPS, Process, Service, free_port


class Catalog(NamedTuple):
    url: str
    location: str  # its tables lie below


class RestCatalog(Service):
    """`warehouse`: a folder or s3:// location; `environment`: what AWS's client needs; with `vends` it hands its S3
    access to clients."""

    def __init__(self, folder: Path, warehouse: str, s3=None, vends: bool = False, port: int | None = None):
        self.folder, self.port = Path(folder) / "rest-catalog", port or free_port()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.url, self.warehouse = f"http://127.0.0.1:{self.port}", warehouse
        self.environment = {
            "REST_PORT": str(self.port),
            "CATALOG_WAREHOUSE": warehouse,
            "CATALOG_URI": f"jdbc:sqlite:{self.folder}/catalog.db",
            "CATALOG_CATALOG__IMPL": "org.apache.iceberg.jdbc.JdbcCatalog",
            "CATALOG_JDBC_SCHEMA__VERSION": "V1",
        }
        if s3 is not None:
            access = s3.environment()
            self.environment |= {
                "CATALOG_IO__IMPL": "org.apache.iceberg.aws.s3.S3FileIO",
                "CATALOG_S3_ENDPOINT": s3.url,
                "CATALOG_S3_PATH__STYLE__ACCESS": "true",
                "AWS_REGION": "us-east-1",
                "CATALOG_S3_ACCESS__KEY__ID": access["AWS_ACCESS_KEY_ID"],
                "CATALOG_S3_SECRET__ACCESS__KEY": access["AWS_SECRET_ACCESS_KEY"],
            }
        if vends:
            self.environment["CATALOG_INCLUDE__CREDENTIALS"] = "true"
        self.start()

    def start(self) -> None:
        home = DEPS / "rest-catalog"
        self.process = Process(
            "rest-catalog",
            self.folder,
            [
                f"{java_home()}/bin/java",
                "-Xmx512m",
                "-XX:TieredStopAtLevel=1",  # it starts in half the time
                "-cp",
                f"{home}/classes:{home}/lib/*",
                "org.apache.iceberg.rest.LoopbackRestCatalog",
            ],
            self.environment,
        )
        self.process.until_answers(self.url + "/v1/config")

    def new_catalog(self) -> Catalog:
        """An empty catalog of this server, beside the one at `url`."""
        name = f"c{uuid.uuid4().hex[:12]}"
        return Catalog(f"{self.url}/{name}", f"{self.warehouse}/{name}")
