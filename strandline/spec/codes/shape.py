"""SL2: keys and kinds of values, as the JSON Schemas say."""

from __future__ import annotations

from strandline.spec.codes.code import Code

CODES = (
    Code(
        "SL201",
        "Unknown key",
        "The key means nothing here, so what it says would have no effect. The hint names the closest key that does.",
        "owner: shop",
        "Correct the name, or move the key to where it belongs; the [reference](stream-yaml.md) lists them all.",
    ),
    Code("SL202", "Missing key", "A key that must be there is not.", "description: {usage: Revenue}", "Add it."),
    Code(
        "SL203",
        "Wrong kind of value",
        "A list, mapping, text, number, or true or false stands where another kind is needed.",
        "tags: shop",
        "Write the kind that is named. A number in quotes is a text; `yes` and `on` are texts too.",
    ),
    Code(
        "SL204",
        "Not one of the values allowed",
        "The key takes a word out of a short list.",
        "interval: 7m",
        "Choose one of the values that are listed.",
    ),
    Code(
        "SL205",
        "Not written as it must be",
        "A name, version, duration or address does not have its form.",
        "version: '1.0'",
        "Write it as the message shows: names in lower case with _, durations as 30s, 5m, 26h or 14d, versions as 1.0.0.",
    ),
    Code(
        "SL206",
        "Out of range",
        "A number is smaller or greater than is allowed.",
        "dashboard: [{title: Orders, table: daily, limit: 0}]",
        "Take a number within the bounds that are named.",
    ),
    Code(
        "SL207",
        "Wrong size",
        "A text or list is empty, too short or too long.",
        "schema: {primary_key: [], event_time: at, fields: [{name: at, type: date}]}",
        "Add what is missing, or remove what is too much.",
    ),
    Code("SL208", "An entry twice", "A list of names has one of them twice.", "tags: [shop, shop]", "Keep one of the two."),
    Code(
        "SL209",
        "None of the alternatives",
        "The value can have one of several forms, and this is none of them, or more than one at once.",
        "gold: {daily: {grain: day, metrics: {orders: {sum: amount, avg: amount}}}}",
        "Keep to one of the forms that are named.",
    ),
    Code(
        "SL210",
        "A key without its companion",
        "Some keys only mean something together.",
        "gold: {daily: {grain: day, metrics: {typical: {quantile: amount}}}}",
        "Add the key that is named beside it.",
    ),
    Code(
        "SL211",
        "Not allowed here",
        "The key is known, but not in this place.",
        "default: {schedule: '@daily'}\na: {schedule: null, tasks: {one: {operator: bootstrap, python_callable: x}}}",
        "Remove it.",
        "folder",
    ),
    Code(
        "SL299",
        "Does not fit the schema",
        "The value breaks the schema in a way that has no words of its own.",
        "…",
        "Compare it with the [reference](stream-yaml.md).",
        "folder",
    ),
)
