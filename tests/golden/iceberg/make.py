"""Iceberg by PyIceberg: types and bounds, transforms, partition paths, what statistics decide, manifests, metadata."""

import random
import uuid
from decimal import Decimal
from pathlib import Path

import pyiceberg.avro.file
from cases import write_cases, write_json
from pyiceberg.conversions import from_bytes, to_bytes
from pyiceberg.expressions import (
    And,
    EqualTo,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    IsNull,
    LessThan,
    LessThanOrEqual,
    Not,
    NotEqualTo,
    NotNull,
    Or,
)
from pyiceberg.expressions.visitors import (
    _InclusiveMetricsEvaluator,
    _StrictMetricsEvaluator,
    bind,
    expression_evaluator,
    inclusive_projection,
    rewrite_not,
)
from pyiceberg.io.pyarrow import PyArrowFileIO, schema_to_pyarrow
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestEntry,
    ManifestEntryStatus,
    read_manifest_list,
    write_manifest,
    write_manifest_list,
)
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.metadata import new_table_metadata
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER
from pyiceberg.transforms import (
    BucketTransform,
    DayTransform,
    HourTransform,
    IdentityTransform,
    MonthTransform,
    TruncateTransform,
    VoidTransform,
    YearTransform,
)
from pyiceberg.typedef import Record
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FixedType,
    FloatType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestampType,
    TimestamptzType,
    TimeType,
    UUIDType,
)

# Two appends by PyIceberg 0.12 whose clock was an hour ahead.
RECORDED = ("clock_ahead.metadata.json",)

DAY = 86_400_000_000
DAYS = [0, -1, 1, 19723, -365, -366, -25567, 11016, 17486, 59, 789, -719162, 2932896]
MICROS = [
    0,
    -1,
    1,
    DAY - 1,
    DAY,
    -DAY,
    1510871468000000,
    1706745599999999,
    -62135596800000000,
    3_600_000_000,
    -3_600_000_001,
    253402300799999999,
]
TEXTS = ["", "iceberg", "a b/c=d%", "é日本😀x", "null", "0", "a", "abcdefghijklmnop", "A+B&C", "~._-*"]
BYTES = [b"", b"\x00\x01\x02\x03", b"\xff\xfe", b"iceberg", b"\x00" * 5, b"abcdefghijkl"]
VALUES = {
    BooleanType(): [True, False],
    IntegerType(): [0, 1, -1, 34, -34, 10, 2**31 - 1, -(2**31), 105, -105],
    LongType(): [0, 1, -1, 34, -34, 2**40, -(2**40), 2**62, 99, -100],
    FloatType(): [0.0, 1.5, -2.25, 3.4028234663852886e38, 1e-45],
    DoubleType(): [0.0, 1.5, -2.25, 1e300, -1e-300, 0.1, 1e16],
    DecimalType(9, 2): [
        Decimal(v) for v in ("0.00", "14.20", "-14.20", "0.01", "-0.01", "1234567.89", "-1.28", "1.27", "1.28")
    ],
    DecimalType(38, 10): [
        Decimal(v) for v in ("0.0000000000", "123456789012345678.0000000001", "-99999999999999999999999999.0000000000")
    ],
    DateType(): DAYS,
    TimeType(): [0, 1, 81068000000, DAY - 1],
    TimestampType(): MICROS,
    TimestamptzType(): MICROS,
    StringType(): TEXTS,
    UUIDType(): [
        uuid.UUID("f79c3e09-677c-4bbd-a479-3f349cb785e7"),
        uuid.UUID(int=0),
        uuid.UUID("550e8400-e29b-41d4-a716-446655440000"),
    ],
    FixedType(5): [b"abcde", b"\x00\x01\x02\xff\x80"],
    BinaryType(): BYTES,
}
TRANSFORMS = [
    "identity",
    "void",
    "bucket[16]",
    "bucket[2147483647]",
    "bucket[1]",
    "truncate[1]",
    "truncate[3]",
    "truncate[10]",
    "truncate[50]",
    "year",
    "month",
    "day",
    "hour",
]


def transform_of(text: str):
    name, _, number = text.rstrip("]").partition("[")
    kinds = {
        "identity": IdentityTransform,
        "void": VoidTransform,
        "bucket": BucketTransform,
        "truncate": TruncateTransform,
        "year": YearTransform,
        "month": MonthTransform,
        "day": DayTransform,
        "hour": HourTransform,
    }
    return kinds[name](int(number)) if number else kinds[name]()


def hex_of(kind, value) -> str | None:
    return None if value is None else to_bytes(kind, value).hex()


