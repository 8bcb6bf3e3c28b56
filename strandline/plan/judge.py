"""From landed lines to judged rows: the one piece of SQL that both layers run.

It reads a relation of landed lines (the realtime schema; fields as text) and gives one row a line: the typed fields, the
derived columns, and `_verdict`: NULL for a good row, else the number of the refusal in `Judgement.verdicts`. Only refused
rows keep `_raw`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlglot import exp

from strandline.plan.dialect import Dialect
from strandline.plan.expressions import TypedExpression, parse_expression
from strandline.spec.model import Field, FieldType, Rule, Stream

PARSER = 0
_PLACE = ("_landing_start", "_landing_end", "_line", "_source", "_source_line", "_contract_version")
BYTES = ("_raw", "_digest")
"""The columns of a landed line that only a refused one needs."""
TOLD = (*_PLACE, "_sealed", "_header", "_reason", "_reason_field", "_reason_detail", "_unknown_fields")
"""The other columns of landing that a judged line keeps."""
_IS_LINE = "COALESCE(_line, 0) > 0"
"""Not the row of a micro-batch. Told so that no engine asks Arrow to leave that one row out: it would copy all the others."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One way to be refused: the reason code, the field or rule it is about, and what was expected, in words."""

    reason: str
    field: str | None = None
    rule: str | None = None
    detail: str | None = None
    fails: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """The SQL of `judge` over a relation, and its verdicts by number (number 0 is the parser's own reason)."""

    sql: str
    verdicts: tuple[Verdict, ...]

    @property
    def failing(self) -> tuple[int, ...]:
        """The numbers of the verdicts that stop the run."""
        return tuple(i for i, v in enumerate(self.verdicts) if v.fails)


def column_types(stream: Stream) -> dict[str, FieldType]:
    """The columns an expression on rows may read."""
    return {f.name: f.type for f in stream.fields} | {d.name: d.type for d in stream.derived}


def column_scales(stream: Stream) -> dict[str, int]:
    """The decimal places of the decimal columns among them."""
    declared = {f.name: f.scale for f in stream.fields if f.type == "decimal"}
    derived = {d.name: d.scale for d in stream.derived if d.type == "decimal"}
    return {name: scale for name, scale in {**declared, **derived}.items() if scale is not None}


@dataclass(frozen=True, slots=True)
class Columns:
    """What expressions on a stream's rows may read, and their SQL."""

    types: Mapping[str, FieldType]
    scales: Mapping[str, int]
    dialect: Dialect

    @classmethod
    def of(cls, stream: Stream, dialect: Dialect) -> Columns:
        """The declared fields and derived columns."""
        return cls(column_types(stream), column_scales(stream), dialect)

    def typed(self, text: str) -> TypedExpression:
        """The checked expression."""
        return parse_expression(text, self.types, scales=self.scales)

    def sql(self, text: str) -> str:
        """The SQL of a row expression; `now` is the end of the row's landing interval."""

        def settle(node: exp.Expression) -> exp.Expression:
            if isinstance(node, exp.Column):
                column = exp.column(exp.to_identifier("_landing_end" if node.name == "now" else node.name, quoted=True))
                column.meta.update(node.meta)
                return column
            return node

        return self.dialect.expression(self.typed(text).tree.copy().transform(settle))


def event_moment(stream: Stream, dialect: Dialect) -> str:
    """The event time as a timestamp."""
    return f"CAST({dialect.quote(stream.event_time)} AS TIMESTAMP)"


def moment_literal(moment: datetime) -> str:
    """A moment (UTC) as a timestamp of every dialect."""
    return f"TIMESTAMP '{moment.replace(tzinfo=None).isoformat(sep=' ')}'"


