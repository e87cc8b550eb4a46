"""The contract's body as a FastAPI application: the oracle for what a 422 says."""

from typing import Annotated, Literal

from fastapi import FastAPI
from pydantic import BaseModel, Field, model_validator


class ModelReference(BaseModel):
    model_name: str
    model_version: str | None = None
    model_alias: str | None = None

    @model_validator(mode="after")
    def one_of_both(self):
        if (self.model_version is None) == (self.model_alias is None):
            raise ValueError("exactly one of model_version / model_alias must be set")
        return self


class Source(BaseModel):
    schema_: Annotated[str, Field(alias="schema")]
    table: str
    catalog: str = "iceberg"
    filter_sql: str | None = None
    snapshot_id: int | None = None


class Target(BaseModel):
    schema_: Annotated[str, Field(alias="schema")]
    table: str
    catalog: str = "iceberg"


class CreateDeployment(BaseModel):
    name: Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    model: ModelReference
    source: Source
    target: Target
    entity_columns: Annotated[list[str], Field(min_length=1)]
    domain: str
    owner: str
    type: Literal["batch"] = "batch"
    schedule: str | None = None
    rerun_behavior: Literal["overwrite_partition", "append_dedup"] = "overwrite_partition"
    partition_column: str = "scored_at"
    trigger_now: bool = False
    allowed_roles: list[str] | None = None


app = FastAPI()


@app.post("/api/models/{model}/deployments")
def create(model: str, body: CreateDeployment):
    return body.model_dump(by_alias=True)
