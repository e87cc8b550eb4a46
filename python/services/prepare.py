"""Makes the states that servers of tests start from, into .deps/prepared: what is made once is copied in a moment, and
need not be made at each start (a database's tables, a realm, a build). tools/setup-servers runs it.
"""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from services import airflow, airflow2, keycloak, mlflow_server  # noqa: E402 (found by the line above)
from services.postgresql import PostgreSQL  # noqa: E402
from services.process import PREPARED  # noqa: E402


def main() -> None:
    made = PREPARED.with_name("prepared.new")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    with PostgreSQL(made, prepared=None) as postgresql:
        airflow.prepare(made / "airflow", postgresql.new_database(airflow.MIGRATED))
    airflow2.prepare(made / "airflow2")
    mlflow_server.prepare(made / "mlflow")
    keycloak.prepare(made / "keycloak")
    shutil.rmtree(PREPARED, ignore_errors=True)
    made.rename(PREPARED)


if __name__ == "__main__":
    main()
