"""A preview for people: one section a step, within a hundred columns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from strandline.cli.console import shown
from strandline.cli.preview_panels import print_panel
from strandline.cli.preview_rows import grid, print_rows
from strandline.cli.rows import text as cell_text
from strandline.publish.numbers import moment
from strandline.publish.panels import unit_of

if TYPE_CHECKING:
    import pyarrow as pa

    from strandline.preview import Preview, Refused
    from strandline.rehearsal import AlertOutcome, Rehearsal
    from strandline.spec.model import GoldTable

WIDTH = 100
_LINES, _GOOD, _REASONS, _GOLD, _EPISODES = 2, 3, 12, 8, 3
_LONGEST, _DEEP = 600, 10
_SEALED = "[dim]sealed: it cannot be parsed, so all of it is encrypted[/dim]"


def print_preview(preview: Preview) -> None:
    """Print it to stdout; a terminal's width up to `WIDTH`, and `WIDTH`, without trailing blanks, where there is none."""
    console = Console(highlight=False)
    if console.is_terminal:
        _print(Console(highlight=False, width=min(console.width, WIDTH)), preview)
        return
    console = Console(highlight=False, width=WIDTH)
    with console.capture() as captured:
        _print(console, preview)
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _print(console: Console, preview: Preview) -> None:
    _print_head(console, preview)
    _print_landed(console, preview.rehearsal)
    _print_good(console, preview)
    _print_refused(console, preview)
    for table in preview.rehearsal.stream.gold:
        _print_gold(console, table, preview.rehearsal.gold[table.name])
    _print_alerts(console, preview.rehearsal.alerts)
    if preview.rehearsal.panels:
        _section(console, "Dashboard", _many(len(preview.rehearsal.panels), "panel"))
        for panel in preview.rehearsal.panels:
            print_panel(console, panel)
    for reason in preview.rehearsal.stops:
        console.print(f"\n[bold red]A run on these lines would stop:[/bold red] {shown(reason)}")


def _section(console: Console, title: str, what: str = "") -> None:
    console.print(f"\n[bold cyan]{shown(title)}[/bold cyan]  [dim]{shown(what)}[/dim]".rstrip())


def _line(console: Console, text: str, indent: int = 2) -> None:
    """One line, cut at the width; `text` may have markup."""
    console.print(Text(" " * indent) + Text.from_markup(text), overflow="ellipsis", no_wrap=True)


def _paragraph(console: Console, text: str, indent: int = 2) -> None:
    """As many lines as it takes; `text` may have markup."""
    console.print(Padding(Text.from_markup(text, overflow="fold"), (0, 0, 0, indent), expand=False))


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _print_head(console: Console, preview: Preview) -> None:
    found, sample = preview.rehearsal, preview.sample
    stream = found.stream
    console.print(f"[bold]{shown(stream.name)}[/bold] {shown(stream.version)}  [dim]{shown(stream.purpose)}[/dim]")
    until = f", landed until {moment(found.as_of)} UTC" if found.as_of else ""
    console.print(f"from {shown(sample.origin)}{until}", soft_wrap=True)
    for note in sample.notes:
        console.print(f"[yellow]note:[/yellow] {shown(note)}")
    if sample.key == "throw-away":
        names, be = ", ".join(field.name for field in stream.protected), "are" if len(stream.protected) > 1 else "is"
        console.print(
            f"[yellow]note:[/yellow] no key is set, so {shown(names)} {be} protected with a throw-away key: "
            "the hashes below are good for this preview only"
        )
    lines, good, refused = found.counts.lines, found.good.num_rows, found.counts.quarantined
    console.print(
        f"\n[bold]{_many(lines, 'line')}[/bold] = [green]{good:,} good[/green] + {_many(found.duplicates, 'duplicate')} + "
        f"[red]{refused:,} refused[/red]"
    )
    for budget in found.budgets:
        style = "bold red" if budget.action == "fail" else "yellow"
        console.print(f"  [{style}]the budget {budget.name} is broken[/{style}] ({budget.action}): {shown(budget.expect)}")


def _print_landed(console: Console, found: Rehearsal) -> None:
    how = "the first lines, as they will be stored" if found.stream.protected else "the first lines"
    _section(console, "Landed", how)
    for row in found.landed.slice(0, _LINES).select(["_raw", "_sealed"]).to_pylist():
        _paragraph(console, _SEALED if row["_sealed"] else _one_line(row["_raw"]))


