"""Lines that look as if something were wrong with them, and are good events: refusing one of these loses data."""

from __future__ import annotations

from strandline.lines.strict import MAX_DEPTH, MAX_LINE
from tests.poison.csv_records import HEAD
from tests.poison.lines import AT, GOOD, Poison, event


def _json(name: str, raw: bytes) -> Poison:
    return Poison(name, raw, None)


def _csv(name: str, text: str, header: str = HEAD) -> Poison:
    return Poison(name, text.encode(), None, header=header)


JSON = [
    _json("a good line", GOOD),
    _json("a CR at the end", event() + b"\r"),
    _json("a byte order mark at the start", b"\xef\xbb\xbf" + event()),
    _json("blanks all around", event().replace(b",", b" , ").replace(b'":', b'" : ').join([b" \t", b"\t "])),
    _json("every other field null", event('"n":null,"x":null,"price":null,"ok":null,"day":null,"tags":null,"Note-Text":null')),
    _json("an escaped NUL", event(key='"a\\u0000b"')),
    _json("a surrogate pair", event(key='"\\ud83d\\ude00"')),
    _json("an escaped backslash before ud800", event(key='"\\\\ud800"')),
    _json("an emoji as UTF-8", event(key='"😀 as UTF-8"')),
    _json("a noncharacter", event(key='"\uffff"')),
    _json("a byte order mark in a string", event(key='"\ufeffx"')),
    _json("a replacement character in a string", event(key='"\ufffd"')),
    _json("text decoded twice", event(key='"cafÃ©"')),
    _json("a line separator in a string", event(key='"a\u2028b"')),
    _json("a next-line character in a string", event(key='"a\u0085b"')),
    _json("a delete character in a string", event(key='"\x7f"')),
    _json("a right-to-left mark in a string", event(key='"\u202ea"')),
    _json("an empty string as the key", event(key='""')),
    _json("a number as the key", event(key="17")),
    _json("true as the key", event(key="true")),
    _json("a key that is spelt null", event(key='"null"')),
    _json("a key of 100,000 characters", event(key='"' + "k" * 100_000 + '"')),
    _json("a quote and a semicolon of SQL", event(key='"\'; DROP TABLE events; --"')),
    _json("a path upwards", event(key='"../../etc/passwd"')),
    _json("a spreadsheet's formula", event(key='"=1+1"')),
    _json("a double that underflows to zero", event('"x":1e-999')),
    _json("minus zero", event('"n":-0,"x":-0.0,"price":-0.00')),
    _json("a zero with a great exponent", event('"x":0e999')),
    _json("the greatest integer", event('"n":9223372036854775807')),
    _json("the least integer", event('"n":-9223372036854775808')),
    _json("a whole number with a point", event('"n":1.000')),
    _json("leading zeros in a text", event('"n":"007","x":"01.5","price":"002.50"')),
    _json("a plus sign in a text", event('"n":"+1","x":"+1.5","price":"+2.50"')),
    _json("a number of 5,000 decimal places", event('"x":0.' + "1" * 5000)),
    _json("zeros beyond the decimal's scale", event('"price":"2.50000"')),
    _json("the greatest decimal", event('"price":9999999999999999.99')),
    _json("booleans in capitals", event('"ok":"TRUE"')),
    _json("a huge number in an undeclared field", event('"z":' + "9" * 300)),
    _json("braces and commas in a string", event(key='"},{\\"n\\":1,["')),
    _json("a key that differs by case", event('"ID":"b"')),
    _json("a key that differs by normal form", event('"\u00e9":1,"e\u0301":2')),
    _json("equal keys in different objects", event('"tags":{"id":1},"z":{"id":1}')),
    _json("as deep as allowed", event('"z":' + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1))),
    _json("300 brackets in a string", event('"Note-Text":"' + "[" * 300 + '"')),
    _json("300 lists side by side", event('"z":[' + ",".join(["[]"] * 300) + "]")),
    _json("5,000 undeclared keys", event(",".join(f'"k{n}":{n}' for n in range(5000)))),
    _json("a text that means NULL", event('"Note-Text":"-"')),
    _json("a leap day", event(at='"2024-02-29T00:00:00Z"')),
    _json("the leap day of 2000", event(at='"2000-02-29"')),
    _json("the first moment there is", event(at='"0001-01-01T00:00:00Z"')),
    _json("the last moment there is", event(at='"9999-12-31T23:59:59.999999Z"')),
    _json("the greatest value of .NET", event(at='"9999-12-31T23:59:59.9999999+00:00"')),
    _json("the first day there is", event('"day":"0001-01-01"')),
    _json("the last day there is", event('"day":"9999-12-31"')),
    _json("the last microsecond of a day, and some nanoseconds", event(at='"2026-01-01T23:59:59.999999999Z"')),
    _json("a comma before the fraction", event(at='"2026-01-01T00:00:00,5Z"')),
    _json("a small z", event(at='"2026-01-01T00:00:00z"')),
    _json("a blank before Z", event(at='"2026-01-01 00:00:00 Z"')),
    _json("a blank before the offset", event(at='"2026-01-01 00:00:00 +0100"')),
    _json("a negative offset after a blank", event(at='"2026-01-01 00:00:00 -05:30"')),
    _json("the greatest offset of any zone", event(at='"2026-01-01T00:00:00+14:00"')),
    _json("minus zero as offset", event(at='"2026-01-01T00:00:00-00:00"')),
    _json("the greatest offset that is read", event(at='"2026-01-01T00:00:00-18:00"')),
    _json("an hour that Berlin's clocks skip", event(at='"2026-03-29T02:30:00"')),
    _json("an hour that Berlin's clocks repeat, the first time", event(at='"2026-10-25T02:30:00+02:00"')),
    _json("an hour that Berlin's clocks repeat, the second time", event(at='"2026-10-25T02:30:00+01:00"')),
]

CSV = [
    _csv("a CSV record", f"h1,{AT},1,hi"),
    _csv("a CSV record with empty cells", f"h2,{AT},,"),
    _csv("a CSV record with a CR at its end", f"h3,{AT},1,hi\r", HEAD + "\r"),
    _csv("a CSV record with a quoted line break", f'h4,{AT},1,"x\ny"'),
    _csv("a CSV record with a quoted CRLF", f'h5,{AT},1,"x\r\ny"'),
    _csv("a CSV record with doubled quotes", f'h6,{AT},1,"say ""hi"""'),
    _csv("a quote in an unquoted cell", f'h7,{AT},1,5" pipe'),
    _csv("a header with a byte order mark", f"h8,{AT}", "\ufeffid,at"),
    _csv("a quoted header", f"h9,{AT}", '"id","at"'),
    _csv("a header with an unnamed column", f"h10,{AT},x", "id,at,"),
    _csv("a line separator in a CSV cell", f"h11,{AT},1,a\u2028b"),
    _csv("the columns in another order", f"{AT},h12", "at,id"),
    _csv("a whole number of -0 in CSV", f"h13,{AT},-0,x"),
    _csv("a blank around a text", f" h14 ,{AT},1, x "),
]

LONG = [
    Poison("as long as allowed", b'{"id":"' + b"b" * (MAX_LINE - 9 - len(AT) - 8) + b'","at":"' + AT.encode() + b'"}', None)
]

HARMLESS = [*JSON, *CSV]
