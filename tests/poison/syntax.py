"""Text that is no JSON object: cut anywhere, misspelt, in another format, or JSON of another kind."""

from __future__ import annotations

import re

from tests.poison.lines import GOOD, Poison

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')


def _cuts() -> list[Poison]:
    """The good line cut after each of its tokens but the last, and once inside each kind of value."""
    ends = [found.end() for found in _TOKEN.finditer(GOOD)][:-1]
    found = [Poison(f"cut after token {n}: {GOOD[max(0, end - 12) : end].decode()}", GOOD[:end], "not_json")
             for n, end in enumerate(ends, 1)]  # fmt: skip
    for inside, piece in (("a key", b'"pri'), ("a string", b'"2026-01-01T00'), ("a number", b'"x":1.'), ("true", b'"ok":tr')):
        found.append(Poison(f"cut inside {inside}", GOOD[: GOOD.index(piece) + len(piece)], "not_json"))
    return found


def _not_json(*named: tuple[str, str]) -> list[Poison]:
    return [Poison(name, text.encode(), "not_json") for name, text in named]


BROKEN = _not_json(
    ("a closing brace", "}"),
    ("a trailing comma", '{"id":"a",}'),
    ("a leading comma", '{,"id":"a"}'),
    ("two commas", '{"id":"a",,"n":1}'),
    ("a comma for a colon", '{"id","a"}'),
    ("a colon for a comma", '{"id":"a":"n":1}'),
    ("a semicolon for a comma", '{"id":"a";"n":1}'),
    ("an equals sign for a colon", '{"id"="a"}'),
    ("an arrow for a colon", '{"id"=>"a"}'),
    ("a missing comma", '{"id":"a" "n":1}'),
    ("a missing colon", '{"id" "a"}'),
    ("two colons", '{"id"::"a"}'),
    ("a missing value", '{"id":,"n":1}'),
    ("a missing key", '{:"a"}'),
    ("single quotes", "{'id':'a'}"),
    ("typographic quotes", "{“id”:“a”}"),
    ("back ticks", "{`id`:`a`}"),
    ("a key without quotes", '{id:"a"}'),
    ("a value without quotes", '{"id":a}'),
    ("a number as key", '{1:"a"}'),
    ("null as key", '{null:"a"}'),
    ("a list as key", '{["id"]:"a"}'),
    ("a comment", '{"id":"a"} // note'),
    ("a block comment", '{/* */"id":"a"}'),
    ("a hash comment", '{"id":"a"} # note'),
    ("an ellipsis", '{"id":"a",...}'),
    ("two objects in a line", '{"id":"a"}{"id":"b"}'),
    ("two objects with a blank", '{"id":"a"} {"id":"b"}'),
    ("two objects with a comma", '{"id":"a"},{"id":"b"}'),
    ("a good line twice", GOOD.decode() * 2),
    ("a comma after the object, as in a list printed line by line", '{"id":"a"},'),
    ("an opened list before the object", '[{"id":"a"},'),
    ("a closed list after the object", '{"id":"a"}]'),
    ("text after the object", '{"id":"a"} x'),
    ("text before the object", 'x {"id":"a"}'),
    ("a brace too many", '{"id":"a"}}'),
    ("a doubled brace", '{{"id":"a"}}'),
    ("a list closed by a brace", '{"tags":[1}'),
    ("an object closed by a bracket", '{"tags":{"a":1]}'),
    ("a trailing comma in a list", '{"tags":[1,]}'),
    ("a leading comma in a list", '{"tags":[,1]}'),
    ("a list without commas", '{"tags":[1 2]}'),
    ("a pair in a list", '{"tags":["a":1]}'),
    ("a trailing comma in a nested object", '{"tags":{"a":1,}}'),
    ("a trailing comma after a known shape", GOOD[:-1].decode() + ",}"),
    ("a known shape without its first comma", GOOD.decode().replace(",", "", 1)),
    ("an unquoted value in a known shape", GOOD.decode().replace('"hi"', "hi")),
)

WORDS = _not_json(
    *((f"{word} for a value", f'{{"x":{word}}}') for word in (
        "True", "TRUE", "False", "None", "nil", "NULL", "nul", "truefalse", "yes", "undefined", "nan", "NAN", "-NaN", "+NaN",
        "inf", "-inf", "infinity", "+Infinity", "INF", "1.#INF", "∞", "NaN()", "new Date()", 'ObjectId("a")', 'u"a"', 'b"a"',
    )),
)  # fmt: skip

