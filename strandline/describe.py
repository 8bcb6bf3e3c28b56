"""A stream as a page of Markdown for its readers: what it is, what it holds, what is computed, whom to ask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from urllib.parse import urlsplit

from strandline.spec.model import Alert, Field, FilesSource, GoldTable, HttpSource, Metric, Stream

_ACTIONS = {"warn": "a warning is counted", "quarantine": "the row is quarantined", "fail": "the run stops"}
_BUDGET_ACTIONS = _ACTIONS | {"quarantine": "a warning is counted"}


def stream_page(stream: Stream) -> str:
    """The stream's page: purpose, owner, source, then fields, rules, gold tables and alerts, each only if there are any."""
    parts = [f"# {stream.name}", _lead(stream), _facts(stream), _fields(stream)]
    parts += [_rules(stream), _gold(stream), _alerts(stream)]
    return "\n\n".join(part for part in parts if part)


def streams_table(streams: Iterable[Stream]) -> str:
    """All streams at a glance: name, purpose, interval, gold tables, whom to ask."""
    return table_of_rows(stream_row(stream) for stream in streams)


def stream_row(stream: Stream) -> tuple[str, ...]:
    """The stream's cells in the table of all streams."""
    tables = ", ".join(f"`{table.name}`" for table in stream.gold)
    return (f"`{stream.name}`", stream.purpose, _length(stream.interval), tables, _team(stream))


def table_of_rows(rows: Iterable[tuple[str, ...]]) -> str:
    """The table of all streams from the cells of each."""
    return _table(("Stream", "What it is", "Lands every", "Gold tables", "Ask"), list(rows))


def _team(stream: Stream) -> str:
    return f"{stream.team.name} ({stream.team.owner})"


def _lead(stream: Stream) -> str:
    usage = f" Used for: {stream.usage.rstrip('.')}." if stream.usage else ""
    return f"{stream.purpose.rstrip('.')}.{usage}"


def _facts(stream: Stream) -> str:
    same = "within a day of event time" if stream.deduplicate_within == "event_date" else "over the whole stream"
    newest = f"; the greatest `{', '.join(stream.sequence_by)}` wins" if stream.sequence_by else ""
    late = f"up to {_length(stream.allowed_lateness)} late" if stream.allowed_lateness is not None else "however late"
    facts = [
        f"**Ask:** {_team(stream)}",
        f"**Comes from:** {_source(stream)}, every {_length(stream.interval)}",
        f"**Same event:** equal `{', '.join(stream.primary_key)}` {same}{newest}",
        f"**Late events:** accepted {late} (`{stream.event_time}`); the windows they touch are restated",
        f"**Contract version:** {stream.version}",
    ]
    return "\n".join(f"* {fact}" for fact in facts)


def _source(stream: Stream) -> str:
    source = stream.source
    if isinstance(source, FilesSource):
        return f"{source.format} files in `{source.location}`"
    if isinstance(source, HttpSource):
        parts = urlsplit(source.url)
        return f"the API at `{parts.hostname}{parts.path}`"
    return "the built-in simulator"


def _fields(stream: Stream) -> str:
    rows = [(f"`{f.name}`", f.type, "yes" if f.required else "", _allowed(f), _about(f)) for f in stream.fields]
    rows += [(f"`{d.name}`", d.type, "", f"= `{d.expression}`", d.description or "derived") for d in stream.derived]
    return "## Fields\n\n" + _table(("Field", "Type", "Required", "Allowed", "About"), rows)


def _allowed(field: Field) -> str:
    parts = []
    if field.minimum is not None or field.maximum is not None:
        low, high = (f"{x:g}" if x is not None else "" for x in (field.minimum, field.maximum))
        parts.append(f"{low} to {high}" if low and high else f"at least {low}" if low else f"at most {high}")
    if field.choices:
        parts.append(", ".join(f"`{choice}`" for choice in field.choices))
    if field.pattern:
        parts.append(f"like `{field.pattern}`")
    if field.max_length is not None:
        parts.append(f"up to {field.max_length} characters")
    return "; ".join(parts)


def _about(field: Field) -> str:
    parts = [field.description, f"in {field.unit}" if field.unit else ""]
    if field.classification in ("pii", "secret"):
        kept = {"hash": "stored only as a keyed hash", "drop": "not stored", "keep": "stored as it comes"}[field.protect]
        parts.append(f"**{field.classification}**, {kept}")
    return "; ".join(part for part in parts if part)


def _rules(stream: Stream) -> str:
    rows = [(f"`{r.name}`", f"`{r.expect}`", _ACTIONS[r.action], r.description) for r in stream.rules]
    rows += [(f"`{b.name}`", f"`{b.expect}` per run", _BUDGET_ACTIONS[b.action], b.description) for b in stream.budgets]
    return "## Rules\n\n" + _table(("Rule", "Expects", "Otherwise", "About"), rows) if rows else ""


def _gold(stream: Stream) -> str:
    if not stream.gold:
        return ""
    return "## Gold tables\n\n" + "\n\n".join(_gold_table(table) for table in stream.gold)


def _gold_table(table: GoldTable) -> str:
    per = " and ".join([f"`{d}`" for d in table.dimensions] + [table.grain])
    where = f", where `{table.where}`" if table.where else ""
    about = f" {table.description.rstrip('.')}." if table.description else ""
    rows = [(f"`{m.name}`", _metric(m), m.unit, m.description) for m in table.metrics]
    return f"### `{table.name}`\n\nOne row per {per}{where}.{about}\n\n" + _table(("Metric", "Is", "Unit", "About"), rows)


def _metric(metric: Metric) -> str:
    over = f"`{metric.expression}`" if metric.expression else "rows"
    if metric.parts:
        text = f"`{metric.parts[0]}` / `{metric.parts[1]}`"
    elif metric.kind == "count":
        text = f"number of rows where {over}" if metric.expression else "number of rows"
    elif metric.kind == "quantile":
        text = f"{metric.q:g} quantile of {over}"
    elif metric.kind == "expression":
        text = over
    else:
        text = f"{metric.kind.replace('_', ' ')} of {over}"
    return f"{text}, where `{metric.where}`" if metric.where else text


def _alerts(stream: Stream) -> str:
    rows = [(f"`{a.name}`", a.severity, _condition(a), _channels(a), a.description) for a in stream.alerts]
    return "## Alerts\n\n" + _table(("Alert", "Severity", "When", "Tells", "About"), rows) if rows else ""


def _channels(alert: Alert) -> str:
    return ", ".join(f"`{channel}`" for channel in alert.notify) or "the log"


def _condition(alert: Alert) -> str:
    on = "a row has" if alert.on == "rows" else f"a window of `{alert.on}` has"
    times = f", {alert.for_} times in a row" if alert.for_ > 1 else ""
    return f"{on} `{alert.when}`{times}"


def _length(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size and seconds % size == 0:
            return unit if seconds == size else f"{seconds // size} {unit}s"
    return f"{seconds} seconds"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; a column that is empty in every row is left out."""
    used = [i for i in range(len(heads)) if any(row[i] for row in rows)]
    lines = [[heads[i] for i in used], ["---"] * len(used)]
    lines += [[_cell(row[i]) for i in used] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