def bounds() -> list[dict]:
    """Single-value serialization: bytes, and the value as a Python number or as text."""
    cases = []
    for kind, values in VALUES.items():
        for value in values:
            raw = to_bytes(kind, value)
            assert from_bytes(kind, raw) == value or isinstance(value, uuid.UUID) or isinstance(kind, FloatType), (
                kind,
                value,
            )
            shown = (
                value
                if isinstance(value, (bool, int, float))
                else value.hex()
                if isinstance(value, bytes)
                else str(value)
            )
            cases.append({"type": str(kind), "bytes": raw.hex(), "value": shown})
    return cases


def transforms() -> list[dict]:
    cases = []
    for text in TRANSFORMS:
        transform = transform_of(text)
        for kind, values in VALUES.items():
            if not transform.can_transform(kind):
                continue
            result = transform.result_type(kind)
            function = transform.transform(kind)
            # The smallest integers have no multiple of the width below them.
            values = [value for value in values if not (text.startswith("truncate") and value == -(2**31))]
            cases.append(
                {
                    "case": f"{text} {kind}",
                    "transform": text,
                    "type": str(kind),
                    "result": str(result),
                    "at": [None, *(hex_of(kind, value) for value in values)],
                    "want": [hex_of(result, function(None)), *(hex_of(result, function(value)) for value in values)],
                }
            )
    return cases


def paths() -> list[dict]:
    cases = []
    for text in TRANSFORMS:
        transform = transform_of(text)
        for kind, values in VALUES.items():
            if not transform.can_transform(kind) or text == "void":
                continue
            schema = Schema(NestedField(1, "v", kind, required=False), NestedField(2, "n", LongType(), required=False))
            spec = PartitionSpec(
                PartitionField(1, 1000, transform, f"v {text}/é"),
                PartitionField(2, 1001, IdentityTransform(), "n"),
                spec_id=3,
            )
            function, result = transform.transform(kind), transform.result_type(kind)
            values = [value for value in values if not (text.startswith("truncate") and value == -(2**31))]
            tuples = [
                Record(None if value is None else function(value), None if value is None else 7)
                for value in [*values, None]
            ]
            cases.append(
                {
                    "case": f"{text} {kind}",
                    "type": str(kind),
                    "result": str(result),
                    "spec": spec.model_dump(),
                    "schema": schema.model_dump(),
                    "values": [hex_of(result, one[0]) for one in tuples],
                    "numbers": [one[1] for one in tuples],
                    "paths": [spec.partition_to_path(one, schema) for one in tuples],
                }
            )
    return cases


# What statistics decide: columns by id, files with random statistics, random conditions.
COLUMNS = {
    1: IntegerType(),
    2: LongType(),
    3: DoubleType(),
    4: StringType(),
    5: DateType(),
    6: TimestamptzType(),
    7: BooleanType(),
    8: FloatType(),
    9: BinaryType(),
}
STATISTICS = Schema(*(NestedField(i, f"c{i}", kind, required=False) for i, kind in COLUMNS.items()))


def some_value(rng, kind):
    if isinstance(kind, BooleanType):
        return rng.random() < 0.5
    if isinstance(kind, (DoubleType, FloatType)):
        return float(rng.randrange(-6, 7)) / 2
    if isinstance(kind, StringType):
        return "".join(rng.choice("abé") for _ in range(rng.randrange(0, 3)))
    if isinstance(kind, BinaryType):
        return bytes(rng.choice((0, 127, 128, 255)) for _ in range(rng.randrange(0, 3)))
    return rng.randrange(-5, 6)


OPS = {
    "lt": LessThan,
    "lt_eq": LessThanOrEqual,
    "gt": GreaterThan,
    "gt_eq": GreaterThanOrEqual,
    "eq": EqualTo,
    "not_eq": NotEqualTo,
}


def leaf(rng, ids):
    """A condition as PyIceberg's object and as JSON; literals as their bytes."""
    column = rng.choice(ids)
    kind = COLUMNS[column]
    roll = rng.random()
    if roll < 0.1:
        return IsNull(f"c{column}"), {"op": "is_null", "id": column}
    if roll < 0.2:
        return NotNull(f"c{column}"), {"op": "not_null", "id": column}
    if roll < 0.35:
        values = sorted({some_value(rng, kind) for _ in range(3)})
        if len(values) > 1:
            return In(f"c{column}", values), {
                "op": "in",
                "id": column,
                "values": [hex_of(kind, value) for value in values],
            }
    op = rng.choice(list(OPS))
    value = some_value(rng, kind)
    return OPS[op](f"c{column}", value), {"op": op, "id": column, "values": [hex_of(kind, value)]}


