"""The wheel in fresh environments: the program, the client, the plugin of MLflow."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT, Server, signature_of
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from deployments import ALL, fill
from services.process import DEPS
from services.session import locked

AREAS = ["python/slipway"]
SPREAD = 2

PYTHONS = ["3.10", "3.11", "3.12", "3.13"]


def interpreter(version: str) -> str | None:
    """Of this machine: on the path, or one that pyenv has."""
    for candidate in (
        shutil.which(f"python{version}"),
        *sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python")),
    ):
        if candidate and subprocess.run([candidate, "-c", "import venv"], capture_output=True).returncode == 0:
            return str(candidate)
    return None


@pytest.fixture(scope="module")
def wheel() -> Path:
    subprocess.run([ROOT / "tools/wheel"], check=True)
    return next((ROOT / "dist").glob("*.whl"))


def pip(environment: Path, *arguments) -> None:
    command = [environment / "bin/python", "-m", "pip", "-q", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True)


def environment_with(wheel: Path, python: str, folder: Path, *options: str) -> Path:
    """A fresh environment, with the wheel and what it asks for. pyarrow, which takes long, is linked from one that is
    kept; pip decides all the same whether it is what the wheel wants."""
    wanted = next(line for line in (ROOT / "python/requirements.txt").read_text().splitlines() if "pyarrow" in line)
    kept = DEPS / "wheel-environments" / hashlib.sha256(f"{python} {wanted}".encode()).hexdigest()[:12]
    with locked("wheel-environments"):
        if not kept.exists():
            made = kept.with_suffix(".new")
            shutil.rmtree(made, ignore_errors=True)
            subprocess.run([python, "-m", "venv", made], check=True)
            pip(made, "install", wanted)
            made.rename(kept)
    shutil.copytree(kept, folder, symlinks=True, copy_function=link)
    pip(folder, "install", *options, wheel)
    pip(folder, "check")
    return folder / "bin"


def link(source: str, target: str) -> None:
    """Files of packages are shared; those that pip writes again are removed by it before, not changed."""
    shutil.copy2(source, target, follow_symlinks=False) if os.path.islink(source) else os.link(source, target)


SCRIPT = """
import json, sys, slipway
client = slipway.Client(sys.argv[1], psk=sys.argv[2])
common = dict(version=1, source="src.t", target="ml.p", entity_columns=["id"], owner="y", domain="x")
made = client.create_deployment("m", "d", **common)
run = client.wait("m", "d", client.trigger("m", "d").run_id)
try:
    client.create_deployment("m", "e", **common, filter_sql="nope > 1")
except slipway.Invalid as error:
    fields = error.fields
kinds = []
for ask in (lambda: client.deployment("m", "absent"), lambda: client.create_deployment("m", "d", **common),
            lambda: slipway.Client(sys.argv[1], psk="wrong").deployment("m", "d"),
            lambda: slipway.Client("http://127.0.0.1:9", psk="x").deployment("m", "d")):
    try:
        ask()
    except slipway.SlipwayError as error:
        kinds.append(type(error).__name__)
