"""`docs/errors.md` as Markdown, and one code as text for a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from strandline.spec.codes import CODES
from strandline.spec.codes.code import Code

COMMAND = "python -m strandline.spec.codes.page > docs/errors.md"
_FAMILIES = {
    "SL1": "The file and its text",
    "SL2": "Keys and kinds of values",
    "SL3": "Names that lead somewhere",
    "SL4": "What expressions say",
    "SL6": "Files of config/dags",
}
_INTRO = f"""\
# What the codes mean

<!-- Made from strandline/spec/codes by `{COMMAND}`; edit the table there, not this page. -->

Each problem that `strandline validate` finds has a code that never changes its meaning. `strandline validate --explain SL304`
prints one of these sections. A problem is an error unless the section calls it a note; notes leave the stream valid.
"""


def page() -> str:
    """The page; the same table always gives the same text."""
    parts = [_INTRO]
    for prefix, title in _FAMILIES.items():
        parts.append(f"## {title}\n")
        parts += ["\n".join(_section(code)) for code in CODES.values() if code.code.startswith(prefix)]
    return "\n".join(parts)


def explanation(code: Code) -> str:
    """The code for a terminal."""
    example = "\n".join(f"  {line}" for line in code.example.splitlines())
    return f"{code.code}: {code.title}\n\n{code.means}\n\nFor example\n\n{example}\n\nTo mend it: {code.mend}"


def _section(code: Code) -> Iterator[str]:
    yield f"### {code.code}\n"
    yield f"**{code.title}.** {code.means}\n"
    yield f"```{'text' if code.of == 'folder' else 'yml'}\n{code.example.rstrip()}\n```\n"
    yield f"{code.mend}\n"


if __name__ == "__main__":
    sys.stdout.write(page())
