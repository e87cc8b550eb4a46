"""A typing error is an error: the command line, the client and MLflow's plugin refuse what the API would ignore."""

import sys

import pytest
from conftest import ROOT, Server
from deployments import ALL, ONE, body, ready  # noqa: F401 (a fixture)

sys.path.insert(0, str(ROOT / "python"))
import slipway  # noqa: E402 (found by the line above)

AREAS = ["cli", "server", "contract"]
EXAMPLE = "test_deploy_refuses_what_nobody_knows"

STRICT = {"Prefer": "handling=strict"}


@pytest.fixture
def server(ready):
    started = Server(ready.dir)
    yield started
    started.stop()


YAML = """name: d
model: {model_name: m, model_version: "1"}
source: {schema: src, table: t}
target: {schema: ml, table: p}
entity_columns: [id]
domain: x
owner: y
"""


@pytest.mark.parametrize(
    "written, words",
    [
        (YAML + "shedule: 0 6 * * *\n", "shedule: Extra inputs are not permitted: did you mean 'schedule'?"),
        (YAML.replace("table: t", "table: t, filtersql: id < 7"), "source.filtersql: Extra inputs are not permitted"),
        (YAML + "filter_sql: id < 7\n", "did you mean 'source.filter_sql'?"),
        (YAML + "owner: z\n", "'owner' is said twice"),
        (YAML + "---\n" + YAML.replace("name: d", "name: e"), "holds 2 documents"),
    ],
)
def test_deploy_refuses_what_nobody_knows(ready, server, written, words):
    (ready.dir / "d.yaml").write_text(written)
    done = ready.cli("--server", server.url, "deploy", ready.dir / "d.yaml", check=False)
    assert done.returncode != 0 and words in done.stderr
    assert server.call("GET", ALL)[1]["items"] == []


def test_the_client_refuses_what_nobody_knows(ready, server):
    client = slipway.Client(server.url, psk=server.psk)
    common = {"source": "src.t", "target": "ml.p", "entity_columns": ["id"], "owner": "y", "domain": "x"}
    client.create_deployment("m", "d", version=1, **common)
    with pytest.raises(slipway.Invalid) as refused:
        client.update("m", "d", owner="z", runner={"kind": "local", "pol": "gpu"})
    assert refused.value.fields == {"runner.pol": "Extra inputs are not permitted"}
    assert client.deployment("m", "d").owner == "y"


def test_callers_say_whether_they_want_it(server):
    """RFC 7240: of several preferences, in any case; others get the contract's answers."""
    typing_error = body(shedule="0 6 * * *")
    refused = server.call("POST", ALL, typing_error, headers={"Prefer": 'wait=5; x=y, Handling="strict"'})
    assert refused[0] == 422 and refused[1]["detail"][0]["loc"] == ["body", "shedule"]
    assert (
        refused[1]["detail"][0]["type"] == "extra_forbidden" and refused[2]["Preference-Applied"] == "handling=strict"
    )
    assert server.call("POST", ALL, typing_error, headers={"Prefer": "handling=lenient"})[0] == 201
    assert server.call("POST", f"{ONE}/trigger", {"logicaldate": "2024-03-01T06:00:00Z"}, headers=STRICT)[0] == 422
    assert server.call("GET", f"{ONE}/runs")[1]["items"] == []


def test_a_query_has_typing_errors_too(server):
    refused = server.call("GET", "/api/deployments?stauts=failed", headers=STRICT)
    assert refused[0] == 422 and "did you mean 'status'?" in refused[1]["detail"][0]["msg"]
    status, _, headers = server.call("GET", "/api/deployments?stauts=failed")
    assert status == 200 and headers["Slipway-Ignored-Fields"] == "stauts"
