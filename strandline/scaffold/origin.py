"""The `source` of a guessed stream: the files beside the sample, or a generator that makes events like those in it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from strandline.scaffold.guess import Guess
from strandline.scaffold.sample import Sample, plain_name, read_sample, sample_files
from strandline.scaffold.tables import Told

INTERVAL = timedelta(minutes=5)


def files_source(sample: Sample) -> Told:
    """The files of the sample's folder that are named like it and begin with the same keys; else the sample alone."""
    file = sample_files(sample.path)[0]
    folder = file.resolve().parent
    ending = file.name[len(Path(plain_name(file)).stem) :]
    alike = [other for other in sorted(folder.iterdir()) if other.name.lower().endswith(ending.lower()) and other.is_file()]
    pattern, why = f"*{ending}", f"every {ending} file that appears there"
    if sample.path.is_file() and not all(_is_alike(sample, other) for other in alike[:5]):
        pattern, why = file.name, f"only this file: other {ending} files beside it hold something else"
    source: dict[str, Any] = {"type": "files", "location": str(folder)}
    if sample.format == "csv":
        source["format"] = "csv"
        if sample.delimiter != ",":
            source["delimiter"] = sample.delimiter
    return Told({**source, "pattern": pattern}, f"{why}; each is taken once")


def _is_alike(sample: Sample, other: Path) -> bool:
    """Whether the file's first rows have mostly the keys of the sample."""
    from strandline.errors import StrandlineError

    if other.resolve() == sample.path.resolve():
        return True
    try:
        keys = set(read_sample(other, 20).columns)
    except StrandlineError:
        return False
    return len(keys & set(sample.columns)) >= 0.6 * len(keys | set(sample.columns))


def generator_source(sample: Sample, event_time: Guess) -> Told:
    """As many events as the sample has in five minutes, with its shape of the day and its share of copies and bad lines."""
    moments = sorted(value for value in event_time.values if isinstance(value, datetime))
    mean, why = 100.0, "the sample does not say how many events come"
    span = moments[-1] - moments[0] if moments else timedelta(0)
    if span >= INTERVAL:
        exact = len(moments) / (span / INTERVAL)
        mean = float(f"{min(max(exact, 5.0), 20_000.0):.3g}")
        why = f"{len(moments):,} events in {_length(span)} are {exact:.3g} in five minutes"
        why += "; a few more are simulated, so that there is something to see" if exact < mean else ""
    rows: dict[str, Any] = {"mean": int(mean) if mean.is_integer() else mean}
    if span >= timedelta(days=2):
        hours = Counter(moment.hour for moment in moments)
        rows["daily_profile"] = [max(1, round(100 * hours[hour] / max(hours.values()))) for hour in range(24)]
    source: dict[str, Any] = {"type": "generator", "rows": rows}
    faults = {"duplicate": _share(sample.repeats, sample.lines), "malformed": _share(sum(sample.bad.values()), sample.lines)}
    if found := {name: rate for name, rate in faults.items() if rate}:
        source["faults"] = found
    return Told(source, why)


def _share(part: int, whole: int) -> float:
    return round(part / max(1, whole), 4)


def _length(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours / 24:.0f} days" if hours >= 72 else f"{hours:.1f} hours" if hours >= 2 else f"{hours * 60:.0f} minutes"


def quoted(text: str) -> str:
    """The text as a command line may show it."""
    return text if text.replace("/", "").replace("_", "").replace("-", "").replace(".", "").isalnum() else json.dumps(text)
