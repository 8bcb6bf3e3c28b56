"""What a message of Spark's means: worth a retry, a matter of the storage, or of the data."""

from __future__ import annotations

import pytest

from strandline.engines.spark_errors import ClusterLostError, classified
from strandline.errors import DataError, SourceError, StorageError, StrandlineError, TransientError, UsageError

_FRAMES = "\n\nJVM stacktrace:\norg.apache.spark.SparkException\n\tat java.base/java.net.ConnectionTimeout.run(Corrupt.java:1)"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("[INVALID_HANDLE.SESSION_CHANGED] The existing Spark server driver instance has restarted.", ClusterLostError),
        ("[RETRIES_EXCEEDED] The maximum number of retries has been exceeded.", ClusterLostError),
        (
            "Job aborted due to stage failure: ExecutorLostFailure (executor 1 exited)",
            TransientError,
        ),
        (
            "[FAILED_READ_FILE.NO_HINT] An error\nCaused by: java.net.SocketTimeoutException: Read timed out",
            TransientError,
        ),
        (
            "[FAILED_READ_FILE.NO_HINT] An error\nCaused by: could not verify page integrity, CRC checksum",
            StorageError,
        ),
        ("[FAILED_READ_FILE.FILE_NOT_EXIST] File does not exist", StorageError),
        ("java.nio.file.AccessDeniedException: s3a://b/k: AccessDenied (Status Code: 403)", StorageError),
        ("org.apache.spark.memory.SparkOutOfMemoryError: No space left on device", StorageError),
        ("[DIVIDE_BY_ZERO] Division by zero.", DataError),
        ('<RPC that ended with:\n\tstatus = StatusCode.UNAUTHENTICATED\n\tdetails = "No authentication token"', UsageError),
        ("Traceback (most recent call last):\nModuleNotFoundError: No module named 'strandline'", UsageError),
        ("Traceback (most recent call last):\nstrandline.errors.SourceError: no such file\n", SourceError),
    ],
)
def test_a_message_is_told_apart_by_what_it_says_not_by_its_stack(text: str, kind: type[StrandlineError]) -> None:
    assert type(classified(text + _FRAMES)) is kind


def test_the_message_is_the_first_lines_without_the_stack() -> None:
    assert str(classified("[X] It broke.\nHere." + _FRAMES)) == "the query failed: [X] It broke. Here."
