"""Tokens that Keycloak would never sign, and an issuer that answers nonsense."""

import concurrent.futures
import http.client
import json
import time

import pytest
from conftest import Lake, Server
from cryptography.hazmat.primitives.asymmetric import rsa
from deployments import ALL, OPEN_RULES, body, fill, until
from issuer import Issuer

AREAS = ["auth", "access"]
EXAMPLE = "test_forged"


@pytest.fixture(scope="module")
def issuer():
    started = Issuer()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def server(issuer, tmp_path_factory):
    started = Server(Lake(tmp_path_factory.mktemp("lake")).dir, {"auth.issuer": issuer.url, "auth.refresh_seconds": 1})
    yield started
    started.stop()


def said(issuer, values):
    """The token; an instant is given as a function of the present one."""
    return issuer.token(
        **{name: value(int(time.time())) if callable(value) else value for name, value in values.items()}
    )


def ask(server, token):
    return server.call("GET", "/api/deployments", token=token)


GOOD = {
    "plain": {},
    "audience in a list": {"aud": ["account", "slipway"]},
    "expired within the leeway": {"exp": lambda now: now - 5},
    "from the near future": {"nbf": lambda now: now + 20},
    "RFC 9068": {"header": {"typ": "at+jwt"}, "typ": ...},
    "no kid": {"header": {"kid": ...}},
    "fractional times": {"exp": lambda now: now + 300.5},
    "ES256": {"header": {"alg": "ES256", "kid": "curve"}},
}
BAD = {
    "expired": {"exp": lambda now: now - 60},
    "never expires": {"exp": ...},
    "not yet valid": {"nbf": lambda now: now + 600},
    "issued in the future": {"iat": lambda now: now + 600},
    "another issuer": {"iss": "https://elsewhere.example/realms/x"},
    "no issuer": {"iss": ...},
    "another audience": {"aud": "account"},
    "no audience": {"aud": ...},
    "audiences without ours": {"aud": ["a", "slipway2"]},
    "audience is an object": {"aud": {"slipway": 1}},
    "a refresh token": {"typ": "Refresh"},
    "an id token": {"typ": "ID"},
    "no subject": {"sub": ...},
    "subject is a number": {"sub": 7},
    "exp is a text": {"exp": "tomorrow"},
    "exp is huge": {"exp": 1e300},
    "exp is negative": {"exp": -1},
    "unknown kid": {"header": {"kid": "nope"}},
    "encryption key's kid": {"header": {"kid": "one-enc"}},
    "kid of the other algorithm": {"header": {"kid": "curve"}},
    "an encrypted token's type": {"header": {"typ": "JWE"}},
    "kid is a list": {"header": {"kid": ["one"]}},
    "kid is a number": {"header": {"kid": 7}},
    "nothing says what kind of token it is": {"typ": ...},
    "a JWT that says nothing": {"header": {"typ": "JWT"}, "typ": ...},
    "no typ at all": {"header": {"typ": ...}, "typ": ...},
}


@pytest.mark.parametrize("what", GOOD)
def test_valid(server, issuer, what):
    status, answer, _ = ask(server, said(issuer, GOOD[what]))
    assert status == 200, answer


@pytest.mark.parametrize("what", BAD)
def test_not_valid(server, issuer, what):
    status, answer, headers = ask(server, said(issuer, BAD[what]))
    assert status == 401 and 'error="invalid_token"' in headers["WWW-Authenticate"], answer


def test_forged(server, issuer):
    stranger = rsa.generate_private_key(65537, 2048)
    forged = {
        "HMAC with the public key": issuer.token({"alg": "HS256"}, key=issuer.pem()),
        "a stranger's key": issuer.token(key=stranger),
        "the public key in the header": issuer.token(
            {"jwk": {"kty": "RSA"}, "jku": "http://127.0.0.1:1/"}, key=stranger
        ),
        "RS256's signature called ES256": issuer.token({"kid": "curve"}).replace(
            issuer.token().split(".")[0], issuer.token({"alg": "ES256", "kid": "curve"}).split(".")[0]
        ),
    }
    for algorithm in ("none", "None", "HS256", "RS512", "PS256", ""):
        head, payload, signature = issuer.token().split(".")
        from issuer import part

        forged[f"called {algorithm}"] = f"{part({'alg': algorithm, 'kid': 'one'})}.{payload}.{signature}"
    for what, token in forged.items():
        status, answer, _ = ask(server, token)
        assert status == 401, (what, answer)


def test_text_that_no_encoder_makes(server, issuer):
    """libcjose ends the process on some of these: none may reach it."""
    header, payload, signature = issuer.token().split(".")
    for wrong in (
        signature[:20] + "=" + signature[21:],
        signature + "=",
        signature + "==",
        "A",
        "AAAAA",
        signature[:-1] + "+",
        "=",
        "====",
        signature + "A" * 3,
    ):
        for token in (f"{header}.{payload}.{wrong}", f"{wrong}.{payload}.{signature}", f"{header}.{wrong}.{signature}"):
            assert ask(server, token)[0] == 401, token
    assert server.call("GET", "/healthz")[0] == 200


