"""filter_sql keeps the rows that DuckDB keeps: one filter of each kind through the whole program.

All of them, and what is refused where, are src/expression/filter_test.cc.
"""

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from conftest import signature_of
from models import numbers, train

AREAS = ["expression"]
EXAMPLE = "test_errors_carry_the_position"

FILTERS = [
    "a NOT IN (1, NULL)",
    "b = 'NaN'",
    "c LIKE 'a%'",
    "e IS NOT TRUE",
    "a % 2 = 0",
    "CASE a WHEN 1 THEN true WHEN 2 THEN NULL ELSE false END",
    "NULLIF(a, 3) IS NULL",
    "d + 3 > DATE '2024-01-10'",
    "date_trunc('week', t) = TIMESTAMP '2024-01-08'",
    "lower(upper(c)) = 'ab'",
    "a > 2 AND (c = 'ab' OR c IS NULL) AND NOT e",
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
    [("a >", 4, "syntax error"), ("a IN (SELECT 1)", 3, "subqueries"), ("a = c", 3, "do not go together")],
)
def test_errors_carry_the_position(filtered, sql, position, words):
    failed = filtered.score(ok=False, filter_sql=sql)[-1]
    assert words in failed["message"], failed
    if position:
        assert f"at character {position}:" in failed["message"], failed
