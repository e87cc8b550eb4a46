"""A typed client of Slipway's API, with nothing but the standard library."""

from __future__ import annotations

import dataclasses
import json
import os
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
import warnings
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from slipway.errors import SlipwayError, SlipwayWarning, Unavailable, error_of


@dataclasses.dataclass(frozen=True)
class Run:
    """One execution. `status` is queued, running, succeeded or failed; times are RFC 3339 texts, in UTC."""

    run_id: str
    status: str
    airflow_run_id: str | None = None
    rows_scored: int | None = None
    started_at: str | None = None
    finished_at: str | None = None
    logical_date: str | None = None
    model_version: str | None = None
    snapshot_id: str | None = None
    error_message: str | None = None
    attempt: int | None = None
    next_attempt_at: str | None = None
    rows_left_out: int | None = None
    warning: str | None = None


@dataclasses.dataclass(frozen=True)
class Deployment:
    """`status` is pending, deploying, active, failed, stopped or archived."""

    deployment_id: str
    name: str
    type: str
    status: str
    domain: str
    owner: str
    model: str
    created_at: str
    updated_at: str
    resolved_model_version: str | None = None
    dag_id: str | None = None
    dag_s3_uri: str | None = None
    schedule: str | None = None
    last_run: Run | None = None
    service_url: str | None = None
    replica_count: int | None = None
    ready_replicas: int | None = None
    allowed_roles: list[str] | None = None
    error_message: str | None = None
    stopped_at: str | None = None
    source: dict | None = None
    target: dict | None = None
    entity_columns: list[str] | None = None
    rerun_behavior: str | None = None
    partition_column: str | None = None
    model_version: str | None = None
    model_alias: str | None = None
    timeout: int | None = None
    retries: int | None = None
    retry_delay: int | None = None
    runner: dict | None = None
    created_by: str | None = None
    next_tick: str | None = None


@dataclasses.dataclass(frozen=True)
class Key:
    """A key, without what is secret of it. `scopes` and `models`: of a service account's; None reaches all models."""

    id: str
    description: str
    created_at: str
    expires_at: str
    is_active: bool
    user_id: str
    last_used_at: str | None = None
    scopes: list[str] | None = None
    models: list[str] | None = None


@dataclasses.dataclass(frozen=True)
class NewKey:
    """A key that was just made: `psk` is shown this once."""

    id: str
    psk: str
    description: str
    created_at: str
    expires_at: str


@dataclasses.dataclass(frozen=True)
class ServiceAccount:
    name: str
    description: str
    roles: list[str]
    created_by: str
    created_at: str


CHANGEABLE = (
    "schedule",
    "model_version",
    "model_alias",
    "filter_sql",
    "snapshot_id",
    "rerun_behavior",
    "owner",
    "domain",
    "timeout",
    "retries",
    "retry_delay",
    "runner",
)


