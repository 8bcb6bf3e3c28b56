"""The lake as Spark reads and writes it: given files in, files of a table out; folders are never listed.

What is written stands first as a Delta table of its own in a folder of the table, so that the executors' files become known
without a rename, all of them or none. The worker reads what they are, and hands them to the table's writer.

Source: Delta Lake transaction log protocol, "Add File and Remove File".
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import reduce
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import orjson
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from strandline.engines.port import Scan, Through
from strandline.errors import DataError
from strandline.lake.lake import Lake
from strandline.lake.objects import S3Credentials
from strandline.lake.parquet import PartitionedWriter, WrittenFile
from strandline.lake.snapshot import reading

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_MOMENT = pa.timestamp("us", tz="UTC")
_TYPES: dict[pa.DataType, str] = {
    pa.string(): "STRING", pa.binary(): "BINARY", pa.bool_(): "BOOLEAN", pa.int8(): "TINYINT", pa.int16(): "SMALLINT",
    pa.int32(): "INT", pa.int64(): "BIGINT", pa.float32(): "FLOAT", pa.float64(): "DOUBLE", pa.date32(): "DATE",
    _MOMENT: "TIMESTAMP",
}  # fmt: skip
_PATH = "__path"
_FOOTERS_AT_ONCE = 8


def s3a_settings(credentials: S3Credentials | None) -> dict[str, str]:
    """What Hadoop's S3 client has to be told of an endpoint, without the prefix `spark.hadoop.`; it holds secrets.

    Without keys the client finds its own (environment, profile, role).
    """
    if credentials is None:
        return {}
    temporary = "org.apache.hadoop.fs.s3a.TemporaryAWSCredentialsProvider"
    told = {
        "fs.s3a.access.key": credentials.access_key_id,
        "fs.s3a.secret.key": credentials.secret_access_key,
        "fs.s3a.session.token": credentials.session_token,
        "fs.s3a.aws.credentials.provider": temporary if credentials.session_token else None,
        "fs.s3a.endpoint": credentials.endpoint_url,
        "fs.s3a.endpoint.region": credentials.region,
        "fs.s3a.path.style.access": "true" if credentials.endpoint_url else None,
    }
    return {name: value for name, value in told.items() if value}


def spark_url(url: str) -> str:
    """A URL of the lake as Spark takes it."""
    parts = urlsplit(url)
    return f"s3a://{parts.netloc}{parts.path}" if parts.scheme in ("s3", "s3a") else f"file://{parts.path or url}"


def quoted(name: str) -> str:
    """The identifier, quoted, whatever the session's settings."""
    return f"`{name.replace('`', '``')}`"


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """The schema in the types that Spark has; moments are in UTC."""
    return pa.schema([f.with_type(_plain_type(f.type)).with_nullable(True) for f in schema])


def ddl(schema: pa.Schema) -> str:
    """The columns as Spark declares them. Raises `DataError` for a type that no table of ours has."""
    return ", ".join(f"{quoted(f.name)} {_type_name(f.type)}" for f in plain_schema(schema))


def cast(frame: DataFrame, schema: pa.Schema) -> DataFrame:
    """The columns of a schema, by name, in its types."""
    return frame.selectExpr(
        *(f"CAST({quoted(f.name)} AS {_type_name(f.type)}) AS {quoted(f.name)}" for f in plain_schema(schema))
    )


def held_in_memory(spark: SparkSession, table: pa.Table) -> DataFrame:
    """The rows of a small table."""
    plain = plain_schema(table.schema)
    if table.num_rows:
        return spark.createDataFrame(table.cast(plain))
    nulls = (f"CAST(NULL AS {_type_name(f.type)}) AS {quoted(f.name)}" for f in plain)  # Spark takes no table without rows
    return spark.sql(f"SELECT {', '.join(nulls)} WHERE FALSE")


def read(spark: SparkSession, scans: Sequence[Scan]) -> DataFrame:
    """The rows of scans, put together by column name."""
    return reduce(lambda one, other: one.unionByName(other), [_scanned(spark, scan) for scan in scans])


def write(frame: DataFrame, writer: PartitionedWriter, lake: Lake) -> None:
    """Let the executors write all rows, in their order, and hand the files to the writer.

    What a failed call leaves behind is named by no table, and `vacuum` deletes it.
    """
    folder = f"{writer.ordinal:012d}-{uuid.uuid4().hex[:12]}"
    place = f"{writer.table}/{folder}"
    made = cast(frame, writer.whole_schema).write.format("delta").option("compression", "zstd")
    if writer.partition_by:
        made = made.partitionBy(writer.partition_by)
    made.save(spark_url(f"{lake.url}/{place}"))
    entry = lake.objects.get(f"{place}/_delta_log/{0:020d}.json")
    adds = [action["add"] for action in map(orjson.loads, entry.splitlines()) if "add" in action]

    def adopted(add: Mapping[str, Any]) -> WrittenFile:
        path = f"{folder}/{unquote(add['path'])}"
        metadata = pq.read_metadata(f"{lake.root}/{writer.table}/{path}", filesystem=lake.filesystem)
        day = add["partitionValues"].get(writer.partition_by)
        of_day = date.fromisoformat(day) if day else None
        told = writer.statistics_of(metadata)
        return WrittenFile(path, add["size"], metadata.num_rows, of_day, add["modificationTime"], told)

    with reading(writer.table), ThreadPoolExecutor(_FOOTERS_AT_ONCE) as pool:
        files = list(pool.map(adopted, adds))
    writer.adopt([file for file in files if file.rows])
    empty = [f"{writer.table}/{file.path}" for file in files if not file.rows]
    lake.objects.delete([*(info.key for info in lake.objects.list(f"{place}/_delta_log/")), *empty])


