"""Hooks for schemathesis: bodies mean something, and with SLIPWAY_SCHEMATHESIS=there, they and the paths name what is
there, so that it reaches beyond 404. What a schema cannot say (a schedule that is cron, a filter that is SQL, a name
without control characters) is a 422 before anything is looked up."""

import os

import jsonschema
import schemathesis

MODEL = {"model_name": "m", "model_version": "1", "model_alias": None}
SCHEDULES = [None, "0 6 * * *", "*/5 * * * *", "@daily"]
FILTERS = [None, "id < 7", "f0 > 0.5 OR f1 IS NULL"]


THERE = os.environ.get("SLIPWAY_SCHEMATHESIS") == "there"


def pick(choices, seed):
    return choices[len(str(seed)) % len(choices)]


def valid(operation, body) -> bool:
    document = operation.schema.raw_schema
    schema = document["paths"][operation.path][operation.method]["requestBody"]["content"]["application/json"]["schema"]
    return jsonschema.Draft202012Validator({**schema, "components": document["components"]}).is_valid(body)


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    if THERE and path_parameters and "model" in path_parameters:
        path_parameters["model"] = "m"
    return path_parameters


def a_name(text: str) -> str:
    """A name that can be one, where `text` cannot (base/names.h)."""
    bad = text in ("", ".", "..") or any(c in "/\\" or ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in text)
    return "nowhere" if bad or any(0xD800 <= ord(c) < 0xE000 for c in text) else text


def meaning(body: dict) -> dict:
    """The body with names, catalogs, schedule and filter that can be ones."""
    body = dict(body)
    if "entity_columns" in body:
        body["entity_columns"] = list(dict.fromkeys(name or "id" for name in body["entity_columns"]))
        for place in ("source", "target"):
            names = {key: a_name(body[place][key]) for key in ("schema", "table")}
            body[place] = {**body[place], **names, "catalog": "iceberg"}
        for place in (body, body["source"]):
            for field, choices in (("schedule", SCHEDULES), ("filter_sql", FILTERS)):
                if place.get(field) is not None:
                    place[field] = pick(choices, place[field])
    return body


@schemathesis.hook
def map_body(context, body):
    if not isinstance(body, dict) or not valid(context.operation, body):
        return body  # a case that must be refused stays as it is
    if body.get("runner") is not None:
        body["runner"] = {"kind": "local"}  # the one that the server under test has
    if isinstance(body.get("expires_in_days"), int):
        body["expires_in_days"] = min(body["expires_in_days"], 366)  # a setting says how many days at most
    if isinstance(body.get("slipway"), dict) and body["slipway"].get("logical_date") is not None:
        body["slipway"]["logical_date"] = "2024-01-01T00:00:00Z"
    if not THERE:
        return meaning(body)
    if "entity_columns" in body:
        body |= {
            "model": dict(MODEL),
            "entity_columns": ["id"],
            "schedule": pick(SCHEDULES, body.get("domain")),
            "partition_column": "scored_at",
            "source": {
                "schema": "src",
                "table": "t",
                "catalog": "iceberg",
                "filter_sql": pick(FILTERS, body.get("owner")),
                "snapshot_id": None,
            },
            "target": {"schema": "ml", "table": "p", "catalog": "iceberg"},
        }
    for field, value in (
        ("schedule", pick(SCHEDULES, body)),
        ("filter_sql", pick(FILTERS, body)),
        ("snapshot_id", None),
        ("logical_date", "2024-01-01T00:00:00Z"),
        ("from", "2024-01-01T00:00:00Z"),
        ("to", "2024-01-02T00:00:00Z"),
    ):
        if field in body and "entity_columns" not in body:
            body[field] = value
    if body.get("model_version") is not None:
        body["model_version"] = "1"
    if body.get("model_alias") is not None:
        body["model_alias"] = "champion"
    return body
