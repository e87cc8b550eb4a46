"""Who may do what, with a real Keycloak: the permission table over HTTP, user keys that follow roles, and tokens that
are not valid."""

import base64
import html
import http.cookiejar
import json
import os
import re
import subprocess
import time
import urllib.parse
import urllib.request
import uuid

import pytest
from conftest import BINARY, Lake, Server
from deployments import ALL, OPEN_RULES, body, fill, finished, until
from services.keycloak import SERVICE_CLIENT, SERVICE_SECRET
from signing import execute, run_token

AREAS = ["auth", "access"]
EXAMPLE = "test_a_user_key_lists_only_what_its_roles_allow"

REFRESH = 1  # seconds; 60 by default


def sign_in_settings(keycloak, rules=OPEN_RULES) -> dict:
    return {
        "access.rules": json.dumps(rules),
        "auth.issuer": keycloak.issuer,
        "auth.service_client": SERVICE_CLIENT,
        "auth.service_secret": SERVICE_SECRET,
        "auth.refresh_seconds": REFRESH,
    }


@pytest.fixture(scope="module")
def server(keycloak, tmp_path_factory):
    lake = fill(Lake(tmp_path_factory.mktemp("lake")))
    started = Server(lake.dir, sign_in_settings(keycloak))
    yield started
    started.stop()


def make_key(server, token, description="for a test"):
    status, made, _ = server.call("POST", "/api/user/psk", {"description": description}, token=token)
    assert status == 201 and made["description"] == description and len(made["psk"]) >= 64
    return made


@pytest.fixture(scope="module")
def credentials(server, keycloak):
    """Header by caller; `with_role` is data-science, which the deployments of this table allow."""
    tokens = {name: keycloak.token(name) for name in ("scientist", "analyst", "creator", "keeper")}
    revoked, taken, expired = (make_key(server, tokens["scientist"]) for _ in range(3))
    assert server.call("DELETE", f"/api/user/psk/{revoked['id']}", token=tokens["scientist"])[0] == 204
    theirs = f"/api/users/{subject_of(tokens['scientist'])}/psk"
    assert server.call("DELETE", f"{theirs}/{taken['id']}", token=tokens["keeper"])[0] == 204
    execute(server, "UPDATE user_keys SET expires_at = created_at WHERE id = ?", expired["id"])
    key = {name: make_key(server, tokens[name])["psk"] for name in ("scientist", "analyst")}
    bearer = {name: {"Authorization": f"Bearer {token}"} for name, token in tokens.items()}
    return {
        "nobody": {},
        "bearer without role": bearer["analyst"],
        "bearer with role": bearer["scientist"],
        "creator": bearer["creator"],
        "admin role": bearer["keeper"],
        "user PSK, no roles set": {"Authorization-PSK": key["scientist"]},
        "user PSK with the role": {"Authorization-PSK": key["scientist"]},
        "user PSK with the role as bearer": {"Authorization": f"Bearer {key['scientist']}"},
        "user PSK without the role": {"Authorization-PSK": key["analyst"]},
        "revoked PSK": {"Authorization-PSK": revoked["psk"]},
        "PSK revoked by an administrator": {"Authorization-PSK": taken["psk"]},
        "expired PSK": {"Authorization-PSK": expired["psk"]},
        **{name: {"Authorization-PSK": service_key(server, *made)} for name, made in SERVICE_KEYS.items()},
        "platform PSK": {"Authorization-PSK": server.psk},
        "platform PSK as bearer": {"Authorization": f"Bearer {server.psk}"},
    }