def judge(stream: Stream, dialect: Dialect, relation: str = "lines", *, raw: bool = True) -> Judgement:
    """The SQL that types and judges the lines of `relation`, and what its verdict numbers mean.

    Without `raw` the result has no `BYTES`, and the engine need not read them.
    """
    quote = dialect.quote
    columns = Columns.of(stream, dialect)
    kept = [*TOLD, *(BYTES if raw else ())]
    typed = ", ".join(_typed_columns(stream, dialect, kept))
    steps = [f"typed AS (SELECT {typed} FROM {quote(relation)} WHERE {_IS_LINE})"]
    previous = "typed"
    for number, derived in enumerate(stream.derived):
        type_name = dialect.type_name(derived.type, derived.scale, 38)
        value = f"CAST({columns.sql(derived.expression)} AS {type_name})"
        steps.append(f"derived_{number} AS (SELECT *, {value} AS {quote(derived.name)} FROM {previous})")
        previous = f"derived_{number}"
    refusals = [*_field_refusals(stream, dialect), *_time_refusals(stream, dialect), *_rule_refusals(stream, columns)]
    verdicts = (Verdict("parser"), *(verdict for verdict, _ in refusals))
    cases = "".join(f" WHEN {condition} THEN {number}" for number, (_, condition) in enumerate(refusals, 1))
    values = [quote(name) for name in (*(f.name for f in stream.fields), *(d.name for d in stream.derived))]
    steps.append(
        f"verdicts AS (SELECT {', '.join(values)}, {', '.join(kept)}, "
        f"CAST({event_moment(stream, dialect)} AS DATE) AS event_date, {_warnings(stream, dialect, columns)} AS _warnings, "
        f"CASE WHEN _reason IS NOT NULL THEN {PARSER}{cases} END AS _verdict FROM {previous})"
    )
    shown = [*values, *(name for name in kept if name != "_raw"), "event_date", "_warnings", "_verdict"]
    if raw:
        shown.append("CASE WHEN _verdict IS NOT NULL THEN _raw END AS _raw")
    sql = f"WITH {', '.join(steps)} SELECT {', '.join(shown)} FROM verdicts"
    return Judgement(sql, verdicts)


def _typed_columns(stream: Stream, dialect: Dialect, kept: Sequence[str]) -> list[str]:
    quote = dialect.quote
    judged_by = f"{dialect.literal(stream.version)} AS _contract_version"
    selected = [judged_by if name == "_contract_version" else name for name in kept]
    for field in stream.fields:
        text = quote(field.name)
        if field.type in ("string", "json"):
            selected.append(text)
        else:
            selected.append(f"{dialect.convert(text, field.type, field.scale)} AS {text}")
            selected.append(f"{text} AS {quote(_text_of(field))}")
    return selected


def _text_of(field: Field) -> str:
    return field.name if field.type in ("string", "json") else f"__text_{field.name}"


def _field_refusals(stream: Stream, dialect: Dialect) -> list[tuple[Verdict, str]]:
    needed = {*stream.primary_key, stream.event_time}
    found = []
    for field in stream.fields:
        value, text = dialect.quote(field.name), dialect.quote(_text_of(field))
        if field.required or field.name in needed:
            found.append((Verdict("missing", field.name, detail="a required field is absent or null"), f"{text} IS NULL"))
        if field.type not in ("string", "json"):
            detail = f"not a {field.type}" + (f" with {field.scale} decimal places" if field.scale else "")
            found.append((Verdict("type", field.name, detail=detail), f"{text} IS NOT NULL AND {value} IS NULL"))
    for field in stream.fields:
        found += _value_refusals(field, dialect)
    return found


def _value_refusals(field: Field, dialect: Dialect) -> list[tuple[Verdict, str]]:
    value, found = dialect.quote(field.name), []
    if field.minimum is not None:
        found.append((Verdict("range", field.name, detail=f"below {field.minimum:g}"), f"{value} < {field.minimum!r}"))
    if field.maximum is not None:
        found.append((Verdict("range", field.name, detail=f"above {field.maximum:g}"), f"{value} > {field.maximum!r}"))
    if field.choices:
        allowed = ", ".join(dialect.literal(choice) for choice in field.choices)
        text = dialect.quote(_text_of(field))
        found.append((Verdict("choice", field.name, detail="not one of the declared choices"), f"{text} NOT IN ({allowed})"))
    if field.pattern:
        detail = f"does not match {field.pattern}"
        found.append((Verdict("pattern", field.name, detail=detail), f"NOT {dialect.full_match(value, field.pattern)}"))
    if field.max_length is not None:
        detail = f"longer than {field.max_length} characters"
        found.append((Verdict("length", field.name, detail=detail), f"length({value}) > {field.max_length}"))
    return found


