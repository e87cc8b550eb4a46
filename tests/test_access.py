"""Which tables and models a caller's deployments may touch: the rules, cell by cell; nothing is told of what may not be
touched; runs have the rights of whoever said what they do, and only as long as those last."""

import json

import pytest
from conftest import Lake, Server
from deployments import ALL, ONE, body, fill, finished, until
from fake_airflow import FakeAirflow
from issuer import Issuer

AREAS = ["access", "auth", "server"]
EXAMPLE = "test_nothing_is_told_of_what_may_not_be_touched"

TABLES = ["iceberg.src.*", "iceberg.ml.*"]
RULES = [
    {"roles": ["all"], "tables": TABLES, "models": ["m*"], "allow": ["read", "write"]},
    {"roles": ["no-source"], "tables": ["iceberg.ml.*"], "models": ["m"], "allow": ["read", "write"]},
    {"roles": ["no-target"], "tables": ["iceberg.**"], "models": ["m"], "allow": ["read"]},
    {"roles": ["no-model"], "tables": TABLES, "allow": ["read", "write"]},
    {"roles": ["others"], "tables": ["iceberg.hr.*"], "models": ["hr-*"], "allow": ["read", "write"]},
]
MISSING = {
    "all": [],
    "no-source": ["'read' on the table iceberg.src.t"],
    "no-target": ["'write' on the table iceberg.ml.p"],
    "no-model": ["'read' on the model m"],
    "others": ["'read' on the model m", "'read' on the table iceberg.src.t", "'write' on the table iceberg.ml.p"],
    "slipway-admin": [],
    "platform PSK": [],
}


@pytest.fixture(scope="module")
def issuer():
    started = Issuer()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return fill(Lake(tmp_path_factory.mktemp("lake")))


def settings(issuer, rules=RULES, **more) -> dict:
    return {
        "auth.issuer": issuer.url,
        "access.rules": json.dumps(rules),
        "access.contact": "data-platform@example.com",
        **more,
    }


@pytest.fixture(scope="module")
def server(issuer, lake):
    started = Server(lake.dir, settings(issuer))
    yield started
    started.stop()


def token(issuer, *roles, sub=None) -> str:
    who = sub or "-".join(roles)
    return issuer.token(sub=who, preferred_username=who, realm_access={"roles": list(roles)})


KEYS_MADE = {}  # a person has twenty at most


def key(server, issuer, role) -> str:
    made = KEYS_MADE.get((server.url, role))
    if made is None:
        made = server.call("POST", "/api/user/psk", {"description": "x"}, token=token(issuer, role))[1]["psk"]
        KEYS_MADE[server.url, role] = made
    return made


def credential(server, issuer, caller) -> dict:
    """Of a caller of MISSING, or of the user key of one: what Server.call takes."""
    if caller == "platform PSK":
        return {}
    kind, _, role = caller.rpartition(" ")
    return {"psk": key(server, issuer, role)} if kind else {"token": token(issuer, role)}


def made(server, issuer, name, *, by="all", **changes) -> str:
    """The path of a deployment that everybody's roles may use."""
    roles = [role for role in MISSING if role != "platform PSK"]
    sent = body(name=name, allowed_roles=roles, **changes)
    status, answer, _ = server.call("POST", ALL, sent, token=token(issuer, by))
    assert status == 201, answer
    return f"{ALL}/{name}"


KEYS = [f"key of {role}" for role in MISSING if role != "platform PSK"]
ASKED = {  # by the caller's own rights; what it answers where it may
    "create": (201, lambda name: ("POST", ALL, body(name=name + "-new"))),
    "validate": (200, lambda name: ("POST", f"{ALL}?validate_only=true", body(name=name + "-new"))),
    "owner": (200, lambda name: ("PATCH", f"{ALL}/{name}", {"owner": "z"})),
    "schedule": (200, lambda name: ("PATCH", f"{ALL}/{name}", {"schedule": "0 6 * * *"})),
    "alias": (200, lambda name: ("PATCH", f"{ALL}/{name}", {"model_alias": "champion"})),
    "filter": (200, lambda name: ("PATCH", f"{ALL}/{name}", {"filter_sql": "id < 3"})),
}
INVOKED = {  # by the rights of the deployment's runs
    "trigger": (202, lambda name: ("POST", f"{ALL}/{name}/trigger", None)),
    "backfill": (202, lambda name: ("POST", f"{ALL}/{name}/backfill", {"from": "2024-01-01", "to": "2024-01-02"})),
    "start": (200, lambda name: ("POST", f"{ALL}/{name}/start", None)),
}
FREE = {  # touches no table
    "see": (200, lambda name: ("GET", f"{ALL}/{name}", None)),
    "runs": (200, lambda name: ("GET", f"{ALL}/{name}/runs", None)),
    "stop": (200, lambda name: ("POST", f"{ALL}/{name}/stop", None)),
    "archive": (200, lambda name: ("DELETE", f"{ALL}/{name}", None)),
}


