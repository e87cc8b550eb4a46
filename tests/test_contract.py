"""The server's 422s are FastAPI's, error by error, for generated and hand-written bodies."""

import copy
import json
import random

import pytest
from fastapi.testclient import TestClient
from reference_api import app

AREAS = ["contract"]
EXAMPLE = "test_content_types"

reference = TestClient(app, raise_server_exceptions=False)
VALID = {
    "name": "churn-daily",
    "model": {"model_name": "churn", "model_version": "3"},
    "source": {"schema": "crm", "table": "customers", "catalog": "iceberg", "filter_sql": "a = 1", "snapshot_id": 123},
    "target": {"schema": "ml", "table": "churn_scores", "catalog": "iceberg"},
    "entity_columns": ["customer_id"],
    "domain": "growth",
    "owner": "o",
    "type": "batch",
    "schedule": "0 6 * * *",
    "rerun_behavior": "append_dedup",
    "partition_column": "scored_at",
    "trigger_now": False,
    "allowed_roles": ["data-science"],
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
    "a" * 64,
    "a-",
    "-a",
    "a--b",
    "A",
    "a\n",
]
RAW = [
    "",
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
    "NaN",
    "[Infinity, -Infinity]",
    "tru",
    '{"é": nope}',
    '{"name": "a", "name": 5}',
    "{1: 2}",
    "[",
    '{"a"',
    "[1",
    "\ufeff{}",
]


def paths(body, prefix=()):
    for key, value in body.items():
        yield (*prefix, key)
        if isinstance(value, dict):
            yield from paths(value, (*prefix, key))


def bodies(count: int):
    rng = random.Random(20)
    places = list(paths(VALID))
    for place in places:
        for value in VALUES:
            yield changed(VALID, [(place, value)])
        yield changed(VALID, [(place, ...)])
    for _ in range(count):
        yield changed(VALID, [(rng.choice(places), rng.choice([..., *VALUES])) for _ in range(rng.randint(2, 4))])


def changed(body, changes):
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
    return json.dumps(body)


def key(error):
    fields = ("type", "loc") if error["type"] == "value_error" else ("type", "loc", "msg", "input", "ctx")
    return json.dumps({f: error.get(f) for f in fields}, sort_keys=True)


def differences(server, raw: str, headers=None):
    want = reference.post(
        "/api/models/churn/deployments",
        content=raw.encode(),
        headers={"Content-Type": "application/json", **(headers or {})},
    )
    status, got, _ = server.call(
        "POST", "/api/models/churn/deployments?validate_only=true", raw=raw.encode(), headers=headers
    )
    if want.status_code == 422:
        if status != 422 or sorted(map(key, want.json()["detail"])) != sorted(map(key, got["detail"])):
            return f"{raw[:300]}\n  want {want.json()['detail']}\n  got  {status} {got['detail']}"
    elif want.status_code == 500:  # the reference cannot write NaN into its own answer
        return None if status == 422 else f"{raw!r}: want 422, got {status}"
    elif want.status_code == 400:
        return None if status == 400 else f"{raw!r}: want 400, got {status}"
    elif status == 422 and any(e["type"] != "value_error" for e in got["detail"]):
        return f"{raw[:300]}: well formed, got {got}"
    elif status not in (200, 404, 409, 422):
        return f"{raw[:300]}: got {status}"
    return None


def test_generated_bodies(server):
    found = [d for raw in bodies(400) if (d := differences(server, raw))]
    assert not found, f"{len(found)} differ:\n" + "\n".join(found[:8])


@pytest.mark.parametrize("raw", RAW)
def test_bodies_that_are_no_object(server, raw):
    found = differences(server, raw)
    assert not found, found


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/vnd.api+json", "application/json; charset=utf-8", "application/x-www-form-urlencoded"],
)
def test_content_types(server, content_type):
    found = differences(server, json.dumps(VALID), {"Content-Type": content_type})
    assert not found, found


def test_hostile_bodies_are_answered(server):
    for raw in [
        b"\xff\xfe",
        b'{"name": "\xc3\x28"}',
        b"[" * 100_000,
        b'{"a":' * 5000,
        b"1" * 5000,
        b'{"name": "a\\u0000b"}',
        b'{"name": "\\ud800"}',
        b"\0",
    ]:
        status, _, _ = server.call("POST", "/api/models/churn/deployments", raw=raw)
        assert 400 <= status < 500, raw[:40]
    status, _, _ = server.call("POST", "/api/models/churn/deployments", raw=b'"' + b"a" * (1 << 20) + b'"')
    assert status == 413
    assert server.call("GET", "/healthz")[0] == 200
