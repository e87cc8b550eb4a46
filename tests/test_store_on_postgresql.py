"""The unit tests of the store, on a real PostgreSQL: the same ones that run on SQLite."""

import os
import subprocess

from conftest import BINARY

AREAS = ["database", "deployments"]


def test_the_store(postgresql):
    done = subprocess.run(
        [BINARY.parent / "deployments_test"],
        capture_output=True,
        text=True,
        env={**os.environ, "SLIPWAY_TEST_POSTGRESQL": postgresql.new_database()},
    )
    assert done.returncode == 0 and "StoreTest" in done.stdout, done.stdout[-3000:]
