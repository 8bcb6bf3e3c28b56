"""A plan as Markdown, for a pull request and, in the same words, for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from strandline.changes.measure import Judged, Measured
from strandline.changes.plan import Plan
from strandline.changes.windows import TableChange, Window

_KINDS = {"appears": "new", "goes": "gone", "changes": "changed"}


def markdown(plans: Sequence[Plan], shown: int, *, samples: bool = False) -> str:
    """The plans as one Markdown document. With `samples` the bytes of example lines are quoted; without, only their places."""
    parts = ["# Contract changes"]
    for each in plans:
        parts += [f"## {each.stream}", *_plan(each, shown, samples)]
    return "\n\n".join(parts) + "\n"


def verdict(plan: Plan) -> str:
    """One sentence: what must be done."""
    if plan.blocked:
        return f"A rebuild would stop: {plan.blocked}"
    if plan.needs_rebuild:
        return f"**A rebuild is needed**: `strandline run batch --rebuild --stream {plan.stream}`"
    return "Nothing to rebuild."


def _plan(plan: Plan, shown: int, samples: bool) -> list[str]:
    parts = [verdict(plan)]
    if plan.against is None:
        parts.append("There is no contract to compare with yet.")
    elif plan.changes:
        lines = [f"- {c.severity}: {_code(str(c))}" for c in plan.changes]
        parts.append(f"Against `{plan.against}`:\n\n" + "\n".join(lines))
    else:
        parts.append(f"The contract is that of `{plan.against}`.")
    parts.append(_version(plan))
    if plan.measured is None:
        if not plan.blocked:
            parts.append("No batch has judged anything of it yet, so there is nothing to measure.")
        return parts
    return [*parts, *_measured(plan.measured, shown, samples)]


def _version(plan: Plan) -> str:
    bump = plan.bump
    if bump.needed == "none":
        return f"Version {bump.after}."
    told = f"Version {bump.before} → {bump.after} ({bump.made}); the changes ask for {bump.needed}"
    return f"{told}: {'it fits' if bump.fits else '**it does not fit**'}."


def _measured(found: Measured, shown: int, samples: bool) -> list[str]:
    since = f"event dates from {found.scope.start} on" if found.scope.start else "everything"
    parts = [f"Measured on {since}: {found.lines:,} line(s) judged again."]
    parts += [
        *_judged("refused that were not", found.refused, shown, samples),
        *_judged("good that were refused", found.accepted, shown, samples),
    ]
    if found.other_reason:
        parts.append(f"{found.other_reason:,} line(s) stay refused, for another reason.")
    rows = ", ".join(f"{n:,} {_KINDS[kind]}" for kind, n in found.row_counts.items())
    parts.append(f"Rows of silver: {rows}." if rows else "No row of silver changes.")
    for table in found.tables:
        parts += _table(table, shown)
    if found.partitions:
        lines = [f"| {path} | {len(days)} | {_days(days)} |" for path, days in found.partitions.items()]
        parts.append("| Table | Partitions | Days |\n| --- | ---: | --- |\n" + "\n".join(lines))
        cost = found.cost
        parts.append(
            f"Estimated cost: {_size(cost.bytes_read)} read in {cost.reads:,} requests, {_size(cost.bytes_written)} written in "
            f"{cost.writes:,}."
        )
    if found.above_line:
        parts.append(f"{found.above_line:,} line(s) above the line are not measured; a rebuild has them judged again too.")
    return [*parts, *(f"Note: {note}" for note in found.notes)]


def _judged(what: str, found: Iterable[Judged], shown: int, samples: bool) -> list[str]:
    groups = list(found)
    if not groups:
        return []
    lines = []
    for group in groups:
        detail = f" ({group.detail})" if group.detail else ""
        lines.append(f"- {group.lines:,} × {_code(group.label + detail)}")
        lines += [f"  - {_example(each, samples)}" for each in group.examples[: min(shown, 3)]]
    return [f"{sum(g.lines for g in groups):,} line(s) would be {what}:\n\n" + "\n".join(lines)]


def _example(example: Mapping[str, Any], samples: bool) -> str:
    place = f"{example['source']} line {example['source_line']}, landed {example['landing_start']:%Y-%m-%dT%H:%MZ}"
    return f"{place}: {_code(example['raw'])}" if samples and example["raw"] is not None else place


def _table(table: TableChange, shown: int) -> list[str]:
    told = f"`{table.name}`: {table.changed:,} window(s) change, {table.appear:,} of them new and {table.go:,} gone"
    if table.redefined:
        told += "; it is defined otherwise, so all of it is computed anew, by the next batch too"
    some = table.windows[:shown]
    if not some:
        return [told + "."]
    names = list(some[0].dimensions)
    metrics = [m for m in (some[0].after or some[0].before or {}) if any(_differs(w, m) for w in some)]
    head = ["window", *names, *metrics]
    rows = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    for window in some:
        cells = [f"{window.window_start:%Y-%m-%dT%H:%MZ}", *(_cell(window.dimensions[n]) for n in names)]
        rows.append("| " + " | ".join([*cells, *(_change(window, m) for m in metrics)]) + " |")
    return [f"{told}; the most changed:", "\n".join(rows)]


def _differs(window: Window, metric: str) -> bool:
    return (window.before or {}).get(metric) != (window.after or {}).get(metric)


def _change(window: Window, metric: str) -> str:
    before, after = (side.get(metric) if side is not None else None for side in (window.before, window.after))
    return _cell(after) if before == after else f"{_cell(before)} → {_cell(after)}"


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    text = (
        f"{value:,.6g}"
        if isinstance(value, float)
        else f"{value:,}"
        if isinstance(value, int) and value is not True
        else str(value)
    )
    return text.replace("|", "\\|").replace("\n", " ")


def _days(days: tuple[date, ...]) -> str:
    if len(days) <= 3:
        return ", ".join(map(str, days))
    return f"{days[0]} … {days[-1]}"


def _code(text: str) -> str:
    ticks = "``" if "`" in text else "`"
    return f"{ticks}{text}{ticks}".replace("\n", " ")


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
