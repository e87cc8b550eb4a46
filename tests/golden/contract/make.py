"""What FastAPI and Pydantic say of request bodies: the errors of a 422, or the body with its defaults."""

import copy
import json
import random
import sys
from pathlib import Path
from typing import Annotated, Literal

from cases import write_cases
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from reference_api import app  # noqa: E402

VALID = {
    "name": "n",
    "model": {"model_name": "m", "model_version": "3"},
    "source": {"schema": "s", "table": "t", "filter_sql": "a", "snapshot_id": 1},
    "target": {"schema": "s", "table": "t"},
    "entity_columns": ["id"],
    "domain": "d",
    "owner": "o",
    "type": "batch",
    "schedule": "x",
    "rerun_behavior": "append_dedup",
    "partition_column": "p",
    "trigger_now": False,
    "allowed_roles": ["r"],
}
VALUES = [
    None,
    0,
    1,
    -7,
    3.5,
    2.0,
    1e300,
    -0.0,
    True,
    False,
    "",
    " ",
    "x",
    "é😀",
    "true",
    "YES",
    "off",
    "12",
    " 12 ",
    "12.0",
    "12.5",
    "+3",
    "1_000",
    "1__0",
    "_1",
    "-5",
    "9" * 30,
    2**63 - 1,
    -(2**63),
    [],
    ["a"],
    [1],
    [None, "b", {}],
    {},
    {"a": 1},
    "a" * 63,
    "a" * 64,
    "a-",
    "-a",
    "a--b",
    "A",
    "a\n",
    "\t7",
    "1e3",
    "0x1",
    "t",
    "N",
    "yes ",
    "+-3",
    "--1",
    "1_",
    "007",
    ".0",
    "5.",
    "batch",
    "append_dedup",
    "Batch",
    "y",
    "n",
    "F",
    "On",
    "no",
    "False",
    "0",
    "1",
]
RAW = [
    " ",
    "null",
    "[]",
    '"x"',
    "true",
    "{",
    "{}",
    "{} {}",
    "{'name':1}",
    "nul",
    '{"a":}',
    '{"a" 1}',
    '{"a":1,}',
    '{"a":1 "b":2}',
    "[1,]",
    "[1 2]",
    '"abc',
    '{"a":"\\x"}',
    '{"a":"\\u12"}',
    '{"a":"\n"}',
    "01",
    "-",
    "1.",
    ".5",
    "1e",
    "+1",
    "tru",
    '{"é": nope}',
    '{"name": "a", "name": 5}',
    "{1: 2}",
    "[",
    '{"a"',
    "[1",
    "﻿{}",
    '{"é😀": "x',
    '["\\ud83d\\ude00", ]',
    "-0",
    "1E5",
    "[[[[",
    '{"a":{"b":[}}}',
    "\t{}\n",
    "falsey",
    '{"a":1}}',
    "{,}",
    '"\\',
    '"\\u',
    "[}",
    "{]",
]


class AllowedRoles(BaseModel):
    allowed_roles: list[str]


class Trigger(BaseModel):
    logical_date: str | None = None


class Backfill(BaseModel):
    from_: Annotated[str, Field(alias="from")]
    to: str


class NewUserKey(BaseModel):
    description: Annotated[str, Field(max_length=500)]


class RunDetails(BaseModel):
    run_id: str | None = None
    logical_date: str | None = None
    model_version: str | None = None
    snapshot_id: int | None = None
    attempt: Annotated[int, Field(ge=1)] | None = None


class RunReport(BaseModel):
    airflow_run_id: Annotated[str, Field(max_length=250)]
    status: Literal["queued", "running", "succeeded", "failed"]
    rows_scored: Annotated[int, Field(ge=0)] | None = None
    error_message: str | None = None
    slipway: RunDetails | None = None


