"""`gold`: the tables, their dimensions and metrics, and the type of each metric."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from strandline.spec.domains import Domain, Domains, widened
from strandline.spec.draft import NUMERIC, RESERVED, Columns, Draft, Table
from strandline.spec.expressions import TypedExpression, mentioned_in
from strandline.spec.expressions.nodes import Node
from strandline.spec.model import GoldTable, Metric, MetricKind
from strandline.spec.positions import Path
from strandline.spec.ranges import domain_of
from strandline.spec.wording import did_you_mean, listed

KINDS: tuple[MetricKind, ...] = (
    "count", "sum", "min", "max", "avg", "count_distinct", "quantile", "first", "last", "ratio", "expression",
)  # fmt: skip
_OVER_METRICS = ("ratio", "expression")
_TAKES: Mapping[str, tuple[str, ...]] = {
    "sum": NUMERIC,
    "avg": NUMERIC,
    "quantile": NUMERIC,
    "min": (*NUMERIC, "string", "timestamp", "date"),
    "max": (*NUMERIC, "string", "timestamp", "date"),
    "count_distinct": (*NUMERIC, "string", "timestamp", "date", "boolean"),
    "first": (*NUMERIC, "string", "timestamp", "date", "boolean"),
    "last": (*NUMERIC, "string", "timestamp", "date", "boolean"),
}
_TAKEN = ("rows", "silver", "quarantine")


def read_gold(draft: Draft) -> tuple[GoldTable, ...]:
    """The well-formed tables in order; all names, broken ones too (as None), become tables of the draft."""
    tables: list[GoldTable] = []
    columns = draft.columns
    for name, path, value in draft.named("gold"):
        draft.tables[name] = None
        if name in _TAKEN:
            draft.report(
                "SL312", path, f"is a name Strandline uses itself (saw {name})", "give the table another name", key=True
            )
        if not isinstance(value, dict):
            continue
        before = draft.errors
        where = value.get("where")
        if isinstance(where, str) and draft.is_clean((*path, "where")):
            draft.condition((*path, "where"), where, columns)
        dimensions = _dimensions(draft, path)
        metrics = _Metrics(draft, path, columns, dimensions)
        found = metrics.read()
        draft.tables[name] = _known(draft, name, dimensions, metrics.known)
        if draft.errors == before and draft.is_clean(path):
            tables.append(GoldTable(name, value["grain"], dimensions, found, where, value.get("description", "")))
    return tuple(tables)


def _known(draft: Draft, name: str, dimensions: tuple[str, ...], metrics: Columns) -> Table:
    columns = Columns()
    columns.add("window_start", "timestamp")
    for dimension in dimensions:
        known = draft.columns
        columns.add(
            dimension,
            known.types.get(dimension, "unknown"),
            known.scales.get(dimension),
            domain=known.domains.get(dimension),
            drawn=known.drawn.get(dimension),
        )
    for metric, kind in metrics.types.items():
        domain, drawn = metrics.domains.get(metric), metrics.drawn.get(metric)
        columns.add(metric, kind, metrics.scales.get(metric), domain=domain, drawn=drawn)
    return Table(name, dimensions, metrics, columns)


def _dimensions(draft: Draft, path: Path) -> tuple[str, ...]:
    found: list[str] = []
    for where, name in draft.items(*path, "dimensions"):
        if not isinstance(name, str) or not draft.is_clean(where):
            continue
        if name in RESERVED:
            draft.report(
                "SL306", where, f"is not a dimension: the grain says which window a row is for (saw {name})", "grain: day"
            )
        elif not draft.known("SL306", where, name, list(draft.columns.types), "a field or derived column"):
            found.append(name)
        else:
            if draft.columns.types[name] == "json":
                draft.report("SL306", where, f"a json field cannot be a dimension (saw {name})")
            elif name in draft.columns.dropped:
                draft.report(
                    "SL409", where, f"is dropped before the first write: it is always NULL (saw {name})", "protect: hash"
                )
            found.append(name)
    return tuple(found)


class _Metrics:
    """The metrics of one table, read in order; each metric read becomes a name later ones can use."""

    def __init__(self, draft: Draft, path: Path, columns: Columns, dimensions: tuple[str, ...]) -> None:
        self.draft = draft
        self.path = (*path, "metrics")
        self.columns = columns
        self.dimensions = dimensions
        self.entries = draft.named(*self.path)
        self.known = Columns()
        self.later: set[str] = set()
        self.nodes: dict[str, Node] = {}
        self.simulated = columns.simulated

    def read(self) -> tuple[Metric, ...]:
        found: dict[str, Metric] = {}
        kinds = [_kind_of(value) in _OVER_METRICS for _, _, value in self.entries]
        over_rows = [entry for entry, is_over in zip(self.entries, kinds, strict=True) if not is_over]
        over_metrics = [entry for entry, is_over in zip(self.entries, kinds, strict=True) if is_over]
        self.later = {name for name, _, _ in over_metrics}
        for name, path, value in over_rows + over_metrics:
            self._check_name(name, path)
            self.later.discard(name)
            metric = self._metric(name, path, value) if self.draft.is_clean(path) else None
            if metric:
                found[name] = metric
                self._add(metric, path)
            else:
                self.known.add(name, "unknown")
        return tuple(found[name] for name, _, _ in self.entries if name in found)

    def _add(self, metric: Metric, path: Path) -> None:
        """Makes the metric known to later ones, with what it can come to; notes one that is always 0."""
        known, simulated = self.known, self.simulated
        domain = metric_domain(metric, self.nodes, self.columns.domains, known.domains)
        drawn = None if simulated is None else metric_domain(metric, self.nodes, simulated, {**known.domains, **known.drawn})
        known.add(metric.name, metric.type, metric.scale, domain=domain, drawn=drawn)
        if domain.low == domain.high == 0 and not domain.is_empty:
            self.draft.report("SL413", path, "is always 0", "remove it, or correct what it is made of", level="note")

    def _check_name(self, name: str, path: Path) -> None:
        if name in RESERVED:
            self.draft.report(
                "SL312", path, f"is a name Strandline uses itself (saw {name})", "give the metric another name", key=True
            )
        elif name in self.dimensions:
            self.draft.report("SL303", path, f"a dimension is called {name} already", "give the metric its own name", key=True)

    def _metric(self, name: str, path: Path, value: Any) -> Metric | None:
        if value == "count":
            return Metric(name, "count", "integer")
        kind = _kind_of(value)
        assert kind is not None
        where = value.get("where")
        if where is not None:
            if kind in _OVER_METRICS:
                message = f"has no meaning beside {kind}: metrics are already summed up"
                self.draft.report("SL317", (*path, "where"), message, "give the metrics it uses a `where` each", key=True)
                return None
            if self.draft.condition((*path, "where"), where, self.columns) is None:
                return None
        words = {"where": where, "description": value.get("description", ""), "unit": value.get("unit", "")}
        if kind == "ratio":
            return self._ratio(name, path, value, words)
        at, text = (*path, kind), value[kind]
        checked = self._checked(kind, at, text)
        if checked is None or checked.type in ("unknown", "interval", "null"):
            return None
        self.nodes[name] = checked.node
        result = _result(kind, checked)
        scale = checked.scale if result == "decimal" else None
        return Metric(name, kind, result, text, q=value.get("q"), scale=scale, **words)

    def _checked(self, kind: MetricKind, at: Path, text: str) -> TypedExpression | None:
        if kind == "count":
            return self.draft.condition(at, text, self.columns)
        if kind != "expression":
            return self.draft.expression(at, text, self.columns, _TAKES[kind])
        mentioned = sorted(mentioned_in(text, self.later))
        if mentioned:
            self.draft.report(
                "SL309", at, f"uses {mentioned[0]}, which is declared further down", f"move {mentioned[0]} above it"
            )
            return None
        return self.draft.expression(at, text, self.known, now=False)

    def _ratio(self, name: str, path: Path, value: dict[str, Any], words: dict[str, Any]) -> Metric | None:
        good = True
        for index, part in enumerate(value["ratio"]):
            at = (*path, "ratio", index)
            if part in self.later or part == name:
                hint = f"move {part} above it" if part != name else "a ratio is made of two other metrics"
                self.draft.report("SL309", at, f"is not a metric declared before this one (saw {part})", hint)
                good = False
            elif part not in self.known.types:
                hint = did_you_mean(part, self.known.types)
                if not hint and part in self.columns.types:
                    hint = f"{part} is a column: first sum it up, for example {{sum: {part}}}"
                self.draft.report(
                    "SL309", at, f"is not a metric of this table (saw '{part}', allowed {listed(self.known.types)})", hint
                )
                good = False
            elif self.known.types[part] not in (*NUMERIC, "unknown"):
                self.draft.report("SL309", at, f"is not a number (saw {part}, {self.known.types[part]})")
                good = False
        first, second = value["ratio"]
        return Metric(name, "ratio", "number", parts=(first, second), **words) if good else None


def metric_domain(metric: Metric, nodes: Mapping[str, Node], rows: Domains, metrics: Domains) -> Domain:
    """What a metric can come to: `rows` are the domains of columns, `metrics` those of the metrics before it."""
    if metric.kind in ("count", "count_distinct"):
        return Domain(0, nullable=False)
    if metric.kind == "ratio":
        first, second = (metrics.get(part, Domain()) for part in metric.parts or ())
        if first.low == first.high == 0:
            return Domain(0, 0)
        return Domain(0) if first.low >= 0 and second.low >= 0 else Domain()
    domain = domain_of(nodes[metric.name], metrics if metric.kind == "expression" else rows)
    if metric.kind == "sum":
        return Domain(0 if domain.low >= 0 else -math.inf, 0 if domain.high <= 0 else math.inf)
    if metric.kind in ("avg", "quantile"):
        return Domain(*widened(domain.range, 1e-9)) if not domain.is_empty and domain.low != domain.high else domain
    return domain._replace(nullable=True)


def _kind_of(value: Any) -> MetricKind | None:
    if value == "count":
        return "count"
    if not isinstance(value, dict):
        return None
    return next(filter(value.__contains__, KINDS), None)


def _result(kind: MetricKind, checked: TypedExpression) -> Any:
    if kind in ("count", "count_distinct"):
        return "integer"
    return "number" if kind in ("avg", "quantile") else checked.type