@pytest.mark.parametrize("what", [*ASKED, *INVOKED, *FREE])
@pytest.mark.parametrize("caller", [*MISSING, *KEYS])
def test_who_may_touch_what(server, issuer, caller, what):
    name = f"{what}-{caller}".lower().replace(" ", "-")
    made(server, issuer, name, schedule="0 5 * * *")
    expected, request = {**ASKED, **INVOKED, **FREE}[what]
    status, answer, _ = server.call(*request(name), **credential(server, issuer, caller))
    missing = MISSING[caller.rpartition(" ")[2] if caller in KEYS else caller] if what in ASKED else []
    if caller in KEYS and what in ("create", "validate", "archive"):
        assert status == 403 and "no rule" not in answer["detail"], answer  # no key may do that
    elif caller == "key of slipway-admin" and what in ASKED:
        assert status == 403, answer  # a key has its owner's roles, and is no administrator
    elif missing:
        assert status == 403 and "data-platform@example.com" in answer["detail"], answer
        assert all(one in answer["detail"] for one in missing), answer
        assert answer["detail"].count(" on the ") == len(missing), answer
    else:
        assert status == expected, answer


def test_without_rules_only_administrators_create(issuer, tmp_path):
    lake = fill(Lake(tmp_path))
    server = Server(lake.dir, {"auth.issuer": issuer.url})
    try:
        for roles, expected in (((), 403), (("all", "risk"), 403), (("slipway-admin",), 201)):
            status, answer, _ = server.call(
                "POST", ALL, body(name=f"d{len(roles)}"), token=token(issuer, *roles, sub="x")
            )
            assert status == expected, answer
        assert server.call("POST", ALL, body(name="by-platform"))[0] == 201
    finally:
        server.stop()


@pytest.mark.parametrize("what", ["create", "validate", "alias"])
def test_the_shape_of_a_body_comes_before_rights(server, issuer, what):
    name = f"shape-{what}"
    made(server, issuer, name)
    method, path, _ = ASKED[what][1](name)
    status, answer, _ = server.call(method, path, {"name": 7, "owner": 7}, token=token(issuer, "others"))
    assert status == 422, answer


def test_nothing_is_told_of_what_may_not_be_touched(server, issuer):
    """validate_only and create answer the same for what is there and what is not, but for the name that was sent."""
    for field, there, missing in (
        ("source__table", "t", "u"),
        ("source__schema", "src", "zzz"),
        ("source__catalog", "iceberg", "nowhere"),
        ("target__table", "p", "q"),
        ("model__model_version", "1", "99"),
        ("entity_columns", ["id"], ["no_such_column"]),
        ("source__filter_sql", "id < 3", "no_such_column < 3"),
        ("source__filter_sql", "id < 3", "((("),
    ):
        for path in (ALL, f"{ALL}?validate_only=true"):
            told = []
            for value in (there, missing):
                sent = {"source__filter_sql": None, **{field: value}}
                given = body()
                given["source"]["filter_sql"] = None
                for name, one in sent.items():
                    *parents, last = name.split("__")
                    at = given
                    for parent in parents:
                        at = at[parent]
                    at[last] = one
                status, answer, _ = server.call("POST", path, given, token=token(issuer, "others"))
                assert status == 403, answer
                table = given["source"], given["target"]
                detail = answer["detail"]
                for at in table:
                    detail = detail.replace(f"{at.get('catalog', 'iceberg')}.{at['schema']}.{at['table']}", "…")
                told.append(detail)
            assert told[0] == told[1], field


