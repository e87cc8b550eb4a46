"""MLflow's deployment plugin for Slipway: `mlflow deployments create -t slipway://host:port -m models:/churn@champion
--name nightly -C …`."""

from __future__ import annotations

import dataclasses
import urllib.parse

from mlflow.deployments import BaseDeploymentClient
from mlflow.exceptions import MlflowException

from slipway.client import Client
from slipway.errors import Invalid, NotFound, SlipwayError

HELP = """Targets: slipway://HOST:PORT (http), slipway://HOST:PORT?tls=true (https).
Who asks: $SLIPWAY_PSK or $SLIPWAY_TOKEN.

A deployment is named MODEL/NAME; `create` takes NAME, and the model from
-m models:/MODEL/VERSION or models:/MODEL@ALIAS.

Config (-C key=value): source, target (schema.table each), entity_columns (a,b), owner, domain; optional:
schedule (cron), filter_sql, snapshot_id, rerun_behavior, partition_column, allowed_roles (a,b), catalog,
target_catalog, trigger_now (true, false).
`update` takes -m for another version or alias, and of these schedule, filter_sql, snapshot_id, rerun_behavior,
owner, domain.

predict triggers a run, waits for its end, and returns its record: the predictions are in the target table."""

LISTS, NUMBERS, SWITCHES = (
    ("entity_columns", "allowed_roles"),
    ("snapshot_id", "timeout", "retries", "retry_delay"),
    ("trigger_now",),
)


def target_help() -> str:
    return HELP


def run_local(target, name, model_uri, flavor=None, config=None):
    raise MlflowException("Slipway scores tables: start `slipway serve`, and deploy with -t slipway://127.0.0.1:8080")


class SlipwayDeploymentClient(BaseDeploymentClient):
    def __init__(self, target_uri: str):
        super().__init__(target_uri)
        target = urllib.parse.urlsplit(target_uri)
        tls = urllib.parse.parse_qs(target.query).get("tls") == ["true"]
        self.client = Client(f"{'https' if tls else 'http'}://{target.netloc or '127.0.0.1:8080'}")

    def create_deployment(self, name, model_uri, flavor=None, config=None, endpoint=None):
        model, reference = _reference(model_uri)
        options = _options(config)
        wanted = {"source", "target", "entity_columns", "owner", "domain"}
        if missing := sorted(wanted - options.keys()):
            raise MlflowException.invalid_parameter_value(f"missing in the config: {', '.join(missing)}\n\n{HELP}")
        try:
            return _view(_told(lambda: self.client.create_deployment(model, name, **reference, **options)))
        except TypeError as error:
            raise MlflowException.invalid_parameter_value(f"{error}\n\n{HELP}") from None

    def update_deployment(self, name, model_uri=None, flavor=None, config=None, endpoint=None):
        model, plain = self._find(name)
        changes = _options(config)
        if model_uri:
            other, reference = _reference(model_uri)
            if other != model:
                raise MlflowException.invalid_parameter_value(f"{name} deploys the model {model}, not {other}")
            changes |= {f"model_{key}": value for key, value in reference.items()}
        try:
            return _view(_told(lambda: self.client.update(model, plain, **changes)))
        except ValueError as error:
            raise MlflowException.invalid_parameter_value(f"{error}\n\n{HELP}") from None

    def delete_deployment(self, name, config=None, endpoint=None):
        model, plain = self._find(name)
        _told(lambda: self.client.archive(model, plain))

    def list_deployments(self, endpoint=None):
        return [_view(deployment) for deployment in _told(lambda: list(self.client.deployments()))]

    def get_deployment(self, name, endpoint=None):
        model, plain = self._find(name)
        return _view(_told(lambda: self.client.deployment(model, plain)))

    def predict(self, deployment_name=None, inputs=None, endpoint=None):
        model, plain = self._find(deployment_name)
        run = _told(lambda: self.client.trigger(model, plain))
        return dataclasses.asdict(_told(lambda: self.client.wait(model, plain, run.run_id)))

    def _find(self, name: str) -> tuple[str, str]:
        """MODEL/NAME, or a NAME that only one model has."""
        if "/" in name:
            model, _, plain = name.rpartition("/")
            return model, plain
        found = [deployment for deployment in _told(lambda: list(self.client.deployments())) if deployment.name == name]
        if len(found) != 1:
            raise MlflowException(
                f"{'no' if not found else 'more than one'} deployment is named {name}: write MODEL/NAME"
            )
        return found[0].model, name


def _reference(model_uri: str) -> tuple[str, dict]:
    path = model_uri.removeprefix("models:/")
    if path == model_uri or not path.strip("/"):
        raise MlflowException.invalid_parameter_value(
            f"'{model_uri}' is no registered model: write models:/NAME/VERSION or models:/NAME@ALIAS"
        )
    if "@" in path:
        model, _, alias = path.rpartition("@")
        return model, {"alias": alias}
    model, _, version = path.rpartition("/")
    if not model:
        raise MlflowException.invalid_parameter_value(
            f"'{model_uri}' names no version: write models:/NAME/VERSION or models:/NAME@ALIAS"
        )
    return model, {"version": version}


def _options(config: dict | None) -> dict:
    options = dict(config or {})
    for name in LISTS:
        if isinstance(options.get(name), str):
            options[name] = [part.strip() for part in options[name].split(",") if part.strip()]
    for name in NUMBERS:
        if isinstance(options.get(name), str):
            options[name] = int(options[name])
    for name in SWITCHES:
        if isinstance(options.get(name), str):
            options[name] = options[name].lower() == "true"
    return options


def _view(deployment) -> dict:
    return {
        **dataclasses.asdict(deployment),
        "name": f"{deployment.model}/{deployment.name}",
        "flavor": deployment.type,
    }


def _told(ask):
    try:
        return ask()
    except NotFound as error:
        raise MlflowException(str(error), error_code=5) from error  # RESOURCE_DOES_NOT_EXIST
    except Invalid as error:
        raise MlflowException.invalid_parameter_value(str(error)) from error
    except SlipwayError as error:
        raise MlflowException(str(error)) from error
