"""Run tokens as Slipway signs them, written a second time: with a key that is put into the server's own database."""

import base64
import hashlib
import hmac
import sqlite3
import time

KEY, SECRET = "0123456789abcdef", "for-tests-only" * 4


def run_token(server, deployment_id: str, run_id: str, seconds: int = 3600) -> str:
    """Of a server with a SQLite store; `seconds` until it expires."""
    with sqlite3.connect(server.data_dir / "slipway.db", timeout=30) as store:
        now = time.time_ns() // 1000
        store.execute("INSERT OR IGNORE INTO signing_keys (id, secret, made_at) VALUES (?, ?, ?)", (KEY, SECRET, now))
    text = f"slipway_run.{KEY}.{deployment_id}.{run_id}.{int(time.time()) + seconds}"
    signature = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.b64encode(signature).decode()}"