def condition(rng, ids, depth=2):
    if depth == 0 or rng.random() < 0.4:
        return leaf(rng, ids)
    (a, left), (b, right) = condition(rng, ids, depth - 1), condition(rng, ids, depth - 1)
    if rng.random() < 0.5:
        return And(a, b), {"op": "and", "of": [left, right]}
    return Or(a, b), {"op": "or", "of": [left, right]}


def statistics(rng) -> DataFile:
    """A file whose columns each have rows; counts and bounds are theirs, and some are left out."""
    rows = rng.randrange(1, 6)
    counts, nulls, nans, lower, upper = {}, {}, {}, {}, {}
    for column, kind in COLUMNS.items():
        values = [None if rng.random() < 0.2 else some_value(rng, kind) for _ in range(rows)]
        if rng.random() < 0.1:
            values = [None] * rows
        there = [value for value in values if value is not None]
        if rng.random() < 0.9:
            counts[column], nulls[column] = rows, rows - len(there)
            if isinstance(kind, (DoubleType, FloatType)):
                nans[column] = 0
        if there and rng.random() < 0.9:
            lower[column], upper[column] = to_bytes(kind, min(there)), to_bytes(kind, max(there))
    return data_file(
        record_count=rows,
        value_counts=counts,
        null_value_counts=nulls,
        nan_value_counts=nans,
        lower_bounds=lower,
        upper_bounds=upper,
    )


def data_file(path="s3://b/t/data/f.parquet", partition=(), **more) -> DataFile:
    fields = {
        "content": DataFileContent.DATA,
        "file_path": path,
        "file_format": FileFormat.PARQUET,
        "partition": Record(*partition),
        "record_count": 5,
        "file_size_in_bytes": 1234,
        "column_sizes": {},
        "value_counts": {},
        "null_value_counts": {},
        "nan_value_counts": {},
        "lower_bounds": {},
        "upper_bounds": {},
        "key_metadata": None,
        "split_offsets": None,
        "equality_ids": None,
        "sort_order_id": None,
    }
    return DataFile.from_args(**{**fields, **more})


def shown(file: DataFile) -> dict:
    numbers = lambda of: {str(k): v for k, v in sorted((of or {}).items())}
    raw = lambda of: {str(k): v.hex() for k, v in sorted((of or {}).items())}
    return {
        "path": file.file_path,
        "rows": file.record_count,
        "bytes": file.file_size_in_bytes,
        "column_sizes": numbers(file.column_sizes),
        "value_counts": numbers(file.value_counts),
        "null_value_counts": numbers(file.null_value_counts),
        "nan_value_counts": numbers(file.nan_value_counts),
        "lower_bounds": raw(file.lower_bounds),
        "upper_bounds": raw(file.upper_bounds),
        "split_offsets": list(file.split_offsets or []),
        "sort_order_id": file.sort_order_id,
    }


def has_not_equal(of: dict) -> bool:
    return of["op"] == "not_eq" or any(has_not_equal(child) for child in of.get("of", []))


def pruning(out: Path) -> None:
    rng = random.Random(11)
    files = [statistics(rng) for _ in range(24)]
    cases = []
    while len(cases) < 260:
        expression, as_json = condition(rng, list(COLUMNS))
        # SQL's <> is not true of null, Iceberg's is: they differ on purpose (see the test).
        might = "".join("01"[_InclusiveMetricsEvaluator(STATISTICS, expression).eval(file)] for file in files)
        must = "".join("01"[_StrictMetricsEvaluator(STATISTICS, expression).eval(file)] for file in files)
        cases.append(
            {
                "condition": str(expression)[:200],
                "json": as_json,
                "might": might,
                "must": must,
                "not_equal": has_not_equal(as_json),
            }
        )
    write_json(out / "pruning_schema.json", STATISTICS.model_dump())
    write_cases(out / "pruning_files.json", [shown(file) for file in files])
    write_cases(out / "pruning.json", cases)