def explain(server, query, **credentials):
    return server.call("GET", f"/api/access/explain?{query}", **credentials)


def test_explain(server, issuer):
    mine = {"token": token(issuer, "no-target")}
    status, answer, _ = explain(server, "table=iceberg.ml.p", **mine)
    assert status == 200
    assert [(i["who"], i["right"], i["allowed"], i["because"]) for i in answer["items"]] == [
        ("no-target", "read", True, "rule 3 (roles no-target; tables iceberg.**; models m; allow read)"),
        ("no-target", "write", False, "no rule allows 'write' on the table iceberg.ml.p to one of the roles no-target"),
    ]
    assert explain(server, "model=m", **mine)[1]["items"][0]["allowed"]
    assert not explain(server, "model=x", **mine)[1]["items"][0]["allowed"]
    # Others are an administrator's to ask about.
    for query in ("roles=all&model=m", "who=all&model=m"):
        assert explain(server, query, **mine)[0] == 403
        assert explain(server, query, psk=key(server, issuer, "slipway-admin"))[0] == 403
    for admin in ({}, {"token": token(issuer, "slipway-admin")}):
        assert all(i["allowed"] for i in explain(server, "roles=x,all&table=iceberg.src.t", **admin)[1]["items"])
        assert not any(i["allowed"] for i in explain(server, "roles=x&table=iceberg.src.t", **admin)[1]["items"])
        answer = explain(server, "who=no-target&table=iceberg.src.t", **admin)[1]["items"]
        assert [(i["roles"], i["allowed"]) for i in answer] == [(["no-target"], True), (["no-target"], False)]
        assert explain(server, "who=stranger&model=m", **admin)[0] == 404
    assert explain(server, "model=m", psk=key(server, issuer, "all"))[1]["items"][0]["allowed"]
    assert explain(server, "model=m", psk=None)[0] == 401
    for wrong in ("table=ml.p", "table=p", "table=a..c", "deployment=d", "deployment=/d"):
        assert explain(server, wrong)[0] == 422, wrong
    granted = [(i["what"], i["right"]) for i in explain(server, "", **mine)[1]["items"]]
    assert granted == [("the models m", "read"), ("the tables iceberg.**", "read")]
    both = explain(server, "roles=all&who=no-target&model=m&table=iceberg.ml.p")[1]["items"]
    assert [(i["who"], i["allowed"]) for i in both] == [
        ("no-target", True),
        ("no-target", False),
        ("no-target", True),
        *[("roles", True)] * 3,
    ]


def test_explain_a_deployment(server, issuer):
    made(server, issuer, "explained")
    status, answer, _ = explain(server, "deployment=m/explained", token=token(issuer, "no-source"))
    assert status == 200
    told = [(i["who"], i["what"], i["right"], i["allowed"]) for i in answer["items"]]
    assert told == [
        ("its runs, with the rights of all", "the model m", "read", True),
        ("its runs, with the rights of all", "the table iceberg.src.t", "read", True),
        ("its runs, with the rights of all", "the table iceberg.ml.p", "write", True),
        ("no-source", "the model m", "read", True),
        ("no-source", "the table iceberg.src.t", "read", False),
        ("no-source", "the table iceberg.ml.p", "write", True),
    ]
    unseen = explain(server, "deployment=m/explained", psk=key(server, issuer, "stranger"))
    missing = explain(server, "deployment=m/nowhere", psk=key(server, issuer, "stranger"))
    assert unseen[0] == missing[0] == 404
    assert unseen[1]["detail"].replace("explained", "nowhere") == missing[1]["detail"]


def test_the_command_explains(server, lake, issuer):
    done = lake.cli("--server", server.url, "access", "explain", "--roles", "no-target", "--table", "iceberg.ml.p")
    lines = done.stdout.splitlines()
    assert "rule 3" in lines[1] and " yes " in lines[1] and " no " in lines[2]
    done = lake.cli("--server", server.url, "--json", "access", "explain", "--roles", "all", "--model", "m")
    assert json.loads(done.stdout)["items"][0]["allowed"]
    assert "everything" in lake.cli("--server", server.url, "access", "explain").stdout
    two = ("--model", "m", "--table", "iceberg.ml.p")
    assert lake.cli("--server", server.url, "access", "explain", *two, check=False).returncode == 2


