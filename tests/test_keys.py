"""Keys of people and of service accounts: their ends, their number, who takes them away, and what they reach."""

import json
import os
import subprocess

import pytest
from conftest import BINARY, Lake, Server
from deployments import ALL, ONE, OPEN_RULES, body, fill
from issuer import Issuer
from signing import execute

from slipway.client import Client
from slipway.errors import PermissionDenied

AREAS = ["auth", "server", "cli"]
EXAMPLE = "test_a_key_ends"

STORES = ("sqlite", "postgresql")
DAY = 24 * 3600 * 1_000_000
MINE = "/api/user/psk"
ACCOUNTS = "/api/service-accounts"


@pytest.fixture(scope="module")
def issuer():
    started = Issuer()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def server(issuer, store, tmp_path_factory):
    settings = {"auth.issuer": issuer.url, "access.rules": json.dumps(OPEN_RULES)}
    started = Server(fill(Lake(tmp_path_factory.mktemp("lake"))).dir, settings)
    yield started
    started.stop()


@pytest.fixture
def person(issuer, request):
    """A token of somebody who is nobody else's, and has a role."""
    name = request.node.originalname
    return lambda **claims: issuer.token(sub=f"sub-{name}", realm_access={"roles": ["red"]}, **claims)


def make(server, token, **fields) -> dict:
    status, made, _ = server.call("POST", MINE, {"description": "x", **fields}, token=token)
    assert status == 201, made
    return made


def change(server, statement: str, *values) -> None:
    """What only time does, done at once."""
    assert execute(server, statement, *values) == 1


def one(server, token, made) -> dict:
    return next(key for key in server.call("GET", MINE, token=token)[1]["items"] if key["id"] == made["id"])


def days_between(made: dict) -> float:
    from datetime import datetime

    start, end = (datetime.fromisoformat(made[name].replace("Z", "+00:00")) for name in ("created_at", "expires_at"))
    return (end - start).total_seconds() / 86400


def test_a_key_ends(server, person):
    token = person()
    made, brief = make(server, token), make(server, token, expires_in_days=1)
    assert days_between(made) == 90 and days_between(brief) == 1
    assert server.call("GET", "/api/deployments", psk=brief["psk"])[0] == 200
    change(server, "UPDATE user_keys SET expires_at = expires_at - ? WHERE id = ?", 2 * DAY, brief["id"])
    status, answer, headers = server.call("GET", "/api/deployments", psk=brief["psk"])
    assert status == 401 and "expired" in answer["detail"] and "invalid_token" in headers["WWW-Authenticate"]
    assert not one(server, token, brief)["is_active"] and one(server, token, made)["is_active"]
    status, answer, _ = server.call("POST", f"{MINE}/{brief['id']}/regenerate", token=token)
    assert status == 409 and "make another" in answer["detail"]
    assert server.call("GET", "/api/deployments", psk=made["psk"])[0] == 200


def test_how_long_it_may_live(server, person):
    for days, status in ((366, 201), (367, 422), (0, 422), (-1, 422), (10**12, 422), ("x", 422), (1.5, 422)):
        got, answer, _ = server.call("POST", MINE, {"description": "x", "expires_in_days": days}, token=person())
        assert got == status, answer
        if status == 422:
            assert answer["detail"][0]["loc"] == ["body", "expires_in_days"], answer


def test_what_the_list_shows(server, person):
    token = person()
    made = make(server, token, description="laptop")
    shown = one(server, token, made)
    assert shown == {
        "id": made["id"],
        "description": "laptop",
        "created_at": made["created_at"],
        "expires_at": made["expires_at"],
        "last_used_at": None,
        "is_active": True,
        "user_id": "sub-test_what_the_list_shows",
    }
    server.call("GET", "/api/deployments", psk=made["psk"])
    used = one(server, token, made)["last_used_at"]
    assert used >= made["created_at"]
    server.call("GET", "/api/deployments", psk=made["psk"])
    assert one(server, token, made)["last_used_at"] == used  # not written at each request