def partitions() -> list[dict]:
    """Whether a file of one partition may have matching rows, by PyIceberg's projection; and rows that match."""
    rng = random.Random(12)
    cases = []
    kinds = {
        1: ["identity", "bucket[4]", "truncate[3]"],
        2: ["identity", "truncate[4]", "bucket[4]"],
        4: ["identity", "truncate[1]", "bucket[3]"],
        5: ["identity", "day", "month", "year"],
        6: ["day", "hour", "month", "year", "identity"],
        7: ["identity"],
        9: ["truncate[1]", "identity"],
    }

    def value_of(column):
        kind = COLUMNS[column]
        if column == 5:
            return rng.choice([-400, -366, -365, -31, -1, 0, 1, 30, 31, 365, 366, 19723])
        if column == 6:
            return rng.choice(
                [
                    -DAY * 366,
                    -DAY - 1,
                    -DAY,
                    -3_600_000_001,
                    -1,
                    0,
                    1,
                    3_599_999_999,
                    3_600_000_000,
                    DAY,
                    DAY * 31,
                    DAY * 366,
                ]
            )
        return some_value(rng, kind)

    for column, names in kinds.items():
        for name in names:
            transform = transform_of(name)
            kind = COLUMNS[column]
            spec = PartitionSpec(PartitionField(column, 1000, transform, "p"), spec_id=1)
            result, function = transform.result_type(kind), transform.transform(kind)
            struct = StructType(NestedField(1000, "p", result, required=False))
            for op in [*OPS, "is_null", "not_null", "in"]:
                values = [value_of(column) for _ in range(3 if op == "in" else 1)]
                expression = {
                    "is_null": lambda: IsNull(f"c{column}"),
                    "not_null": lambda: NotNull(f"c{column}"),
                    "in": lambda: In(f"c{column}", values),
                }.get(op, lambda: OPS[op](f"c{column}", values[0]))()
                as_json = {"op": op, "id": column, "values": [hex_of(kind, value) for value in values]}
                if op == "in" and len(set(values)) == 1:
                    as_json["op"] = "eq"
                projected = inclusive_projection(STATISTICS, spec)(expression)
                of_partition = expression_evaluator(Schema(*struct.fields), projected, True)
                of_row = expression_evaluator(
                    Schema(NestedField(column, f"c{column}", kind, required=False)), expression, True
                )
                rows = [None, *(value_of(column) for _ in range(8))]
                cases.append(
                    {
                        "case": f"{name} {kind} {op}",
                        "spec": spec.model_dump(),
                        "json": as_json,
                        "rows": [hex_of(kind, row) for row in rows],
                        "partitions": [hex_of(result, function(row)) for row in rows],
                        "might": "".join("01"[bool(of_partition(Record(function(row))))] for row in rows),
                        "matches": "".join("01"[bool(of_row(Record(row)))] for row in rows),
                    }
                )
    return cases


def entry(status, snapshot, sequence, file_sequence, file) -> ManifestEntry:
    return ManifestEntry.from_args(
        status=status,
        snapshot_id=snapshot,
        sequence_number=sequence,
        file_sequence_number=file_sequence,
        data_file=file,
    )


def manifests(out: Path) -> None:
    io = PyArrowFileIO()
    rng = random.Random(13)
    fields = [NestedField(i, f"c{i}", kind, required=False) for i, kind in enumerate(VALUES, start=1)]
    schema = Schema(*fields)
    spec = PartitionSpec(
        *(
            PartitionField(field.field_id, 999 + field.field_id, IdentityTransform(), f"p{field.field_id}")
            for field in fields
        ),
        spec_id=2,
    )
    expected, lists = [], []
    for version in (1, 2):
        for codec in ("null", "deflate", "zstandard"):
            files = []
            with write_manifest(
                version, spec, schema, io.new_output(str(out / f"v{version}-{codec}.avro")), 77, codec
            ) as writer:
                for n in range(6):
                    values = [None if rng.random() < 0.2 else rng.choice(VALUES[field.field_type]) for field in fields]
                    file = data_file(
                        f"s3://b/t/data/{version}/{n}.parquet",
                        values,
                        spec_id=2,
                        record_count=n + 1,
                        file_size_in_bytes=2**33 + n,
                        column_sizes={1: 10 + n, 2: 2**40},
                        value_counts={1: n + 1},
                        null_value_counts={1: n % 2},
                        nan_value_counts={4: 1},
                        lower_bounds={1: to_bytes(IntegerType(), -n), 12: "é".encode()},
                        upper_bounds={1: to_bytes(IntegerType(), n)},
                        split_offsets=[4, 4 + n] if n % 2 else None,
                        sort_order_id=0 if n % 3 else None,
                    )
                    status = [ManifestEntryStatus.ADDED, ManifestEntryStatus.EXISTING, ManifestEntryStatus.DELETED][
                        n % 3
                    ]
                    one = entry(status, 77 if n % 3 != 1 else 55, 9 if n % 3 != 1 else 4, 9 if n % 3 != 1 else 3, file)
                    {0: writer.add, 1: writer.existing, 2: writer.delete}[n % 3](one)
                    files.append(
                        {
                            **shown(file),
                            "status": int(status),
                            "partition": [hex_of(field.field_type, value) for field, value in zip(fields, values)],
                        }
                    )
            manifest = writer.to_manifest_file()
            expected.append(
                {
                    "file": f"v{version}-{codec}.avro",
                    "version": version,
                    "entries": files,
                    "spec": spec.model_dump(),
                    "types": [str(field.field_type) for field in fields],
                }
            )
            lists.append((version, codec, manifest))
    with_listed = []
    for version in (1, 2):
        for codec in ("null", "deflate", "zstandard"):
            manifests_of = [one for v, c, one in lists if v == version and c == codec]
            for name, wanted in (
                (f"list-v{version}-{codec}.avro", manifests_of),
                (f"list-v{version}-{codec}-empty.avro", []),
            ):
                with write_manifest_list(version, io.new_output(str(out / name)), 77, 55, 9, codec) as writer:
                    # Paths and lengths of a temporary folder would differ each time.
                    for one in wanted:
                        one[0], one[1] = f"s3://b/t/metadata/{version}-{codec}.avro", 4321
                    writer.add_manifests(wanted)
                with_listed.append(
                    {
                        "file": name,
                        "manifests": [listed(one) for one in read_manifest_list(io.new_input(str(out / name)))],
                    }
                )
    write_cases(out / "manifests.json", expected)
    write_cases(out / "manifest_lists.json", with_listed)