@pytest.mark.parametrize("number", ["A=AA", "A", "!!!!", "", "AQAB" * 5000])
def test_keys_that_are_none(issuer, tmp_path, number):
    issuer.keys = lambda: {
        "keys": [
            {"kty": "RSA", "kid": "one", "use": "sig", "n": number, "e": "AQAB"},
            {"kty": "RSA", "kid": "one", "e": number},
            {"kty": "EC", "crv": "P-256", "kid": "curve", "x": number, "y": number},
        ]
    }
    server = Server(Lake(tmp_path).dir, {"auth.issuer": issuer.url})
    try:
        assert ask(server, issuer.token())[0] == 401
        assert server.call("GET", "/healthz")[0] == 200
    finally:
        del issuer.keys
        server.stop()


def test_an_unknown_key_is_asked_for_once_a_minute_at_most(issuer, tmp_path):
    server = Server(Lake(tmp_path).dir, {"auth.issuer": issuer.url})
    try:
        assert ask(server, issuer.token())[0] == 200
        asked = issuer.asked
        for i in range(20):
            assert ask(server, issuer.token({"kid": f"no-{i}"}))[0] == 401
        assert issuer.asked == asked
    finally:
        server.stop()


@pytest.mark.parametrize(
    "broken", [b"<html>", b"{}", b'{"issuer": 7}', b"[" * 1000, 404, 500, b"\xff\xfe", b"{" + b'"a":1,' * 200_000]
)
def test_an_issuer_that_answers_nonsense(issuer, tmp_path, broken):
    issuer.broken = broken
    server = Server(Lake(tmp_path).dir, {"auth.issuer": issuer.url})
    try:
        status, answer, headers = ask(server, issuer.token())
        assert status == 503 and "Retry-After" in headers, answer
        assert server.call("GET", "/readyz")[0] == 503
        assert server.call("GET", "/api/deployments")[0] == 200
    finally:
        issuer.broken = None
        server.stop()


