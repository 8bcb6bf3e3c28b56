"""Problems as a SARIF log, which code scanning of GitHub, GitLab, Azure DevOps and editors read.

Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from strandline.errors import Problem
from strandline.spec.codes import CODES, Code

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(problems: Iterable[Problem], version: str, root: Path | None = None) -> dict[str, Any]:
    """The log of one run; paths below `root` (default: the working folder) are relative to it, others absolute URIs.

    The same problems always give the same log. Fingerprints leave out the line: a problem that moves stays the same.
    """
    root = (root or Path.cwd()).resolve()
    ordered = sorted(problems)
    told = sorted({problem.code for problem in ordered})
    index = {code: number for number, code in enumerate(told)}
    driver = {
        "name": "strandline validate",
        "semanticVersion": version,
        "rules": [_rule(code, CODES.get(code)) for code in told],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(problem, index[problem.code], root) for problem in ordered],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str, known: Code | None) -> dict[str, Any]:
    if known is None:
        return {"id": code}
    name = "".join(word.capitalize() for word in re.findall(r"[A-Za-z0-9]+", known.title))
    text = f"{known.means} {known.mend}"
    return {
        "id": code,
        "name": name,
        "shortDescription": {"text": known.title},
        "fullDescription": {"text": known.means},
        "help": {"text": text, "markdown": f"{known.means}\n\n```yaml\n{known.example}\n```\n\n{known.mend}"},
    }


def _result(problem: Problem, rule: int, root: Path) -> dict[str, Any]:
    field = f"{problem.field}: " if problem.field else ""
    hint = f"\nHint: {problem.hint}" if problem.hint else ""
    location = {
        "physicalLocation": {
            "artifactLocation": _artifact(problem.path, root),
            "region": {"startLine": max(1, problem.line), "startColumn": max(1, problem.column)},
        }
    }
    if problem.field:
        location["logicalLocations"] = [{"fullyQualifiedName": problem.field}]  # type: ignore[assignment]
    identity = f"{problem.path.name}\n{problem.code}\n{problem.field}\n{problem.message}"
    return {
        "ruleId": problem.code,
        "ruleIndex": rule,
        "level": "error" if problem.level == "error" else "note",
        "message": {"text": f"{field}{problem.message}{hint}"},
        "locations": [location],
        "partialFingerprints": {"problem/v1": hashlib.sha256(identity.encode()).hexdigest()},
    }


def _artifact(path: Path, root: Path) -> dict[str, str]:
    from urllib.parse import quote

    whole = path.resolve()
    if whole.is_relative_to(root):
        return {"uri": quote(whole.relative_to(root).as_posix()), "uriBaseId": "%SRCROOT%"}
    return {"uri": whole.as_uri()}
