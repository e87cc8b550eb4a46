#!/usr/bin/env bash
# The databases of Slipway and Airflow; PostgreSQL's image runs it at its first start.
set -euo pipefail
psql -v ON_ERROR_STOP=1 --username postgres -v slipway="$SLIPWAY_DB_PASSWORD" -v airflow="$AIRFLOW_DB_PASSWORD" <<'SQL'
CREATE ROLE slipway LOGIN PASSWORD :'slipway';
CREATE DATABASE slipway OWNER slipway;
CREATE ROLE airflow LOGIN PASSWORD :'airflow';
CREATE DATABASE airflow OWNER airflow;
SQL