OPEN, CREATE, LIST, SEE, MANAGE, INVOKE, GOVERN, OWN_KEYS, REPORT, PLATFORM, EXPLAIN = range(11)
ALL_SCOPES = ["deployments:read", "deployments:write", "runs:trigger", "runs:report"]
SERVICE_KEYS = {  # the roles of the account, the scopes and the models of the key
    "service key without the role": ([], ALL_SCOPES, None),
    "service key with the role": (["data-science"], ALL_SCOPES, ["m", "x"]),
    "service key that reads": (["data-science"], ["deployments:read"], None),
    "service key that triggers": (["data-science"], ["runs:trigger"], None),
    "service key that reports": ([], ["runs:report"], None),
    "service key of another model": (["data-science"], ALL_SCOPES, ["x"]),
}
RUN = str(uuid.uuid4())  # that the run tokens of the table are for
CALLERS = {  # what each may do, beside the open endpoints: DESIGN section 2, "Who may do what"
    "nobody": None,
    "revoked PSK": None,
    "PSK revoked by an administrator": None,
    "expired PSK": None,
    "bearer without role": {CREATE, LIST, SEE, OWN_KEYS, EXPLAIN},
    "bearer with role": {CREATE, LIST, SEE, MANAGE, INVOKE, GOVERN, OWN_KEYS, EXPLAIN},
    "creator": {CREATE, LIST, SEE, MANAGE, INVOKE, GOVERN, OWN_KEYS, EXPLAIN},
    "admin role": {CREATE, LIST, SEE, MANAGE, INVOKE, GOVERN, OWN_KEYS, PLATFORM, EXPLAIN},
    "user PSK, no roles set": {LIST, EXPLAIN},
    "user PSK without the role": {LIST, EXPLAIN},
    "user PSK with the role": {LIST, SEE, MANAGE, INVOKE, EXPLAIN},
    "user PSK with the role as bearer": {LIST, SEE, MANAGE, INVOKE, EXPLAIN},
    "platform PSK": {CREATE, LIST, SEE, MANAGE, INVOKE, GOVERN, REPORT, PLATFORM, EXPLAIN},
    "platform PSK as bearer": {CREATE, LIST, SEE, MANAGE, INVOKE, GOVERN, REPORT, PLATFORM, EXPLAIN},
    "service key without the role": {CREATE, LIST, SEE, REPORT, EXPLAIN},
    "service key with the role": {CREATE, LIST, SEE, MANAGE, INVOKE, REPORT, EXPLAIN},
    "service key that reads": {LIST, SEE, EXPLAIN},
    "service key that triggers": {INVOKE},
    "service key that reports": {REPORT},
    "service key of another model": set(),
    "run token": {REPORT},
    "run token as bearer": {REPORT},
    "run token of another deployment": set(),
    "expired run token": None,
}
D = "/api/models/m/deployments/{name}"
EXPLAINED = "/api/access/explain?model=m"
ENDPOINTS = [
    ("POST", "/api/models/m/deployments", CREATE, lambda name: body(name=name + "-new")),
    ("GET", "/api/models/m/deployments", LIST, None),
    ("GET", "/api/deployments", LIST, None),
    ("GET", D, SEE, None),
    ("PATCH", D, MANAGE, {"owner": "z"}),
    ("DELETE", D, GOVERN, None),
    ("PUT", D + "/allowed_roles", GOVERN, {"allowed_roles": []}),
    ("POST", D + "/stop", MANAGE, None),
    ("POST", D + "/start", MANAGE, None),
    ("POST", D + "/trigger", INVOKE, None),
    ("POST", D + "/backfill", INVOKE, {"from": "2024-01-01", "to": "2024-01-02"}),
    ("GET", D + "/runs", SEE, None),
    ("POST", D + "/runs", REPORT, {"airflow_run_id": f"slipway__{RUN}", "status": "running"}),
    ("GET", D + "/runs/{run_id}", SEE, None),
    ("GET", D + "/runs/{run_id}/log", SEE, None),
    ("POST", D + "/runs/{run_id}/cancel", INVOKE, None),
    ("GET", D + "/run/predict", INVOKE, None),
    ("POST", D + "/run/predict", INVOKE, None),
    ("PUT", D + "/run/predict", INVOKE, None),
    ("PATCH", D + "/run/predict", INVOKE, None),
    ("DELETE", D + "/run/predict", INVOKE, None),
    ("POST", "/api/user/psk", OWN_KEYS, {"description": "x"}),
    ("GET", "/api/user/psk", OWN_KEYS, None),
    ("POST", "/api/user/psk/nope/regenerate", OWN_KEYS, None),
    ("DELETE", "/api/user/psk/nope", OWN_KEYS, None),
    ("GET", "/api/users/nobody/psk", PLATFORM, None),
    ("DELETE", "/api/users/nobody/psk/nope", PLATFORM, None),
    ("POST", "/api/service-accounts", PLATFORM, lambda name: {"name": name, "description": "x"}),
    ("GET", "/api/service-accounts", PLATFORM, None),
    ("DELETE", "/api/service-accounts/no-one", PLATFORM, None),
    ("POST", "/api/service-accounts/no-one/keys", PLATFORM, {"description": "x", "scopes": ["runs:report"]}),
    ("GET", "/api/service-accounts/no-one/keys", PLATFORM, None),
    ("DELETE", "/api/service-accounts/no-one/keys/nope", PLATFORM, None),
    ("GET", "/api/audit", PLATFORM, None),
    ("GET", "/api/webhooks/dead-letters", PLATFORM, None),
    ("POST", "/api/webhooks/dead-letters/nope/retry", PLATFORM, None),
    ("DELETE", "/api/webhooks/dead-letters/nope", PLATFORM, None),
    ("GET", EXPLAINED, EXPLAIN, None),
    ("GET", "/openapi.json", OPEN, None),
    ("GET", "/docs", OPEN, None),
    ("GET", "/healthz", OPEN, None),
    ("GET", "/readyz", OPEN, None),
    ("GET", "/metrics", OPEN, None),
]


