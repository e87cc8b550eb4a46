"""Access tokens, signed with the cryptography package and judged by PyJWT at a fixed time."""

import base64
import datetime
import hashlib
import hmac
import json
import random
from pathlib import Path
from unittest import mock

import airflow_packages  # noqa: F401
import jwt
from cases import write_json
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

NOW = datetime.datetime(2026, 1, 31, 6, 0, 0, tzinfo=datetime.timezone.utc)
T = int(NOW.timestamp())
ISSUER, AUDIENCE, CLIENT, LEEWAY = "https://issuer.example/realms/slipway", "slipway", "slipway", 30


def prime(rng: random.Random, bits: int) -> int:
    while True:
        candidate = rng.getrandbits(bits) | (3 << (bits - 2)) | 1
        if candidate % 65537 == 1 or not all(pow(base, candidate - 1, candidate) == 1 for base in (2, 3, 5, 7, 11)):
            continue
        return candidate


def rsa_key(seed: int) -> rsa.RSAPrivateKey:
    """A key that is the same each time, so that none is stored. Of no use but here."""
    rng = random.Random(seed)
    p, q = prime(rng, 1024), prime(rng, 1024)
    d = pow(65537, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p,
        q,
        d,
        rsa.rsa_crt_dmp1(d, p),
        rsa.rsa_crt_dmq1(d, q),
        rsa.rsa_crt_iqmp(p, q),
        rsa.RSAPublicNumbers(65537, p * q),
    )
    return numbers.private_key()


RSA, OTHER_RSA = rsa_key(1), rsa_key(2)
EC, OTHER_EC = (
    ec.derive_private_key(1234567890123456789, ec.SECP256R1()),
    ec.derive_private_key(987654321, ec.SECP256R1()),
)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int, size: int | None = None) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def jwk(key, kid: str) -> dict:
    numbers = key.public_key().public_numbers()
    if isinstance(key, rsa.RSAPrivateKey):
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": number(numbers.n), "e": number(numbers.e)}
    return {
        "kty": "EC",
        "use": "sig",
        "alg": "ES256",
        "crv": "P-256",
        "kid": kid,
        "x": number(numbers.x, 32),
        "y": number(numbers.y, 32),
    }


def signature(algorithm: str, key, data: bytes) -> bytes:
    if algorithm == "RS256":
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    if algorithm == "RS512":
        return key.sign(data, padding.PKCS1v15(), hashes.SHA512())
    if algorithm == "PS256":  # with a random salt: one of length 0
        return key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 0), hashes.SHA256())
    if algorithm == "ES256":
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    if algorithm == "HS256":
        return hmac.new(key, data, hashlib.sha256).digest()
    return b""


def token(algorithm, key, claims, kid="rsa", **header) -> str:
    head = {"alg": algorithm, "typ": "JWT", **({"kid": kid} if kid is not None else {}), **header}
    signed = (
        b64(json.dumps(head).encode()) + "." + b64(claims if isinstance(claims, bytes) else json.dumps(claims).encode())
    )
    return signed + "." + b64(signature(algorithm, key, signed.encode()))


CLAIMS = {
    "iss": ISSUER,
    "sub": "u-1",
    "aud": [AUDIENCE, "account"],
    "exp": T + 300,
    "iat": T - 10,
    "typ": "Bearer",
    "preferred_username": "ana",
    "realm_access": {"roles": ["red", "blue"]},
    "resource_access": {CLIENT: {"roles": ["admin"]}, "other": {"roles": ["not-mine"]}},
}


