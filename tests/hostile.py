"""Tables that were made to do harm, for test_hostile_tables.py. Each file is small: what it claims is not."""

import gzip
import json
import os
import zlib
from pathlib import Path

import pyarrow as pa

LIST_SCHEMA = {
    "type": "record",
    "name": "manifest_file",
    "fields": [
        {"name": "manifest_path", "type": "string", "field-id": 500},
        {"name": "manifest_length", "type": "long", "field-id": 501},
        {"name": "partition_spec_id", "type": "int", "field-id": 502},
    ],
}
MIB = 1 << 20


def long(value: int) -> bytes:
    zigzag, out = (value << 1) ^ (value >> 63), b""
    while zigzag >= 0x80:
        out += bytes([zigzag & 0x7F | 0x80])
        zigzag >>= 7
    return out + bytes([zigzag])


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return long(len(raw)) + raw


def manifest_file(path: str) -> bytes:
    """A line of a manifest list."""
    return text(path) + long(1) + long(0)


def avro(block: bytes, count: int, codec: str = "null", schema=LIST_SCHEMA) -> bytes:
    """A container file of one block, which claims `count` values."""
    packed = {
        "null": lambda: block,
        "deflate": lambda: zlib.compress(block, 9)[2:-4],
        "zstandard": lambda: pa.compress(block, codec="zstd", asbytes=True),
        "snappy": lambda: pa.compress(block, codec="snappy", asbytes=True) + zlib.crc32(block).to_bytes(4, "big"),
    }[codec]()
    sync = b"s" * 16
    header = b"Obj\x01" + long(2) + text("avro.schema") + text(json.dumps(schema)) + text("avro.codec") + text(codec)
    return header + long(0) + sync + long(count) + text(packed) + sync


class Victim:
    """The files of one table of a lake, as somebody may change them who may write them."""

    def __init__(self, lake, name: str = "src.t"):
        self.table = lake.catalog.load_table(name)
        self.metadata_file = self.path(self.table.metadata_location)
        self.folder = self.metadata_file.parent
        self.metadata = json.loads(self.metadata_file.read_text())

    @staticmethod
    def path(location: str) -> Path:
        return Path(location.removeprefix("file://"))

    def manifest_list(self) -> str:
        return self.table.current_snapshot().manifest_list

    def data_file(self) -> Path:
        return self.path(next(iter(self.table.scan().plan_files())).file.file_path)

    def name_manifest_list(self, location: str) -> None:
        for snapshot in self.metadata["snapshots"]:
            snapshot["manifest-list"] = location
        self.metadata_file.write_text(json.dumps(self.metadata))

    def write_manifest_list(self, content: bytes) -> Path:
        file = self.folder / "hostile.avro"
        file.write_bytes(content)
        self.name_manifest_list(f"file://{file}")
        return file

    def write_metadata(self, content: bytes) -> None:
        self.metadata_file.write_bytes(content)


def pipe(file: Path) -> Path:
    file.unlink(missing_ok=True)
    os.mkfifo(file)
    return file


def list_is_a_pipe(victim: Victim) -> None:
    victim.name_manifest_list(f"file://{pipe(victim.folder / 'pipe.avro')}")


def list_is_a_device(victim: Victim) -> None:
    victim.name_manifest_list("file:///dev/zero")


def list_leads_to_a_device(victim: Victim) -> None:
    (victim.folder / "zero.avro").symlink_to("/dev/zero")
    victim.name_manifest_list(f"file://{victim.folder}/zero.avro")


def list_is_a_folder(victim: Victim) -> None:
    victim.name_manifest_list(f"file://{victim.folder}")


def list_is_elsewhere(victim: Victim) -> None:
    victim.name_manifest_list("file:///etc/passwd")


def list_steps_out(victim: Victim) -> None:
    victim.name_manifest_list(f"file://{victim.folder}/../../../../catalog.db")


def list_is_in_another_bucket(victim: Victim) -> None:
    victim.name_manifest_list("s3://payroll/secret/metadata/snap-1.avro")


def list_is_endless(victim: Victim) -> None:
    """A sparse file of a terabyte."""
    with victim.write_manifest_list(b"Obj\x01").open("ab") as file:
        file.truncate(1 << 40)


def list_is_a_bomb_of_zstandard(victim: Victim) -> None:
    victim.write_manifest_list(avro(bytes(512 * MIB), 10_000, "zstandard"))


