"""The fields that nothing in their stream reads."""

from __future__ import annotations

from collections.abc import Iterator

from strandline.errors import Problem
from strandline.spec.document import read_document
from strandline.spec.expressions import names_in
from strandline.spec.model import Stream


def unread_fields(stream: Stream) -> tuple[Problem, ...]:
    """A note for each field that no key, rule, derived column, gold table, alert or example reads, in the order of the file."""
    read = frozenset(_read(stream))
    unread = [(index, field.name) for index, field in enumerate(stream.fields) if field.name not in read]
    if not unread:
        return ()
    document = read_document(stream.path)
    return tuple(
        document.problem(
            "SL416",
            ("schema", "fields", index, "name"),
            "no key, rule, derived column, gold table, alert or example reads it",
            "fine when people query it",
            level="note",
        )
        for index, _ in unread
    )


def _read(stream: Stream) -> Iterator[str]:
    """Every name that something reads; columns that are not fields are among them."""
    yield from (*stream.primary_key, stream.event_time, *stream.sequence_by)
    texts = [*(rule.expect for rule in stream.rules), *(derived.expression for derived in stream.derived)]
    for table in stream.gold:
        yield from table.dimensions
        texts += [table.where or "", *(text for metric in table.metrics for text in (metric.expression, metric.where) if text)]
    for alert in stream.alerts:
        if alert.on == "rows":
            yield from alert.key
            texts.append(alert.when)
    for text in texts:
        yield from names_in(text)
    for test in stream.tests:
        for rows in test.expect.values():
            yield from (name for row in (rows if isinstance(rows, (list, tuple)) else ()) for name in row)
