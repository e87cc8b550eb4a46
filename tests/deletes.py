"""Files of deletes as Spark and Flink write them merge-on-read. PyIceberg writes none: its writers of manifests and its
catalog make the snapshot, pyarrow the files."""

import uuid

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestWriterV2,
    write_manifest_list,
)
from pyiceberg.table.snapshots import Operation, Snapshot, Summary
from pyiceberg.table.update import AddSnapshotUpdate, SetSnapshotRefUpdate
from pyiceberg.typedef import Record

PATH, POSITION = 2147483546, 2147483545


class DeletesWriter(ManifestWriterV2):
    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return {**super()._meta, "content": "deletes"}


def delete(table, rows: pa.Table, content: DataFileContent, *, ids=None, partition=(), spec_id=None, format="PARQUET"):
    """Commits one file of deletes with the given rows, whose fields carry their ids."""
    table.refresh()
    spec = table.spec() if spec_id is None else table.specs()[spec_id]
    location, io = table.location(), PyArrowFileIO()
    path = f"{location}/data/{uuid.uuid4()}-deletes.parquet"
    pq.write_table(rows, path.removeprefix("file://"))
    snapshot_id = uuid.uuid4().int >> 66
    with DeletesWriter(
        spec, table.schema(), io.new_output(f"{location}/metadata/{uuid.uuid4()}-m0.avro"), snapshot_id, "deflate"
    ) as writer:
        file = DataFile.from_args(
            content=content,
            file_path=path,
            file_format=FileFormat(format),
            partition=Record(*partition),
            record_count=len(rows),
            file_size_in_bytes=len(open(path.removeprefix("file://"), "rb").read()),
            equality_ids=ids,
        )
        writer.add(ManifestEntry.from_args(status=ManifestEntryStatus.ADDED, snapshot_id=snapshot_id, data_file=file))
    parent, sequence = table.current_snapshot(), table.metadata.next_sequence_number()
    manifests = f"{location}/metadata/snap-{snapshot_id}.avro"
    with write_manifest_list(
        2, io.new_output(manifests), snapshot_id, parent.snapshot_id, sequence, "deflate"
    ) as listed:
        listed.add_manifests([writer.to_manifest_file(), *parent.manifests(table.io)])
    snapshot = Snapshot(
        snapshot_id=snapshot_id,
        parent_snapshot_id=parent.snapshot_id,
        sequence_number=sequence,
        manifest_list=manifests,
        summary=Summary(Operation.DELETE),
        schema_id=table.schema().schema_id,
    )
    table.catalog.commit_table(
        table,
        (),
        (
            AddSnapshotUpdate(snapshot=snapshot),
            SetSnapshotRefUpdate(ref_name="main", type="branch", snapshot_id=snapshot_id),
        ),
    )
    table.refresh()


def delete_positions(table, positions: list[tuple[str, int]], **kwargs) -> None:
    schema = pa.schema(
        [
            pa.field("file_path", pa.string(), False, {"PARQUET:field_id": str(PATH)}),
            pa.field("pos", pa.int64(), False, {"PARQUET:field_id": str(POSITION)}),
        ]
    )
    paths, at = zip(*sorted(positions), strict=True)
    delete(table, pa.table([paths, at], schema=schema), DataFileContent.POSITION_DELETES, **kwargs)


def delete_equal(table, columns: pa.Table, **kwargs) -> None:
    """Deletes the older rows with these values, null being one."""
    ids = [kwargs.pop("of", table).schema().find_field(name).field_id for name in columns.column_names]
    fields = [f.with_metadata({"PARQUET:field_id": str(i)}) for f, i in zip(columns.schema, ids, strict=True)]
    delete(table, columns.cast(pa.schema(fields)), DataFileContent.EQUALITY_DELETES, ids=ids, **kwargs)


def files(table) -> list[str]:
    return [task.file.file_path for task in table.refresh().scan().plan_files()]
