"""Spark's errors as ours: what the cluster and the network did is told apart from what the storage and the data say."""

from __future__ import annotations

import contextlib
import logging
import re
import warnings
from collections.abc import Iterator

from strandline import errors
from strandline.errors import DataError, StorageError, StrandlineError, TransientError, UsageError

_OURS = re.compile(r"^strandline\.errors\.(\w+): (.*)", re.MULTILINE)
"""How an error of ours that was raised on an executor ends its Python traceback."""
_REFUSED_CLIENT = re.compile(r"(UNAUTHENTICATED|PERMISSION_DENIED)\s+details = \"([^\"]*)\"")
_ROOM = ("No space left", "OutOfMemoryError", "SPARK_OUT_OF_MEMORY", "UNABLE_TO_ACQUIRE_MEMORY")
_REFUSED = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "NoSuchBucket", "NoAuthWithAWSException")
_LOST = (
    "UNAVAILABLE", "RETRIES_EXCEEDED", "SESSION_CHANGED", "SESSION_NOT_FOUND", "SESSION_CLOSED", "NO_ACTIVE_SESSION",
    "SparkContext was shut down", "stopped SparkContext", "No active SparkContext", "Master removed",
    "Answer from Java side is empty", "Socket closed",
)  # fmt: skip
_AWAY = (
    "DEADLINE_EXCEEDED", "OPERATION_NOT_FOUND", "OPERATION_ABANDONED", "RESPONSE_ALREADY_RECEIVED", "OPERATION_CANCELED",
    "ExecutorLostFailure", "EXECUTOR_LOST", "FetchFailed", "Python worker exited unexpectedly", "Stream removed", "Connection",
    "connection", "timed out", "Timeout", "Unable to execute HTTP request", "SlowDown", "Status Code: 5", "InternalError",
)  # fmt: skip
_DAMAGED = (
    "could not verify page integrity", "CRC checksum verification failed", "is not a Parquet file", "CANNOT_READ_FILE_FOOTER",
    "PARQUET_CONVERSION_FAILURE", "corrupt", "Corrupt", "can not read class org.apache.parquet", "don't know what type",
    "ParquetDecodingException", "Decompression", "ZstdIOException", "FAILED_READ_FILE",
)  # fmt: skip
_GONE = ("FILE_NOT_EXIST", "PATH_NOT_FOUND", "FileNotFoundException", "No such file")


class ClusterLostError(TransientError):
    """The session is gone, with all that it held: only another one may succeed."""


@contextlib.contextmanager
def as_ours() -> Iterator[None]:
    """The errors of PySpark, of its transport and of the network, as errors of Strandline; what it only warns of is left out.

    It warns of a newer pandas, which nothing here asks it to use, of settings that are old, and before every error, which it
    also logs.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"pyspark\..*")
        lost: tuple[type[Exception], ...] = (ConnectionError, *_transport_errors())
        others: tuple[type[Exception], ...] = (OSError, *_library_errors())
        of_the_query = _query_errors()
        _be_quiet()
        try:
            yield
        except lost as error:
            raise ClusterLostError(f"the Spark cluster is not there (any more): {_short(str(error))}") from error
        except of_the_query as error:
            gone = any(sign in str(error) for sign in _GONE)
            raise classified(str(error)) if gone else DataError(f"the query failed: {_short(str(error))}") from error
        except others as error:
            raise classified(_whole(error)) from error


def classified(text: str) -> StrandlineError:
    """The error that a message of Spark's means."""
    if ours := _OURS.search(text):
        kind = getattr(errors, ours[1], DataError)
        return kind(ours[2]) if issubclass(kind, StrandlineError) and kind is not errors.ConfigError else DataError(ours[2])
    if refused := _REFUSED_CLIENT.search(text):
        return UsageError(f"the Spark cluster refuses this client, look at the token of its address: {refused[2]}")
    if "ModuleNotFoundError" in text:
        return UsageError(f"the Python of the executors lacks a package that the worker has: {_short(text)}")
    text = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith(("at ", "File ", "... ")))
    short = _short(text)
    if any(sign in text for sign in _REFUSED):
        return StorageError(f"reading the lake: {short}")
    if any(sign in text for sign in _GONE):
        return StorageError(f"a stored file is gone: {short}")
    if any(sign in text for sign in _ROOM):
        return StorageError(f"the engine ran out of room: {short}")
    if any(sign in text for sign in _DAMAGED[:-1]):
        return StorageError(f"a stored file is damaged: {short}")
    if any(sign in text for sign in _LOST):
        return ClusterLostError(f"the Spark session is gone: {short}")
    if any(sign in text for sign in _AWAY):
        return TransientError(f"the Spark cluster or the lake did not answer: {short}")
    if _DAMAGED[-1] in text:
        return StorageError(f"a stored file cannot be read: {short}")
    return DataError(f"the query failed: {short}")


def _transport_errors() -> tuple[type[Exception], ...]:
    """What the ways to a cluster raise when it is gone, of those that are installed."""
    found: list[type[Exception]] = []
    with contextlib.suppress(ImportError):
        from grpc import RpcError

        found.append(RpcError)
    with contextlib.suppress(ImportError):
        from py4j.protocol import Py4JNetworkError

        found.append(Py4JNetworkError)
    return tuple(found)


def _library_errors() -> tuple[type[Exception], ...]:
    """What PySpark itself raises; `UsageError` when it is not installed."""
    try:
        from pyspark.errors import PySparkException
    except ImportError as error:
        raise UsageError(f"engine: spark needs PySpark ({error}): pip install 'strandline[spark]'") from error
    found: list[type[Exception]] = [PySparkException]
    with contextlib.suppress(ImportError):
        from py4j.protocol import Py4JError

        found.append(Py4JError)
    return tuple(found)


def _query_errors() -> tuple[type[Exception], ...]:
    """What PySpark raises for a query that is wrong, or wrong for its rows, whatever words are in it."""
    from pyspark import errors as spark

    return (spark.AnalysisException, spark.ArithmeticException, spark.DateTimeException, spark.NumberFormatException)


def _be_quiet() -> None:
    from pyspark.logger import PySparkLogger

    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        PySparkLogger.getLogger(name).setLevel(logging.CRITICAL)


def _whole(error: BaseException) -> str:
    """An error's text with those of its causes, on the server too."""
    text = str(error)
    trace = getattr(error, "getStackTrace", None)
    told = trace() if trace is not None else None
    return f"{text}\n{told}" if told else text


def _short(text: str) -> str:
    """The first lines of a message before the stack, the last one of a Python traceback."""
    lines = [line.strip() for line in text.partition("JVM stacktrace:")[0].splitlines() if line.strip()]
    of_python = any(line.startswith("Traceback (most recent") for line in lines)
    return " ".join(lines[-1:] if of_python else lines[:6])[:1_000]
