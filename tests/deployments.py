"""Deployments for the tests of the API: one body, and the model and table that it asks for."""

import time

import pytest
from conftest import HANG_SECONDS, signature_of
from models import numbers, train, with_ids

ALL = "/api/models/m/deployments"
ONE = f"{ALL}/d"


# Rules by which whoever is signed in may touch everything: for tests that are about something else.
OPEN_RULES = [{"roles": ["*"], "tables": ["*.**"], "models": ["*"], "allow": ["read", "write"]}]


def body(**changes):
    """`source__table="t2"` changes a field of a field."""
    made = {
        "name": "d",
        "model": {"model_name": "m", "model_version": "1"},
        "source": {"schema": "src", "table": "t"},
        "target": {"schema": "ml", "table": "p"},
        "entity_columns": ["id"],
        "domain": "x",
        "owner": "y",
    }
    for path, value in changes.items():
        *parents, last = path.split("__")
        at = made
        for parent in parents:
            at = at[parent]
        at[last] = value
    return made


def fill(lake, rows: int = 300):
    frame = numbers(rows)
    lake.table("src.t", with_ids(frame))
    lake.register("m", train(frame), signature=signature_of(f0="double", f1="double", f2="double", f3="double"))
    lake.cli("models", "alias", "m", "champion", "1")
    return lake


def until(ask, what, seconds=HANG_SECONDS):
    """Asks until the answer satisfies; the deadline only ends a test that hangs."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = ask()
        if what(answer):
            return answer
        time.sleep(0.02)
    raise AssertionError(f"not reached: {answer}")


def finished(server, run_id, one: str = ONE, seconds=HANG_SECONDS):
    return until(
        lambda: server.call("GET", f"{one}/runs/{run_id}")[1],
        lambda run: run["status"] in ("succeeded", "failed"),
        seconds,
    )


@pytest.fixture
def ready(lake):
    return fill(lake)
