"""What is away for a while fails no run of the local dispatcher, and what a retry cannot cure fails at once."""

import json

import pytest
from conftest import Server
from deployments import ALL, ONE, body, finished, ready, until  # noqa: F401 (a fixture)
from fake_catalog import SERVER, FakeCatalog

AREAS = ["dispatch", "deployments", "scoring"]
EXAMPLE = "test_what_comes_back_ends_the_run_well"

SOURCE = ("src", "t")


@pytest.fixture
def catalog(ready):
    """Of the source; `down` is what it answers instead."""
    metadata = json.loads(ready.catalog.load_table("src.t").metadata.model_dump_json(by_alias=True))
    started = FakeCatalog({SOURCE: metadata}, {})
    yield started
    started.stop()


@pytest.fixture
def server(ready, catalog):
    settings = {"catalogs.lake.uri": catalog.url, "catalogs.lake.token": SERVER}
    started = Server(ready.dir, settings | {"catalogs.lake.allowed_prefixes": f"file://{ready.dir}/warehouse"})
    yield started
    started.stop()


def answers(catalog, status: int | None) -> None:
    catalog.lets[SERVER] = {SOURCE: status}


def look(server, run_id):
    return server.call("GET", f"{ONE}/runs/{run_id}")[1]


def test_what_comes_back_ends_the_run_well(ready, server, catalog):
    server.call("POST", ALL, body(source__catalog="lake", retries=100, retry_delay=0))
    answers(catalog, 503)
    run_id = server.call("POST", f"{ONE}/trigger")[1]["run_id"]
    seen = until(lambda: look(server, run_id), lambda run: run["attempt"] > 1)
    assert seen["status"] in ("queued", "running") and "not for the-servers-own" in seen["error_message"]
    answers(catalog, None)
    done = finished(server, run_id)
    assert done["status"] == "succeeded" and done["error_message"] is None and done["attempt"] > 1
    assert done["next_attempt_at"] is None and len(ready.rows()) == 300


def test_while_it_waits_others_go_on_and_it_can_be_cancelled(server, catalog):
    server.call("POST", ALL, body(source__catalog="lake", retries=3, retry_delay=3600))
    answers(catalog, 503)
    waits = server.call("POST", f"{ONE}/trigger", {"logical_date": "2024-03-01T06:00:00Z"})[1]["run_id"]
    seen = until(lambda: look(server, waits), lambda run: run["next_attempt_at"])
    assert (seen["status"], seen["attempt"]) == ("queued", 1) and seen["next_attempt_at"] > seen["started_at"]
    assert seen["error_message"].endswith("attempt 1 of 4 has failed")
    answers(catalog, None)
    other = server.call("POST", f"{ONE}/trigger", {"logical_date": "2024-03-02T06:00:00Z"})[1]["run_id"]
    assert finished(server, other)["status"] == "succeeded"
    assert look(server, waits) == seen
    server.call("POST", f"{ONE}/runs/{waits}/cancel")
    ended = finished(server, waits)
    assert (ended["status"], ended["next_attempt_at"]) == ("failed", None) and "cancelled" in ended["error_message"]


def test_it_is_given_up_in_the_end(server, catalog):
    made = server.call("POST", ALL, body(source__catalog="lake", retries=1, retry_delay=0))[1]
    assert (made["retries"], made["retry_delay"]) == (1, 0)
    answers(catalog, 503)
    ended = finished(server, server.call("POST", f"{ONE}/trigger")[1]["run_id"])
    assert (ended["status"], ended["attempt"]) == ("failed", 2) and ended["error_message"].endswith("(attempt 2)")


@pytest.mark.parametrize("status", [403, 404])
def test_what_a_retry_cannot_cure_fails_at_once(server, catalog, status):
    server.call("POST", ALL, body(source__catalog="lake", retries=5, retry_delay=0))
    answers(catalog, status)
    ended = finished(server, server.call("POST", f"{ONE}/trigger")[1]["run_id"])
    assert (ended["status"], ended["attempt"]) == ("failed", 1)


def test_retries_are_changed_as_other_fields_are(server):
    server.call("POST", ALL, body())
    changed = server.call("PATCH", ONE, {"retries": 0, "retry_delay": 7})[1]
    assert (changed["retries"], changed["retry_delay"]) == (0, 7)
    assert server.call("PATCH", ONE, {"retries": None})[1]["retries"] is None
    for wrong in ({"retries": -1}, {"retries": 101}, {"retry_delay": 86_401}):
        assert server.call("PATCH", ONE, wrong)[0] == 422
