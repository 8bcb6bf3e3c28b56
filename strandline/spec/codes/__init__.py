"""Every code of a problem: what it means, an example, how to mend it. `docs/errors.md` is made from this table.

`python -m strandline.spec.codes.page > docs/errors.md` writes the page again.
"""

from __future__ import annotations

from collections.abc import Mapping

from strandline.spec.codes import dags, meaning, references, shape, text
from strandline.spec.codes.code import Code

__all__ = ["CODES", "Code", "help_of"]

CODES: Mapping[str, Code] = {code.code: code for family in (text, shape, references, meaning, dags) for code in family.CODES}


def help_of(code: str) -> str:
    """Where a code is explained, from the root of the repository: `docs/errors.md#sl304`."""
    return f"docs/errors.md#{code.lower()}"