def _one_line(raw: bytes) -> str:
    text = cell_text(raw)
    return shown(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…").replace("\n", "\\n")


def _print_good(console: Console, preview: Preview) -> None:
    found = preview.rehearsal
    rows = found.good.slice(0, _GOOD).to_pylist()
    stream, derived = found.stream, len(found.stream.derived)
    more = f", {derived} derived" if derived else ""
    what = f"{_many(found.good.num_rows, 'row')}, {len(stream.fields)} fields{more}; the first {len(rows)}"
    _section(console, "Good rows", what if rows else "none")
    if rows:
        table = grid(expand=True)
        table.add_column("field", no_wrap=True, overflow="ellipsis", max_width=26)
        table.add_column("type", no_wrap=True, style="dim")
        for number in range(1, len(rows) + 1):
            table.add_column(f"row {number}", no_wrap=True, overflow="ellipsis", ratio=1)
        for field in stream.fields:
            table.add_row(shown(field.name), field.type, *(_value(row[field.name]) for row in rows))
        for number, column in enumerate(stream.derived):
            if not number:
                table.add_section()
            table.add_row(f"[cyan]{shown(column.name)}[/cyan]", column.type, *(_value(row[column.name]) for row in rows))
        console.print(Padding(table, (0, 0, 0, 2), expand=False))
    for name, count in found.counts.warnings.items():
        expect = next(rule.expect for rule in stream.rules if rule.name == name)
        _line(console, f"[yellow]{count:,} warned[/yellow] by {shown(name)}: {shown(expect)}")
    if preview.unknown_fields:
        named = ", ".join(f"{shown(name)} ({count:,})" for name, count in list(preview.unknown_fields.items())[:8])
        left = f", and {len(preview.unknown_fields) - 8} more" if len(preview.unknown_fields) > 8 else ""
        console.print(f"  [yellow]not declared:[/yellow] {named}{left} [dim]({stream.unknown_fields})[/dim]")


def _value(value: Any) -> str:
    return "[dim]NULL[/dim]" if value is None else shown(cell_text(value)).replace("\n", "\\n")


def _print_refused(console: Console, preview: Preview) -> None:
    found = preview.rehearsal
    if not preview.refused:
        _section(console, "Refused", "nothing")
        return
    _section(console, "Refused", f"{found.counts.quarantined:,} lines for {len(preview.refused)} reasons")
    for group in preview.refused[:_REASONS]:
        _print_group(console, found, group)
    if len(preview.refused) > _REASONS:
        _line(console, f"[dim]and {len(preview.refused) - _REASONS} more reasons; --json has all[/dim]")


def _print_group(console: Console, found: Rehearsal, group: Refused) -> None:
    about = group.rule or group.field
    name = f"[red]{group.reason}[/red]{f' [bold]{shown(about)}[/bold]' if about else ''}"
    fails = any(r.name == group.rule and r.action == "fail" for r in found.stream.rules)
    _line(
        console,
        f"{group.count:>5,}  {name}  [dim]expected[/dim] {shown(group.expected)}{' [red](fail)[/red]' if fails else ''}",
        0,
    )
    example = group.examples[0]
    saw = ", ".join(f"{shown(field)} = {_saw(text)}" for field, text in example["saw"].items())
    where = f"[dim]{shown(example['_source'])} line {example['_source_line']}[/dim]"
    told = saw or f"[dim]{shown(str(example['_detail']))}[/dim]"
    _line(console, f"{where}  {told}", 7)
    _line(console, _SEALED if example["_sealed"] else _one_line(example["_raw"]), 7)


def _saw(text: str | None) -> str:
    return "[dim]NULL[/dim]" if text is None else shown(json.dumps(text, ensure_ascii=False))


def _print_gold(console: Console, declared: GoldTable, rows: pa.Table) -> None:
    """The first rows; what does not fit the width is named below."""
    by = f" and {', '.join(declared.dimensions)}" if declared.dimensions else ""
    count = _many(rows.num_rows, "row")
    _section(console, f"gold.{declared.name}", f"{count}, one per {declared.grain.removeprefix('1 ')}{by}")
    if not rows.num_rows:
        return
    names = ["window_start", *declared.dimensions, *(metric.name for metric in declared.metrics)]
    units = {metric.name: unit_of(declared, metric) for metric in declared.metrics}
    newest = rows.sort_by([("window_start", "descending"), *((name, "ascending") for name in declared.dimensions)])
    print_rows(console, names, units, newest.slice(0, _GOLD).to_pylist())
    if rows.num_rows > _GOLD:
        _line(console, f"[dim]the newest; --json has {_many(rows.num_rows - _GOLD, 'more row')}[/dim]")


def _print_alerts(console: Console, outcomes: Sequence[AlertOutcome]) -> None:
    if not outcomes:
        return
    opened = sum(len(outcome.episodes) for outcome in outcomes)
    _section(console, "Alerts", f"{_many(len(outcomes), 'alert')}, {_many(opened, 'episode')}")
    for outcome in outcomes:
        alert, firings, episodes = outcome.alert, len(outcome.firings), outcome.episodes
        state = "[bold red]opens[/bold red] " if episodes else "[yellow]fires[/yellow] " if firings else "silent"
        _line(console, f"{state}  [bold]{shown(alert.name)}[/bold]  [dim]{alert.severity}[/dim]")
        needs = f"[dim], {alert.for_} one after another[/dim]" if alert.for_ > 1 else ""
        _paragraph(console, f"[dim]when[/dim] {shown(alert.when)}{needs}", _DEEP)
        seen = outcome.evaluated
        what = _many(seen, "good row") if alert.on == "rows" else f"{_many(seen, 'window')} of {alert.on}"
        fires = f"fires on {firings:,} of {what}"
        if episodes:
            fires += f", opens {_many(len(episodes), 'episode')}"
        elif firings:
            fires += ", opens nothing: too few one after another"
        _line(console, fires, _DEEP)
        for key, run in episodes[:_EPISODES]:
            _paragraph(console, _episode(key, run), _DEEP)
        if len(episodes) > _EPISODES:
            _line(console, f"[dim]and {_many(len(episodes) - _EPISODES, 'more episode')}[/dim]", _DEEP)


def _episode(key: str, run: Any) -> str:
    named = ", ".join(f"{name}={value}" for name, value in json.loads(key).items())
    peaks = "".join(f", {name} {float(value):.6g}" for name, value in run.peaks.items() if value is not None)
    until = f" to {moment(run.end)}" if run.end != run.start else ""
    ends = "" if run.resolved_at is None else f", resolved {moment(run.resolved_at)}"
    return shown(f"· {named + ': ' if named else ''}{moment(run.start)}{until} UTC{peaks}{ends}")