def run_token_of(server, caller: str, made: dict) -> dict:
    """The headers of a caller with the token of a run: of this deployment, or of another one."""
    if not caller.endswith(("run token", "run token as bearer", "run token of another deployment")):
        return {}
    deployment_id = str(uuid.uuid4()) if caller.endswith("another deployment") else made["deployment_id"]
    token = run_token(server, deployment_id, RUN, -1 if caller == "expired run token" else 3600)
    return {"Authorization": f"Bearer {token}"} if caller.endswith("bearer") else {"Authorization-PSK": token}


def test_a_key_hears_that_roles_and_archiving_want_a_person(server, credentials):
    server.call("POST", "/api/models/m/deployments", body(name="governed", allowed_roles=["data-science"]))
    one, key = "/api/models/m/deployments/governed", credentials["user PSK with the role"]
    for method, path, sent in (("DELETE", one, None), ("PUT", f"{one}/allowed_roles", {"allowed_roles": ["x"]})):
        status, answer, _ = server.call(method, path, sent, psk=None, headers=key)
        assert status == 403 and "a key never changes allowed_roles" in answer["detail"]
    assert server.call("GET", one)[1]["allowed_roles"] == ["data-science"]
    assert server.call("POST", f"{one}/stop", psk=None, headers=key)[0] == 200


def test_the_table_names_every_endpoint(server):
    document = server.call("GET", "/openapi.json")[1]
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    pattern = {
        "/api/models/m/": "/api/models/{model}/",
        "/nope": "/{id}",
        "/run/predict": "/run/{path}",
        "/users/nobody/": "/users/{sub}/",
        "/no-one": "/{account}",
        "?model=m": "",
    }
    listed = set()
    for method, path, _, _ in ENDPOINTS:
        for concrete, named in pattern.items():
            path = path.replace(concrete, named)
        listed.add((method, path))
    assert listed == described


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("method, path, needs, sent", ENDPOINTS, ids=[f"{e[0]} {e[1]}" for e in ENDPOINTS])
def test_who_may_do_what(server, credentials, caller, method, path, needs, sent):
    name = "d" + uuid.uuid4().hex[:12]
    roles = [] if caller == "user PSK, no roles set" else ["data-science"]
    creator = credentials["creator"]
    status, made, _ = server.call(
        "POST", "/api/models/m/deployments", body(name=name, allowed_roles=roles), psk=None, headers=creator
    )
    assert status == 201
    run_id = "nope"
    if "{run_id}" in path:
        run_id = server.call("POST", f"/api/models/m/deployments/{name}/trigger", psk=None, headers=creator)[1][
            "run_id"
        ]
    status, answer, headers = server.call(
        method,
        path.format(name=name, run_id=run_id),
        sent(name) if callable(sent) else sent,
        psk=None,
        headers=credentials.get(caller) or run_token_of(server, caller, made),
    )
    may = needs == OPEN or (CALLERS[caller] is not None and needs in CALLERS[caller])
    may |= caller == "service key of another model" and path in (
        "/api/deployments",
        EXPLAINED,
    )  # and finds nothing there
    if may:
        assert status not in (401, 403, 500), answer
    elif CALLERS[caller] is None:
        assert status == 401 and headers["WWW-Authenticate"].startswith('Bearer realm="slipway"'), answer
        assert ("invalid_token" in headers["WWW-Authenticate"]) == (caller != "nobody")
    else:
        assert status == 403, answer


