"""Where a REST catalog knows the same issuer, tables are looked up with the caller's own token too: what the catalog
does not let them see, they cannot have scored or written, whatever Slipway itself may see there."""

import json

import pytest
from conftest import Lake, Server
from deployments import ALL, OPEN_RULES, body, fill, finished
from fake_catalog import SERVER, FakeCatalog, subject_of
from issuer import Issuer
from services.proxy import Fault, Proxy
from test_lakes import filled, rest_lake

AREAS = ["access", "server", "base"]
EXAMPLE = "test_what_the_catalog_says_to_the_caller_holds"

# What becomes of a table in the catalog, for each person; a table that is not named here they may load.
LETS = {
    "ana": {},
    "no-source": {("src", "t"): 403},
    "blind-source": {("src", "t"): 404},
    "no-target": {("ml", "there"): 403},
    "blind-target": {("ml", "there"): 404},
    "down": {("src", "t"): 503},
    **{f"told-{status}": {("src", "t"): status} for status in (400, 405, 409, 418, 422, 451)},
}


@pytest.fixture(scope="module")
def issuer():
    started = Issuer()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return fill(Lake(tmp_path_factory.mktemp("lake")))


@pytest.fixture(scope="module")
def catalog(lake):
    metadata = json.loads(lake.catalog.load_table("src.t").metadata.model_dump_json(by_alias=True))
    started = FakeCatalog({("src", "t"): metadata}, LETS)
    yield started
    started.stop()


@pytest.fixture(scope="module", params=["forward", "exchange"])
def server(request, issuer, lake, catalog):
    settings = {
        "auth.issuer": issuer.url,
        "access.rules": json.dumps(OPEN_RULES),
        "access.as_caller": request.param,
        "catalogs.lake.uri": catalog.url,
        "catalogs.lake.token": SERVER,
    }
    catalog.exchanges = request.param == "exchange"
    if catalog.exchanges:
        settings |= {"access.exchange_url": f"{catalog.url}/token", "access.exchange_client": "slipway"}
        settings |= {"access.exchange_secret": "of-slipway", "access.exchange_audience": "the-catalog"}
    started = Server(lake.dir, settings)
    yield started
    started.stop()


def ask(server, issuer, who, path=ALL, method="POST", sent=None, **changes):
    sent = sent or body(source__catalog="lake", target__catalog="lake", **changes)
    return server.call(method, path, sent, token=issuer.token(sub=who, preferred_username=who))


@pytest.fixture
def asked(catalog):
    catalog.asked.clear()
    return catalog.asked


VALIDATE = f"{ALL}?validate_only=true"


@pytest.mark.parametrize("path", [ALL, VALIDATE])
def test_what_the_catalog_says_to_the_caller_holds(server, issuer, catalog, path, asked):
    expected = {"no-source": 403, "blind-source": 404, "stranger": 403, "down": 503}
    for who, status in expected.items():
        asked.clear()
        got, answer, _ = ask(server, issuer, who, path)
        assert got == status, (who, answer)
        assert not any(by == SERVER for by, _ in asked), "before the server itself looks"
    for who in (name for name in LETS if name.startswith("told-")):
        assert ask(server, issuer, who, path)[0] >= 400, who
        assert not any(by == SERVER for by, _ in asked), who
    assert "src.t is not for no-source" in ask(server, issuer, "no-source", path)[1]["detail"]


def test_a_source_that_is_hidden_is_told_of_as_one_that_is_not_there(server, issuer):
    hidden = ask(server, issuer, "blind-source", VALIDATE)
    missing = ask(server, issuer, "ana", VALIDATE, source__table="u")
    assert hidden[0] == missing[0] == 404
    assert hidden[1]["detail"].replace("src.t", "src.u") == missing[1]["detail"]


def test_whoever_may_see_both_creates(server, issuer, asked, catalog):
    status, answer, _ = ask(server, issuer, "ana", VALIDATE)
    assert status == 200, answer
    assert [by for by, _ in asked][:2] == ["ana", "ana"] and (SERVER, "src.t") in asked
    if catalog.exchanges:
        assert catalog.exchanged[-1]["audience"] == "the-catalog" and catalog.exchanged[-1]["client_id"] == "slipway"


