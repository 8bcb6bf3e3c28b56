"""A stream on its way from a document to a value: what is well-formed so far, the columns known, and the problems found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from strandline.errors import Problem
from strandline.spec.document import Document, dotted
from strandline.spec.domains import ANYTHING
from strandline.spec.expressions import ExpressionError, ExpressionType, TypedExpression, parse_expression
from strandline.spec.expressions.nodes import Node
from strandline.spec.positions import Path
from strandline.spec.reach import Compared, Domain, Domains, Reach, dead_values, narrowed, reach_of, texts_compared
from strandline.spec.wording import did_you_mean, either, folded, listed

Condition = Literal["rule", "budget", "filter", "alert"]
NUMERIC = ("integer", "number", "decimal")
RESERVED = ("event_date", "landing_date", "window_start", "now")


@dataclass(slots=True)
class Columns:
    """The columns an expression may use: types (`unknown` for one that is broken itself), decimals, growth, the dropped."""

    types: dict[str, ExpressionType] = field(default_factory=dict)
    scales: dict[str, int] = field(default_factory=dict)
    growths: dict[str, int] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)
    domains: dict[str, Domain] = field(default_factory=dict)
    drawn: dict[str, Domain] = field(default_factory=dict)
    """What simulated rows have: at most what `domains` says, and of fewer columns."""

    def add(
        self,
        name: str,
        kind: ExpressionType,
        scale: int | None = None,
        growth: int = 1,
        domain: Domain | None = None,
        drawn: Domain | None = None,
    ) -> None:
        """Adds or replaces one column."""
        self.types[name] = kind
        if domain is not None:
            self.domains[name] = domain
        if drawn is not None:
            self.drawn[name] = drawn
        self.growths[name] = growth
        if scale is not None:
            self.scales[name] = scale

    @property
    def simulated(self) -> Domains | None:
        """The domains of simulated rows; None when the source is not a generator."""
        return {**self.domains, **self.drawn} if self.drawn else None


@dataclass(frozen=True, slots=True)
class Table:
    """A gold table as far as it is known: its dimensions, its metrics, and both with `window_start` as the columns."""

    name: str
    dimensions: tuple[str, ...]
    metrics: Columns
    columns: Columns


@dataclass(slots=True)
class Draft:
    """One document being read. Parts whose shape is wrong are passed over, so that a mistake is told once.

    `columns` are the declared and derived ones, `tables` the gold tables by name (None: nothing is known but the name).
    """

    document: Document
    broken: frozenset[Path]
    problems: list[Problem] = field(default_factory=list)
    columns: Columns = field(default_factory=Columns)
    tables: dict[str, Table | None] = field(default_factory=dict)
    spellings: dict[tuple[str, str], tuple[str, Path]] = field(default_factory=dict)

    def report(
        self,
        code: str,
        path: Path,
        message: str,
        hint: str = "",
        *,
        key: bool = False,
        offset: int | None = None,
        level: str = "error",
    ) -> None:
        """Adds a problem at the value (or key) at `path`, or at a character of its text."""
        self.problems.append(self.document.problem(code, path, message, hint, key=key, offset=offset, level=level))

    @property
    def errors(self) -> int:
        """How many problems were found that are not mere notes."""
        return sum(problem.level == "error" for problem in self.problems)

    def line_of(self, path: Path) -> int:
        """The line the value at `path` starts at."""
        return self.document.origin(path).positions.value(path).line

    def is_clean(self, path: Path) -> bool:
        """Whether nothing at or below `path` has the wrong shape."""
        return not self.broken or not any(broken[: len(path)] == path for broken in self.broken)

    def get(self, *path: str | int) -> Any:
        """The value at `path`, or None when it is not there or of the wrong shape."""
        value: Any = self.document.value
        for step in path:
            if not isinstance(value, dict) or step not in value:
                return None
            value = value[step]
        return value if path not in self.broken else None

    def named(self, *path: str | int) -> list[tuple[str, Path, Any]]:
        """Name, path and value of each entry of the mapping at `path`, broken ones included."""
        value = self.get(*path)
        return [(key, (*path, key), child) for key, child in value.items()] if isinstance(value, dict) else []

    def items(self, *path: str | int) -> list[tuple[Path, Any]]:
        """Path and value of each entry of the list at `path`, broken ones included."""
        value = self.get(*path)
        return [((*path, index), child) for index, child in enumerate(value)] if isinstance(value, list) else []

    def clean_items(self, *path: str | int) -> list[tuple[Path, dict[str, Any]]]:
        """Path and value of each well-formed mapping in the list at `path`."""
        return [(where, item) for where, item in self.items(*path) if isinstance(item, dict) and self.is_clean(where)]

    def unique(self, names: Iterable[tuple[Path, Any]], what: str) -> None:
        """Reports every name that is there twice; `names` are the path of each name and the name."""
        first: dict[str, Path] = {}
        for path, name in names:
            if not isinstance(name, str):
                continue
            if name in first:
                message = f"another {what} is called {name} (at line {self.line_of(first[name])})"
                self.report("SL303", path, message, "give each its own name")
            else:
                first[name] = path

    def known(self, code: str, path: Path, name: str, names: Sequence[str], what: str) -> bool:
        """Whether `name` is one of `names`; reports it, with the closest one, when it is not."""
        if name in names:
            return True
        if not self.columns.types:
            return False
        message = f"is not {what} (saw '{name}', allowed {listed(names)})"
        self.report(code, path, message, did_you_mean(name, names))
        return False

    def expression(
        self, path: Path, text: str, columns: Columns, wanted: Sequence[str] = (), *, now: bool = True
    ) -> TypedExpression | None:
        """The checked expression at `path`, or None when it (or its type, when `wanted` are given) was refused and reported."""
        try:
            found = parse_expression(text, columns.types, scales=columns.scales, growths=columns.growths, now=now)
        except ExpressionError as error:
            self.report(error.code, path, error.message, error.hint, offset=error.offset)
            return None
        for name in sorted(found.columns & columns.dropped):
            message = f"uses {name}, which is dropped before the first write: it is always NULL"
            self.report("SL409", path, message, "protect: hash keeps values comparable")
            return None
        if found.type != "unknown" and found.type not in (wanted or _STORABLE):
            self._wrong_type(path, found, wanted)
            return None
        compared = list(texts_compared(found.node))
        if compared:
            self._check_values(path, compared, columns)
            self._check_spelling(path, compared, columns)
        return found

    def _check_values(self, path: Path, compared: Compared, columns: Columns) -> None:
        """Reports each text that its column never has."""
        for value, name, choices in dead_values(compared, columns.domains):
            close = did_you_mean(value.text, choices)
            level = "error" if close else "note"
            message = f"{name} is never '{value.text}' (it has {listed(sorted(choices))})"
            self.report("SL410", path, message, close, offset=value.start, level=level)

    def _check_spelling(self, path: Path, compared: Compared, columns: Columns) -> None:
        """Notes a text that another expression spells otherwise for the same column; an expression that has both means it."""
        compared = [pair for pair in compared if columns.domains.get(pair[0].name, ANYTHING).choices is None]
        here = {(column.name, value.text) for column, value in compared}
        for column, value in compared:
            other, where = self.spellings.setdefault((column.name, folded(value.text)), (value.text, path))
            if other != value.text and (column.name, other) not in here:
                message = f"{column.name} is compared with '{value.text}' here and with '{other}' in line {self.line_of(where)}"
                self.report("SL414", path, message, "spell it one way", offset=value.start, level="note")

    def condition(
        self, path: Path, text: str, columns: Columns, *, now: bool = True, of: Condition = "filter"
    ) -> TypedExpression | None:
        """The checked expression at `path` when it is true or false for a row; None when it was refused and reported.

        What can never hold is reported, and (as a note) a rule or budget that can never fail.
        """
        found = self.expression(path, text, columns, ("boolean",), now=now)
        if found is not None and found.node.constant:
            self.report("SL407", path, "is the same for every row: it names no column", "name a column, or remove it")
            return None
        if found is not None:
            self._check_both(path, found.node, columns, of)
        return found

    def _check_both(self, path: Path, node: Node, columns: Columns, of: Condition) -> None:
        """Reports what no row does, else notes what no simulated row does; what a simulated row does, some row does."""
        simulated = columns.simulated
        drawn = Reach() if simulated is None else _reach(node, simulated, of)
        if simulated is not None and drawn == Reach():
            return
        reach = _reach(node, columns.domains, of)
        self._check_reach(path, reach, of)
        if reach == Reach():
            self._check_drawn(path, drawn, of)

    def _check_drawn(self, path: Path, reach: Reach, of: Condition) -> None:
        """Notes what no simulated row does."""
        if not reach.true or (of == "rule" and not reach.false):
            message = f"{_NEVER[of] if not reach.true else 'never fails'}, given what the generator draws"
            hint = "let the generator draw such values: a wider distribution, an incident, or faults.breaks"
            self.report("SL415", path, message, hint, level="note")

    def _check_reach(self, path: Path, reach: Reach, of: Condition) -> None:
        if any(problem.code == "SL410" and problem.field == dotted(path) for problem in self.problems):
            return  # the value that is never there says it better
        if not reach.true:
            ruled_out = f"{_COUNTED} rules it out" if of == "budget" else f"{_DECLARED}, or the condition itself, rules it out"
            self.report("SL411", path, _NEVER[of], ruled_out)
        elif not reach.false and of in ("rule", "budget"):
            why = f"{_COUNTED} implies it" if of == "budget" else f"{_DECLARED} already implies it"
            self.report("SL412", path, f"can never fail: {why}", "remove it", level="note")

    def _wrong_type(self, path: Path, found: TypedExpression, wanted: Sequence[str]) -> None:
        if wanted == ("boolean",):
            hint = (
                f"compare it: {found.text} > 0"
                if found.type in NUMERIC and len(found.text) < 40
                else "compare it with something"
            )
            self.report("SL406", path, f"must be true or false for a row (saw {_article(found.type)})", hint)
        elif found.type == "interval":
            self.report("SL406", path, "a length of time cannot be stored", "date_diff('second', a, b) counts the seconds")
        else:
            allowed = "a number" if tuple(wanted) == NUMERIC else either(_article(kind) for kind in wanted)
            self.report("SL406", path, f"must be {allowed} (saw {_article(found.type)})")


def _reach(node: Node, domains: Domains, of: Condition) -> Reach:
    """What a condition can come to; whether it can fail is only asked of rules and budgets."""
    if of in ("rule", "budget"):
        return reach_of(node, domains)
    return Reach(narrowed(node, True, domains) is not None, True)


_DECLARED = "what the fields declare (minimum, maximum, choices, required)"
_COUNTED = "counts are never below 0 and ratios from 0 to 1, which"
_NEVER = {
    "rule": "no row can satisfy it",
    "budget": "no run can satisfy it",
    "filter": "holds for no row",
    "alert": "can never fire",
}
_STORABLE = ("string", "integer", "number", "decimal", "boolean", "timestamp", "date", "json")


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def texts(values: Iterable[Any]) -> Iterator[str]:
    """Scalars of the document as the texts that data is compared with: `true`, `7`, `abc`."""
    for value in values:
        yield ("true" if value else "false") if isinstance(value, bool) else str(value)