@pytest.fixture(scope="module")
def ruled(keycloak, tmp_path_factory):
    """A server where the role data-science may read one source, write one schema and use one model."""
    rules = [
        {"roles": ["data-science"], "tables": ["iceberg.src.t"], "models": ["m"], "allow": ["read"]},
        {"roles": ["data-science"], "tables": ["iceberg.ml.*"], "allow": ["write"]},
    ]
    started = Server(fill(Lake(tmp_path_factory.mktemp("ruled"))).dir, sign_in_settings(keycloak, rules))
    yield started
    started.stop()


TOUCHED = {  # a change of the body, and what the role data-science lacks for it
    "all that a rule names": ({}, None),
    "another source": ({"source__schema": "hr"}, "'read' on the table iceberg.hr.t"),
    "another target": ({"target__schema": "pub"}, "'write' on the table iceberg.pub.p"),
    "another model": ({}, "'read' on the model other"),
}
WITHOUT_THE_ROLE = ("analyst", "creator", "service account")


@pytest.mark.parametrize("touched", TOUCHED)
@pytest.mark.parametrize("path", ["", "?validate_only=true"])
@pytest.mark.parametrize("caller", ["scientist", *WITHOUT_THE_ROLE, "keeper", "key", "platform PSK", "nobody"])
def test_who_may_have_what_touched(ruled, keycloak, caller, path, touched):
    changes, lacks = TOUCHED[touched]
    model = "other" if touched == "another model" else "m"
    sent = body(name="d" + uuid.uuid4().hex[:12], **changes)
    if caller == "service account":
        with_it = {"token": keycloak.service_token()}
    elif caller == "key":
        with_it = {"psk": make_key(ruled, keycloak.token("scientist"))["psk"]}
    elif caller in ("nobody", "platform PSK"):
        with_it = {"psk": None} if caller == "nobody" else {}
    else:
        with_it = {"token": keycloak.token(caller)}
    status, answer, _ = ruled.call("POST", f"/api/models/{model}/deployments{path}", sent, **with_it)
    if caller == "nobody":
        assert status == 401, answer
    elif caller in ("keeper", "platform PSK"):  # they see what there is and what is not
        found = {"another source": 404, "another model": 404}.get(touched, 200 if path else 201)
        assert status == found, answer
    elif caller == "scientist" and lacks is None:
        assert status == (200 if path else 201), answer
    else:
        assert status == 403, answer
        if caller == "scientist":
            assert lacks in answer["detail"] and answer["detail"].count(" on the ") == 1, answer
        elif caller in WITHOUT_THE_ROLE:
            assert answer["detail"].count(" on the ") == 3, answer