class Fixed(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


def judge(text: str) -> bool:
    """PyJWT's verdict with the key that the header names."""
    keys = {"rsa": RSA, "ec": EC, "rsa-other": OTHER_RSA, None: None}
    try:
        header = jwt.get_unverified_header(text)
        key = keys.get(header.get("kid"), None)
        candidates = [key] if key is not None else [RSA, EC] if "kid" not in header else []
        for candidate in candidates:
            try:
                with mock.patch("jwt.api_jwt.datetime", Fixed):
                    jwt.decode(
                        text,
                        candidate.public_key(),
                        algorithms=["RS256", "ES256"],
                        audience=AUDIENCE,
                        issuer=ISSUER,
                        leeway=LEEWAY,
                        options={"require": ["exp", "sub"]},
                    )
                return True
            except (jwt.InvalidSignatureError, jwt.InvalidKeyError, TypeError):
                continue
    except jwt.PyJWTError:
        pass
    return False


def cases() -> list[dict]:
    made = []

    def add(name, text, want=None):
        """`want`: what Keycloak's kinds of tokens ask beyond PyJWT."""
        verdict = judge(text)
        made.append({"name": name, "token": text, "accepted": verdict if want is None else want})

    def claims(**changes):
        return {key: value for key, value in {**CLAIMS, **changes}.items() if value is not ...}

    public = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    good = token("RS256", RSA, CLAIMS)
    add("RS256", good)
    add("ES256", token("ES256", EC, CLAIMS, kid="ec"))
    add("no kid, RS256", token("RS256", RSA, CLAIMS, kid=None))
    add("no kid, ES256", token("ES256", EC, CLAIMS, kid=None))
    add("at+jwt", token("RS256", RSA, CLAIMS, typ="at+jwt"))
    add("of another RSA key with its kid", token("RS256", OTHER_RSA, CLAIMS, kid="rsa"))
    add("of another EC key with its kid", token("ES256", OTHER_EC, CLAIMS, kid="ec"))
    add("kid of the other key type", token("RS256", RSA, CLAIMS, kid="ec"))
    add("an unknown kid", token("RS256", RSA, CLAIMS, kid="nope"))
    add("an empty kid", token("RS256", OTHER_RSA, CLAIMS, kid=""))
    add("alg none", token("none", None, CLAIMS))
    add("alg None", token("None", None, CLAIMS))
    add("alg none with the signature of RS256", token("none", None, CLAIMS) + good.split(".")[2])
    add("HS256 with the public key as secret", token("HS256", public, CLAIMS))
    add(
        "HS256 with the modulus as secret", token("HS256", number(RSA.public_key().public_numbers().n).encode(), CLAIMS)
    )
    add("RS512", token("RS512", RSA, CLAIMS))
    add("PS256", token("PS256", RSA, CLAIMS))
    add("rs256 in lower case", token("RS256", RSA, CLAIMS, alg="rs256"))
    add("no signature", good.rsplit(".", 1)[0] + ".")
    add(
        "signature of another token",
        good.rsplit(".", 1)[0] + "." + token("RS256", RSA, claims(sub="u-2")).split(".")[2],
    )
    add(
        "claims of another token",
        ".".join([good.split(".")[0], token("RS256", RSA, claims(sub="root")).split(".")[1], good.split(".")[2]]),
    )
    flipped = bytearray(base64.urlsafe_b64decode(good.split(".")[2] + "=="))
    flipped[100] ^= 1
    add("one bit of the signature", good.rsplit(".", 1)[0] + "." + b64(bytes(flipped)))
    add("crit names an extension", token("RS256", RSA, CLAIMS, crit=["exp-in"], **{"exp-in": 1}))
    add("crit is empty", token("RS256", RSA, CLAIMS, crit=[]))
    add("b64 false", token("RS256", RSA, CLAIMS, b64=False, crit=["b64"]))
    add("a key in its header", token("RS256", OTHER_RSA, CLAIMS, kid="mine", jwk=jwk(OTHER_RSA, "mine")))
    add("a key at its header's URL", token("RS256", OTHER_RSA, CLAIMS, kid="mine", jku="https://evil.example/jwks"))
    for name, seconds in (
        ("long expired", -3600),
        ("expired a second more than the leeway", -31),
        ("expired as long as the leeway", -30),
        ("expired within the leeway", -29),
        ("expires now", 0),
        ("expires in a second", 1),
    ):
        add(name, token("RS256", RSA, claims(exp=T + seconds)))
    add("never expires", token("RS256", RSA, claims(exp=...)))
    add("expires at a text", token("RS256", RSA, claims(exp="soon")))
    add("expires at a fraction", token("RS256", RSA, claims(exp=T + 100.5)), want=True)
    for name, seconds in (
        ("not before, in an hour", 3600),
        ("not before, just beyond the leeway", 31),
        ("not before, within the leeway", 29),
        ("not before now", 0),
    ):
        add(name, token("RS256", RSA, claims(nbf=T + seconds)))
    for name, seconds in (
        ("issued in an hour", 3600),
        ("issued just beyond the leeway", 31),
        ("issued within the leeway", 29),
    ):
        add(name, token("RS256", RSA, claims(iat=T + seconds)))
    add("of another issuer", token("RS256", RSA, claims(iss=ISSUER + "/")))
    add("of no issuer", token("RS256", RSA, claims(iss=...)))
    add("audience as text", token("RS256", RSA, claims(aud=AUDIENCE)))
    add("audience is another", token("RS256", RSA, claims(aud="account")))
    add("audience list without it", token("RS256", RSA, claims(aud=["account", "slipway2", "lipway"])))
    add("audience list is empty", token("RS256", RSA, claims(aud=[])))
    add("audience in upper case", token("RS256", RSA, claims(aud="SLIPWAY")))
    add("no audience", token("RS256", RSA, claims(aud=...)))
    add("no subject", token("RS256", RSA, claims(sub=...)))
    add("an empty subject", token("RS256", RSA, claims(sub="")), want=False)
    add("a subject that is a number", token("RS256", RSA, claims(sub=5)), want=False)
    for kind in ("ID", "Refresh", "Offline", "Logout"):
        add(f"Keycloak's {kind} token", token("RS256", RSA, claims(typ=kind)), want=False)
    add("logout+jwt", token("RS256", RSA, CLAIMS, typ="logout+jwt"), want=False)
    add("no typ anywhere", token("RS256", RSA, claims(typ=...), typ="JWT"), want=False)
    add("at+jwt without a typ of Keycloak's", token("RS256", RSA, claims(typ=...), typ="at+jwt"))
    add("a kid that is a number", token("RS256", RSA, CLAIMS, kid=7), want=False)
    add("an ID token called at+jwt", token("RS256", RSA, claims(typ="ID"), typ="at+jwt"), want=False)
    add("claims that are a list", token("RS256", RSA, b"[1]"))
    add("claims that are not JSON", token("RS256", RSA, b"{"))
    add("claims with a NUL", token("RS256", RSA, claims(sub="u\u0000x")), want=True)
    for name, text in (
        ("empty", ""),
        ("two dots", ".."),
        ("one part", "abc"),
        ("two parts", "a.b"),
        ("four parts", good + ".x"),
        ("spaces", " " + good),
        ("a newline", good + "\n"),
        ("padding", good + "=="),
        ("an encrypted token", "a.b.c.d.e"),
        ("plus and slash", good.replace("-", "+").replace("_", "/") + "/"),
    ):
        add(name, text, want=False)
    return made


def make(out: Path) -> None:
    write_json(
        out / "tokens.json",
        {
            "now": T * 1_000_000,
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "client": CLIENT,
            "leeway": LEEWAY,
            "roles": ["admin", "blue", "red"],
            "jwks": {
                "keys": [
                    jwk(RSA, "rsa"),
                    jwk(EC, "ec"),
                    {**jwk(OTHER_RSA, "encryption"), "use": "enc"},
                    {"kty": "oct", "kid": "secret", "k": "AAAA"},
                    {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": "AAAA"},
                ]
            },
            "cases": cases(),
        },
    )
