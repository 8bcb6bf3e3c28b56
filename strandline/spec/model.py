"""What a stream is, as frozen values: the result of loading `config/streams/<name>.yaml`.

Nothing here reads files or knows YAML. Every text that is an expression has been parsed, held to the allow-list and
type-checked before it reaches a value of this module (see `spec.expressions`); it is kept as the text the author wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

FieldType = Literal["string", "integer", "number", "decimal", "boolean", "timestamp", "date", "json"]
Protect = Literal["hash", "drop", "keep"]
Action = Literal["warn", "quarantine", "fail"]
Grain = Literal["5 minutes", "15 minutes", "hour", "day", "week", "month"]
MetricKind = Literal["count", "sum", "min", "max", "avg", "ratio", "quantile", "count_distinct", "first", "last", "expression"]


@dataclass(frozen=True, slots=True)
class Team:
    """Who answers for a stream: team name and an address to reach."""

    name: str
    owner: str


@dataclass(frozen=True, slots=True)
class Field:
    """One declared field of an event.

    `source_name` is the key in the JSON object or CSV header (equal to `name` unless `from:` was given). `minimum` and
    `maximum` are inclusive. `scale` is the number of decimal places of a `decimal` (18 digits in all). `null_values` are
    texts that mean NULL (for example `-` in access logs). `generate` is the validated description of the generator's
    distribution, if any.
    """

    name: str
    type: FieldType
    source_name: str
    description: str = ""
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] | None = None
    pattern: str | None = None
    max_length: int | None = None
    scale: int | None = None
    unit: str = ""
    null_values: tuple[str, ...] = ()
    classification: Literal["public", "internal", "pii", "secret"] = "internal"
    protect: Protect = "keep"
    generate: Any = None


@dataclass(frozen=True, slots=True)
class GeneratorSource:
    """Simulated events: the same stream and interval always give the same bytes.

    `options` is the validated mapping of the YAML (`rows`, `faults`, `sessions`, `incidents`, …) without `type`.
    """

    options: Mapping[str, Any]
    type: Literal["generator"] = "generator"


@dataclass(frozen=True, slots=True)
class FilesSource:
    """Objects of a local folder or an S3 prefix; each is landed exactly once, in name order.

    `location` is a folder path or `s3://bucket/prefix`; `${...}` is never expanded. `max_files` bounds one landing interval.
    """

    location: str
    format: Literal["ndjson", "csv"] = "ndjson"
    pattern: str = "*"
    max_files: int = 100
    delimiter: str = ","
    connection: str | None = None
    type: Literal["files"] = "files"


@dataclass(frozen=True, slots=True)
class HttpSource:
    """A paged JSON API. `records` is the dotted path to the list of records in a response (empty: the response is the list)."""

    url: str
    records: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    paging: Literal["none", "cursor", "page"] = "none"
    cursor_param: str = "cursor"
    cursor_path: str = "next_cursor"
    page_param: str = "page"
    first_page: int = 1
    max_pages: int = 1000
    timeout: timedelta = timedelta(seconds=30)
    connection: str | None = None
    type: Literal["http"] = "http"


Source = GeneratorSource | FilesSource | HttpSource


@dataclass(frozen=True, slots=True)
class Rule:
    """What a good row satisfies: `expect` is a boolean expression over the declared fields; NULL counts as satisfied."""

    name: str
    expect: str
    action: Action = "quarantine"
    description: str = ""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a whole run satisfies.

    `expect` is a boolean expression over `lines`, `good`, `rejected`, `duplicates`, `rejected_ratio`, `duplicate_ratio`.
    """

    name: str
    expect: str
    action: Action = "fail"
    description: str = ""


@dataclass(frozen=True, slots=True)
class Derived:
    """A silver column computed from declared fields and earlier derived ones; `type` was inferred when the stream was loaded.

    `scale` is the number of decimal places when the type is `decimal`, else None.
    """

    name: str
    expression: str
    type: FieldType
    description: str = ""
    scale: int | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """One column of a gold table, from the closed vocabulary.

    count: rows, or rows where the boolean `expression` holds.  sum, min, max, avg, quantile (`q`), count_distinct, first,
    last: over `expression`, optionally only rows where `where` holds.  ratio: `parts` names two metrics of the same table.
    expression: `expression` over other metrics of the same table.  A ratio or expression uses sums of rows (count, sum, min,
    …), and ratios and expressions declared above it.  `scale` is the number of decimal places when the type is `decimal`,
    else None.
    """

    name: str
    kind: MetricKind
    type: FieldType
    expression: str | None = None
    where: str | None = None
    q: float | None = None
    parts: tuple[str, str] | None = None
    description: str = ""
    unit: str = ""
    scale: int | None = None