@pytest.mark.parametrize("caller", ["scientist", "creator", "keeper", "key", "platform PSK"])
def test_who_may_change_and_invoke_under_rules(ruled, keycloak, caller):
    """Whoever changes a deployment needs the rights themselves; whoever may invoke it invokes it with its rights."""
    name = "d" + uuid.uuid4().hex[:12]
    one = f"{ALL}/{name}"
    if caller == "creator":  # has a role that may invoke, and no rule names
        operators = "operators-" + name
        keycloak.admin("POST", "/roles", {"name": operators})
        keycloak.change_role("creator", operators, "POST")
    sent = body(name=name, schedule="0 6 * * *", allowed_roles=["data-science", "operators-" + name])
    assert ruled.call("POST", ALL, sent, token=keycloak.token("scientist"))[0] == 201
    with_it = {"token": keycloak.token(caller)} if caller in ("scientist", "creator", "keeper") else {}
    if caller == "key":
        with_it = {"psk": make_key(ruled, keycloak.token("scientist"))["psk"]}
    asked = [
        ("POST", "/trigger", None, 202),
        ("POST", "/backfill", {"from": "2024-01-01", "to": "2024-01-02"}, 202),
        ("POST", "/stop", None, 200),
        ("POST", "/start", None, 200),
        ("PATCH", "", {"model_alias": "champion"}, 403 if caller == "creator" else 200),
        ("PATCH", "", {"owner": "z"}, 403 if caller == "creator" else 200),
    ]
    for method, path, sent, expected in asked:
        status, answer, _ = ruled.call(method, one + path, sent, **with_it)
        assert status == expected, (method, path, answer)


def test_a_user_key_lists_only_what_its_roles_allow(server, credentials):
    for name, roles in (("seen", ["data-science"]), ("unseen", ["others"]), ("closed", [])):
        assert (
            server.call("POST", "/api/models/m/deployments", body(name=name, allowed_roles=roles, domain="lists"))[0]
            == 201
        )
    names = lambda caller: {
        d["name"]
        for d in server.call("GET", "/api/deployments?domain=lists", psk=None, headers=credentials[caller])[1]["items"]
    }  # noqa: E731
    assert names("user PSK with the role") == {"seen"} and names("user PSK without the role") == set()
    assert names("bearer without role") == {"seen", "unseen", "closed"}


def test_client_roles_count_too(server, keycloak):
    client = next(c for c in keycloak.admin("GET", "/clients?clientId=slipway"))
    role = keycloak.admin("GET", f"/clients/{client['id']}/roles/scorer")
    path = f"/users/{keycloak.user_id('analyst')}/role-mappings/clients/{client['id']}"
    server.call("POST", "/api/models/m/deployments", body(name="client-role", allowed_roles=["scorer"]))
    assert server.call("POST", "/api/models/m/deployments/client-role/stop", token=keycloak.token("analyst"))[0] == 403
    keycloak.admin("POST", path, [role])
    try:
        token = keycloak.token("analyst")
        assert server.call("POST", "/api/models/m/deployments/client-role/stop", token=token)[0] == 200
        key = make_key(server, token)["psk"]
        start = "/api/models/m/deployments/client-role/start"  # the roles of before may be remembered for a moment
        until(lambda: server.call("POST", start, psk=key)[0], lambda status: status == 200, 20 * REFRESH)
    finally:
        keycloak.admin("DELETE", path, [role])


def test_a_service_account_is_a_caller_too(server, keycloak):
    status, made, _ = server.call(
        "POST", "/api/models/m/deployments", body(name="by-robot"), token=keycloak.service_token()
    )
    assert status == 201
    assert server.call("POST", "/api/models/m/deployments/by-robot/stop", token=keycloak.service_token())[0] == 200


def test_a_role_taken_away_stops_a_user_key(server, keycloak):
    server.call("POST", "/api/models/m/deployments", body(name="followed", allowed_roles=["data-science"]))
    one = "/api/models/m/deployments/followed"
    key = make_key(server, keycloak.token("scientist"))["psk"]
    assert server.call("GET", one, psk=key)[0] == 200
    keycloak.change_role("scientist", "data-science", "DELETE")
    try:
        until(lambda: server.call("GET", one, psk=key)[0], lambda status: status == 403, 20 * REFRESH)
    finally:
        keycloak.change_role("scientist", "data-science", "POST")
    until(lambda: server.call("GET", one, psk=key)[0], lambda status: status == 200, 20 * REFRESH)


