"""Rows of an aggregate as a table that fits the width."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from strandline.cli.console import shown
from strandline.publish.numbers import MISSING, cell, places
from strandline.publish.panels import Unit

_NARROW, _WIDEST, _GAP, _INDENT = 9, 30, 2, 2


def grid(*, expand: bool = False) -> Table:
    """An empty table in the style of a preview."""
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, expand=expand, padding=(0, 1, 0, 0))


def print_rows(console: Console, names: Sequence[str], units: Mapping[str, Unit], rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows of a gold table: metrics to the right under their names and units; columns that do not fit are named below."""
    table = grid()
    room = console.width - _INDENT
    left_out: list[str] = []
    columns: list[list[str]] = []
    for name in names:
        texts = _texts([row[name] for row in rows], units.get(name))
        head = _head(name, units.get(name), max(map(len, texts)))
        width = min(max(len(part) for part in (*head.split("\n"), *texts)), _WIDEST)
        if room < width or left_out:
            left_out.append(name)
            continue
        room -= width + _GAP
        is_metric = name in units
        table.add_column(
            shown(head), justify="right" if is_metric else "left", no_wrap=True, overflow="ellipsis", max_width=_WIDEST
        )
        columns.append(texts)
    for cells in zip(*columns, strict=True):
        table.add_row(*(shown(text) for text in cells))
    console.print(Padding(table, (0, 0, 0, _INDENT), expand=False))
    if left_out:
        console.print(f"  [dim]no room for {shown(', '.join(left_out))}; --json has them[/dim]")


def _texts(values: Iterable[Any], unit: Unit | None) -> list[str]:
    """The cells of a column: decimals with all their places, other numbers with as many as the column needs."""
    known = list(values)
    if unit is None:
        return [cell(value, None) for value in known]
    if any(isinstance(value, Decimal) for value in known):
        return [MISSING if value is None else f"{value:,f}" for value in known]
    return [cell(value, unit, places(v for v in known if v is not None)) for value in known]


def _head(name: str, unit: Unit | None, width: int) -> str:
    """The name, broken at underscores towards `width`, and the unit below it."""
    lines: list[str] = []
    for part in name.split("_"):
        if lines and len(lines[-1]) + 1 + len(part) <= max(width, _NARROW):
            lines[-1] += f"_{part}"
        else:
            lines.append(f"_{part}" if lines else part)
    return "\n".join([*lines, *([unit.text] if unit is not None and unit.text else [])])