def test_twenty_keys_that_work(server, person):
    token = person()
    made = [make(server, token) for _ in range(20)]
    status, answer, _ = server.call("POST", MINE, {"description": "x"}, token=token)
    assert status == 409 and "revoke one" in answer["detail"]
    assert server.call("DELETE", f"{MINE}/{made[0]['id']}", token=token)[0] == 204
    make(server, token)
    assert server.call("POST", MINE, {"description": "x"}, token=token)[0] == 409


def test_an_owner_who_has_left(server, person):
    """Without a service account nobody says that they have: that they are not seen does."""
    token = person()
    made = make(server, token)
    change(
        server, "UPDATE people SET seen_at = seen_at - ? WHERE subject = ?", 31 * DAY, "sub-test_an_owner_who_has_left"
    )
    status, answer, _ = server.call("GET", "/api/deployments", psk=made["psk"])
    assert status == 401 and "has not been seen for 30 days" in answer["detail"]
    assert server.call("GET", "/api/deployments", token=person())[0] == 200  # they sign in
    assert server.call("GET", "/api/deployments", psk=made["psk"])[0] == 200


def command(server, *arguments, **environment) -> subprocess.CompletedProcess:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SLIPWAY_")}
    flags = ["--data-dir", server.data_dir, "--server", server.url]
    return subprocess.run([BINARY, *flags, *arguments], capture_output=True, text=True, env={**clean, **environment})


def test_an_administrator_takes_keys_away(server, issuer, person):
    token, subject = person(), "sub-test_an_administrator_takes_keys_away"
    admin = issuer.token(sub="boss", realm_access={"roles": ["slipway-admin"]})
    first, second = make(server, token), make(server, token)
    theirs = f"/api/users/{subject}/psk"
    for caller in ({"token": token}, {"psk": first["psk"]}):
        assert server.call("GET", theirs, **caller)[0] == 403
        assert server.call("DELETE", f"{theirs}/{second['id']}", **caller)[0] == 403
    assert [key["id"] for key in server.call("GET", theirs, token=admin)[1]["items"]] == [first["id"], second["id"]]
    assert server.call("GET", "/api/users/nobody/psk", token=admin)[0] == 404
    assert server.call("DELETE", f"/api/users/boss/psk/{first['id']}", token=admin)[0] == 404
    assert server.call("DELETE", f"{theirs}/{first['id']}", token=admin)[0] == 204
    assert server.call("GET", "/api/deployments", psk=first["psk"])[0] == 401
    entry = server.call("GET", "/api/audit?actor=boss&limit=1")[1]["items"][0]
    assert entry["action"] == "DELETE /api/users/{sub}/psk/{id}" and entry["status"] == 204
    assert first["id"] in entry["detail"] and subject in entry["detail"]

    listed = command(server, "keys", "list", "--of", subject)
    assert [key["id"] for key in json.loads(listed.stdout)["items"]] == [second["id"]], listed.stderr
    assert command(server, "keys", "revoke", second["id"], "--of", subject).returncode == 0
    assert server.call("GET", "/api/deployments", psk=second["psk"])[0] == 401
    assert command(server, "keys", "revoke", second["id"], "--of", subject).returncode == 3


def account_key(server, name: str, scopes, models=None, roles=("red",)) -> str:
    made = {"name": name, "description": "for a test", "roles": list(roles)}
    assert server.call("POST", ACCOUNTS, made)[0] in (201, 409)
    sent = {"description": "x", "scopes": list(scopes), "models": models}
    status, key, _ = server.call("POST", f"{ACCOUNTS}/{name}/keys", sent)
    assert status == 201 and days_between(key) == 90, key
    return key["psk"]


