"""Mistakes in the audit that stands on an earlier one: what would make it agree with what is wrong, or cost what is old."""

from __future__ import annotations

from tests.mutants.mutation import AUDIT, Mutation

_BASE, _RECOMPUTE = "strandline/audit/base.py", "strandline/audit/recompute.py"

PROVING = [
    Mutation(
        "an audit stands on one that disagreed", _BASE, 'if row["agrees"]:', "if True:", "wrong rows would be proven", AUDIT
    ),
    Mutation(
        "an audit stands on one under another contract",
        _BASE,
        'if row["contract"] == digest_number(stream) else None',
        "if row else None",
        "the rows of then were judged otherwise",
        AUDIT,
    ),
    Mutation(
        "lines that came and went go unseen",
        _BASE,
        "len(gone) != realtime.position(EXPIRED) - landed.position(EXPIRED)",
        "False",
        "their events would be missing from the recompute",
        AUDIT,
    ),
    Mutation(
        "the whole recompute is never due",
        _BASE,
        '"whole_at": base.whole_at if base else moment',
        '"whole_at": moment',
        "a chain of audits would stand on nothing",
        AUDIT,
    ),
    Mutation(
        "days whose files are others are not compared",
        _RECOMPUTE,
        "        days |= _rewritten(then.events, now.events)\n",
        "",
        "an old day changed by hand goes unseen",
        AUDIT,
    ),
    Mutation(
        "aggregates whose files are others are not compared",
        _RECOMPUTE,
        " | _rewritten(then.aggregates[table.name], now.aggregates[table.name])",
        "",
        "a number changed by hand goes unseen",
        AUDIT,
    ),
    Mutation(
        "lines that batch has not taken are proven against silver",
        _RECOMPUTE,
        "now.has_taken(file) and not then.has_taken(file)",
        "not then.has_taken(file)",
        "silver has not seen what is above the line",
        AUDIT,
    ),
    Mutation(
        "lines of then are parsed again",
        _RECOMPUTE,
        "now.has_taken(file) and not then.has_taken(file)",
        "now.has_taken(file)",
        "an audit costs what is new, not what is old",
        AUDIT,
    ),
    Mutation(
        "lines that serving alone has taken are held against silver too",
        _RECOMPUTE,
        "for file in self._files if not taken(file)}",
        "for file in self._files if False}",
        "the lines are judged once for both sides, and each has its own",
        AUDIT,
    ),
    Mutation(
        "what was recomputed for batch is held against serving",
        _RECOMPUTE,
        "same, self._left_out = starts == self._left_out, starts",
        "same, self._left_out = self._left_out is not None, starts",
        "serving has taken more lines than batch",
        AUDIT,
    ),
]