class Client:
    """`url`: of the server. `psk` or `token`: who asks; by default $SLIPWAY_PSK or $SLIPWAY_TOKEN. Errors are those of
    slipway.errors."""

    def __init__(
        self,
        url: str = "http://127.0.0.1:8080",
        *,
        psk: str | None = None,
        token: str | None = None,
        ca_file: str | None = None,
        timeout: float = 30,
    ):
        self.url, self.timeout = url.rstrip("/"), timeout
        self._psk = psk or (None if token else os.environ.get("SLIPWAY_PSK"))
        self._token = token or (None if self._psk else os.environ.get("SLIPWAY_TOKEN"))
        self._tls = ssl.create_default_context(cafile=ca_file) if self.url.startswith("https:") else None

    def create_deployment(
        self,
        model: str,
        name: str,
        *,
        source: str,
        target: str,
        entity_columns: list[str],
        owner: str,
        domain: str,
        version: str | int | None = None,
        alias: str | None = None,
        filter_sql: str | None = None,
        snapshot_id: int | None = None,
        schedule: str | None = None,
        rerun_behavior: str = "overwrite_partition",
        partition_column: str = "scored_at",
        trigger_now: bool = False,
        allowed_roles: list[str] | None = None,
        catalog: str = "iceberg",
        target_catalog: str | None = None,
        timeout: int | None = None,
        retries: int | None = None,
        retry_delay: int | None = None,
        runner: str | None = None,
        validate_only: bool = False,
    ) -> Deployment:
        """Scores the table `source` ("schema.table") with one `version` of the model, or with the one that has `alias`,
        into `target`. `timeout`: the seconds that a run may take; `retries`, `retry_delay`: how often a run is tried
        again that failed since something was away, and after how many seconds; `runner`: "local" or "airflow"; by
        default the server's own choice."""
        source_schema, source_table = _split(source)
        target_schema, target_table = _split(target)
        body = {
            "name": name,
            "model": {
                "model_name": model,
                "model_version": None if version is None else str(version),
                "model_alias": alias,
            },
            "source": {
                "schema": source_schema,
                "table": source_table,
                "catalog": catalog,
                "filter_sql": filter_sql,
                "snapshot_id": snapshot_id,
            },
            "target": {"schema": target_schema, "table": target_table, "catalog": target_catalog or catalog},
            "entity_columns": entity_columns,
            "owner": owner,
            "domain": domain,
            "type": "batch",
            "schedule": schedule,
            "rerun_behavior": rerun_behavior,
            "partition_column": partition_column,
            "trigger_now": trigger_now,
            "allowed_roles": allowed_roles,
            "timeout": timeout,
            "retries": retries,
            "retry_delay": retry_delay,
            "runner": None if runner is None else {"kind": runner},
        }
        query = "?validate_only=true" if validate_only else ""
        return _deployment(self._call("POST", _path(model) + query, body))

    def deployment(self, model: str, name: str) -> Deployment:
        return _deployment(self._call("GET", _path(model, name)))

    def deployments(
        self,
        model: str | None = None,
        *,
        status: str | None = None,
        owner: str | None = None,
        domain: str | None = None,
    ) -> Iterator[Deployment]:
        """All of a model, or of all models; page after page."""
        filters = {"status": status, "owner": owner, "domain": domain}
        return self._pages("/api/deployments" if model is None else _path(model), filters, _deployment)

    def update(self, model: str, name: str, **changes: Any) -> Deployment:
        """schedule, model_version, model_alias, filter_sql, snapshot_id, rerun_behavior, owner, domain, timeout,
        retries, retry_delay, and runner ({"kind": "airflow"})."""
        if unknown := sorted(set(changes) - set(CHANGEABLE)):
            raise ValueError(f"{', '.join(unknown)} cannot be changed by update(): {', '.join(CHANGEABLE)} can")
        return _deployment(self._call("PATCH", _path(model, name), changes))

    def set_roles(self, model: str, name: str, roles: list[str]) -> Deployment:
        return _deployment(self._call("PUT", _path(model, name) + "/allowed_roles", {"allowed_roles": roles}))

    def stop(self, model: str, name: str) -> Deployment:
        return _deployment(self._call("POST", _path(model, name) + "/stop"))

    def start(self, model: str, name: str) -> Deployment:
        return _deployment(self._call("POST", _path(model, name) + "/start"))

    def archive(self, model: str, name: str) -> Deployment:
        return _deployment(self._call("DELETE", _path(model, name)))

    def trigger(self, model: str, name: str, logical_date: datetime | str | None = None) -> Run:
        return _run(self._call("POST", _path(model, name) + "/trigger", {"logical_date": _instant(logical_date)}))

    def backfill(
        self,
        model: str,
        name: str,
        start: datetime | date | str,
        end: datetime | date | str,
        *,
        dry_run: bool = False,
    ) -> list[Run]:
        """One run for each tick from `start` to `end` that has none. A date is all of that day in the server's time
        zone. `dry_run`: tells which runs there would be, and queues none."""
        path = _path(model, name) + "/backfill" + ("?dry_run=true" if dry_run else "")
        answer = self._call("POST", path, {"from": _instant(start), "to": _instant(end)})
        return [_run(item) for item in answer["items"]]

    def runs(self, model: str, name: str) -> Iterator[Run]:
        """Newest first."""
        return self._pages(_path(model, name) + "/runs", {}, _run)

    def run(self, model: str, name: str, run_id: str) -> Run:
        return _run(self._call("GET", f"{_path(model, name)}/runs/{urllib.parse.quote(run_id, safe='')}"))

    def log(self, model: str, name: str, run_id: str) -> str:
        """What the run and its model wrote to standard error: a traceback, for one that failed; of a long log the
        end."""
        return self._call("GET", f"{_path(model, name)}/runs/{urllib.parse.quote(run_id, safe='')}/log")["text"]

    def cancel(self, model: str, name: str, run_id: str) -> Run:
        return _run(self._call("POST", f"{_path(model, name)}/runs/{urllib.parse.quote(run_id, safe='')}/cancel"))

    def wait(self, model: str, name: str, run_id: str, timeout: float = 3600) -> Run:
        """Until the run has ended; one that failed is a SlipwayError with its message. A run that succeeded and that
        somebody should look at all the same is a SlipwayWarning."""
        deadline = time.monotonic() + timeout
        while True:
            run = self.run(model, name, run_id)
            if run.status == "failed":
                raise SlipwayError(run.error_message or "the run failed")
            if run.status == "succeeded":
                if run.warning:
                    warnings.warn(f"run {run_id}: {run.warning}", SlipwayWarning, stacklevel=2)
                return run
            if time.monotonic() > deadline:
                raise TimeoutError(f"run {run_id} is still {run.status} after {timeout:.0f} s")
            time.sleep(0.5)

    def keys(self, of: str | None = None) -> list[Key]:
        """One's own, or as an administrator those of the person with the subject `of`."""
        return [Key(**_pick(Key, item)) for item in self._call("GET", _keys(of))["items"]]

    def create_key(self, description: str, days: int | None = None) -> NewKey:
        """`days`: until it expires; by default what the server thinks right."""
        return _new_key(self._call("POST", _keys(None), _without_none(description=description, expires_in_days=days)))

    def revoke_key(self, key_id: str, of: str | None = None) -> None:
        self._call("DELETE", f"{_keys(of)}/{urllib.parse.quote(key_id, safe='')}")

    def service_accounts(self) -> list[ServiceAccount]:
        items = self._call("GET", _account())["items"]
        return [ServiceAccount(**_pick(ServiceAccount, item)) for item in items]

    def create_service_account(self, name: str, description: str, roles: list[str] | None = None) -> ServiceAccount:
        made = self._call("POST", _account(), {"name": name, "description": description, "roles": roles or []})
        return ServiceAccount(**_pick(ServiceAccount, made))

    def remove_service_account(self, name: str) -> None:
        """Its keys stop working."""
        self._call("DELETE", _account(name))

    def service_keys(self, account: str) -> list[Key]:
        return [Key(**_pick(Key, item)) for item in self._call("GET", _account(account) + "/keys")["items"]]

    def create_service_key(
        self,
        account: str,
        description: str,
        *,
        scopes: list[str],
        models: list[str] | None = None,
        days: int | None = None,
    ) -> NewKey:
        """`scopes`: deployments:read, deployments:write, runs:trigger, runs:report; `models`: by default all."""
        body = _without_none(description=description, scopes=scopes, models=models, expires_in_days=days)
        return _new_key(self._call("POST", _account(account) + "/keys", body))

    def revoke_service_key(self, account: str, key_id: str) -> None:
        self._call("DELETE", f"{_account(account)}/keys/{urllib.parse.quote(key_id, safe='')}")

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Accept": "application/json", "Prefer": "handling=strict"},
        )
        if body is not None:
            request.add_header("Content-Type", "application/json")
        if self._psk:
            request.add_header("Authorization-PSK", self._psk)
        elif self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        try:
            with urllib.request.urlopen(request, timeout=self.timeout, context=self._tls) as answer:
                text = answer.read()
                return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            raise error_of(error.code, _detail(error.read())) from None
        except OSError as error:
            raise Unavailable(f"no answer from {self.url}: {error}") from error

    def _pages(self, path: str, filters: dict, read) -> Iterator[Any]:
        cursor = None
        while True:
            query = urllib.parse.urlencode(
                {
                    name: value
                    for name, value in {**filters, "limit": 200, "cursor": cursor}.items()
                    if value is not None
                }
            )
            page = self._call("GET", f"{path}?{query}")
            yield from (read(item) for item in page["items"])
            cursor = page["next_cursor"]
            if cursor is None:
                return