@pytest.mark.parametrize("gone", [False, True])
def test_a_user_who_is_disabled_or_gone_has_no_keys(server, keycloak, gone):
    name = f"leaver-{uuid.uuid4().hex[:6]}"
    keycloak.admin(
        "POST",
        "/users",
        {
            "username": name,
            "enabled": True,
            "email": f"{name}@example.com",
            "firstName": "a",
            "lastName": "b",
            "credentials": [{"type": "password", "value": "for-tests-only"}],
        },
    )
    key = make_key(server, keycloak.token(name))["psk"]
    assert server.call("GET", "/api/deployments", psk=key)[0] == 200
    path = f"/users/{keycloak.user_id(name)}"
    keycloak.admin("DELETE", path) if gone else keycloak.admin("PUT", path, {"enabled": False})
    answer = until(lambda: server.call("GET", "/api/deployments", psk=key), lambda a: a[0] == 401, 20 * REFRESH)
    assert "owner is" in answer[1]["detail"]


def subject_of(token: str) -> str:
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["sub"]


def service_key(server, roles, scopes, models) -> str:
    account = {"name": "a" + uuid.uuid4().hex[:12], "description": "for the table", "roles": roles}
    assert server.call("POST", "/api/service-accounts", account)[0] == 201
    sent = {"description": "x", "scopes": scopes, "models": models}
    status, made, _ = server.call("POST", f"/api/service-accounts/{account['name']}/keys", sent)
    assert status == 201
    return made["psk"]


def test_own_keys(server, keycloak):
    token, other = keycloak.token("creator"), keycloak.token("keeper")
    made = make_key(server, token, "laptop")
    listed = server.call("GET", "/api/user/psk", token=token)[1]["items"]
    shown = next(k for k in listed if k["id"] == made["id"])
    assert {k: made[k] for k in ("id", "description", "created_at", "expires_at")}.items() <= shown.items()
    assert shown["is_active"] and shown["last_used_at"] is None and shown["user_id"] == subject_of(token)
    assert made["psk"] not in json.dumps(listed)
    assert server.call("DELETE", f"/api/user/psk/{made['id']}", token=other)[0] == 404
    status, again, _ = server.call("POST", f"/api/user/psk/{made['id']}/regenerate", token=token)
    assert status == 200 and again["id"] == made["id"] and again["psk"] != made["psk"]
    assert server.call("GET", "/api/deployments", psk=made["psk"])[0] == 401
    assert server.call("GET", "/api/deployments", psk=again["psk"])[0] == 200
    assert again["psk"] not in server.log_file.read_text()
    for file in server.data_dir.glob("slipway.db*"):
        assert again["psk"].encode() not in file.read_bytes()


def part(value) -> str:
    return (
        base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode())
        .rstrip(b"=")
        .decode()
    )


def test_tokens_that_are_not_valid(server, keycloak):
    good = keycloak.token("scientist")
    header, payload, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    kid = json.loads(base64.urlsafe_b64decode(header + "=="))["kid"]
    assert server.call("GET", "/api/deployments", token=good)[0] == 200
    bad = {
        "alg none": f"{part({'alg': 'none', 'kid': kid})}.{payload}.",
        "tampered": f"{header}.{part({**claims, 'sub': 'x'})}.{signature}",
        "no signature": f"{header}.{payload}.",
        "unknown kid": f"{part({'alg': 'RS256', 'kid': 'nope'})}.{payload}.{signature}",
        "100 KiB": f"{header}.{part({**claims, 'x': 'y' * 75_000})}.{signature}",
        "no token": "a.b.c",
        "dots": "..",
        "no base64": "!.?.#",
        "another client's audience": keycloak.token("scientist", "other-app"),
        "an id token": keycloak.form(
            f"{keycloak.issuer}/protocol/openid-connect/token",
            {
                "grant_type": "password",
                "client_id": "slipway",
                "username": "scientist",
                "password": "for-tests-only",
                "scope": "openid",
            },
        )["id_token"],
    }
    for what, token in bad.items():
        status, answer, headers = server.call("GET", "/api/deployments", token=token)
        assert status == 401 and 'error="invalid_token"' in headers["WWW-Authenticate"], (what, answer)
    assert good not in server.log_file.read_text()