@pytest.mark.parametrize("who", ["no-target", "blind-target"])
def test_a_target_that_the_caller_may_not_see_is_not_written_for_them(server, issuer, catalog, who):
    catalog.tables["ml", "there"] = catalog.tables["src", "t"]
    try:
        status, answer, _ = ask(server, issuer, who, VALIDATE, target__table="there")
        assert status == 403 and "ml.there" in answer["detail"], answer
    finally:
        del catalog.tables["ml", "there"]


def test_a_change_is_asked_as_the_caller_too(server, issuer, catalog, lake):
    name = "changed-" + ("e" if catalog.exchanges else "f")
    made = body(name=name, source__catalog="lake", target__catalog="lake", allowed_roles=["team"])
    assert ask(server, issuer, "ana", sent=made)[0] == 201
    member = lambda who: issuer.token(sub=who, realm_access={"roles": ["team"]})  # noqa: E731
    one, change = f"{ALL}/{name}", {"filter_sql": "id < 3"}
    assert server.call("PATCH", one, change, token=member("no-source"))[0] == 403
    assert server.call("PATCH", one, change, token=member("ana"))[0] == 200
    assert server.call("PATCH", one, {"filter_sql": None})[0] == 200, "the platform is nobody's caller"
    key = server.call("POST", "/api/user/psk", {"description": "x"}, token=member("ana"))[1]["psk"]
    status, answer, _ = server.call("PATCH", one, change, psk=key)
    assert status == 403 and "own token" in answer["detail"], answer


def test_other_catalogs_are_not_asked(server, issuer, asked):
    status, answer, _ = server.call("POST", VALIDATE, body(), token=issuer.token(sub="stranger"))
    assert status == 200 and not asked, answer


def test_an_exchange_that_is_refused(server, issuer, catalog):
    if not catalog.exchanges:
        pytest.skip("tokens are forwarded")
    status, answer, _ = ask(server, issuer, "unknown", VALIDATE)
    assert status == 403 and "nobody is called unknown" in answer["detail"], answer


def test_the_iceberg_projects_catalog_behind_one_who_checks_tokens(issuer, s3, rest_catalog, tmp_path):
    """The caller's look and the server's own run go through the same door, each with its own token."""
    seen = []

    def rule(request):
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        who = SERVER if token == SERVER else subject_of(token)
        seen.append(who)
        return (
            None if who in (SERVER, "ana") else Fault(forward=False, status=403, body=b'{"error": {"message": "no"}}')
        )

    with Proxy(rest_catalog.url, rule) as proxy:
        lake = filled(rest_lake(tmp_path, s3, rest_catalog))
        settings = {"auth.issuer": issuer.url, "access.rules": json.dumps(OPEN_RULES), "access.as_caller": "forward"}
        settings |= {"catalogs.lake.uri": proxy.url, "catalogs.lake.token": SERVER}
        server = Server(lake.dir, settings, lake.environment)
        try:
            assert ask(server, issuer, "mallory")[0] == 403 and SERVER not in seen
            status, answer, _ = ask(server, issuer, "ana")
            assert status == 201 and "ana" in seen, answer
            run = finished(server, server.call("POST", f"{ALL}/d/trigger")[1]["run_id"], f"{ALL}/d")
            assert (run["status"], run["rows_scored"]) == ("succeeded", 500), run
        finally:
            server.stop()


def test_settings(tmp_path):
    lake = Lake(tmp_path)
    for settings, told in (
        ({"access.as_caller": "maybe"}, "access.as_caller must be"),
        ({"access.as_caller": "exchange"}, "access.exchange_url"),
        ({"access.as_caller": "forward", "access.as_caller_catalogs": "iceberg"}, "'iceberg' is no REST catalog"),
    ):
        flags = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
        refused = lake.cli("serve", "--listen=127.0.0.1:0", *flags, check=False)
        assert refused.returncode != 0 and told in refused.stderr, refused.stderr