def _path(model: str, name: str | None = None) -> str:
    path = f"/api/models/{urllib.parse.quote(model, safe='')}/deployments"
    return path if name is None else f"{path}/{urllib.parse.quote(name, safe='')}"


def _keys(of: str | None) -> str:
    return "/api/user/psk" if of is None else f"/api/users/{urllib.parse.quote(of, safe='')}/psk"


def _account(name: str | None = None) -> str:
    return "/api/service-accounts" + ("" if name is None else "/" + urllib.parse.quote(name, safe=""))


def _without_none(**fields: Any) -> dict:
    return {name: value for name, value in fields.items() if value is not None}


def _split(table: str) -> tuple[str, str]:
    schema, dot, name = table.rpartition(".")
    if not dot:
        raise ValueError(f"'{table}' is not a table: write schema.table")
    return schema, name


def _instant(value: datetime | date | str | None) -> str | None:
    if not isinstance(value, datetime):
        return value.isoformat() if isinstance(value, date) else value
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    return value.isoformat()


def _detail(text: bytes):
    try:
        return json.loads(text)["detail"]
    except (ValueError, KeyError, TypeError):
        return text.decode(errors="replace")[:500]


def _pick(kind, answer: dict):
    names = {field.name for field in dataclasses.fields(kind)}
    return {name: value for name, value in answer.items() if name in names}


def _new_key(answer: dict) -> NewKey:
    return NewKey(**_pick(NewKey, answer))


def _run(answer: dict) -> Run:
    return Run(**_pick(Run, answer))


def _deployment(answer: dict) -> Deployment:
    fields = _pick(Deployment, answer)
    if fields.get("last_run"):
        fields["last_run"] = _run(fields["last_run"])
    return Deployment(**fields)
