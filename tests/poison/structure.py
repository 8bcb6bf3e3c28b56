"""JSON that is well formed and no event: keys twice, numbers no double can hold, too deep, too long, keys that look alike."""

from __future__ import annotations

from strandline.lines.strict import MAX_DEPTH, MAX_LINE
from tests.poison.lines import AT, GOOD, Poison, event


def nested(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    """An object that is `depth` levels deep."""
    return b'{"extra":' + opening * (depth - 1) + closing * (depth - 1) + b"}"


def _twice(name: str, text: str, field: str | None = None) -> Poison:
    return Poison(name, text.encode(), "duplicate_key", field)


DUPLICATE = [
    _twice("a declared key twice", '{"id":"a","id":"b"}', "id"),
    _twice("a declared key twice with equal values", '{"id":"a","id":"a"}', "id"),
    _twice("a declared key three times", '{"id":"a","id":"b","id":"c"}', "id"),
    _twice("a declared key twice, once null", '{"id":null,"id":"a"}', "id"),
    _twice("a declared key twice, of two types", '{"n":1,"n":"1"}', "n"),
    _twice("a renamed key twice", '{"Note-Text":"a","Note-Text":"b"}', "note"),
    _twice("a renamed key twice, once escaped", '{"Note-Text":"a","Note\\u002dText":"b"}', "note"),
    _twice("a key twice, the second escaped", '{"id":"a","\\u0069d":"b"}', "id"),
    _twice("a key twice, the first escaped", '{"\\u0069\\u0064":"a","id":"b"}', "id"),
    _twice("a key twice, escaped in two ways", '{"\\u006E":1,"\\u006e":2}', "n"),
    _twice("a key with an escaped slash and without", '{"a\\/b":1,"a/b":2}'),
    _twice("a key in one character and as a pair", '{"\\ud83d\\ude00":1,"😀":2}'),
    _twice("a known shape and one key again", GOOD[:-1].decode() + ',"n":2}', "n"),
    _twice("a known shape and its first key again", GOOD[:-1].decode() + ',"id":"a"}', "id"),
    _twice("an unknown key twice", '{"id":"a","z":1,"z":2}'),
    _twice("the empty key twice", '{"":1,"":2}'),
    _twice("a key twice with blanks before the colon", '{"id" :"a","id"  :"b"}', "id"),
    _twice("a key twice in a nested object", '{"tags":{"a":1,"a":2}}'),
    _twice("a key twice in a nested object, once escaped", '{"tags":{"a":1,"\\u0061":2}}'),
    _twice("a key twice in an object in a list", '{"tags":[{"a":1},{"b":1,"b":2}]}'),
    _twice("a key twice deep in a list", '{"z":[[{"a":1,"a":2}]]}'),
    _twice("a key twice at two levels", '{"tags":{"a":1,"a":2},"id":"a","id":"b"}', "id"),
    _twice("a key again after 500 others", "{" + ",".join(f'"k{n}":{n}' for n in range(500)) + ',"k0":0}'),
    _twice("a key twice and a number out of range", '{"n":NaN,"n":1}', "n"),
]


def _range(name: str, text: str, field: str | None = None) -> Poison:
    return Poison(name, text.encode(), "number_range", field)


RANGE = [
    _range("NaN", '{"x":NaN}', "x"),
    _range("Infinity", '{"x":Infinity}', "x"),
    _range("minus Infinity", '{"x":-Infinity}', "x"),
    _range("NaN for an integer", '{"n":NaN}', "n"),
    _range("NaN for a decimal", '{"price":NaN}', "price"),
    _range("Infinity for a timestamp", '{"at":Infinity}', "at"),
    _range("minus Infinity for a string", '{"id":-Infinity}', "id"),
    _range("NaN for a renamed field", '{"Note-Text":NaN}', "note"),
    _range("a double that overflows", '{"x":1e400}', "x"),
    _range("a double just over the greatest", '{"x":1.7976931348623159e308}', "x"),
    _range("a negative double that overflows", '{"x":-1E+309}', "x"),
    _range("an integer of 5,000 digits", '{"n":' + "9" * 5000 + "}", "n"),
    _range("a negative integer of 5,000 digits", '{"n":-' + "9" * 5000 + "}", "n"),
    _range("5,000 digits before a point", '{"price":' + "9" * 5000 + ".00}", "price"),
    _range("an integer of 310 digits", '{"n":' + "9" * 310 + "}", "n"),
    _range("an exponent of many digits", '{"x":1e99999999999999999999}', "x"),
    _range("an exponent with leading zeros", '{"x":1e000400}', "x"),
    _range("an overflow in an undeclared key", '{"z":1e999}'),
    _range("NaN in an undeclared key", '{"id":"a","z":NaN}'),
    _range("NaN in a list", '{"tags":[1,NaN]}'),
    _range("an overflow deep inside", '{"tags":{"a":[{"b":-1e999}]}}'),
    _range("NaN in a known shape", GOOD.decode().replace("1.5", "NaN"), "x"),
    _range("an overflow in a known shape", GOOD.decode().replace("1.5", "1e999"), "x"),
    _range("NaN and a lone surrogate", '{"x":NaN,"id":"\\ud800"}', "x"),
]

DEEP = [
    Poison("one level too deep", nested(MAX_DEPTH + 1), "too_deep"),
    Poison("one level too deep in a declared field", b'{"tags":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}", "too_deep"),
    Poison("objects and lists in turn", nested(2 * MAX_DEPTH, b'[{"a":', b"}]").replace(b":}", b":1}"), "too_deep"),
    Poison("100,000 lists deep", nested(100_000), "too_deep"),
    Poison("100,000 objects deep", nested(100_000, b'{"a":', b"}").replace(b":}", b":1}"), "too_deep"),
    Poison("100,000 open brackets", b"[" * 100_000, "too_deep"),
    Poison("100,000 open objects", b'{"a":' * 100_000, "too_deep"),
    Poison("100,000 lists deep with blanks", nested(100_000, b" [", b" ]"), "too_deep"),
    Poison("100,000 closing brackets", b'{"a":' + b"]" * 100_000, "not_json"),
    Poison("brackets that never match", b'{"a":' + b"[{" * 50 + b"]}" * 50 + b"}", "not_json"),
]

LONG = [
    Poison("one byte too long", b'{"id":"' + b"a" * (MAX_LINE - 8) + b'"}', "too_long"),
    Poison("too long and not UTF-8", b"\xff" * (MAX_LINE + 1), "too_long"),
    Poison("too long and blank", b" " * (MAX_LINE + 1), "too_long"),
    Poison("a line of 50 MB", b'{"id":"' + b"a" * 50_000_000 + b'"}', "too_long"),
]

_NESTED = [
    ("a list for a string", "id", '["a"]'),
    ("an object for a string", "id", '{"a":1}'),
    ("an empty list for a string", "id", "[]"),
    ("an object for an integer", "n", '{"v":1}'),
    ("a list for an integer", "n", "[1]"),
    ("an empty list for a number", "x", "[]"),
    ("an object for a number", "x", '{"$numberDouble":"1.5"}'),
    ("a list for a decimal", "price", "[2,50]"),
    ("an object for a decimal", "price", '{"amount":"2.50"}'),
    ("a list for a boolean", "ok", "[true]"),
    ("an object for a boolean", "ok", "{}"),
    ("a list for a date", "day", "[2026,1,1]"),
    ("an object for a date", "day", '{"year":2026}'),
    ("an empty object for a timestamp", "at", "{}"),
    ("an object for a timestamp", "at", '{"$date":"2026-01-01T00:00:00Z"}'),
    ("a list for a timestamp", "at", "[2026,1,1,0,0]"),
    ("a list in a list for a string", "id", "[[]]"),
]
NESTED = [
    *(Poison(name, f'{{"{field}":{token}}}'.encode(), "type", field) for name, field, token in _NESTED),
    Poison("a list for a renamed field", b'{"Note-Text":[1]}', "type", "note"),
    Poison("a list in a known shape", GOOD.replace(b'"id":"a"', b'"id":["a"]'), "type", "id"),
    Poison("an object in a known shape", GOOD.replace(b'"n":1', b'"n":{}'), "type", "n"),
]


def _without_id(name: str, key: str) -> Poison:
    return Poison(name, f'{{"{key}":"a","at":"{AT}"}}'.encode(), None, judged=("missing", "id"))


MISSING = [
    Poison("an empty object", b"{}", None, judged=("missing", "id")),
    Poison("a null key", event(key="null"), None, judged=("missing", "id")),
    Poison("no event time", event(at=None), None, judged=("missing", "at")),
    Poison("a null event time", event(at="null"), None, judged=("missing", "at")),
    Poison("neither key nor event time", b'{"n":1}', None, judged=("missing", "id")),
    _without_id("a key in capitals", "ID"),
    _without_id("a key with a blank before it", " id"),
    _without_id("a key with a blank after it", "id "),
    _without_id("a key with a no-break space", "id\u00a0"),
    _without_id("a key with a zero-width space", "i\u200bd"),
    _without_id("a key with a soft hyphen", "i\u00add"),
    _without_id("a key in Cyrillic", "\u0456d"),
    _without_id("a key in fullwidth letters", "ｉｄ"),
    _without_id("a key with a dotless i", "ıd"),
    _without_id("a key in Greek", "ιd"),
    _without_id("a key with a byte order mark", "\ufeffid"),
    _without_id("a key with an escaped NUL", "id\\u0000"),
    _without_id("a key turned right to left", "\u202eid"),
    _without_id("a dotted key", "event.id"),
    _without_id("a quoted key inside the key", '\\"id\\"'),
    _without_id("the empty key", ""),
    _without_id("a very long key", "id" * 50_000),
    Poison("the event one level down", b'{"event":' + event() + b"}", None, judged=("missing", "id")),
    Poison(
        "5,000 keys and none of ours",
        b"{" + b",".join(b'"k%d":1' % n for n in range(5000)) + b"}",
        None,
        judged=("missing", "id"),
    ),
    Poison("a renamed field's own name for its key", b'{"note":"a"}', None, judged=("missing", "id")),
]

STRUCTURE = [*DUPLICATE, *RANGE, *DEEP, *NESTED, *MISSING]
