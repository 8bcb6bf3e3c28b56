"""The fixtures of the steps' tests, for those of the laws."""

from tests.stages.conftest import runtime, stream

__all__ = ["runtime", "stream"]
