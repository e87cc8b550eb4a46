"""filter_sql keeps the rows that DuckDB keeps."""

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from conftest import signature_of
from models import numbers, train

FILTERS = [
    "a > 3",
    "a = 3 OR b < 0.5",
    "NOT (a > 3)",
    "a IN (1, 2, NULL)",
    "a NOT IN (1, 2)",
    "a NOT IN (1, NULL)",
    "a BETWEEN 2 AND 5",
    "a NOT BETWEEN 2 AND 5",
    "b > 1",
    "b = 'NaN'",
    "b <= 0",
    "b <> b",
    "c LIKE 'a%'",
    "c NOT LIKE '%b'",
    "c ILIKE 'A_'",
    "c IS NULL",
    "c IS NOT NULL",
    "c IS DISTINCT FROM 'ab'",
    "c IS NOT DISTINCT FROM NULL",
    "e",
    "NOT e",
    "e IS TRUE",
    "e IS NOT TRUE",
    "e IS FALSE",
    "e IS UNKNOWN",
    "a + 1 > 4",
    "a * 2 - 1 = 5",
    "a % 2 = 0",
    "-a < -3",
    "a + b > 4",
    "CAST(a AS double precision) / 2 > 1.5",
    "CASE WHEN a > 3 THEN e ELSE b > 0 END",
    "CASE a WHEN 1 THEN true WHEN 2 THEN NULL ELSE false END",
    "COALESCE(c, 'zz') = 'zz'",
    "NULLIF(a, 3) IS NULL",
    "d >= DATE '2024-01-10'",
    "d = '2024-01-05'",
    "d + 3 > DATE '2024-01-10'",
    "d - DATE '2024-01-01' > 9",
    "t > '2024-01-05 12:00:00'",
    "t >= TIMESTAMP '2024-01-03' + INTERVAL '2 days'",
    "date_trunc('week', t) = TIMESTAMP '2024-01-08'",
    "date_trunc('month', t) = TIMESTAMP '2024-01-01'",
    "extract(dow FROM t) = 0",
    "extract(hour FROM t) >= 12 AND extract(doy FROM t) < 9",
    "lower(upper(c)) = 'ab'",
    "trim(c || ' ') = 'ab'",
    "length(c) = 2",
    "substr(c, 2, 1) = 'b'",
    "abs(a - 4) < 2",
    "floor(b) = 0",
    "ceil(b) = 1",
    "a > 2 AND (c = 'ab' OR c IS NULL) AND NOT e",
    "(a > 2) = e",
    "true",
    "false",
    "NULL",
    "c || 'x' = 'abx'",
    "CAST(a AS text) = '3'",
    "CAST('4' AS int) = a",
    "extract(week FROM t) = 2",
    "a IS NOT NULL AND b IS NOT NULL",
]


@pytest.fixture(scope="module")
def data() -> pa.Table:
    rng = np.random.default_rng(3)
    n = 240

    def some(values, null=0.15):
        return [None if rng.random() < null else v for v in values]

    return pa.table(
        {
            "id": pa.array(range(n), pa.int64()),
            "a": pa.array(some([int(v) for v in rng.integers(0, 8, n)]), pa.int32()),
            "b": pa.array(
                some([[0.0, -0.0, float("nan"), float("inf"), 1.0, 0.25][v] for v in rng.integers(0, 6, n)]),
                pa.float64(),
            ),
            "c": pa.array(some([["ab", "a", "AB", "b", "", "zz"][v] for v in rng.integers(0, 6, n)]), pa.string()),
            "d": pa.array(
                some(pd.date_range("2024-01-01", periods=20).date[v] for v in rng.integers(0, 20, n)), pa.date32()
            ),
            "t": pa.array(
                some(pd.date_range("2024-01-01", periods=300, freq="h")[v] for v in rng.integers(0, 300, n)),
                pa.timestamp("us"),
            ),
            "e": pa.array(some([bool(v) for v in rng.integers(0, 2, n)]), pa.bool_()),
        }
    )


@pytest.fixture(scope="module")
def filtered(tmp_path_factory, data):
    from conftest import Lake

    lake = Lake(tmp_path_factory.mktemp("filter"))
    frame = numbers(200, features=1)
    lake.register("m", train(frame.rename(columns={"f0": "b"})), signature=signature_of(b="double"))
    lake.table("src.t", data)
    return lake


@pytest.mark.parametrize("sql", FILTERS)
def test_same_rows_as_duckdb(filtered, data, sql):
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("data", data)
    want = sorted(row[0] for row in connection.execute(f"SELECT id FROM data WHERE {sql}").fetchall())
    filtered.score(filter_sql=sql)
    assert sorted(filtered.rows()["id"]) == want


@pytest.mark.parametrize(
    "sql, position, words",
    [
        ("a >", 4, "syntax error"),
        ("nope = 1", 1, "no column 'nope'"),
        ("a = 1 AND nope(a) > 1", 11, "no function 'nope'"),
        ("a + 1", 3, "boolean"),
        ("a > 'x'", 5, "'x'"),
        ("a IN (SELECT 1)", 3, "subqueries"),
        ("count(*) > 1", 1, "aggregates"),
        ("a > 1; DROP TABLE x", 0, "several statements"),
        ("row_number() OVER () = 1", 1, "window"),
        ("a = 1 UNION SELECT 1", 0, "UNION"),
        ("", 1, "empty"),
        ("a = c", 3, "do not go together"),
        ("a > 1 ORDER BY a", 0, "ORDER BY"),
    ],
)
def test_errors_carry_the_position(filtered, sql, position, words):
    failed = filtered.score(ok=False, filter_sql=sql)[-1]
    assert words in failed["message"], failed
    if position:
        assert f"at character {position}:" in failed["message"], failed
