"""Filters and calendar arithmetic by DuckDB."""

import datetime
import random
from pathlib import Path

import duckdb
import pyarrow as pa
from cases import write_cases

ROWS = 96
# Where DuckDB's SQL is not PostgreSQL's, the same is asked in DuckDB's own words behind the arrow.
FILTERS = """
a > 3
a = 3 OR b < 0.5
NOT (a > 3)
a IN (1, 2, NULL)
a NOT IN (1, 2)
a NOT IN (1, NULL)
a BETWEEN 2 AND 5
a NOT BETWEEN 2 AND 5
b > 1
b = 'NaN'
b <= 0
b <> b
c LIKE 'a%'
c NOT LIKE '%b'
c ILIKE 'A_'
c IS NULL
c IS NOT NULL
c IS DISTINCT FROM 'ab'
c IS NOT DISTINCT FROM NULL
e
NOT e
e IS TRUE
e IS NOT TRUE
e IS FALSE
e IS UNKNOWN --> e IS NULL
a + 1 > 4
a * 2 - 1 = 5
a % 2 = 0
-a < -3
a + b > 4
CAST(a AS double precision) / 2 > 1.5 --> CAST(a AS double) / 2 > 1.5
CASE WHEN a > 3 THEN e ELSE b > 0 END
CASE a WHEN 1 THEN true WHEN 2 THEN NULL ELSE false END
COALESCE(c, 'zz') = 'zz'
NULLIF(a, 3) IS NULL
d >= DATE '2024-01-10'
d = '2024-01-05'
d + 3 > DATE '2024-01-10'
d - DATE '2024-01-01' > 9
t > '2024-01-05 12:00:00'
t >= TIMESTAMP '2024-01-03' + INTERVAL '2 days'
date_trunc('week', t) = TIMESTAMP '2024-01-08'
date_trunc('month', t) = TIMESTAMP '2024-01-01'
extract(dow FROM t) = 0
extract(hour FROM t) >= 12 AND extract(doy FROM t) < 9
lower(upper(c)) = 'ab'
trim(c || ' ') = 'ab'
length(c) = 2
substr(c, 2, 1) = 'b'
abs(a - 4) < 2
floor(b) = 0
ceil(b) = 1
a > 2 AND (c = 'ab' OR c IS NULL) AND NOT e
(a > 2) = e
true
false
NULL
c || 'x' = 'abx'
CAST(a AS text) = '3'
CAST('4' AS int) = a
extract(week FROM t) = 2
a IS NOT NULL AND b IS NOT NULL
a = 3 AND NULL
a = 3 OR NULL
NOT NULL
NULL IS NULL
(a > 3) IS NULL
(a > 3 AND e) IS NOT FALSE
(a > 3 OR e) IS NOT UNKNOWN --> (a > 3 OR e) IS NOT NULL
a = a
a <> a
a IS DISTINCT FROM b
a IS NOT DISTINCT FROM 3
e IS DISTINCT FROM (a > 3)
e = e
e <> false
e > false
a < 2.5
a >= 2.5
a = 2.0
b = 1
b >= 'Infinity'
b < '-Infinity'
b = '-Infinity'
b > -1e300
b < 'NaN'
b >= 'NaN'
b = -0.0
b = 0.0
-b < 0
b IN (0, 'NaN', 1e308)
b NOT IN ('NaN', 0)
b BETWEEN -1 AND 1
b IS DISTINCT FROM 'NaN'
b * 0 = 0
b + b > b
b - b = 0
f = 0.25
f > 0.1 --> CAST(f AS double) > CAST(0.1 AS double)
f = b
l = 9007199254740993
l > 9007199254740992
l = 9223372036854775807
l = 9223372036854775806
l < 9223372036854775807
l = 1234567890123456789
l = 1234567890123456788
l IN (1234567890123456788, 3)
l IN (3, a, NULL)
a NOT IN (l, 1, a + 1)
NULL IN (1, a)
b IN (b, 1)
l > 1e18
l = -9223372036854775807
l < 99999999999999999999
l < -9223372036854775807
l % 10 = 3
l % -7 = -2
-7 % 3 = -1
a / 2 = 1 --> a // 2 = 1
-a / 2 = -1 --> -a // 2 = -1
a - 10 BETWEEN -8 AND -5
abs(-a) = a
abs(b) > 1
floor(b) = -1
floor(b + 0.5) = 1
ceil(-b) = 0
ceiling(b) > 0
round(b) = 0 --> round_even(b, 0) = 0
round(b) = 2 --> round_even(b, 0) = 2
round(a) = 3
c = ''
c <> ''
c < 'b'
c >= 'ab'
c > c
c BETWEEN 'a' AND 'b'
c IN ('ab', 'zz', '')
c NOT IN ('ab', NULL)
c LIKE '%'
c LIKE '_'
c LIKE '%b%'
c LIKE 'a\\_%' --> c LIKE 'a\\_%' ESCAPE '\\'
c LIKE '50\\%' --> c LIKE '50\\%' ESCAPE '\\'
c LIKE '_é%'
c ILIKE '%É%'
c NOT ILIKE 'AB'
c LIKE ''
length(c) > 2
char_length(c) = 3 --> length(c) = 3
length(c || c) = 4
upper(c) = 'AB'
upper(c) LIKE '%É%'
lower(c) = 'ab'
ltrim(c) = 'ab '
rtrim(c) = ' ab'
trim(c) = 'ab'
substr(c, 2) = 'b'
substr(c, 1, 2) = 'ab'
substring(c, 3, 5) = ''
substring(c, 1, 0) = ''
substr(c, 2, 1) = 'é'
c || NULL IS NULL
c || c = 'aa'
c || '' = c
'x' || c > 'xa'
COALESCE(a, 0) = 0
COALESCE(a, l, -1) = -1
COALESCE(b, a) > 2
COALESCE(NULL, c, 'n') = 'n'
COALESCE(e, false)
NULLIF(c, 'ab') IS NULL
NULLIF(b, 'NaN') IS NULL
NULLIF(a, a) IS NULL
CASE WHEN a > 5 THEN 'big' WHEN a > 2 THEN 'mid' END = 'mid'
CASE WHEN a > 5 THEN 1 WHEN a > 2 THEN 2.5 ELSE 0 END > 1
CASE WHEN e THEN a END IS NULL
CASE c WHEN 'ab' THEN 1 WHEN 'zz' THEN 2 ELSE 3 END <> 3
CASE e WHEN true THEN a WHEN false THEN -a END < 0
CASE WHEN NULL THEN true ELSE false END
CAST(a AS bigint) = 3
CAST(CASE WHEN b > -10 AND b < 10 THEN b END AS int) = 2 --> round_even(CASE WHEN b > -10 AND b < 10 THEN b END, 0) = 2
CAST(CASE WHEN b BETWEEN 0 AND 10 THEN b END AS int) = 0 --> round_even(CASE WHEN b BETWEEN 0 AND 10 THEN b END, 0) = 0
CAST(e AS int) = 1
CAST(a AS boolean)
CAST(d AS timestamp) = TIMESTAMP '2024-01-05'
CAST(t AS date) = DATE '2024-01-05'
CAST(d AS text) = '2024-01-05'
CAST(e AS text) = 'true'
CAST(length(c) AS double precision) / 4 = 0.5 --> CAST(length(c) AS double) / 4 = 0.5
CAST('1.5' AS float8) < b --> CAST('1.5' AS double) < b
CAST(NULL AS int) = a
a::text = '3'
'2024-01-05'::date = d
d < '2024-01-10'
d > t
d = t
d IN ('2024-01-05', DATE '1969-12-31')
d < '1970-01-01'
d BETWEEN '2024-02-28' AND '2024-03-01'
d + INTERVAL '1 month' > TIMESTAMP '2024-03-29'
d - 3 < DATE '2024-01-01'
d - INTERVAL '1 year' < '2023-01-03'
d - d = 0
t + INTERVAL '1 month' = TIMESTAMP '2024-02-29 12:00:00'
t - INTERVAL '1 day 12 hours' > TIMESTAMP '2024-01-10'
INTERVAL '90 minutes' + t > '2024-01-05 12:00:00'
t = '2024-01-31 12:00:00'
t < '1970-01-01'
t >= '0099-12-31'
t BETWEEN '2024-01-03' AND '2024-01-05'
z > '2024-01-05 12:00:00+02:00'
z = '2024-01-31T12:00:00Z'
z >= t --> timezone('UTC', z) >= t
date_trunc('day', t) = t
date_trunc('hour', t) = t
date_trunc('quarter', t) = TIMESTAMP '2024-01-01'
date_trunc('year', t) < TIMESTAMP '1970-01-01'
date_trunc('decade', t) = TIMESTAMP '2020-01-01'
date_trunc('century', t) = TIMESTAMP '2001-01-01' --> date_trunc('century', t) = TIMESTAMP '2000-01-01'
date_trunc('week', d) = TIMESTAMP '2024-01-01'
extract(year FROM d) = 2024
extract(month FROM t) = 2
extract(day FROM d) > 28
extract(isodow FROM t) >= 6
extract(quarter FROM t) = 1
extract(minute FROM t) = 30
extract(second FROM t) > 59 --> extract(microseconds FROM t) / 1e6 > 59
extract(second FROM t) > 0 --> extract(microseconds FROM t) > 0
extract(isoyear FROM t) <> extract(year FROM t)
extract(epoch FROM t) < 0
date_part('dow', d) IN (0, 6)
t > logical_date --> t > TIMESTAMP '2024-01-08 06:00:00'
t > now() - INTERVAL '3 days' --> t > TIMESTAMP '2024-01-05 06:00:00'
d = current_date --> d = DATE '2024-01-08'
d >= current_date - 7 --> d >= DATE '2024-01-01'
t <= current_timestamp --> t <= TIMESTAMP '2024-01-08 06:00:00'
a > 1 AND b > 1 OR c = 'ab' AND NOT e
NOT (a > 1 AND (b > 1 OR c = 'ab') AND NOT e)
((a)) > (((3)))
a + 2 * 3 - 1 > 7 % 4
"Quoted Name" > 3
"Quoted Name" IS NULL OR "Quoted Name" <> 2
'it''s' = c
E'\\x61b' = c --> 'ab' = c
1 = 1
'a' < 'b'
1 + 1 = 2.0
NULL = NULL
2 BETWEEN 1 AND NULL
""".strip().splitlines()


