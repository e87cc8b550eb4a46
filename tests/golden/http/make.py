"""Query strings as Starlette's QueryParams reads them, in which the last of repeated ones counts."""

import random
from pathlib import Path
from urllib.parse import quote, unquote

from cases import write_cases
from starlette.datastructures import QueryParams

QUERIES = [
    "",
    "a=1",
    "a=1&b=2",
    "a=1&a=2",
    "a=",
    "a",
    "a&b=1",
    "a=b=c",
    "a=1&&b=2",
    "a=%20x",
    "a=+x+y",
    "a=%2B",
    "a=%C3%A9",
    "%C3%A9=1",
    "a=1%262",
    "a=%3D",
    "limit=50&cursor=12",
    "status=active&owner=ana%40example.com",
    "a=%00",
    "a=~-._",
    "a=!$'()*,;:@/?",
    "a%5B%5D=1",
    "a=%F0%9F%98%80",
    "A=1&a=2",
]
SEGMENTS = ["churn", "a b", "é", "a%b", "a+b", "a/b", "x" * 60, "~-._", "日本", "a&b=c?d#e", ";:@!$'()*,"]


def make(out: Path) -> None:
    rng = random.Random(9)
    cases = []
    for query in QUERIES:
        cases.append({"target": "/api/models?" + query, "path": ["api", "models"], "query": dict(QueryParams(query))})
    for _ in range(30):
        parts = [rng.choice(SEGMENTS) for _ in range(rng.randrange(1, 4))]
        values = {rng.choice(["a", "b", "é"]): rng.choice(SEGMENTS) for _ in range(rng.randrange(0, 3))}
        query = "&".join(f"{quote(key)}={quote(value, safe='')}" for key, value in values.items())
        assert dict(QueryParams(query)) == values and [unquote(quote(part, safe="")) for part in parts] == parts
        cases.append(
            {
                "target": "/" + "/".join(quote(part, safe="") for part in parts) + ("?" + query if query else ""),
                "path": parts,
                "query": values,
            }
        )
    write_cases(out / "targets.json", cases)
