"""croniter and PyJWT come with Airflow (.deps/airflow): plain Python, found behind the packages of .deps/venv."""

import sys
from pathlib import Path

sys.path.extend(
    str(path) for path in Path(__file__).resolve().parents[2].glob(".deps/airflow/lib/python3.*/site-packages")
)