READ, WRITE, TRIGGER, REPORT = "deployments:read", "deployments:write", "runs:trigger", "runs:report"
NEEDS = [  # beside the role, or having made it
    ("GET", "/api/deployments", READ, None),
    ("GET", ALL, READ, None),
    ("GET", ONE, READ, None),
    ("GET", f"{ONE}/runs", READ, None),
    ("GET", f"{ONE}/runs/nope", READ, None),
    ("GET", f"{ONE}/runs/nope/log", READ, None),
    ("POST", ALL, WRITE, body(name="again")),
    ("PATCH", ONE, WRITE, {"owner": "z"}),
    ("POST", f"{ONE}/stop", WRITE, None),
    ("POST", f"{ONE}/start", WRITE, None),
    ("POST", f"{ONE}/trigger", TRIGGER, None),
    ("POST", f"{ONE}/backfill", TRIGGER, {"from": "2024-01-01", "to": "2024-01-02"}),
    ("POST", f"{ONE}/runs/nope/cancel", TRIGGER, None),
    ("GET", f"{ONE}/run/predict", TRIGGER, None),
    ("POST", f"{ONE}/runs", REPORT, {"airflow_run_id": "a", "status": "running"}),
    ("DELETE", ONE, None, None),
    ("PUT", f"{ONE}/allowed_roles", None, {"allowed_roles": []}),
    ("POST", MINE, None, {"description": "x"}),
    ("GET", MINE, None, None),
    ("GET", "/api/audit", None, None),
    ("GET", ACCOUNTS, None, None),
    ("POST", ACCOUNTS, None, {"name": "x", "description": "x"}),
    ("GET", "/api/users/x/psk", None, None),
]


@pytest.mark.parametrize("scope", [READ, WRITE, TRIGGER, REPORT])
def test_a_scope_reaches_what_it_says(server, scope):
    server.call("POST", ALL, body(allowed_roles=["red"]))
    name = scope.replace(":", "-")
    key, elsewhere = account_key(server, name, [scope]), account_key(server, name, [scope], ["other"])
    stranger = account_key(server, f"{name}-blue", [scope], roles=["blue"])
    for method, path, needs, sent in NEEDS:
        status, answer, _ = server.call(method, path, sent, psk=key)
        assert (status == 403) == (needs != scope) and status not in (401, 500), (method, path, answer)
        if needs is not None and path.startswith(ALL):
            status, answer, _ = server.call(method, path, sent, psk=elsewhere)
            assert status == 403 and "reach" in answer["detail"], (method, path, answer)
        if needs in (WRITE, TRIGGER) and path != ALL:
            assert server.call(method, path, sent, psk=stranger)[0] == 403, (method, path)


def test_a_machine_manages_what_it_made(server):
    key = account_key(server, "maker", [WRITE, READ], roles=[])
    status, made, _ = server.call("POST", ALL, body(name="made", target__table="made"), psk=key)
    assert status == 201 and made["created_by"] == "service-account:maker"
    assert server.call("PATCH", f"{ALL}/made", {"owner": "me"}, psk=key)[1]["owner"] == "me"
    status, answer, _ = server.call("POST", f"{ALL}/made/trigger", psk=key)
    assert status == 403 and "'runs:trigger'" in answer["detail"]
    status, answer, _ = server.call("DELETE", f"{ALL}/made", psk=key)
    assert status == 403 and "never archives" in answer["detail"]


def test_a_list_shows_the_models_that_a_key_reaches(server):
    server.call("POST", ALL, body(name="listed", domain="listed"))

    def names(key):
        return [d["name"] for d in server.call("GET", "/api/deployments?domain=listed", psk=key)[1]["items"]]

    assert names(account_key(server, "lister", [READ])) == ["listed"]
    assert names(account_key(server, "lister", [READ], ["m"])) == ["listed"]
    assert names(account_key(server, "lister", [READ], ["other"])) == []
    assert names(account_key(server, "lister", [READ], [])) == []


def test_a_service_account_goes(server):
    key = account_key(server, "short-lived", [READ])
    assert server.call("GET", "/api/deployments", psk=key)[0] == 200
    keys = server.call("GET", f"{ACCOUNTS}/short-lived/keys")[1]["items"]
    assert (keys[0]["scopes"], keys[0]["models"], keys[0]["user_id"]) == ([READ], None, "service-account:short-lived")
    assert server.call("DELETE", f"{ACCOUNTS}/short-lived")[0] == 204
    assert server.call("GET", "/api/deployments", psk=key)[0] == 401
    assert server.call("DELETE", f"{ACCOUNTS}/short-lived")[0] == 404
    assert server.call("GET", f"{ACCOUNTS}/short-lived/keys")[0] == 404
    status, answer, _ = server.call("POST", ACCOUNTS, {"name": "short-lived", "description": "again"})
    assert status == 409 and "given once" in answer["detail"]
    assert "short-lived" not in [account["name"] for account in server.call("GET", ACCOUNTS)[1]["items"]]


