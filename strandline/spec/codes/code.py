"""What a code is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of problem. `example` is YAML that has it: of a stream (the parts that matter), a file of config/dags, or a folder."""

    code: str
    title: str
    means: str
    example: str
    mend: str
    of: Literal["stream", "dag", "defaults", "folder"] = "stream"
