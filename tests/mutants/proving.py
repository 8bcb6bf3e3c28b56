"""Mistakes in the audit that stands on an earlier one: what would make it agree with what is wrong, or cost what is old."""

from __future__ import annotations

from tests.mutants.mutation import Mutation

_BASE, _RECOMPUTE = "strandline/audit/base.py", "strandline/audit/recompute.py"
_TESTS = ("tests/test_audit_new.py",)

PROVING = [
    Mutation(
        "an audit stands on one that disagreed", _BASE, 'if row["agrees"]:', "if True:", "wrong rows would be proven", _TESTS
    ),
    Mutation(
        "an audit stands on one under another contract",
        _BASE,
        'if row["contract"] == digest_number(stream) else None',
        "if row else None",
        "the rows of then were judged otherwise",
        _TESTS,
    ),
    Mutation(
        "lines that came and went go unseen",
        _BASE,
        "len(gone) != realtime.position(EXPIRED) - landed.position(EXPIRED)",
        "False",
        "their events would be missing from the recompute",
        _TESTS,
    ),
    Mutation(
        "the whole recompute is never due",
        _BASE,
        '"whole_at": base.whole_at if base else moment',
        '"whole_at": moment',
        "a chain of audits would stand on nothing",
        _TESTS,
    ),
    Mutation(
        "days whose files are others are not compared",
        _RECOMPUTE,
        "    days |= _rewritten(then.events, now.events)\n",
        "",
        "an old day changed by hand goes unseen",
        _TESTS,
    ),
    Mutation(
        "aggregates whose files are others are not compared",
        _RECOMPUTE,
        " | _rewritten(then.aggregates[table.name], now.aggregates[table.name])",
        "",
        "a number changed by hand goes unseen",
        _TESTS,
    ),
    Mutation(
        "lines that batch has not taken are proven against silver",
        _RECOMPUTE,
        "if now.has_taken(file) and not then.has_taken(file)",
        "if not then.has_taken(file)",
        "silver has not seen what is above the line",
        _TESTS,
    ),
    Mutation(
        "lines of then are parsed again",
        _RECOMPUTE,
        "if now.has_taken(file) and not then.has_taken(file)",
        "if now.has_taken(file)",
        "an audit costs what is new, not what is old",
        _TESTS,
    ),
]