def test_keycloak_down(own_keycloak, tmp_path):
    """Known keys go on working, unknown ones get 503, and a server that starts meanwhile is not ready, and says why."""
    lake = fill(Lake(tmp_path))
    server = Server(lake.dir, sign_in_settings(own_keycloak))
    try:
        token = own_keycloak.token("scientist")
        assert server.call("GET", "/api/deployments", token=token)[0] == 200
        key = make_key(server, token)["psk"]
        assert server.call("GET", "/api/deployments", psk=key)[0] == 200
        own_keycloak.stop()
        try:
            assert server.call("GET", "/api/deployments", token=token)[0] == 200
            time.sleep(REFRESH)  # what was looked up is old now, and is what there is
            assert server.call("GET", "/api/deployments", psk=key)[0] == 200
            header, payload, signature = token.split(".")
            unknown = f"{part({'alg': 'RS256', 'kid': 'rotated'})}.{payload}.{signature}"
            status, answer, headers = server.call("GET", "/api/deployments", token=unknown)
            assert status == 503 and "Retry-After" in headers, answer
            server.stop()
            server = Server(lake.dir, sign_in_settings(own_keycloak))
            status, answer, _ = server.call("GET", "/readyz")
            assert status == 503 and "issuer" in answer["detail"]
            assert server.call("GET", "/api/deployments", token=token)[0] == 503
            assert server.call("GET", "/api/deployments")[0] == 200
        finally:
            own_keycloak.start()
        until(lambda: server.call("GET", "/api/deployments", token=token)[0], lambda status: status == 200, 30)
        assert server.call("GET", "/readyz")[0] == 200
    finally:
        server.stop()


@pytest.fixture
def own_realm(keycloak, tmp_path):
    """A server and a realm whose keys change: (server, realm)."""
    realm = keycloak.own_realm()
    started = Server(Lake(tmp_path).dir, sign_in_settings(realm))
    yield started, realm
    started.stop()


def test_keys_rotate(own_realm):
    """A new active key of the realm is found, and the old one goes on until Keycloak drops it."""
    server, keycloak = own_realm
    old = keycloak.token("scientist")
    realm_id = keycloak.admin("GET", "")["id"]
    component = {
        "name": "newer",
        "providerId": "rsa-generated",
        "providerType": "org.keycloak.keys.KeyProvider",
        "parentId": realm_id,
        "config": {
            "priority": ["500"],
            "enabled": ["true"],
            "active": ["true"],
            "keySize": ["2048"],
            "algorithm": ["RS256"],
        },
    }
    keycloak.admin("POST", "/components", component)
    new = keycloak.token("scientist")
    assert new.split(".")[0] != old.split(".")[0]
    until(lambda: server.call("GET", "/api/deployments", token=new)[0], lambda status: status == 200, 20 * REFRESH)
    assert server.call("GET", "/api/deployments", token=old)[0] == 200


def test_es256(own_realm):
    server, keycloak = own_realm
    realm_id = keycloak.admin("GET", "")["id"]
    keycloak.admin(
        "POST",
        "/components",
        {
            "name": "curve",
            "providerId": "ecdsa-generated",
            "providerType": "org.keycloak.keys.KeyProvider",
            "parentId": realm_id,
            "config": {
                "priority": ["100"],
                "enabled": ["true"],
                "active": ["true"],
                "ecdsaEllipticCurveKey": ["P-256"],
            },
        },
    )
    client = keycloak.admin("GET", "/clients?clientId=slipway")[0]
    attributes = {**client.get("attributes", {}), "access.token.signed.response.alg": "ES256"}
    keycloak.admin("PUT", f"/clients/{client['id']}", {**client, "attributes": attributes})
    token = keycloak.token("scientist")
    assert json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))["alg"] == "ES256"
    until(lambda: server.call("GET", "/api/deployments", token=token)[0], lambda status: status == 200, 20 * REFRESH)