NUMBERS = _not_json(
    *((f"the number {token}", f'{{"x":{token}}}') for token in (
        "01", "00", "-01", "-00", "00.5", "+1", "-", "- 1", "--1", "1-", "1.", ".5", "-.5", ".", "1..5", "1.2.3", "1e", "1e+",
        "1E-", "e5", "1e1.5", "1e5e5", "0x10", "0xFF", "0b1", "0o7", "1_000", "1,5", "1 000", "1L", "1n", "1.0f", "1d", "1%",
        "$1", "1/2", "½", "²", "−1", "١٢", "１２", "1'000",
    )),
)  # fmt: skip

ESCAPES = _not_json(
    *((f"the escape {inner}", f'{{"id":"{inner}"}}') for inner in (
        "\\x41", "\\u12", "\\u", "\\u+123", "\\u-123", "\\u 123", "\\u12_4", "\\u{1F600}", "\\U0001F600", "\\ud83d\\u12",
        "\\a", "\\0", "\\'", "\\ ", "\\é", "\\u１２３４",
    )),
    ("an escaped quote that never closes", '{"id":"a\\"}'),
    ("a backslash at the end", '{"id":"a\\'),
    ("a quote inside a string", '{"id":"a"b"}'),
)  # fmt: skip

_BLANKS = {
    "no-break space": "\u00a0", "next line": "\u0085", "line separator": "\u2028", "paragraph separator": "\u2029",
    "ideographic space": "\u3000", "zero-width space": "\u200b", "word joiner": "\u2060", "thin space": "\u2009",
    "Ogham space": "\u1680", "vertical tab": "\x0b", "form feed": "\x0c", "file separator": "\x1c", "soft hyphen": "\u00ad",
}  # fmt: skip
BLANKS = _not_json(
    *((f"a {name} as white space", f'{{"id":{mark}"a"}}') for name, mark in _BLANKS.items()),
    ("a line separator after the object", '{"id":"a"}\u2028'),
    ("a no-break space before the object", '\u00a0{"id":"a"}'),
)

FORMATS = _not_json(
    ("plain text", "hello"),
    ("a CSV line", "a,2026-01-01T00:00:00Z,1"),
    ("a tab-separated line", "a\t2026-01-01T00:00:00Z\t1"),
    ("an XML line", "<event id='a'/>"),
    ("a web page", "<!DOCTYPE html><html><body>502 Bad Gateway</body></html>"),
    ("an S3 error", "<Error><Code>AccessDenied</Code></Error>"),
    ("a YAML line", "id: a"),
    ("a YAML document mark", "---"),
    ("an INI section", "[events]"),
    ("a logfmt line", "id=a at=2026-01-01T00:00:00Z n=1"),
    ("a syslog line", "<34>Jan  1 00:00:00 host app: started"),
    ("an access log line", '127.0.0.1 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 5'),
    ("a stack trace", "Traceback (most recent call last):"),
    ("a line of SQL", "INSERT INTO events VALUES ('a');"),
    ("a form", "id=a&n=1"),
    ("an encoded URL", "%7B%22id%22%3A%22a%22%7D"),
    ("a server-sent event", 'data: {"id":"a"}'),
    ("a call, as JSONP", 'callback({"id":"a"});'),
    ("a guard against inclusion", ")]}',"),
    ("a diff line", '+{"id":"a"}'),
    ("a merge conflict", "<<<<<<< HEAD"),
    ("a record separator of JSON text sequences", '\x1e{"id":"a"}'),
    ("a length before the object", '10{"id":"a"}'),
    ("an escaped object without its quotes", '{\\"id\\":\\"a\\"}'),
    ("a Python dictionary", "{'id': 'a', 'ok': True}"),
    ("a template that was not filled", '{"id":{{ id }}}'),
)

_OTHER = ('["a"]', "[]", '[{"id":"a"}]', "[NaN]", '"a"', '""', '"{\\"id\\":\\"a\\"}"', '"\\ud800"', "42", "0", "-1.5e3",
          "1e999", "true", "false", "null", "NaN", "Infinity", "-Infinity")  # fmt: skip
NOT_OBJECT = [Poison(f"not an object: {text}", text.encode(), "not_object") for text in _OTHER]

SYNTAX = [*_cuts(), *BROKEN, *WORDS, *NUMBERS, *ESCAPES, *BLANKS, *FORMATS, *NOT_OBJECT]