def test_rights_that_are_withdrawn_end_the_runs_by_name(issuer, tmp_path):
    """By a token with fewer roles, then by rules that were taken away; somebody else with the rights may take over."""
    lake = fill(Lake(tmp_path))
    server = Server(lake.dir, settings(issuer))
    try:
        one = made(server, issuer, "d")
        run = server.call("POST", f"{one}/trigger")[1]
        assert finished(server, run["run_id"], one)["status"] == "succeeded"
        server.call("GET", "/api/deployments", token=token(issuer, "no-source", sub="all"))  # what "all" may now
        for caller in ({}, {"token": token(issuer, "slipway-admin")}, {"token": token(issuer, "all", sub="another")}):
            status, answer, _ = server.call("POST", f"{one}/trigger", **caller)
            assert status == 403 and "'read' on the table iceberg.src.t" in answer["detail"], answer
            assert "those of all" in answer["detail"], answer
        status, answer, _ = server.call("PATCH", one, {"model_version": "1"}, token=token(issuer, "all", sub="another"))
        assert (status, answer["rights_of"], answer["created_by"]) == (200, "another", "all"), answer
        assert server.call("POST", f"{one}/trigger")[0] == 202
    finally:
        server.stop()
    server = Server(lake.dir, settings(issuer, RULES[1:]))
    try:
        told = [json.loads(line) for line in server.log_file.read_text().splitlines() if "access_refuses" in line]
        assert told[-1]["deployment"] == "d" and "another" in told[-1]["error"]
        assert server.call("POST", f"{one}/trigger")[0] == 403
    finally:
        server.stop()


def test_service_accounts_have_the_rights_of_their_roles(server, issuer):
    """The same rules hold for machines, and end with the account; none of them is an administrator."""
    for name, roles in (("nightly", ["all"]), ("idle", ["no-target"]), ("admin-like", ["slipway-admin"])):
        account = {"name": name, "description": "x", "roles": roles}
        assert server.call("POST", "/api/service-accounts", account)[0] == 201
        scopes = {"description": "x", "scopes": ["deployments:read", "deployments:write", "runs:trigger"]}
        made_key = server.call("POST", f"/api/service-accounts/{name}/keys", scopes)[1]["psk"]
        status, answer, _ = server.call("POST", ALL, body(name=f"by-{name}"), psk=made_key)
        assert status == (201 if name == "nightly" else 403), answer
        if status == 201:
            assert (answer["created_by_kind"], answer["rights_of"]) == ("service", "service-account:nightly")
            assert server.call("POST", f"{ALL}/by-nightly/trigger", psk=made_key)[0] == 202
            assert explain(server, "model=m", psk=made_key)[1]["items"][0]["allowed"]
        else:
            assert "'write' on the table iceberg.ml.p" in answer["detail"], answer
    assert [i["allowed"] for i in explain(server, "who=nightly&table=iceberg.ml.p")[1]["items"]] == [True, True]
    assert server.call("DELETE", "/api/service-accounts/nightly")[0] in (200, 204)
    status, answer, _ = server.call("POST", f"{ALL}/by-nightly/trigger")
    assert status == 403 and "service-account:nightly" in answer["detail"], answer


def test_a_run_is_asked_for_its_rights_once_more_when_it_starts(issuer, tmp_path):
    """A tick asks nobody: its run fails by name, and nothing of it reaches the target."""
    lake = fill(Lake(tmp_path))
    server = Server(lake.dir, settings(issuer, **{"clock.speed": 60}))  # a tick each second
    try:
        one = made(server, issuer, "d", schedule="* * * * *")
        runs = lambda: server.call("GET", f"{one}/runs?limit=500")[1]["items"]  # noqa: E731
        until(runs, lambda found: any(run["status"] == "succeeded" for run in found))
        server.call("GET", "/api/deployments", token=token(issuer, "others", sub="all"))
        found = until(runs, lambda found: any(run["status"] == "failed" for run in found))
        failed = [run for run in found if run["status"] == "failed"]
        assert "'write' on the table iceberg.ml.p" in failed[0]["error_message"], failed[0]
        assert failed[0]["rows_scored"] is None
        server.call("POST", f"{one}/stop")
    finally:
        server.stop()
    scored = {row.run_id for row in lake.rows().itertuples()}
    assert scored and not scored & {run["run_id"] for run in failed}