def data() -> pa.Table:
    rng = random.Random(3)

    def column(values, kind, null=0.15):
        return pa.array([None if rng.random() < null else rng.choice(values) for _ in range(ROWS)], kind)

    days = [datetime.date(2024, 1, 1) + datetime.timedelta(days=n) for n in range(20)]
    days += [
        datetime.date(2024, 2, 29),
        datetime.date(2023, 12, 31),
        datetime.date(1969, 12, 31),
        datetime.date(1970, 1, 1),
    ]
    times = [datetime.datetime(2024, 1, 1) + datetime.timedelta(hours=n) for n in range(0, 300, 4)]
    times += [
        datetime.datetime(2024, 1, 31, 12),
        datetime.datetime(2024, 2, 29, 23, 30, 59, 999999),
        datetime.datetime(1969, 12, 31, 23, 59, 59, 1),
        datetime.datetime(1900, 3, 1, 0, 30),
        datetime.datetime(2020, 12, 31, 23, 30),
        datetime.datetime(2021, 1, 3, 1),
        datetime.datetime(99, 12, 31),
    ] * 3
    doubles = [0.0, -0.0, float("nan"), float("inf"), float("-inf"), 1.0, 0.25, -0.25, 1.5, 0.5, 2.5, -1e300]
    return pa.table(
        {
            "id": pa.array(range(ROWS), pa.int64()),
            "a": column(range(8), pa.int32()),
            "b": column(doubles, pa.float64()),
            "c": column(
                ["ab", "a", "AB", "b", "", "zz", "é", "aé", "É1", "a_b", "50%", " ab ", "it's", "日本"], pa.string()
            ),
            "d": column(days, pa.date32()),
            "t": column(times, pa.timestamp("us")),
            "e": column([True, False], pa.bool_()),
            "f": column([0.25, 0.1, float("nan"), float("inf"), -0.0], pa.float32()),
            "l": column([2**53 + 1, 2**53, 2**63 - 1, -(2**63), 3, -9, 13, 1234567890123456789], pa.int64()),
            "z": column(times, pa.timestamp("us", "UTC")),
            "Quoted Name": column(range(6), pa.int16()),
        }
    )


