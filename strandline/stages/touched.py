"""Which event-time windows a commit of unified touched: kept with the files it wrote, so that who follows computes those
windows again and not whole days.

Times are counted in buckets of five minutes (the finest grain) since 1970 in UTC. A file carries the buckets by commit, its
own and the last few of the files that it replaced, in the tag `strandline.touched` of its entry in the log.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import orjson

from strandline.lake.snapshot import DataFile

TAG = "strandline.touched"
BUCKET = timedelta(minutes=5)
_KEPT = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Touched:
    """The buckets by the ordinal of the commit that touched them, complete for the commits after `since`."""

    since: int
    buckets: Mapping[int, frozenset[int]]

    def tags(self) -> dict[str, str]:
        """The tags of a file that carries this."""
        told = {"since": self.since, "buckets": {str(ordinal): sorted(found) for ordinal, found in self.buckets.items()}}
        return {TAG: orjson.dumps(told).decode()}

    @classmethod
    def of(cls, file: DataFile) -> Touched:
        """What a file carries; one without the tag says nothing of the commits up to its own."""
        if TAG not in file.tags:
            return cls(file.ordinal, {})
        told = orjson.loads(file.tags[TAG])
        return cls(told["since"], {int(ordinal): frozenset(found) for ordinal, found in told["buckets"].items()})

    @classmethod
    def over(cls, files: Iterable[DataFile], ordinal: int, own: Collection[int | None]) -> Touched:
        """What a file carries that replaces `files`, when its commit has touched the buckets `own` besides; with None among
        them it says nothing of the commits up to this one.
        """
        known = frozenset(number for number in own if number is not None)
        return cls._joined([cls.of(file) for file in files], {ordinal: known}) if len(known) == len(own) else cls(ordinal, {})

    @classmethod
    def by(cls, files: Iterable[DataFile]) -> Touched:
        """What a file carries that holds the very rows of `files`."""
        return cls._joined([cls.of(file) for file in files], {})

    @classmethod
    def _joined(cls, held: Iterable[Touched], own: Mapping[int, frozenset[int]]) -> Touched:
        buckets, since = dict(own), 0
        for each in held:
            since = max(since, each.since)
            for ordinal, found in each.buckets.items():
                buckets[ordinal] = buckets.get(ordinal, frozenset()) | found
        for ordinal in sorted(buckets)[:-_KEPT]:
            since = max(since, ordinal)
            del buckets[ordinal]
        return cls(since, buckets)


def bucket(moment: datetime) -> int:
    """The bucket that holds a moment."""
    return (moment - _EPOCH) // BUCKET


def moment_of(number: int) -> datetime:
    """The start of a bucket, UTC."""
    return _EPOCH + number * BUCKET


def touched_since(files: Iterable[DataFile], ordinal: int) -> dict[date, set[int] | None]:
    """By day, the buckets that commits after `ordinal` touched; None for a day of which nothing finer is known."""
    found: dict[date, set[int] | None] = {}
    for file in files:
        if file.ordinal <= ordinal or file.partition is None:
            continue
        told, known = Touched.of(file), found.setdefault(file.partition, set())
        if told.since > ordinal:
            found[file.partition] = None
        elif known is not None:
            known.update(*(numbers for at, numbers in told.buckets.items() if at > ordinal))
    return found