def listed(one) -> dict:
    return {
        "path": one.manifest_path,
        "length": one.manifest_length,
        "spec": one.partition_spec_id,
        "content": int(one.content or 0),
        "sequence": one.sequence_number or 0,
        "min_sequence": one.min_sequence_number or 0,
        "snapshot": one.added_snapshot_id,
        "counts": [one.added_files_count, one.existing_files_count, one.deleted_files_count],
        "rows": [one.added_rows_count, one.existing_rows_count, one.deleted_rows_count],
        "partitions": [
            [
                p.contains_null,
                p.contains_nan,
                None if p.lower_bound is None else p.lower_bound.hex(),
                None if p.upper_bound is None else p.upper_bound.hex(),
            ]
            for p in one.partitions or []
        ],
    }


def arrow_of(kind) -> str:
    """PyIceberg's Arrow type; Slipway reads 32-bit offsets, and uuids as their bytes."""
    return str(schema_to_pyarrow(kind)).replace("large_", "").replace("extension<arrow.uuid>", "fixed_size_binary[16]")


def metadata() -> list[dict]:
    schema = Schema(
        *(NestedField(i, f"c{i}", kind, required=i % 2 == 0) for i, kind in enumerate(VALUES, start=1)),
        NestedField(40, "list", ListType(41, DoubleType(), element_required=True), required=False),
        NestedField(42, "map", MapType(43, StringType(), 44, LongType()), required=False),
        NestedField(45, "struct", StructType(NestedField(46, "inner", LongType(), required=True)), required=False),
        schema_id=0,
    )
    spec = PartitionSpec(
        PartitionField(8, 1000, MonthTransform(), "m"),
        PartitionField(12, 1001, TruncateTransform(4), "s"),
        PartitionField(3, 1002, BucketTransform(16), "b"),
    )
    cases = []
    for version in ("1", "2"):
        made = new_table_metadata(
            schema,
            spec,
            UNSORTED_SORT_ORDER,
            "s3://bucket/warehouse/t",
            {"format-version": version, "owner": "é"},
            uuid.UUID("9c12d441-03fe-4693-9a96-a0705ddf69c1"),
        )
        made = made.model_copy(update={"last_updated_ms": 1706745600000})
        fresh, fresh_spec = made.schema(), made.spec()
        plain = lambda field: isinstance(field.field_type, (StructType, MapType))
        cases.append(
            {
                "case": f"version {version}",
                "metadata": made.model_dump_json(),
                "version": int(version),
                "columns": [
                    [f.field_id, f.name, f.required, "nested" if plain(f) else str(f.field_type)] for f in fresh.fields
                ],
                "arrow": [None if plain(f) else arrow_of(f.field_type) for f in fresh.fields],
                "spec": [[p.source_id, p.field_id, p.name, str(p.transform)] for p in fresh_spec.fields],
            }
        )
    return cases


def make(out: Path) -> None:
    pyiceberg.avro.file.os = type(
        "os", (), {"urandom": staticmethod(lambda size: bytes(range(size)))}
    )  # the sync markers of Avro files
    write_cases(out / "bounds.json", bounds())
    write_cases(out / "transforms.json", transforms())
    write_cases(out / "paths.json", paths())
    pruning(out)
    write_cases(out / "partitions.json", partitions())
    manifests(out)
    write_cases(out / "metadata.json", metadata())