@dataclass(frozen=True, slots=True)
class GoldTable:
    """One row per window of `grain` and combination of `dimensions` (fields or derived columns); `where` filters rows."""

    name: str
    grain: Grain
    dimensions: tuple[str, ...]
    metrics: tuple[Metric, ...]
    where: str | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel of the dashboard.

    kind `line | area | bar | stat`: `metric` of `table` over time (`bar`: summed up by `by`), split `by` a dimension.
    kind `table`: the newest windows of `table`, `sort`ed (`-p95_ms`: descending), `limit` rows.
    """

    title: str
    kind: Literal["line", "area", "bar", "stat", "table"]
    table: str
    metric: str | None = None
    by: str | None = None
    sort: str | None = None
    limit: int = 20
    description: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """A condition on the windows of a gold table, or on single good rows (`on: rows`).

    `when` is a boolean expression over the table's dimensions and metrics (rows: over silver columns). `for_` is how many
    evaluations in a row must hold before an episode opens. `key` are the columns that tell episodes apart (default: the
    dimensions; for rows it must be given, or the whole stream is one key).
    """

    name: str
    on: str
    when: str
    for_: int = 1
    severity: Literal["low", "medium", "high", "critical"] = "medium"
    key: tuple[str, ...] = ()
    notify: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long `realtime` (only what bronze has) and `quarantine` rows are kept; None keeps them."""

    realtime: timedelta | None = None
    quarantine: timedelta | None = None


@dataclass(frozen=True, slots=True)
class StreamTest:
    """Lines given and what must come of them, as written in the YAML (`tests:`).

    `at` (UTC) is when the lines have landed; None leaves it to the event times. `line` is where the case stands in the file.
    """

    name: str
    given: tuple[Any, ...]
    expect: Mapping[str, Any]
    at: datetime | None = None
    line: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Engine:
    """What computes a stream's tables: `duckdb` in the task's process, or `spark` on the cluster that `connection` names."""

    type: Literal["duckdb", "spark"] = "duckdb"
    connection: str = "spark_default"


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream: everything that follows from its YAML file.

    `interval` is the length of a landing interval; it divides a day, and intervals are aligned to midnight UTC. `schedule` is
    the same as a cron text. `allowed_lateness` None accepts every late event; both it and `future_skew` are judged against
    the end of the landing interval.
    """

    name: str
    version: str
    purpose: str
    team: Team
    source: Source
    primary_key: tuple[str, ...]
    event_time: str
    fields: tuple[Field, ...]
    path: Path
    usage: str = ""
    tags: tuple[str, ...] = ()
    interval: timedelta = timedelta(minutes=5)
    engine: Engine = Engine()
    sequence_by: tuple[str, ...] = ()
    deduplicate_within: Literal["event_date", "stream"] = "event_date"
    allowed_lateness: timedelta | None = None
    future_skew: timedelta | None = None
    unknown_fields: Literal["keep", "quarantine", "fail"] = "keep"
    rules: tuple[Rule, ...] = ()
    budgets: tuple[Budget, ...] = ()
    derived: tuple[Derived, ...] = ()
    gold: tuple[GoldTable, ...] = ()
    dashboard: tuple[Panel, ...] = ()
    alerts: tuple[Alert, ...] = ()
    retention: Retention = Retention()
    tests: tuple[StreamTest, ...] = ()

    @property
    def schedule(self) -> str:
        """The cron text of the ingest DAG: `*/5 * * * *` for five minutes."""
        minutes = int(self.interval.total_seconds() // 60)
        if minutes >= 1440:
            return "0 0 * * *"
        if minutes >= 60:
            return f"0 */{minutes // 60} * * *" if minutes > 60 else "0 * * * *"
        return f"*/{minutes} * * * *" if minutes > 1 else "* * * * *"

    @property
    def protected(self) -> tuple[Field, ...]:
        """The fields whose value must not reach a durable write in clear."""
        return tuple(f for f in self.fields if f.protect != "keep")

    def field_named(self, name: str) -> Field:
        """The declared field `name`; raises KeyError when there is none."""
        for declared in self.fields:
            if declared.name == name:
                return declared
        raise KeyError(name)

    def gold_named(self, name: str) -> GoldTable:
        """The gold table `name`; raises KeyError when there is none."""
        for table in self.gold:
            if table.name == name:
                return table
        raise KeyError(name)
