"""deploy/: what can be checked without a container engine. The Compose file against the Compose schema, the manifests
against Kubernetes' own, and the settings of both against `slipway config`."""

import os
import subprocess
import sys
import tomllib

import pytest
import yaml
from conftest import BINARY, ROOT

AREAS = ["deploy", "server"]

DEPLOY = ROOT / "deploy"


def test_compose_file():
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "check_jsonschema",
            "--builtin-schema",
            "vendor.compose-spec",
            DEPLOY / "docker-compose.yml",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def manifests() -> list[dict]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes/slipway.yaml").read_text()))


@pytest.mark.parametrize("manifest", manifests(), ids=lambda m: m["kind"])
def test_manifests(manifest):
    import kubernetes_validate

    kubernetes_validate.validate(manifest, "1.30", strict=True)


def test_settings_are_slipways(tmp_path):
    """Every setting of both is one that this program knows: an unknown one is an error."""
    config = next(m for m in manifests() if m["kind"] == "ConfigMap")["data"]["slipway.toml"]
    (tmp_path / "slipway.toml").write_text(config)
    compose = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text())["services"]["slipway"]["environment"]
    pods = next(m for m in manifests() if m["kind"] == "Deployment")["spec"]["template"]["spec"]["containers"][0]["env"]
    for environment in (
        {k: v for k, v in compose.items() if k.startswith("SLIPWAY_")},
        {item["name"]: "x" for item in pods},
    ):
        done = subprocess.run(
            [BINARY, "config", "--config", tmp_path / "slipway.toml"],
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
        )
        assert done.returncode == 0, done.stderr
    assert tomllib.loads(config)["dispatch"]["kind"] == "airflow" == compose["SLIPWAY_DISPATCH_KIND"]