def letter(value) -> str:
    return "n" if value is None else "1" if value else "0"


def filters(connection) -> list[dict]:
    cases = []
    for line in FILTERS:
        ours, _, theirs = line.partition(" --> ")
        answers = connection.execute(f"SELECT CAST(({theirs or ours}) AS BOOLEAN) FROM data ORDER BY id").fetchall()
        assert len(answers) == ROWS, line
        cases.append({"filter": ours, "rows": "".join(letter(row[0]) for row in answers)})
    return cases


MICRO = datetime.timedelta(microseconds=1)
EPOCH = datetime.datetime(1970, 1, 1)
TRUNC = [
    "microseconds",
    "milliseconds",
    "second",
    "minute",
    "hour",
    "day",
    "week",
    "month",
    "quarter",
    "year",
    "decade",
]
EXTRACT = [
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
    "dow",
    "isodow",
    "doy",
    "week",
    "quarter",
    "epoch",
    "isoyear",
    "milliseconds",
    "microseconds",
]
INTERVALS = [
    "7 days",
    "1 month",
    "-1 month",
    "13 months",
    "1 year 2 mons",
    "-1 week",
    "12:30:00",
    "1.5 hours",
    "90 minutes",
    "3 days 04:05:06.789",
    "1 decade",
    "-25 hours",
    "1000000 seconds",
    "2 weeks 1 day",
    "1 year -1 day",
    "250 milliseconds",
    "7 microseconds",
    "-00:00:01",
]