def test_airflow_pauses_what_has_not_the_rights_to_run(issuer, tmp_path):
    lake = fill(Lake(tmp_path))
    airflow = FakeAirflow(lake.dir / "dags")
    more = {"dispatch.kind": "airflow", "airflow.url": airflow.url, "airflow.username": "u"}
    more |= {"airflow.dags": f"file://{airflow.dags}", "airflow.poll_seconds": 1}
    server = Server(lake.dir, settings(issuer, **more, **{"server.public_url": "http://127.0.0.1:1"}))
    try:
        one = made(server, issuer, "d", schedule="0 6 * * *")
        shown = lambda: server.call("GET", one)[1]  # noqa: E731
        until(shown, lambda d: d["status"] == "active")
        dag = shown()["dag_id"]
        server.call("GET", "/api/deployments", token=token(issuer, "others", sub="all"))
        refused = until(shown, lambda d: d["status"] == "failed")
        assert "'write' on the table iceberg.ml.p" in refused["error_message"] and airflow.paused[dag]
        # One that starts nevertheless is told of, and recorded as refused.
        report = {"airflow_run_id": "scheduled__1", "status": "running"}
        run = server.call("POST", f"{one}/runs", report)[1]
        assert run["status"] == "failed" and "those of all" in run["error_message"]
        server.call("GET", "/api/deployments", token=token(issuer, "all"))
        assert until(shown, lambda d: d["status"] == "active")["error_message"] is None
        assert not airflow.paused[dag]
    finally:
        server.stop()
        airflow.stop()


def test_warnings_only(issuer, tmp_path):
    lake = fill(Lake(tmp_path))
    server = Server(lake.dir, settings(issuer, **{"access.mode": "warn"}))
    try:
        assert server.call("POST", ALL, body(), token=token(issuer, "others"))[0] == 201
        run = server.call("POST", f"{ONE}/trigger")[1]
        assert finished(server, run["run_id"])["status"] == "succeeded"
        told = [json.loads(line) for line in server.log_file.read_text().splitlines() if "access_would_refuse" in line]
        assert any("iceberg.src.t" in line["error"] for line in told)
    finally:
        server.stop()


CONFIGURATION = """
[auth]
issuer = "{issuer}"
[[access.rules]]
roles = ["risk"]
tables = ["iceberg.src.*", "iceberg.ml.p"]
models = ["m"]
allow = ["read", "write"]
[[access.rules]]
roles = ["*"]
models = ["*"]
allow = ["{right}"]
"""


def test_rules_in_a_file(issuer, tmp_path):
    lake = fill(Lake(tmp_path))
    file = lake.dir / "slipway.toml"
    file.write_text(CONFIGURATION.format(issuer=issuer.url, right="read"))
    server = Server(lake.dir)
    try:
        assert server.call("POST", ALL, body(), token=token(issuer, "risk"))[0] == 201
        assert server.call("POST", ALL, body(name="e"), token=token(issuer, "fraud"))[0] == 403
    finally:
        server.stop()
    for text, told in (
        (CONFIGURATION.format(issuer=issuer.url, right="raed"), "rule 2.allow: there is no right 'raed'"),
        (
            CONFIGURATION.replace("iceberg.src", "icebreg.src").format(issuer=issuer.url, right="read"),
            "no catalog 'icebreg'",
        ),
        ('[access]\nmode = "sometimes"', "access.mode must be warn or enforce"),
        ("[access]\nrules = 7", "access.rules"),
        ('[access]\nrulse = ["x"]', "access.rulse"),
    ):
        file.write_text(text)
        refused = lake.cli("serve", "--listen", "127.0.0.1:0", check=False)
        assert refused.returncode in (1, 2) and told in refused.stderr, (text, refused.stderr)