OTHERS = {
    "AllowedRoles": (AllowedRoles, {"allowed_roles": ["a", "b"]}),
    "Trigger": (Trigger, {"logical_date": "2024-01-01T00:00:00Z"}),
    "Backfill": (Backfill, {"from": "a", "to": "b"}),
    "NewUserKey": (NewUserKey, {"description": "é" * 500}),
    "RunReport": (
        RunReport,
        {
            "airflow_run_id": "r",
            "status": "running",
            "rows_scored": 3,
            "error_message": "e",
            "slipway": {"run_id": "i", "logical_date": "d", "model_version": "1", "snapshot_id": 5, "attempt": 2},
        },
    ),
}


def handler(model):
    def take(body: model):
        return body.model_dump(by_alias=True)

    return take


for name, (model, _) in OTHERS.items():
    app.post(f"/{name}")(handler(model))
client = TestClient(app, raise_server_exceptions=False)


def paths(body, prefix=()):
    for key, value in body.items():
        yield (*prefix, key)
        if isinstance(value, dict):
            yield from paths(value, (*prefix, key))


# Fields with rules of their own, beside their type in the valid body.
KIND = {
    name: name
    for name in (
        "name",
        "type",
        "rerun_behavior",
        "model",
        "status",
        "rows_scored",
        "attempt",
        "description",
        "snapshot_id",
    )
}


def at(body, place):
    for key in place:
        body = body[key]
    return body


def changed(body, changes) -> str:
    body = copy.deepcopy(body)
    for place, value in changes:
        at = body
        for key in place[:-1]:
            at = at.get(key) if isinstance(at, dict) else None
        if not isinstance(at, dict):
            continue
        if value is ...:
            at.pop(place[-1], None)
        else:
            at[place[-1]] = value
    return json.dumps(body, separators=(",", ":"))


def bodies(valid: dict, count: int, seed: int, values=tuple(VALUES)):
    rng = random.Random(seed)
    places = list(paths(valid))
    yield changed(valid, [])
    seen = set()
    for place in places:
        yield changed(valid, [(place, ...)])
        kind = KIND.get(place[-1], type(at(valid, place)))
        # Each kind of field takes every value once; further ones of a kind take a few.
        for value in values if kind not in seen else VALUES[::20]:
            yield changed(valid, [(place, value)])
        seen.add(kind)
    for _ in range(count):
        yield changed(valid, [(rng.choice(places), rng.choice([..., *VALUES])) for _ in range(rng.randint(2, 4))])


def answer(url: str, body: str) -> dict | None:
    response = client.post(url, content=body.encode(), headers={"Content-Type": "application/json"})
    if response.status_code == 422:
        return {"body": body, "detail": response.json()["detail"]}
    # The reference cannot write NaN into its own answer; that is a test of the whole program.
    return {"body": body, "accepted": response.json()} if response.status_code == 200 else None


def within_64_bits(body: str) -> bool:
    """Python's integers have no end; Slipway's have 64 bits, and it says so in words of its own."""
    return "9" * 30 not in body


def write(path: Path, url: str, all_bodies) -> None:
    cases = {}
    for body in all_bodies:
        if within_64_bits(body) and body not in cases:
            cases[body] = answer(url, body)
    write_cases(path, [case for case in cases.values() if case])


def make(out: Path) -> None:
    # Bodies that were collected by hand; the file holds them, and what FastAPI says of them.
    # No body at all never reaches the contract.
    collected = json.loads((Path(__file__).parent / "collected.json").read_text())
    write_cases(
        out / "collected.json",
        [
            {"label": case["label"], **answer("/api/models/m/deployments", case["body"])}
            for case in collected
            if case["body"]
        ],
    )
    write(out / "create.json", "/api/models/m/deployments", [*RAW, *bodies(VALID, 20, 20)])
    for name, (_, valid) in OTHERS.items():
        write(out / f"{name}.json", f"/{name}", bodies(valid, 30, 21, VALUES[::3]))