def instants() -> list[datetime.datetime]:
    rng = random.Random(5)
    chosen = [
        datetime.datetime(*parts)
        for parts in [
            (1970, 1, 1),
            (1969, 12, 31, 23, 59, 59, 999999),
            (2024, 2, 29, 12),
            (2000, 2, 29),
            (1900, 2, 28, 23),
            (2024, 12, 30, 1),
            (2021, 1, 3),
            (2020, 12, 31),
            (2026, 12, 28),
            (1582, 10, 10),
            (1, 1, 1),
            (9999, 12, 31, 23, 59, 59, 999999),
            (2024, 1, 31, 8, 30),
            (2023, 8, 31, 0, 0, 0, 1),
        ]
    ]
    return chosen + [datetime.datetime(1800, 1, 1) + rng.randrange(10**16) * MICRO for _ in range(26)]


def calendar(connection) -> list[dict]:
    moments = instants()
    cases = []
    for unit in TRUNC:
        answers = [
            connection.execute(f"SELECT epoch_us(date_trunc('{unit}', ?::TIMESTAMP)::TIMESTAMP)", [m]).fetchone()[0]
            for m in moments
        ]
        cases.append({"call": f"date_trunc {unit}", "unit": unit, "want": answers})
    for unit in EXTRACT:
        answers = [
            float(connection.execute(f"SELECT extract({unit} FROM ?::TIMESTAMP)", [m]).fetchone()[0]) for m in moments
        ]
        if unit == "second":  # DuckDB gives whole seconds; PostgreSQL's have a fraction
            answers = [
                float(connection.execute("SELECT extract(microseconds FROM ?::TIMESTAMP) / 1e6", [m]).fetchone()[0])
                for m in moments
            ]
        if unit == "milliseconds":
            answers = [
                float(connection.execute("SELECT extract(microseconds FROM ?::TIMESTAMP) / 1e3", [m]).fetchone()[0])
                for m in moments
            ]
        cases.append({"call": f"extract {unit}", "unit": unit, "want": answers})
    inner = [m for m in moments if 1700 < m.year < 9000]
    for interval in INTERVALS:
        for sign in ("+", "-"):
            answers = [
                connection.execute(f"SELECT epoch_us(?::TIMESTAMP {sign} INTERVAL '{interval}')", [m]).fetchone()[0]
                for m in inner
            ]
            cases.append(
                {
                    "call": f"{'plus' if sign == '+' else 'minus'} {interval}",
                    "interval": interval,
                    "sign": 1 if sign == "+" else -1,
                    "want": answers,
                }
            )
    return cases


def instants_and_within() -> list[dict]:
    """All instants, and those to which intervals are added."""
    micros = [(moment - EPOCH) // MICRO for moment in instants()]
    return [{"all": micros, "inner": [at for at, moment in zip(micros, instants()) if 1700 < moment.year < 9000]}]


def make(out: Path) -> None:
    table = data()
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("data", table)
    with pa.ipc.new_file(out / "batch.arrow", table.schema) as writer:
        writer.write_table(table)
    write_cases(out / "filters.json", filters(connection))
    write_cases(out / "calendar.json", calendar(connection))
    write_cases(out / "instants.json", instants_and_within())