client.stop("m", "d"), client.start("m", "d")
names = [d.name for d in client.deployments()]
print(json.dumps([made.status, run.status, run.rows_scored, fields, kinds, names, len(list(client.runs("m", "d")))]))
client.archive("m", "d")
"""


@pytest.mark.parametrize("version", PYTHONS)
def test_a_fresh_environment(version, wheel, tmp_path, lake):
    """`pip install`, then the wheel's own program is the server, and its client the caller."""
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} on this machine")
    commands = environment_with(wheel, python, tmp_path / "venv")
    assert subprocess.run(
        [commands / "slipway", "--version"], capture_output=True, text=True, check=True
    ).stdout.startswith("slipway ")
    fill(lake)
    server = Server(lake.dir, program=commands / "slipway")
    try:
        done = subprocess.run(
            [commands / "python", "-c", SCRIPT, server.url, server.psk], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        status, run, rows, fields, kinds, names, runs = json.loads(done.stdout)
        assert (status, run, rows, names, runs) == ("active", "succeeded", 300, ["d"], 1)
        assert "nope" in fields["source.filter_sql"]
        assert kinds == ["NotFound", "ConflictError", "AuthenticationError", "Unavailable"]
    finally:
        server.stop()


def test_the_plugin_of_mlflow(wheel, tmp_path, lake):
    """`mlflow deployments create|get|list|predict|update|delete -t slipway://…`."""
    commands = environment_with(wheel, sys.executable, tmp_path / "venv", "--no-deps")
    fill(lake)
    server = Server(lake.dir)
    site = Path(sys.executable).parent.parent / "lib/python3.11/site-packages"  # MLflow is there

    def mlflow(*arguments, ok=True):
        done = subprocess.run(
            [commands / "python", "-m", "mlflow", "deployments", *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(site), "SLIPWAY_PSK": server.psk, "PYTHONWARNINGS": "ignore"},
        )
        assert (done.returncode == 0) == ok, done.stdout + done.stderr
        return done.stdout + done.stderr

    target = ["-t", server.url.replace("http:", "slipway:")]
    config = [
        part
        for item in ("source=src.t", "target=ml.p", "entity_columns=id", "owner=y", "domain=x")
        for part in ("-C", item)
    ]
    try:
        assert "MODEL/NAME" in mlflow("help", "-t", "slipway")
        mlflow("create", *target, "--name", "d", "-m", "models:/m@champion", *config)
        assert server.call("GET", f"{ALL}/d")[1]["resolved_model_version"] == "1"
        assert "m/d" in mlflow("list", *target) and "active" in mlflow("get", *target, "--name", "m/d")
        assert "no such" not in mlflow("update", *target, "--name", "d", "-C", "schedule=0 6 * * *")
        assert server.call("GET", f"{ALL}/d")[1]["schedule"] == "0 6 * * *"
        assert "already" in mlflow("create", *target, "--name", "d", "-m", "models:/m/1", *config, ok=False)
        assert "missing in the config" in mlflow("create", *target, "--name", "e", "-m", "models:/m/1", ok=False)
        assert "models:/NAME/VERSION" in mlflow(
            "create", *target, "--name", "e", "-m", "runs:/abc/model", *config, ok=False
        )
        script = (
            "import json; from mlflow.deployments import get_deploy_client as g; "
            f"print(json.dumps(g('{target[1]}').predict('m/d')))"
        )
        done = subprocess.run(
            [commands / "python", "-c", script],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(site), "SLIPWAY_PSK": server.psk, "PYTHONWARNINGS": "ignore"},
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["rows_scored"] == 300
        mlflow("delete", *target, "--name", "m/d")
        assert server.call("GET", f"{ALL}/d")[0] == 404
    finally:
        server.stop()


def test_its_bill_of_materials_names_all_that_is_inside(wheel):
    subprocess.run([sys.executable, ROOT / "tools/sbom.py", wheel.parent], check=True)
    for name in ("slipway-wheel", "slipway-image"):
        text = (wheel.parent / f"{name}.cdx.json").read_text()
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
        names = {part["name"] for part in json.loads(text)["components"]}
        assert {"pyarrow", "libboost1.81-dev", "libxbyak-dev", "libssl3", "drf-spectacular-sidecar"} <= names
    with zipfile.ZipFile(wheel) as inside:
        (auditwheels,) = [name for name in inside.namelist() if name.endswith("auditwheel.cdx.json")]
        of_debian = [one for one in json.loads(inside.read(auditwheels))["components"] if "pkg:deb" in one["purl"]]
    assert len(of_debian) > 30 and {one["name"] for one in of_debian} <= names
    assert {"libcom-err2", "libkeyutils1"} <= names  # which auditwheel does not name
