"""An OpenID Connect issuer whose tokens may say anything: for those that Keycloak would never sign."""

import base64
import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature


def part(value) -> str:
    return (
        base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode())
        .rstrip(b"=")
        .decode()
    )


def number(value: int, size: int) -> str:
    return part(value.to_bytes(size, "big"))


class Issuer:
    def __init__(self):
        self.rsa = {"one": rsa.generate_private_key(65537, 2048)}
        self.curve = ec.generate_private_key(ec.SECP256R1())
        self.broken = None  # bytes to answer with instead, or a status
        self.answers = threading.Event()  # cleared: it takes requests and does not answer
        self.answers.set()
        self.asked = 0
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked += 1
                issuer.answers.wait()
                body = issuer.discovery() if self.path.startswith("/.well-known") else issuer.keys()
                text = issuer.broken if isinstance(issuer.broken, bytes) else json.dumps(body).encode()
                self.send_response(issuer.broken if isinstance(issuer.broken, int) else 200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def discovery(self) -> dict:
        return {"issuer": self.url, "jwks_uri": self.url + "/keys", "token_endpoint": self.url + "/token"}

    def keys(self) -> dict:
        found = []
        for kid, key in self.rsa.items():
            public = key.public_key().public_numbers()
            found.append(
                {
                    "kty": "RSA",
                    "kid": kid,
                    "use": "sig",
                    "alg": "RS256",
                    "n": number(public.n, 256),
                    "e": part(b"\x01\x00\x01"),
                }
            )
            found.append(
                {
                    "kty": "RSA",
                    "kid": kid + "-enc",
                    "use": "enc",
                    "alg": "RSA-OAEP",
                    "n": number(public.n, 256),
                    "e": part(b"\x01\x00\x01"),
                }
            )
        public = self.curve.public_key().public_numbers()
        found.append(
            {
                "kty": "EC",
                "kid": "curve",
                "use": "sig",
                "crv": "P-256",
                "x": number(public.x, 32),
                "y": number(public.y, 32),
            }
        )
        return {"keys": found}

    def pem(self) -> bytes:
        return (
            self.rsa["one"]
            .public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )

    def token(self, header: dict | None = None, key=None, **claims) -> str:
        """`header` and `claims` are laid over a valid token's; a claim of `...` is left out."""
        now = int(time.time())
        said = {
            "iss": self.url,
            "aud": "slipway",
            "sub": "someone",
            "preferred_username": "someone",
            "typ": "Bearer",
            "iat": now,
            "exp": now + 300,
            **claims,
        }
        said = {name: value for name, value in said.items() if value is not ...}
        head = {"alg": "RS256", "typ": "JWT", "kid": "one", **(header or {})}
        head = {name: value for name, value in head.items() if value is not ...}
        signed = f"{part(head)}.{part(said)}"
        if head["alg"] == "ES256":
            r, s = decode_dss_signature(self.curve.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
            signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        elif head["alg"] == "HS256":
            signature = hmac.new(key, signed.encode(), hashlib.sha256).digest()
        else:
            signature = (key or self.rsa["one"]).sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{part(signature)}"

    def stop(self) -> None:
        self.answers.set()
        self.http.shutdown()
        self.http.server_close()