def _time_refusals(stream: Stream, dialect: Dialect) -> list[tuple[Verdict, str]]:
    moment, found = event_moment(stream, dialect), []
    if stream.allowed_lateness is not None:
        seconds = int(stream.allowed_lateness.total_seconds())
        detail = f"more than {stream.allowed_lateness} before the end of its landing interval"
        found.append(
            (Verdict("late", stream.event_time, detail=detail), f"{moment} < _landing_end - INTERVAL {seconds} SECOND")
        )
    if stream.future_skew is not None:
        seconds = int(stream.future_skew.total_seconds())
        detail = f"more than {stream.future_skew} after the end of its landing interval"
        found.append(
            (Verdict("future", stream.event_time, detail=detail), f"{moment} > _landing_end + INTERVAL {seconds} SECOND")
        )
    if stream.unknown_fields != "keep":
        verdict = Verdict("unknown_field", detail="has undeclared fields", fails=stream.unknown_fields == "fail")
        found.append((verdict, "_unknown_fields > 0"))
    return found


def _rule_refusals(stream: Stream, columns: Columns) -> list[tuple[Verdict, str]]:
    return [
        (Verdict("rule", rule=rule.name, detail=rule.expect, fails=rule.action == "fail"), _broken(rule, columns))
        for rule in stream.rules
        if rule.action != "warn"
    ]


def _broken(rule: Rule, columns: Columns) -> str:
    """Where the rule does not hold; NULL is judged by `required` alone."""
    return f"NOT COALESCE({columns.sql(rule.expect)}, TRUE)"


def _warnings(stream: Stream, dialect: Dialect, columns: Columns) -> str:
    """The names of the `warn` rules a row does not meet, by commas; NULL when it meets all."""
    warned = [rule for rule in stream.rules if rule.action == "warn"]
    if not warned:
        return f"CAST(NULL AS {dialect.type_name('string')})"
    parts = [f"CASE WHEN {_broken(rule, columns)} THEN {dialect.literal(rule.name)} END" for rule in warned]
    return f"NULLIF(concat_ws(',', {', '.join(parts)}), '')"


def deduplicate(stream: Stream, dialect: Dialect, relation: str, columns: Sequence[str]) -> str:
    """The SQL of one row an event: the greatest by `sequence_by` (NULL is least), then by landing position."""
    names = ", ".join(dialect.quote(name) for name in columns)
    return f"SELECT {names} FROM {ranked(stream, dialect, relation, [dialect.quote(name) for name in columns])} WHERE _rank = 1"


def key_of(stream: Stream, dialect: Dialect) -> list[str]:
    """The (quoted) columns that say which rows are of one event."""
    key = [dialect.quote(name) for name in stream.primary_key]
    return ["event_date", *key] if stream.deduplicate_within == "event_date" else key


def ranked(stream: Stream, dialect: Dialect, relation: str, columns: Sequence[str]) -> str:
    """The SQL relation of the (quoted) columns and `_rank`: of the rows of one event, the one that counts has 1."""
    key = key_of(stream, dialect)
    order = [f"{dialect.quote(name)} DESC NULLS LAST" for name in stream.sequence_by]
    rank = (
        f"ROW_NUMBER() OVER (PARTITION BY {', '.join(key)} ORDER BY {', '.join([*order, '_landing_start DESC', '_line DESC'])})"
    )
    return f"(SELECT {', '.join(columns)}, {rank} AS _rank FROM {relation}) AS ranked"


BUDGET_COLUMNS: dict[str, FieldType] = {
    "lines": "integer",
    "good": "integer",
    "rejected": "integer",
    "duplicates": "integer",
    "rejected_ratio": "number",
    "duplicate_ratio": "number",
}


def budget_expression(dialect: Dialect, text: str) -> str:
    """The SQL of a condition on a whole run, over one row of its counts."""
    return f"COALESCE({Columns(BUDGET_COLUMNS, {}, dialect).sql(text)}, TRUE)"