def test_the_audit_log(server, keycloak):
    token = keycloak.token("creator")
    subject = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["sub"]
    server.call(
        "POST", "/api/models/m/deployments", body(name="audited"), token=token, headers={"X-Request-Id": "ticket-17"}
    )
    server.call("POST", "/api/models/m/deployments/audited/stop", token=keycloak.token("analyst"))
    entries = server.call("GET", "/api/audit?deployment=audited&model=m")[1]["items"]
    assert [(e["status"], e["actor_kind"]) for e in entries] == [(403, "token"), (201, "token")]
    assert (
        entries[1]["actor"] == subject
        and entries[1]["request_id"] == "ticket-17"
        and entries[1]["remote"] == "127.0.0.1"
    )
    assert entries[1]["action"] == "POST /api/models/{model}/deployments"
    lines = server.call("GET", f"/api/audit?actor={subject}", headers={"Accept": "application/x-ndjson"})
    assert lines[2]["Content-Type"] == "application/x-ndjson" and all(
        json.loads(line)["actor"] == subject for line in lines[1].splitlines()
    )


def test_a_run_by_a_token(server, keycloak):
    server.call("POST", "/api/models/m/deployments", body(name="by-token"), token=keycloak.token("creator"))
    one = "/api/models/m/deployments/by-token"
    status, run, _ = server.call("POST", f"{one}/trigger", token=keycloak.token("creator"))
    assert status == 202
    assert finished(server, run["run_id"], one)["status"] == "succeeded"


def approve(url: str, user: str) -> None:
    """What a person does in a browser: signs in on Keycloak's page, and grants the client what it asks for."""
    cookies = http.cookiejar.CookieJar(
        http.cookiejar.DefaultCookiePolicy(secure_protocols=("http", "https"))
    )  # loopback counts as secure
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))
    page = browser.open(url).read().decode()
    for fields in ({"username": user, "password": "for-tests-only"}, {"accept": "Yes"}):
        action = html.unescape(re.search(r'<form[^>]*action="([^"]+)"', page).group(1))
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
        page = (
            browser.open(urllib.parse.urljoin(url, action), urllib.parse.urlencode({**hidden, **fields}).encode())
            .read()
            .decode()
        )
    assert "Device Login Successful" in page, page


def test_login_with_a_device(server, keycloak, tmp_path):
    """`slipway login` prints an address; what a browser does there signs the command line in, and a run-out token is
    renewed."""
    home = {**{k: v for k, v in os.environ.items() if not k.startswith("SLIPWAY_")}, "XDG_CONFIG_HOME": str(tmp_path)}
    command = [BINARY, "--data-dir", tmp_path, "--server", server.url]
    login = subprocess.Popen([*command, "login"], stdout=subprocess.PIPE, text=True, env=home)
    approve(re.search(r"open (\S+)", login.stdout.readline()).group(1), "creator")
    assert login.wait(timeout=30) == 0

    def run(*arguments, **more):
        return subprocess.run([*command, *arguments], capture_output=True, text=True, env={**home, **more})

    file = tmp_path / "slipway/logins.json"
    assert file.stat().st_mode & 0o777 == 0o600
    made = run("keys", "create", "for the command line")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["description"] == "for the command line"
    logins = json.loads(file.read_text())
    before = logins[server.url]["access_token"]
    logins[server.url]["expires_at"] = 0
    file.write_text(json.dumps(logins))
    assert run("deployments").returncode == 0
    assert json.loads(file.read_text())[server.url]["access_token"] != before
    assert "for the command line" in run("keys", "list", SLIPWAY_TOKEN=keycloak.token("creator")).stdout
    assert run("keys", "list", SLIPWAY_TOKEN=keycloak.token("analyst")).stdout.count("for the command line") == 0
    refused = run("audit")
    assert refused.returncode == 1 and "403" in refused.stderr
    assert '"actor"' in run("audit", SLIPWAY_PSK=server.psk).stdout
    assert run("logout").returncode == 0
    signed_out = run("deployments")
    assert signed_out.returncode != 0 and "slipway login" in signed_out.stderr
