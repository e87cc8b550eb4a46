"""Signatures of the standardwebhooks package."""

import base64
import datetime
import random
from pathlib import Path

from cases import write_cases
from standardwebhooks import Webhook


def make(out: Path) -> None:
    rng = random.Random(4)
    cases = []
    for size in (24, 32, 64, 1, 31):
        secret = "whsec_" + base64.b64encode(rng.randbytes(size)).decode()
        for body in ("", "{}", '{"event":"run.failed","é":"日本😀"}', "x" * 3000, "a.b.c"):
            id_ = f"msg_{rng.randrange(10**9)}"
            at = datetime.datetime.fromtimestamp(rng.randrange(2 * 10**9), datetime.timezone.utc)
            cases.append(
                {
                    "secret": secret,
                    "id": id_,
                    "timestamp": int(at.timestamp()),
                    "body": body,
                    "signature": Webhook(secret).sign(id_, at, body),
                }
            )
    write_cases(out / "signatures.json", cases)
