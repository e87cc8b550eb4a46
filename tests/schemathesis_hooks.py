"""Hooks for schemathesis: bodies and paths that name what is there, so that it reaches beyond 404."""

import jsonschema
import schemathesis

MODEL = {"model_name": "m", "model_version": "1", "model_alias": None}
SCHEDULES = [None, "0 6 * * *", "*/5 * * * *", "@daily"]
FILTERS = [None, "id < 7", "f0 > 0.5 OR f1 IS NULL"]


def pick(choices, seed):
    return choices[len(str(seed)) % len(choices)]


def valid(operation, body) -> bool:
    document = operation.schema.raw_schema
    schema = document["paths"][operation.path][operation.method]["requestBody"]["content"]["application/json"]["schema"]
    return jsonschema.Draft202012Validator({**schema, "components": document["components"]}).is_valid(body)


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    if path_parameters and "model" in path_parameters:
        path_parameters["model"] = "m"
    return path_parameters


@schemathesis.hook
def map_body(context, body):
    if not isinstance(body, dict) or not valid(context.operation, body):
        return body  # a case that must be refused stays as it is
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