# Access tokens as other issuers shape them: what they say beside the registered claims, and which setting reads it.
SHAPES = {
    "Entra, app roles": (
        "roles",
        {
            "header": {"typ": "JWT", "x5t": "one"},
            "typ": ...,
            "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
            "oid": "00000000-0000-0000-66f3-3332eca7ea81",
            "tid": "9122040d-6c67-4c5b-b112-36a304b66dad",
            "ver": "2.0",
            "roles": ["risk-team"],
            "groups": ["6aa6f1d5-7b4a-4b39-a5c0-9d7f2f3a1b11"],
        },
    ),
    "Okta, groups": (
        "groups",
        {
            "header": {"typ": ...},
            "typ": ...,
            "preferred_username": ...,
            "ver": 1,
            "jti": "AT.x",
            "sub": "ana@example.com",
            "uid": "00uid4BxXw6I6TV4m0g3",
            "scp": ["openid", "groups"],
            "groups": ["Everyone", "risk-team"],
        },
    ),
    "Dex, groups": (
        "groups",
        {
            "header": {"typ": ...},
            "typ": ...,
            "preferred_username": ...,
            "sub": "CgNhbmESBWxvY2Fs",
            "email": "ana@example.com",
            "email_verified": True,
            "at_hash": "x",
            "name": "Ana",
            "groups": ["risk-team"],
        },
    ),
    "Auth0, a claim that is a URL": (
        "/https:~1~1example.com~1roles",
        {"typ": ..., "sub": "auth0|5f7c8ec7c33c6c004bbafe82", "https://example.com/roles": ["risk-team"]},
    ),
    "one role as a text": ("app.role", {"app": {"role": "risk-team"}}),
    "Keycloak, the realm": (None, {"realm_access": {"roles": ["risk-team"]}}),
    "Keycloak, the client": (None, {"resource_access": {"slipway": {"roles": ["risk-team"]}}}),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_roles_of_other_issuers(issuer, tmp_path, shape):
    claim, values = SHAPES[shape]
    rules = [{**OPEN_RULES[0], "roles": ["risk-team"]}]
    settings = {"auth.issuer": issuer.url, "access.rules": json.dumps(rules)}
    settings |= {"auth.roles_claim": claim} if claim else {}
    settings |= {"auth.unmarked_tokens": "accept"} if values.get("typ") is ... else {}
    server = Server(fill(Lake(tmp_path)).dir, settings)
    try:
        status, answer, _ = server.call("POST", ALL, body(), token=said(issuer, values))
        assert status == 201, answer
        without = {name: value for name, value in values.items() if "risk-team" not in json.dumps(value, default=str)}
        assert server.call("POST", ALL, body(name="e"), token=said(issuer, without))[0] == 403
    finally:
        server.stop()
    if claim:  # a key would have Keycloak's roles, and its owner's tokens others
        refused = Lake(tmp_path / "x").cli(
            "serve", "--listen=127.0.0.1:0", "--set", f"auth.issuer={issuer.url}",
            "--set", f"auth.roles_claim={claim}", "--set", "auth.service_client=x", check=False,
        )  # fmt: skip
        assert refused.returncode != 0 and "auth.roles_claim" in refused.stderr


def test_a_subject_that_is_called_platform(issuer, tmp_path):
    """It manages nothing of the platform PSK's, nor the other way round is it taken for it."""
    settings = {"auth.issuer": issuer.url, "access.rules": json.dumps(OPEN_RULES)}
    server = Server(fill(Lake(tmp_path)).dir, settings)
    impostor = {"token": issuer.token(sub="platform", preferred_username="platform")}
    try:
        status, made, _ = server.call("POST", ALL, body())
        assert (status, made["created_by"], made["created_by_kind"]) == (201, "platform", "platform")
        for method, path, sent in (
            ("PATCH", "/d", {"owner": "z"}),
            ("POST", "/d/stop", None),
            ("POST", "/d/trigger", None),
            ("PUT", "/d/allowed_roles", {"allowed_roles": ["x"]}),
            ("DELETE", "/d", None),
        ):
            assert server.call(method, ALL + path, sent, **impostor)[0] == 403, (method, path)
        status, made, _ = server.call("POST", ALL, body(name="e"), **impostor)
        assert (status, made["created_by"], made["created_by_kind"]) == (201, "platform", "person")
        assert server.call("POST", f"{ALL}/e/stop", **impostor)[0] == 200
    finally:
        server.stop()


def test_roles_that_are_no_lists_are_none(server, issuer):
    for roles in (7, "x", ["a", 7, None], {"roles": []}):
        assert ask(server, issuer.token(realm_access={"roles": roles}, resource_access={"slipway": roles}))[0] == 200
    assert ask(server, issuer.token(realm_access=json.loads("[1]"), resource_access="x"))[0] == 200


@pytest.fixture
def own_issuer():
    """One that a test may stop, and change the keys of."""
    started = Issuer()
    yield started
    started.stop()


def test_an_issuer_that_hangs_stops_nobody(own_issuer, tmp_path):
    """H3: with more made-up keys than the server has threads, whoever needs no new key is answered meanwhile."""
    server = Server(Lake(tmp_path).dir, {"auth.issuer": own_issuer.url, "auth.refresh_seconds": 0})
    try:
        known = own_issuer.token()
        assert ask(server, known)[0] == 200
        own_issuer.answers.clear()
        with concurrent.futures.ThreadPoolExecutor(12) as attackers:
            unknown = [own_issuer.token({"kid": f"no-{i}"}) for i in range(60)]
            answers = [attackers.submit(ask, server, token) for token in unknown]
            until(lambda: sum(answer.done() for answer in answers), lambda done: done >= 40)
            for _ in range(20):
                assert server.call("GET", "/healthz")[0] == 200
                assert ask(server, known)[0] == 200
                assert server.call("GET", "/api/deployments")[0] == 200
            own_issuer.answers.set()
            for answer in answers:
                status, detail, headers = answer.result()
                assert status == 401 or (status == 503 and "Retry-After" in headers), detail
        assert sum(answer.result()[0] == 503 for answer in answers) >= 40
    finally:
        own_issuer.answers.set()
        server.stop()


def test_a_withdrawn_key_is_refused(own_issuer, tmp_path):
    """M9: without a token of a new key, which would have the keys fetched."""
    server = Server(Lake(tmp_path).dir, {"auth.issuer": own_issuer.url, "auth.renew_keys_seconds": 1})
    try:
        token = own_issuer.token()
        assert ask(server, token)[0] == 200
        own_issuer.broken = 500
        asked = own_issuer.asked
        until(lambda: own_issuer.asked, lambda now: now > asked)
        assert ask(server, token)[0] == 200  # an issuer that is away withdraws nothing
        own_issuer.broken = None
        own_issuer.rsa["two"] = rsa.generate_private_key(65537, 2048)
        signed_by_two = own_issuer.token({"kid": "two"}, key=own_issuer.rsa["two"])
        del own_issuer.rsa["one"]
        status, answer, _ = until(lambda: ask(server, token), lambda told: told[0] == 401)
        assert "no key" in answer["detail"] and ask(server, signed_by_two)[0] == 200
    finally:
        server.stop()


def test_a_credential_is_sent_once(server, issuer):
    """M10: of two, none counts, whichever it is."""
    good, bad = f"Bearer {issuer.token()}", f"Bearer {issuer.token(exp=1)}"
    for name, first, second in (
        ("Authorization", bad, good),
        ("Authorization", good, bad),
        ("Authorization", good, good),
        ("Authorization-PSK", "wrong", server.psk),
        ("authorization-psk", server.psk, server.psk),
    ):
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
        connection.putrequest("GET", "/api/deployments")
        connection.putheader(name, first)
        connection.putheader(name.title(), second)
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 400 and "more than once" in json.loads(answer.read())["detail"]
        connection.close()
