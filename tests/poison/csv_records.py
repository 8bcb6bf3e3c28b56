"""CSV records that are none, under headers that are none; what is wrong with a value is in `values` and `times`."""

from __future__ import annotations

from strandline.lines.strict import MAX_LINE
from tests.poison.lines import AT, Poison

HEAD = "id,at,n,Note-Text"
UNREADABLE = ('id,"at', '"id"x,at', "id,at\ra,b")
"""Headers that are no record: the first line of such an object is refused like those under it."""


def _ragged(name: str, text: str, header: str = HEAD) -> Poison:
    return Poison(name, text.encode(), "ragged_row", header=header)


CSV = [
    _ragged("a cell too few", "a,2026-01-01T00:00:00Z,1"),
    _ragged("a cell too many", "a,b,1,x,y"),
    _ragged("one lone cell", "a"),
    _ragged("a trailing comma in CSV", f"a,{AT},1,x,"),
    _ragged("1,000 cells", "," * 999),
    _ragged("a quote that never closes", 'a,b,1,"x'),
    _ragged("a quote that never closes at the start", '"a,b,1,x'),
    _ragged("a lone quote", '"'),
    _ragged("three quotes", 'a,b,1,"""'),
    _ragged("text after a closing quote", 'a,b,1,"x"y'),
    _ragged("a blank after a closing quote", f'"a" ,{AT},1,x'),
    _ragged("a quote escaped by a backslash", f'a,{AT},1,"say \\"hi\\""'),
    _ragged("an unquoted comma", f"a,{AT},1,000,x"),
    _ragged("a decimal comma", f"a,{AT},1,5,x"),
    _ragged("semicolons for commas", f"a;{AT};1;x"),
    _ragged("tabs for commas", f"a\t{AT}\t1\tx"),
    _ragged("pipes for commas", f"a|{AT}|1|x"),
    _ragged("fullwidth commas", f"a，{AT}，1，x"),
    _ragged("a CR in an unquoted cell", "a,b\rc,1,x"),
    _ragged("two CRs at the end", f"a,{AT},1,x\r\r"),
    _ragged("old Mac line ends", f"a,{AT},1,x\rb,{AT},2,y"),
    _ragged("a comment in CSV", "# exported on 2026-01-01"),
    _ragged("a count of rows at the end", "(2 rows)"),
    _ragged("a separator hint, as Excel takes it", "sep=,"),
    _ragged("a rule of dashes", "----+----+----"),
    _ragged("JSON under a CSV header", '{"id":"a"}'),
    _ragged("a web page under a CSV header", "<html>"),
    _ragged("a CSV record of a no-break space", "\u00a0"),
    _ragged("a header whose quotes do not close", "a,b", UNREADABLE[0]),
    _ragged("a header with text after a quote", "a,b", UNREADABLE[1]),
    _ragged("a header with lone CRs", "a,b", UNREADABLE[2]),
    Poison("an empty CSV record", b"", "empty_line", header=HEAD),
    Poison("a CSV record of blanks", b"  ", "empty_line", header=HEAD),
    Poison("a CSV record of a lone CR", b"\r", "empty_line", header=HEAD),
    Poison("a CSV record of tabs", b"\t\t", "empty_line", header=HEAD),
    Poison("a CSV record of a byte order mark", b"\xef\xbb\xbf", "empty_line", header=HEAD),
    Poison("a CSV record that is not UTF-8", b"\xff,b,1,x", "not_utf8", header=HEAD),
    Poison("a CSV record in Latin-1", f"a,{AT},1,caf\u00e9".encode("latin-1"), "not_utf8", header=HEAD),
    Poison("a CSV record in UTF-16 with a byte order mark", f"a,{AT},1,x".encode("utf-16"), "not_utf8", header=HEAD),
    Poison("a CSV record in UTF-16", f"a,{AT},1,x".encode("utf-16-le"), "nul", header=HEAD),
    Poison("a CSV record cut inside a character", f"a,{AT},1,\u00e9".encode()[:-1], "not_utf8", header=HEAD),
    Poison("a surrogate in a CSV record", b"a,b,1,\xed\xa0\x80", "not_utf8", header=HEAD),
    Poison("a NUL in a CSV record", b"a\x00,b,1,x", "nul", header=HEAD),
    Poison("a CSV record of NULs", b"\x00\x00\x00", "nul", header=HEAD),
    Poison("a header that names a column twice", b"a,b", "duplicate_key", "id", header="id,id"),
    Poison("a header that names a renamed column twice", b"a,b", "duplicate_key", "note", header="Note-Text,Note-Text"),
    Poison("a header that names an undeclared column twice", b"a,b", "duplicate_key", header="z,z"),
    Poison("a header with two unnamed columns", f"a,{AT},,".encode(), "duplicate_key", header="id,at,,"),
    Poison("a header that names a column twice, once quoted", b"a,b", "duplicate_key", "id", header='id,"id"'),
    Poison("the header again in the middle", HEAD.encode(), None, header=HEAD, judged=("type", "at")),
    Poison("an empty key cell", f",{AT},1,x".encode(), None, header=HEAD, judged=("missing", "id")),
    Poison("a quoted empty key cell", f'"",{AT},1,x'.encode(), None, header=HEAD, judged=("missing", "id")),
    Poison("an empty event time cell", b"a,,1,x", None, header=HEAD, judged=("missing", "at")),
    Poison("a CSV record of empty cells", b",,,", None, header=HEAD, judged=("missing", "id")),
    Poison("a CSV record of quoted empty cells", b'"","","",""', None, header=HEAD, judged=("missing", "id")),
    Poison("cells in another order", f"{AT},a,1,x".encode(), None, header=HEAD, judged=("type", "at")),
    Poison("a header without the key", f"{AT},1".encode(), None, header="at,n", judged=("missing", "id")),
    Poison("a header without the event time", b"a,1", None, header="id,n", judged=("missing", "at")),
    Poison("data for a header", f"b,{AT}".encode(), None, header=f"a,{AT}", judged=("missing", "id")),
    Poison("a header in capitals", f"a,{AT}".encode(), None, header="ID,AT", judged=("missing", "id")),
    Poison("a header with blanks after its commas", f"a, {AT}".encode(), None, header="id, at", judged=("missing", "at")),
    Poison("a header under another delimiter", f"a;{AT}".encode(), None, header="id;at", judged=("missing", "id")),
    Poison("a header in Cyrillic", f"a,{AT}".encode(), None, header="\u0456d,at", judged=("missing", "id")),
    Poison(
        "a header with two byte order marks", f"a,{AT}".encode(), None, header="\ufeff\ufeffid,at", judged=("missing", "id")
    ),
    Poison("a header that is not UTF-8", f"a,{AT}".encode(), None, header="\ufffdid,at", judged=("missing", "id")),
    Poison("a blank before a cell", f"a, {AT},1,x".encode(), None, header=HEAD, judged=("type", "at")),
    Poison("single quotes in CSV", f"a,'{AT}',1,x".encode(), None, header=HEAD, judged=("type", "at")),
]

CSV_LONG = [Poison("a CSV record that is too long", b"a" * (MAX_LINE + 1), "too_long", header=HEAD)]