def test_what_a_service_account_may_be(server):
    for sent, loc in (
        ({"name": "Upper", "description": "x"}, ["body", "name"]),
        ({"name": "a/b", "description": "x"}, ["body", "name"]),
        ({"description": "x"}, ["body", "name"]),
        ({"name": "ok"}, ["body", "description"]),
    ):
        status, answer, _ = server.call("POST", ACCOUNTS, sent)
        assert status == 422 and answer["detail"][0]["loc"] == loc, answer
    account_key(server, "scoped", [READ])
    for sent, loc in (
        ({"scopes": [READ, "everything"]}, ["body", "scopes", 1]),
        ({"scopes": []}, ["body", "scopes"]),
        ({}, ["body", "scopes"]),
        ({"scopes": [READ], "expires_in_days": 9999}, ["body", "expires_in_days"]),
    ):
        status, answer, _ = server.call("POST", f"{ACCOUNTS}/scoped/keys", {"description": "x", **sent})
        assert status == 422 and answer["detail"][0]["loc"] == loc, answer


def test_a_token_cannot_be_a_service_account(server, issuer):
    account_key(server, "real", [READ], roles=["red"])
    for subject in ("service-account:real", "run:1"):
        status, answer, _ = server.call("GET", "/api/deployments", token=issuer.token(sub=subject))
        assert status == 401 and "Slipway gives itself" in answer["detail"]
    assert next(a for a in server.call("GET", ACCOUNTS)[1]["items"] if a["name"] == "real")["roles"] == ["red"]


def test_by_the_command_line_and_the_client(server, person):
    made = command(server, "service-accounts", "create", "nightly", "starts runs", "--role", "red")
    assert made.returncode == 0 and json.loads(made.stdout)["roles"] == ["red"], made.stderr
    arguments = ["x", "--scope", TRIGGER, "--scope", READ, "--model", "m", "--days", "7"]
    key = json.loads(command(server, "service-accounts", "keys", "create", "nightly", *arguments).stdout)
    assert days_between(key) == 7
    assert server.call("GET", ALL, psk=key["psk"])[0] == 200
    listed = json.loads(command(server, "service-accounts", "keys", "list", "nightly").stdout)["items"]
    assert listed[0]["scopes"] == [READ, TRIGGER] and listed[0]["models"] == ["m"]
    assert command(server, "service-accounts", "keys", "revoke", "nightly", key["id"]).returncode == 0
    assert server.call("GET", ALL, psk=key["psk"])[0] == 401
    assert "nightly" in command(server, "service-accounts", "list").stdout
    assert command(server, "service-accounts", "remove", "nightly").returncode == 0

    mine = Client(server.url, token=person())
    made = mine.create_key("laptop", days=3)
    assert [key.id for key in mine.keys()] == [made.id] and days_between(vars(made)) == 3
    assert mine.keys()[0].is_active and server.call("GET", ALL, psk=made.psk)[0] == 200
    admin = Client(server.url, psk=server.psk)
    owner = mine.keys()[0].user_id
    assert [key.id for key in admin.keys(of=owner)] == [made.id]
    admin.revoke_key(made.id, of=owner)
    assert mine.keys() == [] and server.call("GET", ALL, psk=made.psk)[0] == 401
    account = admin.create_service_account("robot", "a test", roles=["red"])
    assert account in admin.service_accounts()
    robot = admin.create_service_key("robot", "x", scopes=[READ], models=["m"])
    assert [(key.id, key.scopes, key.models) for key in admin.service_keys("robot")] == [(robot.id, [READ], ["m"])]
    server.call("POST", ALL, body(name="robots"))
    assert Client(server.url, psk=robot.psk).deployment("m", "robots").name == "robots"
    with pytest.raises(PermissionDenied):
        Client(server.url, psk=robot.psk).stop("m", "robots")
    admin.revoke_service_key("robot", robot.id)
    admin.remove_service_account("robot")
    assert server.call("GET", ALL, psk=robot.psk)[0] == 401
