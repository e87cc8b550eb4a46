"""Run tokens as Slipway signs them, written a second time: with a key that is put into the server's own database."""

import base64
import hashlib
import hmac
import sqlite3
import time

import psycopg
from conftest import DATABASES

KEY, SECRET = "0123456789abcdef", "for-tests-only" * 4


def execute(server, statement: str, *values) -> int:
    """In a server's own database, while it runs; `?` stands for a value. How many rows were changed."""
    if server.data_dir in DATABASES:
        with psycopg.connect(DATABASES[server.data_dir]) as store:
            return store.execute(statement.replace("?", "%s"), values).rowcount
    with sqlite3.connect(server.data_dir / "slipway.db", timeout=30) as store:
        return store.execute(statement, values).rowcount


def run_token(server, deployment_id: str, run_id: str, seconds: int = 3600) -> str:
    """`seconds`: until it expires."""
    made = "INSERT INTO signing_keys (id, secret, made_at) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING"
    execute(server, made, KEY, SECRET, time.time_ns() // 1000)
    text = f"slipway_run.{KEY}.{deployment_id}.{run_id}.{int(time.time()) + seconds}"
    signature = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.b64encode(signature).decode()}"
