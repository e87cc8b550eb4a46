"""An S3 server: versitygw over a folder."""

from contextlib import suppress
from functools import cached_property
from pathlib import Path

import boto3

from .process import DEPS, Process, Service, free_port

ACCESS, SECRET = "access-for-tests", "secret-for-tests"


class S3(Service):
    def __init__(self, folder: Path, port: int | None = None):
        self.folder, self.port = Path(folder) / "s3", port or free_port()
        (self.folder / "buckets").mkdir(parents=True, exist_ok=True)
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    @cached_property
    def client(self):
        return boto3.client(
            "s3", endpoint_url=self.url, aws_access_key_id=ACCESS, aws_secret_access_key=SECRET, region_name="us-east-1"
        )

    def __getstate__(self) -> dict:
        return {name: value for name, value in self.__dict__.items() if name != "client"}

    def start(self) -> None:
        self.process = Process(
            "versitygw",
            self.folder,
            [DEPS / "bin/versitygw", "--port", f"127.0.0.1:{self.port}", "posix", self.folder / "buckets"],
            {"ROOT_ACCESS_KEY_ID": ACCESS, "ROOT_SECRET_ACCESS_KEY": SECRET},
        )
        self.process.until_answers(self.url)

    def bucket(self, name: str) -> str:
        with suppress(self.client.exceptions.BucketAlreadyOwnedByYou, self.client.exceptions.BucketAlreadyExists):
            self.client.create_bucket(Bucket=name)
        return f"s3://{name}"

    def environment(self) -> dict:
        """What MLflow and Slipway read to reach it."""
        return {
            "AWS_ACCESS_KEY_ID": ACCESS,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "MLFLOW_S3_ENDPOINT_URL": self.url,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": "us-east-1",
        }
