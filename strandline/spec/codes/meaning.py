"""SL4: what expressions say."""

from __future__ import annotations

from strandline.spec.codes.code import Code

_QUALITY = "quality: [{{name: a, expect: {}}}]"
_SIMULATED = (
    "source: {type: generator, rows: {mean: 10}}\nschema:\n  primary_key: [id]\n  event_time: at\n  fields:\n"
    "    - {name: id, type: string, generate: uuid}\n    - {name: at, type: timestamp, generate: event_time}\n"
)

CODES = (
    Code(
        "SL401",
        "Not an expression",
        "The text breaks the grammar of expressions.",
        _QUALITY.format("amount >"),
        "See [what there is](expressions.md#what-there-is).",
    ),
    Code(
        "SL402",
        "Unknown column or function",
        "A name is neither a column that this expression sees nor a function. Rules see declared fields only; alerts on a table see its dimensions and metrics.",
        _QUALITY.format("amuont > 0"),
        "Correct the name. Texts stand in single quotes.",
    ),
    Code(
        "SL403",
        "A type that does not fit",
        "Two parts cannot be compared, added or passed to the function; or a value cannot be what is written.",
        _QUALITY.format("status > 5"),
        "Compare like with like, or `cast` one of them.",
    ),
    Code(
        "SL404",
        "Left out on purpose",
        "SQL has it and this language does not: aggregates, subqueries, the wall clock, anything that reads files or settings.",
        _QUALITY.format("at < current_timestamp"),
        "Write what the hint says; see [what is left out](expressions.md#what-is-left-out-and-why).",
    ),
    Code(
        "SL405",
        "Too long, too deep or growing",
        "An expression has at most 2,000 characters and 50 levels, and can make a text at most 64 times as long.",
        "silver: {derive: {a: \"replace(status, 'a', '" + "b" * 80 + "')\"}}",
        "Split it over derived columns.",
    ),
    Code(
        "SL406",
        "Wrong result",
        "The expression gives a value of another type than its place needs: conditions are true or false, sums are of numbers.",
        _QUALITY.format("amount + 1"),
        "Compare it with something, or compute what is needed.",
    ),
    Code(
        "SL407",
        "Names no column",
        "The condition is the same for every row.",
        _QUALITY.format("1 = 1"),
        "Name a column, or remove it.",
    ),
    Code(
        "SL408",
        "An unusable pattern",
        "Regular expressions are those that RE2, Java and Python read alike: no look-around, no back-references.",
        "schema:\n  primary_key: [id]\n  event_time: at\n  fields:\n    - {name: id, type: string, pattern: '(?=a)b'}\n    - {name: at, type: timestamp}",
        "Write it without, or as a rule with several conditions.",
    ),
    Code(
        "SL409",
        "Uses a dropped field",
        "A field with `protect: drop` is NULL before the first write.",
        "schema:\n  primary_key: [id]\n  event_time: at\n  fields:\n    - {name: id, type: string}\n    - {name: at, type: timestamp}\n    - {name: email, type: string, classification: pii, protect: drop}\nquality: [{name: a, expect: email like '%@%'}]",
        "`protect: hash` keeps values comparable.",
    ),
    Code(
        "SL410",
        "A value the column never has",
        "A text is compared with a column whose `choices` do not have it. An error when it looks like a typo of one that is there (another case, a blank, a letter), a note otherwise.",
        _QUALITY.format("status <> 'Paid'"),
        "Write the value as `choices` has it, or add it there.",
    ),
    Code(
        "SL411",
        "Can never hold",
        "What the fields declare (minimum, maximum, choices, required), or the condition itself, rules it out: no row satisfies the rule, the filter keeps none, the metric counts none, the alert never fires.",
        _QUALITY.format("quantity < 0"),
        "Turn the comparison round, or correct the limit.",
    ),
    Code(
        "SL412",
        "Can never fail",
        "A note: every row that is good otherwise satisfies the rule, so it refuses nothing.",
        _QUALITY.format("quantity >= 0"),
        "Remove the rule, or the limit that makes it needless.",
    ),
    Code(
        "SL413",
        "Always zero",
        "A note: the metric is 0 in every window, whatever comes.",
        "gold: {daily: {grain: day, metrics: {orders: count, nothing: {sum: case when status = 'refunded' then amount else 0 end}}}}",
        "Correct what it sums up, or remove it.",
    ),
    Code(
        "SL414",
        "Spelt in two ways",
        "A note: two values of a column differ in case or blanks only, within `choices`, between `choices` and the generator, or between two expressions. One of them is probably never there.",
        "quality:\n  - {name: a, expect: id <> 'Test'}\n  - {name: b, expect: id <> 'test'}",
        "Write it one way; or compare `lower(…)`.",
    ),
    Code(
        "SL415",
        "Does not happen in simulated data",
        "A note: given what the generator draws for the fields (its incidents and breaks included), the rule never fails, the filter keeps no row, or the alert never fires. Other sources may differ; here the part is never exercised.",
        _SIMULATED
        + "    - {name: size, type: integer, generate: {integer: {min: 1, max: 6}}}\nquality: [{name: a, expect: size < 100}]",
        "Let the generator draw such values (a wider distribution, an incident, `faults.breaks`), or remove the part.",
    ),
    Code(
        "SL416",
        "A field nothing reads",
        "A note, given with `--unread` only: no key, rule, derived column, gold table, alert or example reads the field. It still stands in silver and unified.",
        "strandline validate --unread",
        "Nothing, when people query it. Otherwise leave it out: an unknown field stays in the raw bytes.",
        "folder",
    ),
)
