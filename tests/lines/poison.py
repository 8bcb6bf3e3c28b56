"""Lines that go wrong in every way we know, and lines that look as if they did, each with the reason it must get (None:
accepted).

The stream they belong to is `streams.poisoned()`: `id` string, `at` timestamp, `n` integer, `x` number, `price` decimal(2),
`ok` boolean, `day` date, `tags` json, and `note` string from the key `Note-Text` with `-` meaning NULL.
"""

from __future__ import annotations

from typing import NamedTuple

from strandline.lines.strict import MAX_DEPTH, MAX_LINE


class Poison(NamedTuple):
    """A named input, the reason it must be refused for, and the declared field the reason names."""

    name: str
    raw: bytes
    reason: str | None
    field: str | None = None
    header: str | None = None


GOOD = (
    b'{"id":"a","at":"2026-01-01T00:00:00Z","n":1,"x":1.5,"price":"2.50","ok":true,"day":"2026-01-01",'
    b'"tags":[1],"Note-Text":"hi"}'
)
_HEAD = "id,at,n,Note-Text"


def _nested(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return b'{"extra":' + opening * (depth - 1) + closing * (depth - 1) + b"}"


_NOT_UTF8 = [
    Poison("a lone continuation byte", b'{"id":"\x80"}', "not_utf8"),
    Poison("a truncated two-byte character", b'{"id":"\xc3"}', "not_utf8"),
    Poison("Latin-1 text", '{"id":"café"}'.encode("latin-1"), "not_utf8"),
    Poison("UTF-16 with a byte order mark", '{"id":"a"}'.encode("utf-16"), "not_utf8"),
    Poison("an overlong slash", b'{"id":"\xc0\xaf"}', "not_utf8"),
    Poison("an overlong NUL", b'{"id":"\xc0\x80"}', "not_utf8"),
    Poison("a surrogate encoded as UTF-8", b'{"id":"\xed\xa0\x80"}', "not_utf8"),
    Poison("a code point above U+10FFFF", b'{"id":"\xf4\x90\x80\x80"}', "not_utf8"),
    Poison("bytes 0xFE 0xFF inside", b'{"id":"\xfe\xff"}', "not_utf8"),
    Poison("gzip bytes", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "not_utf8"),
    Poison("bad bytes after the object", GOOD + b"\xff", "not_utf8"),
]

_NUL = [
    Poison("a NUL in a string", b'{"id":"a\x00b"}', "nul"),
    Poison("a NUL after the object", b'{"id":"a"}\x00', "nul"),
    Poison("nothing but NULs", b"\x00" * 16, "nul"),
    Poison("UTF-16 without a byte order mark", '{"id":"a"}'.encode("utf-16-le"), "nul"),
]

_EMPTY = [
    Poison("no byte at all", b"", "empty_line"),
    Poison("blanks and tabs", b" \t  ", "empty_line"),
    Poison("a lone CR", b"\r", "empty_line"),
    Poison("two CRs", b"\r\r", "empty_line"),
    Poison("a form feed", b"\x0c", "empty_line"),
    Poison("a lone byte order mark", b"\xef\xbb\xbf", "empty_line"),
    Poison("a byte order mark and a CR", b"\xef\xbb\xbf\r", "empty_line"),
]

_NOT_JSON = [
    Poison("plain text", b"hello", "not_json"),
    Poison("an object cut in a string", b'{"id":"a', "not_json"),
    Poison("an object cut after a colon", b'{"id":', "not_json"),
    Poison("an object cut after a key", b'{"id"', "not_json"),
    Poison("an object cut before its brace", b'{"id":"a"', "not_json"),
    Poison("an open brace", b"{", "not_json"),
    Poison("a closing brace", b"}", "not_json"),
    Poison("a trailing comma", b'{"id":"a",}', "not_json"),
    Poison("a trailing comma after a known shape", GOOD[:-1] + b",}", "not_json"),
    Poison("a leading comma", b'{,"id":"a"}', "not_json"),
    Poison("two commas", b'{"id":"a",,"n":1}', "not_json"),
    Poison("a missing comma", b'{"id":"a" "n":1}', "not_json"),
    Poison("a missing colon", b'{"id" "a"}', "not_json"),
    Poison("a missing value", b'{"id":,"n":1}', "not_json"),
    Poison("single quotes", b"{'id':'a'}", "not_json"),
    Poison("a key without quotes", b'{id:"a"}', "not_json"),
    Poison("a number as key", b'{1:"a"}', "not_json"),
    Poison("a comment", b'{"id":"a"} // note', "not_json"),
    Poison("a block comment", b'{/* */"id":"a"}', "not_json"),
    Poison("two objects in a line", b'{"id":"a"}{"id":"b"}', "not_json"),
    Poison("a good line twice", GOOD + GOOD, "not_json"),
    Poison("text after the object", b'{"id":"a"} x', "not_json"),
    Poison("a brace too many", b'{"id":"a"}}', "not_json"),
    Poison("Python's True", b'{"ok":True}', "not_json"),
    Poison("Python's None", b'{"id":None}', "not_json"),
    Poison("undefined", b'{"id":undefined}', "not_json"),
    Poison("a leading zero", b'{"n":01}', "not_json"),
    Poison("a leading plus", b'{"n":+1}', "not_json"),
    Poison("a lone minus", b'{"n":-}', "not_json"),
    Poison("a minus and a blank", b'{"n":- 1}', "not_json"),
    Poison("a point without digits", b'{"x":1.}', "not_json"),
    Poison("a point without a zero", b'{"x":.5}', "not_json"),
    Poison("an exponent without digits", b'{"x":1e}', "not_json"),
    Poison("a hexadecimal number", b'{"n":0x10}', "not_json"),
    Poison("an underscore in a number", b'{"n":1_000}', "not_json"),
    Poison("a decimal comma", b'{"x":1,5}', "not_json"),
    Poison("Arabic digits", '{"n":١٢}'.encode(), "not_json"),
    Poison("fullwidth digits", '{"n":１２}'.encode(), "not_json"),
    Poison("a tab in a string", b'{"id":"a\tb"}', "not_json"),
    Poison("a CR in a string", b'{"id":"a\rb"}', "not_json"),
    Poison("a line feed in a string", b'{"id":"a\nb"}', "not_json"),
    Poison("an escape character in a string", b'{"id":"\x1b[0m"}', "not_json"),
    Poison("an unknown escape", b'{"id":"\\x41"}', "not_json"),
    Poison("a short unicode escape", b'{"id":"\\u12"}', "not_json"),
    Poison("a unicode escape with a sign", b'{"id":"\\u+123"}', "not_json"),
    Poison("an escaped quote that never closes", b'{"id":"a\\"}', "not_json"),
    Poison("a no-break space as white space", '{"id":\u00a0"a"}'.encode(), "not_json"),
    Poison("a vertical tab as white space", b'{"id":\x0b"a"}', "not_json"),
    Poison("a line separator as white space", '{"id":"a"}\u2028'.encode(), "not_json"),
    Poison("a byte order mark in the middle", b'{"id":\xef\xbb\xbf"a"}', "not_json"),
    Poison("two byte order marks", b"\xef\xbb\xbf\xef\xbb\xbf{}", "not_json"),
    Poison("a list closed by a brace", b'{"tags":[1}', "not_json"),
    Poison("a CSV line", b"a,2026-01-01T00:00:00Z,1", "not_json"),
    Poison("an XML line", b"<event id='a'/>", "not_json"),
    Poison("a web page", b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>", "not_json"),
    Poison("a record separator of JSON text sequences", b'\x1e{"id":"a"}', "not_json"),
]

_NOT_OBJECT = [
    Poison("a list", b'["a"]', "not_object"),
    Poison("a list of objects", b'[{"id":"a"}]', "not_object"),
    Poison("a string", b'"a"', "not_object"),
    Poison("an object inside a string", b'"{\\"id\\":\\"a\\"}"', "not_object"),
    Poison("a number", b"42", "not_object"),
    Poison("true", b"true", "not_object"),
    Poison("null", b"null", "not_object"),
    Poison("a bare NaN", b"NaN", "not_object"),
]

_DUPLICATE = [
    Poison("a declared key twice", b'{"id":"a","id":"b"}', "duplicate_key", "id"),
    Poison("a declared key twice with equal values", b'{"id":"a","id":"a"}', "duplicate_key", "id"),
    Poison("a renamed key twice", b'{"Note-Text":"a","Note-Text":"b"}', "duplicate_key", "note"),
    Poison("a key twice, once escaped", b'{"id":"a","\\u0069d":"b"}', "duplicate_key", "id"),
    Poison("a known shape and one key again", GOOD[:-1] + b',"n":2}', "duplicate_key", "n"),
    Poison("an unknown key twice", b'{"id":"a","z":1,"z":2}', "duplicate_key"),
    Poison("a key twice in a nested object", b'{"tags":{"a":1,"a":2}}', "duplicate_key"),
    Poison("a key twice deep in a list", b'{"z":[[{"a":1,"a":2}]]}', "duplicate_key"),
    Poison("a key twice with blanks before the colon", b'{"id" :"a","id"  :"b"}', "duplicate_key", "id"),
    Poison("the empty key twice", b'{"":1,"":2}', "duplicate_key"),
]

_RANGE = [
    Poison("NaN", b'{"x":NaN}', "number_range", "x"),
    Poison("Infinity", b'{"x":Infinity}', "number_range", "x"),
    Poison("minus Infinity", b'{"x":-Infinity}', "number_range", "x"),
    Poison("a double that overflows", b'{"x":1e400}', "number_range", "x"),
    Poison("a negative double that overflows", b'{"x":-1E+309}', "number_range", "x"),
    Poison("an integer of 5,000 digits", b'{"n":' + b"9" * 5000 + b"}", "number_range", "n"),
    Poison("an exponent of many digits", b'{"x":1e99999999999999999999}', "number_range", "x"),
    Poison("an overflow in an undeclared key", b'{"z":1e999}', "number_range"),
    Poison("NaN in a list", b'{"tags":[1,NaN]}', "number_range"),
]

_SURROGATE = [
    Poison("a high surrogate alone", b'{"id":"\\ud83d"}', "lone_surrogate", "id"),
    Poison("a low surrogate alone", b'{"id":"\\uDE00"}', "lone_surrogate", "id"),
    Poison("a pair in the wrong order", b'{"id":"\\ude00\\ud83d"}', "lone_surrogate", "id"),
    Poison("a high surrogate before a letter", b'{"id":"\\ud83dx"}', "lone_surrogate", "id"),
    Poison("two high surrogates", b'{"id":"\\ud83d\\ud83d"}', "lone_surrogate", "id"),
    Poison("a lone surrogate in an undeclared value", b'{"z":"\\ud800"}', "lone_surrogate"),
    Poison("a lone surrogate in a key", b'{"\\ud800":1}', "lone_surrogate"),
    Poison("a lone surrogate deep inside", b'{"tags":[{"a":["\\udfff"]}]}', "lone_surrogate", "tags"),
    Poison("a lone surrogate in a nested key", b'{"tags":{"\\udfff":1}}', "lone_surrogate", "tags"),
]

_SIZE = [
    Poison("one byte too long", b'{"id":"' + b"a" * (MAX_LINE - 8) + b'"}', "too_long"),
    Poison("too long and not UTF-8", b"\xff" * (MAX_LINE + 1), "too_long"),
    Poison("one level too deep", _nested(MAX_DEPTH + 1), "too_deep"),
    Poison("100,000 lists deep", _nested(100_000), "too_deep"),
    Poison("100,000 objects deep", _nested(100_000, b'{"a":', b"}").replace(b":}", b":1}"), "too_deep"),
    Poison("100,000 open brackets", b"[" * 100_000, "too_deep"),
]

_TYPE = [
    Poison("a list for a string", b'{"id":["a"]}', "type", "id"),
    Poison("an object for an integer", b'{"n":{"v":1}}', "type", "n"),
    Poison("an empty list for a number", b'{"x":[]}', "type", "x"),
    Poison("an empty object for a timestamp", b'{"at":{}}', "type", "at"),
    Poison("a list for a renamed field", b'{"Note-Text":[1]}', "type", "note"),
    Poison("a list in a known shape", GOOD.replace(b'"id":"a"', b'"id":["a"]'), "type", "id"),
]

_CSV = [
    Poison("a cell too few", b"a,2026-01-01T00:00:00Z,1", "ragged_row", header=_HEAD),
    Poison("a cell too many", b"a,b,1,x,y", "ragged_row", header=_HEAD),
    Poison("one lone cell", b"a", "ragged_row", header=_HEAD),
    Poison("a quote that never closes", b'a,b,1,"x', "ragged_row", header=_HEAD),
    Poison("text after a closing quote", b'a,b,1,"x"y', "ragged_row", header=_HEAD),
    Poison("a CR in an unquoted cell", b"a,b\rc,1,x", "ragged_row", header=_HEAD),
    Poison("an empty CSV record", b"", "empty_line", header=_HEAD),
    Poison("a CSV record of blanks", b"  ", "empty_line", header=_HEAD),
    Poison("a CSV record that is not UTF-8", b"\xff,b,1,x", "not_utf8", header=_HEAD),
    Poison("a NUL in a CSV record", b"a\x00,b,1,x", "nul", header=_HEAD),
    Poison("a header that names a column twice", b"a,b", "duplicate_key", "id", header="id,id"),
    Poison("a header that names an undeclared column twice", b"a,b", "duplicate_key", header="z,z"),
    Poison("a header whose quotes do not close", b"a,b", "ragged_row", header='id,"at'),
    Poison("a CSV record that is too long", b"a" * (MAX_LINE + 1), "too_long", header=_HEAD),
    Poison("JSON under a CSV header", b'{"id":"a"}', "ragged_row", header=_HEAD),
]

_ACCEPTED = [
    Poison("a good line", GOOD, None),
    Poison("an empty object", b"{}", None),
    Poison("an object with blanks all around", b' \t{ "id" : "a" , "n" : 1 }\t ', None),
    Poison("a CR at the end", GOOD + b"\r", None),
    Poison("a byte order mark at the start", b"\xef\xbb\xbf" + GOOD, None),
    Poison("every field null", b'{"id":null,"at":null,"n":null,"x":null,"tags":null}', None),
    Poison("an escaped NUL", b'{"id":"a\\u0000b"}', None),
    Poison("a surrogate pair", b'{"id":"\\ud83d\\ude00"}', None),
    Poison("an escaped backslash before ud800", b'{"id":"\\\\ud800"}', None),
    Poison("an emoji as UTF-8", '{"id":"😀"}'.encode(), None),
    Poison("a noncharacter", '{"id":"\uffff"}'.encode(), None),
    Poison("a line separator in a string", '{"id":"a\u2028b"}'.encode(), None),
    Poison("a delete character in a string", b'{"id":"\x7f"}', None),
    Poison("a double that underflows to zero", b'{"x":1e-999}', None),
    Poison("the greatest double", b'{"x":1.7976931348623157e308}', None),
    Poison("an integer of 300 digits", b'{"n":' + b"9" * 300 + b"}", None),
    Poison("minus zero", b'{"n":-0}', None),
    Poison("braces and commas in a string", b'{"id":"},{\\"n\\":1,[","n":2}', None),
    Poison("a key that differs by case", b'{"ID":"a","id":"b"}', None),
    Poison("a key that differs by normal form", '{"\u00e9":1,"e\u0301":2}'.encode(), None),
    Poison("equal keys in different objects", b'{"tags":{"a":1},"z":{"a":1},"a":2}', None),
    Poison("as deep as allowed", _nested(MAX_DEPTH), None),
    Poison("300 brackets in a string", b'{"id":"' + b"[" * 300 + b'"}', None),
    Poison("300 lists side by side", b'{"z":[' + b",".join([b"[]"] * 300) + b"]}", None),
    Poison("as long as allowed", b'{"id":"' + b"a" * (MAX_LINE - 9) + b'"}', None),
    Poison("a CSV record", b"a,2026-01-01T00:00:00Z,1,hi", None, header=_HEAD),
    Poison("a CSV record of empty cells", b",,,", None, header=_HEAD),
    Poison("a CSV record with a CR at its end", b"a,b,1,hi\r", None, header=_HEAD + "\r"),
    Poison("a CSV record with a quoted line break", b'a,b,1,"x\ny"', None, header=_HEAD),
    Poison("a CSV record with doubled quotes", b'a,b,1,"say ""hi"""', None, header=_HEAD),
    Poison("a quote in an unquoted cell", b'a,b,1,5" pipe', None, header=_HEAD),
    Poison("a header with a byte order mark", b"a,b", None, header="\ufeffid,at"),
]

POISON = [
    *_NOT_UTF8,
    *_NUL,
    *_EMPTY,
    *_NOT_JSON,
    *_NOT_OBJECT,
    *_DUPLICATE,
    *_RANGE,
    *_SURROGATE,
    *_SIZE,
    *_TYPE,
    *_CSV,
    *_ACCEPTED,
]
