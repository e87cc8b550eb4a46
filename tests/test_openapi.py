"""The server keeps what its own OpenAPI document says: schemathesis with every check, stateful too; and the document is
valid."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Server
from deployments import ready  # noqa: F401 (a fixture)
from openapi_spec_validator import validate

AREAS = ["contract", "server"]
EXAMPLE = "test_the_document_is_valid"

SECONDS = os.environ.get("SLIPWAY_SCHEMATHESIS_SECONDS")  # for a longer search, with new cases each time
HOW = ["--max-time", SECONDS] if SECONDS else ["--max-time", "20", "--generation-deterministic"]
HOW += ["--generation-allow-x00", "false"]  # U+0000 is refused in every text, before a schema is asked


@pytest.fixture
def server(ready):
    started = Server(ready.dir)
    yield started
    started.stop()


def test_the_document_is_valid(server):
    document = server.call("GET", "/openapi.json", psk=None)[1]
    assert document["openapi"] == "3.1.0"
    validate(document)


@pytest.mark.parametrize("names", ["anything", "there"], ids=["as it is", "with what is there"])
def test_schemathesis(server, ready, names):
    command = [
        Path(sys.executable).parent / "schemathesis",
        "run",
        server.url + "/openapi.json",
        "--checks",
        "all",
        *HOW,
        "-H",
        f"Authorization-PSK: {server.psk}",
        "--continue-on-failure",
        "--no-color",
    ]
    variables = {
        "SCHEMATHESIS_HOOKS": "schemathesis_hooks",
        "PYTHONPATH": str(Path(__file__).parent),
        "SLIPWAY_SCHEMATHESIS": names,
    }
    done = subprocess.run(command, capture_output=True, text=True, cwd=ready.dir, env={**os.environ, **variables})
    summary = done.stdout[done.stdout.find("= FAILURES") :]
    assert done.returncode == 0, json.dumps(done.args, default=str) + summary
    assert server.process.poll() is None
    print(done.stdout[done.stdout.find("= SUMMARY") :])
