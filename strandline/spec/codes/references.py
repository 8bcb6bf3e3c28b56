"""SL3: names that lead somewhere, and keys that go together."""

from __future__ import annotations

from strandline.spec.codes.code import Code

_HEAD = "schema:\n  primary_key: [id]\n  event_time: at\n  fields:\n    - {name: id, type: string}\n    - {name: at, type: timestamp}\n"
_SIMULATED = "source: {type: generator, rows: {mean: 10}"

CODES = (
    Code(
        "SL301",
        "Not the name of the file",
        "A stream is found by its file, so both have the same name.",
        "stream: order",
        "Rename one of the two.",
    ),
    Code(
        "SL302",
        "A stream declared twice",
        "Two files declare the same stream.",
        "config/streams/orders.yaml    stream: orders\nconfig/streams/orders2.yaml   stream: orders",
        "One stream, one file.",
        "folder",
    ),
    Code(
        "SL303",
        "A name taken twice",
        "Two fields, rules, panels, alerts, examples or columns of one table have the same name.",
        "quality:\n  - {name: positive, expect: amount > 0}\n  - {name: positive, expect: quantity > 0}",
        "Give each its own name.",
    ),
    Code(
        "SL304",
        "Not a declared field",
        "The primary key, the event time or `sequence_by` names a field that is not declared.",
        _HEAD.replace("event_time: at", "event_time: att"),
        "Correct the name, or declare the field.",
    ),
    Code(
        "SL305",
        "A field of the wrong type for its part",
        "The event time is a timestamp or date; json and boolean fields cannot be ordered or compared as keys.",
        _HEAD.replace("event_time: at", "event_time: id"),
        "Choose another field, or declare its type.",
    ),
    Code(
        "SL306",
        "Not a dimension",
        "A dimension is a declared field or a derived column; the window itself is given by the grain.",
        "gold: {daily: {grain: day, dimensions: [state], metrics: {orders: count}}}",
        "Correct the name, or derive the column under `silver.derive`.",
    ),
    Code(
        "SL307",
        "An alert on nothing",
        "`on` names a gold table, or `rows`.",
        "alerts: [{name: big, on: row, when: amount > 9}]",
        "Correct the name.",
    ),
    Code(
        "SL308",
        "A panel of nothing",
        "A panel names a gold table and a numeric metric of it, a dimension to split by, or a column to sort by.",
        "dashboard: [{title: Orders, line: daily.order}]",
        "Correct the name; the message lists what there is.",
    ),
    Code(
        "SL309",
        "Not a metric that can be used here",
        "A ratio or expression is made of numeric metrics of the same table that are declared above it.",
        "gold: {daily: {grain: day, metrics: {orders: count, mean: {ratio: [amount, orders]}}}}",
        "Sum the column up as a metric of its own first, and declare it above.",
    ),
    Code(
        "SL310",
        "Not a key of the alert",
        "`key` names dimensions of the table (for rows: columns), because episodes are told apart by them.",
        "alerts: [{name: big, on: rows, when: amount > 9, key: [town]}]",
        "Correct the name.",
    ),
    Code(
        "SL311",
        "Made from itself",
        "Derived columns are made from each other in a circle.",
        "silver: {derive: {one: two + 1, two: one - 1}}",
        "One of them must use fields only.",
    ),
    Code(
        "SL312",
        "A name Strandline uses itself",
        "`event_date`, `landing_date`, `window_start`, `now` and some table names have a meaning already.",
        _HEAD + "    - {name: event_date, type: date}",
        "Take another name; `from:` reads the key as the data has it.",
    ),
    Code(
        "SL313",
        "Sensitive, but not said how protected",
        "A field that is `pii` or `secret` must say what is written in its place.",
        _HEAD + "    - {name: email, type: string, classification: pii}",
        "Add `protect: hash` (joins still work), `protect: drop`, or `protect: keep` to store it in clear.",
    ),
    Code(
        "SL314",
        "An example of something unknown",
        "An example under `tests` expects a table, column, rule or alert that is not there, or (as a note) gives a key that looks like a typo.",
        "tests: [{name: one, given: [{id: a}], expect: {dayly: [{orders: 1}]}}]",
        "Correct the name.",
    ),
    Code(
        "SL315",
        "A key without meaning for the type",
        "`minimum` is for numbers, `pattern` for texts, `scale` for decimals; choices must be values of the field's type.",
        _HEAD + "    - {name: city, type: string, minimum: 1}",
        "Remove the key, or declare the type that is meant.",
    ),
    Code(
        "SL316",
        "Contradiction within a field",
        "What the field says of itself cannot hold together: a minimum above the maximum, a required value that is dropped, a hash of a number, a limit on a value that is protected before it is judged.",
        _HEAD + "    - {name: size, type: integer, minimum: 9, maximum: 1}",
        "Change one of the two.",
    ),
    Code(
        "SL317",
        "A key without effect",
        "Beside what else is said the key means nothing.",
        "quality: [{name: few, expect: lines > 0, per: run, action: quarantine}]",
        "Remove it, or change what it depends on.",
    ),
    Code(
        "SL318",
        "The generator names something it cannot use",
        "A field is drawn from fields declared before it; incidents and breaks name fields and rules of the stream; some faults need a limit to break.",
        f"{_SIMULATED}, faults: {{future: 0.01}}}}",
        "Correct the name, move the field above, or declare what is needed.",
    ),
    Code(
        "SL319",
        "Weights that do not match",
        "There is one weight a choice.",
        _SIMULATED + "}\n" + _HEAD + "    - {name: city, type: string, generate: {choice: [a, b], weights: [1, 2, 3]}}",
        "Give each choice its weight.",
    ),
    Code(
        "SL320",
        "Looks like a secret",
        "A header, parameter or address seems to hold a password or token. Files are committed and shown; the line is never printed.",
        "source: {type: http, url: 'https://example.com', headers: {Authorization: Bearer abc}}",
        "Put it into an Airflow connection, and name that with `connection:`.",
    ),
)
