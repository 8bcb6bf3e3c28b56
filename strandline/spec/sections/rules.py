"""`quality`: what a good row satisfies, and what the counts of a run satisfy."""

from __future__ import annotations

from collections.abc import Iterator

from strandline.spec.domains import Domain
from strandline.spec.draft import Columns, Draft
from strandline.spec.model import Budget, Rule
from strandline.spec.wording import did_you_mean

COUNTS = Columns(
    types={
        "lines": "integer",
        "good": "integer",
        "rejected": "integer",
        "duplicates": "integer",
        "rejected_ratio": "number",
        "duplicate_ratio": "number",
    },
    domains={
        "lines": Domain(0),
        "good": Domain(0),
        "rejected": Domain(0),
        "duplicates": Domain(0),
        "rejected_ratio": Domain(0, 1),
        "duplicate_ratio": Domain(0, 1),
    },
)


def read_rules(draft: Draft) -> tuple[tuple[Rule, ...], tuple[Budget, ...]]:
    """The rules for rows and the budgets for runs, in order. Rules see declared fields only: they judge before deriving."""
    draft.unique(
        [((*path, "name"), item.get("name")) for path, item in draft.items("quality") if isinstance(item, dict)], "rule"
    )
    derived = {name for name, _, _ in draft.named("silver", "derive")}
    rules: list[Rule] = []
    budgets: list[Budget] = []
    for path, item in draft.clean_items("quality"):
        text, description = item["expect"], item.get("description", "")
        if item.get("per") == "run":
            if item.get("action") == "quarantine":
                draft.report("SL317", (*path, "action"), "a run cannot be quarantined (saw quarantine, allowed warn, fail)")
            draft.condition((*path, "expect"), text, COUNTS, now=False, of="budget")
            budgets.append(Budget(item["name"], text, item.get("action", "fail"), description))
            continue
        before = draft.errors
        draft.condition((*path, "expect"), text, draft.columns, of="rule")
        rules.append(Rule(item["name"], text, item.get("action", "quarantine"), description))
        if draft.errors > before:
            _explain(draft, derived)
    taken = {item["name"] for _, item in draft.clean_items("quality")}
    return tuple(rules), (*budgets, *_named_budgets(draft, taken))


def _named_budgets(draft: Draft, taken: set[str]) -> Iterator[Budget]:
    """The entries of `budgets`."""
    for name, path, value in draft.named("budgets"):
        if not draft.is_clean(path):
            continue
        if name in taken:
            draft.report("SL303", path, f"a rule is called {name} already", "give the budget its own name", key=True)
        item = value if isinstance(value, dict) else {"expect": value}
        where = (*path, "expect") if isinstance(value, dict) else path
        draft.condition(where, item["expect"], COUNTS, now=False, of="budget")
        yield Budget(name, item["expect"], item.get("action", "fail"), item.get("description", ""))


def _explain(draft: Draft, derived: set[str]) -> None:
    """Says what is meant when a rule names a derived column or a count of the run."""
    problem = draft.problems[-1]
    if problem.code != "SL402":
        return
    name = problem.message.split("'")[1]
    hint = ""
    if name in derived:
        hint = f"{name} is derived after the rules: write its expression here"
    elif name in COUNTS.types:
        hint = f"{name} is a count of a run: add per: run"
    elif did_you_mean(name, COUNTS.types) and not problem.hint:
        hint = f"{did_you_mean(name, COUNTS.types)} (with per: run)"
    if hint:
        fields = {key: getattr(problem, key) for key in ("path", "line", "column", "code", "field", "message")}
        draft.problems[-1] = type(problem)(**fields, hint=hint)