def list_is_a_bomb_of_deflate(victim: Victim) -> None:
    victim.write_manifest_list(avro(bytes(256 * MIB), 10_000, "deflate"))


def list_is_packed_by_snappy(victim: Victim) -> None:
    victim.write_manifest_list(avro(bytes(64 * MIB), 10_000, "snappy"))


def list_claims_ten_million(victim: Victim) -> None:
    victim.write_manifest_list(avro(manifest_file(victim.manifest_list()), 10_000_000))


def list_has_ten_million(victim: Victim) -> None:
    """As many lines as it claims, of three bytes each."""
    victim.write_manifest_list(avro(bytes(30_000_000), 10_000_000, "null"))


def list_names_itself(victim: Victim) -> None:
    file = victim.folder / "hostile.avro"
    victim.write_manifest_list(avro(manifest_file(f"file://{file}"), 1))


def list_names_a_manifest_often(victim: Victim) -> None:
    manifest = victim.table.current_snapshot().manifests(victim.table.io)[0].manifest_path
    victim.write_manifest_list(avro(manifest_file(manifest) * 1000, 1000))


def list_of_a_schema_that_doubles(victim: Victim) -> None:
    fields = [{"name": "f0", "type": {"type": "record", "name": "a0", "fields": []}}]
    for i in range(1, 30):
        doubled = [{"name": name, "type": f"a{i - 1}"} for name in "xy"]
        fields.append({"name": f"f{i}", "type": {"type": "record", "name": f"a{i}", "fields": doubled}})
    schema = {"type": "record", "name": "all", "fields": fields}
    victim.write_manifest_list(avro(b"", 1, schema=schema))


def data_is_a_pipe(victim: Victim) -> None:
    pipe(victim.data_file())


def data_claims_a_large_footer(victim: Victim) -> None:
    file = victim.data_file()
    whole = file.read_bytes()
    file.write_bytes(whole[:-8] + (0xFFFFFF00).to_bytes(4, "little") + whole[-4:])


def metadata_is_a_pipe(victim: Victim) -> None:
    pipe(victim.metadata_file)


def metadata_is_a_bomb_of_gzip(victim: Victim) -> None:
    victim.write_metadata(gzip.compress(bytes(512 * MIB), 9))


def metadata_is_a_bomb_of_members(victim: Victim) -> None:
    victim.write_metadata(gzip.compress(b" " * 8 * MIB, 9) * 100)


def metadata_is_of_empty_lists(victim: Victim) -> None:
    victim.write_metadata(b'{"format-version":2,"x":[' + b"[]," * (5 * MIB // 3) + b"0]}")


def metadata_is_nested(victim: Victim) -> None:
    victim.write_metadata(b"[" * 5 * MIB)


IN_METADATA = {  # what a create sees already: what it is told
    metadata_is_a_pipe: "is a pipe, not a regular file",
    metadata_is_a_bomb_of_gzip: "packed bytes hold more than",
    metadata_is_a_bomb_of_members: "packed bytes hold more than",
    metadata_is_of_empty_lists: "bytes of memory",
    metadata_is_nested: "JSON",
}
IN_FILES = {  # what a run sees
    list_is_a_pipe: "pipe.avro is a pipe, not a regular file",
    list_is_a_device: "names file:///dev/zero, which lies outside of its place",
    list_leads_to_a_device: "zero.avro, which lies outside of its place",
    list_is_a_folder: "is a folder, not a regular file",
    list_is_elsewhere: "names file:///etc/passwd, which lies outside of its place",
    list_steps_out: "which lies outside of its place",
    list_is_in_another_bucket: "catalog.allowed_prefixes",
    list_is_endless: "is larger than 67108864 bytes",
    list_is_a_bomb_of_zstandard: "packed bytes hold more than",
    list_is_a_bomb_of_deflate: "packed bytes hold more than",
    list_is_packed_by_snappy: "the manifest list is damaged at entry 0",
    list_claims_ten_million: "claims 10000000 values",
    list_has_ten_million: "more than 100000 manifests",
    list_names_itself: "hostile.avro: the manifest is damaged at entry 0",
    list_names_a_manifest_often: "twice",
    list_of_a_schema_that_doubles: "Avro schema: it is too large",
    data_is_a_pipe: "is a pipe, not a regular file",
    data_claims_a_large_footer: "its footer claims 4294967040 bytes",
}
