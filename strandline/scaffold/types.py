"""The type of a column, from its texts; a few that do not fit do not change it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from strandline.scaffold.guess import Guess, Value
from strandline.scaffold.moments import date_of, moment_of
from strandline.scaffold.names import words
from strandline.scaffold.sample import Column
from strandline.spec.model import FieldType

NOTHING = ("-", "--", "", "N/A", "n/a", "NA", "null", "NULL", "(null)", "None", "nil", "\\N", "NaN", "nan", "undefined", "?")
"""Texts that often stand for no value; for a text field only the first ten count, since the rest may be words."""
_CLEAR = NOTHING[:10]
_TOLERATED = 0.02
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}(?:\.0+)?")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_PLAIN = re.compile(r"[+-]?[0-9]+(?:\.([0-9]+))?")
_PADDED = re.compile(r"[+-]?0[0-9]+")
_LARGEST = 1e18
MONEY = frozenset(
    [
        "amount",
        "price",
        "cost",
        "total",
        "subtotal",
        "fee",
        "fees",
        "balance",
        "revenue",
        "tax",
        "vat",
        "discount",
        "salary",
        "turnover",
        "payment",
        "refund",
        "paid",
        "due",
    ]
)
_TEXTUAL = frozenset(
    [
        "phone",
        "mobile",
        "tel",
        "telephone",
        "fax",
        "zip",
        "zipcode",
        "postcode",
        "postal",
        "card",
        "pan",
        "iban",
        "ssn",
        "account",
        "isbn",
        "ean",
        "gtin",
    ]
)


def guess_field(column: Column, name: str) -> Guess:
    """The field's type and values; its texts for nothing are in `null_values`, its reasons in `why`."""
    counts = Counter(text for text in column.texts if text is not None)
    nested, strings = column.kinds["nested"], column.kinds["string"]
    total = sum(column.kinds.values())
    if nested > _TOLERATED * total:
        why = f"{'a nested value' if nested == total else 'sometimes a nested value'}, kept as its text"
        return Guess(column.key, name, "json", list(column.texts), column.texts, why=[why])
    for type_ in _candidates(name, strings > total / 2):
        found = _fitted(column, name, type_, counts)
        if found is not None:
            return found
    nulls = [text for text in _CLEAR if text in counts]
    values: list[Value | None] = [None if text in nulls else text for text in column.texts]
    return Guess(column.key, name, "string", values, column.texts, null_values=nulls, why=_of_nothing(nulls, counts))


def _candidates(name: str, quoted: bool) -> tuple[FieldType, ...]:
    if quoted and _TEXTUAL & set(words(name)):
        return ("date", "timestamp")
    return ("boolean", "integer", "decimal", "number", "date", "timestamp")


def _fitted(column: Column, name: str, type_: FieldType, counts: Counter[str]) -> Guess | None:
    """The field with this type if nearly all of its texts are of it."""
    convert = converter(type_)
    converted = {text: convert(text) for text in counts}
    nulls = [text for text in NOTHING if text in counts and converted[text] is None]
    total = sum(counts.values()) - sum(counts[text] for text in nulls)
    misfits = sum(count for text, count in counts.items() if converted[text] is None and text not in nulls)
    if total == 0 or misfits > (_TOLERATED * total if total >= 50 else total / 10):
        return None
    good = [text for text, value in converted.items() if value is not None]
    scale = None
    if type_ in ("integer", "decimal", "number") and column.kinds["string"] and _are_labels(good):
        return None
    if type_ == "decimal":
        scale = _scale(name, good, quoted=column.kinds["string"] > column.kinds["number"])
        if scale is None:
            return None
    values = [converted[text] if text is not None else None for text in column.texts]
    why = _of_nothing(nulls, counts)
    if misfits:
        why.append(f"{misfits:,} of {total:,} values are no {type_} and will be quarantined")
    return Guess(column.key, name, type_, values, column.texts, misfits, scale, null_values=nulls, why=why)


def _of_nothing(nulls: list[str], counts: Counter[str]) -> list[str]:
    return [f'"{text}" stands for nothing in {counts[text]:,} rows' for text in nulls]


def _are_labels(texts: Iterable[str]) -> bool:
    """Digits that are no number: 00123."""
    return any(_PADDED.fullmatch(text) for text in texts)


def _scale(name: str, texts: list[str], *, quoted: bool) -> int | None:
    """The decimal places, when this is money or another number of fixed places; None for an ordinary number."""
    matches = [_PLAIN.fullmatch(text) for text in texts]
    if any(match is None for match in matches):
        return None
    places = {len(match[1] or "") for match in matches if match}
    if max(places) > 4 or max((len(text) for text in texts), default=0) > 16:
        return None
    fixed = quoted and len(places) == 1 and max(places) > 0 and any(text.endswith("0") for text in texts)
    return max(*places, 2) if MONEY & set(words(name)) else max(places) if fixed else None


def converter(type_: FieldType, scale: int | None = None) -> Callable[[str], Any]:
    """What turns a text into a value of the type, or into None where that would lose anything."""
    converters: dict[FieldType, Callable[[str], Any]] = {
        "boolean": lambda text: {"true": True, "false": False}.get(text.lower()),
        "integer": _integer,
        "decimal": lambda text: Decimal(text) if _PLAIN.fullmatch(text) else None,
        "number": _number,
        "timestamp": moment_of,
        "date": date_of,
    }
    return converters.get(type_, lambda text: text)


def _integer(text: str) -> int | None:
    if not _INTEGER.fullmatch(text):
        return None
    value = int(text.partition(".")[0])
    return value if -(2**63) <= value < 2**63 else None


def _number(text: str) -> float | None:
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if abs(value) < _LARGEST else None
