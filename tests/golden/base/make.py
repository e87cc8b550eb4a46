"""Times, encodings, digests and JSON by Python's standard library."""

import base64
import binascii
import datetime
import hashlib
import hmac
import json
import random
import urllib.parse
import uuid
from pathlib import Path

from cases import write_cases

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MICRO = datetime.timedelta(microseconds=1)


def micros(moment: datetime.datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    return (moment - EPOCH) // MICRO


def instants() -> list[dict]:
    """Texts that are read as an instant, with the microseconds since 1970 that Python reads."""
    rng = random.Random(1)
    texts = [
        "2024-01-31",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "1970-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999999Z",
        "2024-02-29T12:00:00+14:00",
        "2024-02-29T00:00:00-12:00",
        "2000-02-29T23:59:59.1+05:30",
        "1900-03-01T00:00:00-00:01",
        "2024-01-31T06:00",
        "2024-01-31T06:00Z",
        "2024-01-31T06:00+0530",
        "2024-01-31T06:00:00+05",
        "2024-01-31 06:00:00.25",
        "2024-12-31T23:59:59-23:59",
        "2024-01-31T06:00:00.1234567Z",
        "2024-01-31T06:00:00.999999999Z",
        "2024-01-31T06:00:00.0000009Z",
    ]
    for _ in range(60):
        moment = EPOCH + rng.randrange(-6 * 10**16, 2 * 10**17) * MICRO
        text = moment.strftime("%Y-%m-%d").rjust(10, "0") + rng.choice("T ") + moment.strftime("%H:%M:%S")
        if rng.random() < 0.7:
            text += "." + "".join(rng.choice("0123456789") for _ in range(rng.randrange(1, 9)))
        texts.append(text + rng.choice(["", "Z", "+00:00", "-00:30", "+05:45", "-1130", "+13"]))
    return [{"text": text, "micros": micros(datetime.datetime.fromisoformat(text))} for text in texts]


def formats() -> list[dict]:
    rng = random.Random(2)
    values = [0, -1, 1, 999999, -999999, 86_400_000_000, -62135596800000000, 253402300799999999, 1_706_680_800_250_000]
    values += [
        rng.randrange(-6 * 10**16, 2 * 10**17) // step * step for step in (1, 1000, 1_000_000) for _ in range(12)
    ]
    cases = []
    for value in values:
        moment = EPOCH + value * MICRO
        cases.append(
            {
                "text": moment.replace(tzinfo=None).isoformat() + "Z",
                "date": moment.date().isoformat(),
                "micros": value,
                "day": (moment.date() - datetime.date(1970, 1, 1)).days,
            }
        )
    return cases


def encodings() -> list[dict]:
    rng = random.Random(3)
    inputs = [
        b"",
        b"\x00",
        b"\xff",
        b"f",
        b"fo",
        b"foo",
        b"foob",
        b"fooba",
        b"foobar",
        bytes(range(256)),
        "é日本😀 /?#[]@!$&'()*+,;=%~-._".encode(),
    ]
    inputs += [rng.randbytes(rng.randrange(1, 80)) for _ in range(20)]
    cases = []
    for data in inputs:
        key = rng.randbytes(rng.choice((1, 16, 32, 64, 100)))
        cases.append(
            {
                "name": f"{len(data)} bytes",
                "bytes": data.hex(),
                "base64": base64.b64encode(data).decode(),
                "sha256": hashlib.sha256(data).hexdigest(),
                "key": key.hex(),
                "hmac": hmac.new(key, data, hashlib.sha256).hexdigest(),
                "url": urllib.parse.quote(data, safe="-._~"),
            }
        )
    return cases


def base64_texts() -> list[dict]:
    """What base64.b64decode(validate=True) gives, none where it refuses the text. All padding may be left out."""
    texts = [
        "",
        "=",
        "==",
        "===",
        "====",
        "A===",
        "AB==",
        "ABC=",
        "ABCD",
        "A",
        "AB",
        "ABC",
        "AB=C",
        "=ABC",
        "A=BC",
        "AB==ABCD",
        " ABCD",
        "ABCD ",
        "AB CD",
        "ABCD\n",
        "AB-_",
        "AB+/",
        "ABé=",
        "AB\x00=",
        "!!!!",
        "Zm9vYmFy",
        "Zm9vYmE=",
        "Zm9vYg==",
    ]
    cases = []
    for text in texts:
        try:
            padded = text if text.endswith("=") else text + "=" * (-len(text) % 4)
            data = base64.b64decode(padded.encode(), validate=True).hex()
        except (binascii.Error, ValueError):
            data = None
        cases.append({"text": text, "bytes": data})
    return cases


def uuids() -> list[dict]:
    names = ["", "a", "m/d 2024-01-31T06:00:00Z", "é", "x" * 300]
    spaces = [uuid.NAMESPACE_DNS, uuid.NAMESPACE_URL, uuid.UUID("f79c3e09-677c-4bbd-a479-3f349cb785e7")]
    return [
        {"name": name[:40], "space": str(space), "text": name, "uuid": str(uuid.uuid5(space, name))}
        for space in spaces
        for name in names
    ]


def no_constants(name: str):
    raise ValueError(name)


def json_texts() -> list[dict]:
    """Strict JSON: whether Python reads it, and what. NaN and Infinity are not JSON.

    Boost.JSON 1.81 does not round to the nearest: long fractions are not asked, and models keep theirs as text.
    """
    texts = [
        "0",
        "-0",
        "1.5",
        "-1e-3",
        "1E5",
        "9223372036854775807",
        "-9223372036854775808",
        "true",
        "null",
        '"a"',
        '"\\u00e9\\ud83d\\ude00"',
        '"\\"\\\\\\/\\b\\f\\n\\r\\t"',
        "[]",
        "[1,2]",
        "{}",
        '{"a":{"b":[1,{"c":null}]}}',
        " [ 1 , 2 ] \n",
        '{"a":1,"a":2}',
        '""',
        '"é"',
        "0.1",
        "1e-320",
        "",
        " ",
        "01",
        "1.",
        ".5",
        "+1",
        "-",
        "1e",
        "0x1",
        "nul",
        "True",
        "NaN",
        "Infinity",
        "-Infinity",
        "[1,]",
        "[,1]",
        '{"a":1,}',
        "{a:1}",
        "{'a':1}",
        '"a',
        "'a'",
        '"\t"',
        '"\\x"',
        '"\\u12"',
        "[1",
        "{",
        '{"a"',
        '{"a":',
        "[1] 2",
        "[]]",
        "1 2",
        "// x\n1",
        "/* */ 1",
        "\x00",
        "[1\x00]",
    ]
    cases = []
    for text in texts:
        try:
            value, ok = json.loads(text, parse_constant=no_constants), True
        except ValueError:
            value, ok = None, False
        cases.append({"text": text, "ok": ok, "value": value})
    return cases


def make(out: Path) -> None:
    write_cases(out / "instants.json", instants())
    write_cases(out / "formats.json", formats())
    write_cases(out / "encodings.json", encodings())
    write_cases(out / "base64.json", base64_texts())
    write_cases(out / "uuids.json", uuids())
    write_cases(out / "json.json", json_texts())
