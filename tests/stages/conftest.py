"""The small stream that is landed from files, on a lake of its own, for the tests of the steps and of the laws."""

from __future__ import annotations

from pathlib import Path

import pytest

from strandline.runtime import Runtime
from strandline.spec.model import Stream
from tests.stages.streams import readings, runtime_in


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    return runtime_in(tmp_path)


@pytest.fixture
def stream(tmp_path: Path) -> Stream:
    return readings(tmp_path)