def _plain_type(type_: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(type_):
        return _MOMENT
    if pa.types.is_dictionary(type_):
        return _plain_type(type_.value_type)
    if pa.types.is_large_string(type_) or pa.types.is_string_view(type_) or pa.types.is_null(type_):
        return pa.string()
    return pa.binary() if pa.types.is_large_binary(type_) or pa.types.is_binary_view(type_) else type_


def _type_name(type_: pa.DataType) -> str:
    if pa.types.is_decimal(type_):
        return f"DECIMAL({type_.precision}, {type_.scale})"
    if type_ not in _TYPES:
        raise DataError(f"the Spark engine has no type {type_}")
    return _TYPES[type_]


def _cast(field: pa.Field) -> str:
    return f"CAST({quoted(field.name)} AS {_type_name(field.type)}) AS {quoted(field.name)}"


def _scanned(spark: SparkSession, scan: Scan) -> DataFrame:
    held = plain_schema(scan.data.schema)
    wanted = list(scan.columns if scan.columns is not None else held.names)
    frame = _files(spark, scan.data)
    if scan.through is None:
        start = len(f"{_scheme(scan.data)}{scan.with_file}/") + 1
        file = [] if scan.with_file is None else [f"substring({_PATH}, {start}) AS _file"]
        return frame.selectExpr(*map(quoted, wanted), *file)
    told = str(scan.where) if scan.where is not None else ""
    given = pa.schema([field for field in scan.data.schema if field.name in wanted or field.name in told])
    returned = scan.schema if scan.schema is not None else pa.schema([given.field(name) for name in wanted])
    passed = _passed(scan.through, scan.where, given, wanted, returned)
    return frame.selectExpr(*map(quoted, given.names)).mapInArrow(passed, ddl(returned))


def _passed(
    through: Through, where: pads.Expression | None, given: pa.Schema, wanted: Sequence[str], returned: pa.Schema
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What an executor does with the batches it has read: the same as a worker with those of a dataset."""
    plain = plain_schema(returned)

    def taken(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows = pa.Table.from_batches([batch]).cast(given)
            chosen = rows if where is None else rows.filter(where)
            if chosen.num_rows:
                yield from chosen.select(wanted).combine_chunks().to_batches()

    def passed(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for made in through(taken(batches)):
            yield from pa.Table.from_batches([made]).select(plain.names).cast(plain).to_batches()

    return passed


def _scheme(data: pads.FileSystemDataset) -> str:
    return "s3a://" if data.filesystem.type_name == "s3" else "file://"


def _files(spark: SparkSession, data: pads.FileSystemDataset) -> DataFrame:
    """Every column of a dataset's files, and their paths as `_PATH`; the files are given, and no folder is listed."""
    held = plain_schema(data.schema)
    by_keys: dict[tuple[tuple[str, Any], ...], list[str]] = {}
    for fragment in data.get_fragments():
        keys = pads.get_partition_keys(fragment.partition_expression)
        told = all(value is not None and f"/{name}={value}/" in fragment.path for name, value in keys.items())
        by_keys.setdefault(tuple((name, None if told else value) for name, value in keys.items()), []).append(fragment.path)
    parts = [_some_files(spark, held, dict(keys), paths, _scheme(data)) for keys, paths in by_keys.items()]
    if not parts:
        return held_in_memory(spark, held.append(pa.field(_PATH, pa.string())).empty_table())
    return reduce(lambda one, other: one.unionByName(other), parts)


def _some_files(spark: SparkSession, held: pa.Schema, keys: Mapping[str, Any], paths: Sequence[str], scheme: str) -> DataFrame:
    """`keys`: the partition's columns, each with its value where the files' paths do not tell it."""
    stored = pa.schema([field for field in held if field.name not in keys])
    plain = [scheme + re.sub(r"([\\{}\[\]*?])", r"\\\1", path) for path in paths]  # a pattern in it would be expanded
    frame = spark.read.schema(ddl(stored)).option("parquet.page.verify-checksum.enabled", "true").parquet(*plain)
    given = [f"{_of_path(name) if value is None else repr(str(value))} AS {quoted(name)}" for name, value in keys.items()]
    of_path = frame.selectExpr("*", f"url_decode(replace(_metadata.file_path, '+', '%2B')) AS {_PATH}").selectExpr("*", *given)
    return of_path.selectExpr(*map(_cast, held), _PATH)


def _of_path(name: str) -> str:
    """The value of a partition's column by the file's path, where it may stand for NULL."""
    found = f"regexp_extract({_PATH}, '/{re.escape(name)}=([^/]*)/', 1)"
    return f"CASE WHEN {found} <> '' AND {found} <> '__HIVE_DEFAULT_PARTITION__' THEN {found} END"
