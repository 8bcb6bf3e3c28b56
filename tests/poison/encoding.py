"""Bytes that are no text: broken UTF-8, other encodings, binary formats, NULs, nothing at all, halves of surrogate pairs."""

from __future__ import annotations

import base64
import gzip
import zlib

from tests.poison.lines import GOOD, Poison

_PLAIN = '{"id":"a"}'


def _inside(name: str, data: bytes) -> Poison:
    return Poison(name, b'{"id":"' + data + b'"}', "not_utf8")


NOT_UTF8 = [
    _inside("a lone continuation byte", b"\x80"),
    _inside("the last continuation byte alone", b"\xbf"),
    _inside("a truncated two-byte character", b"\xc3"),
    _inside("a truncated three-byte character", b"\xe2\x82"),
    _inside("a truncated four-byte character", b"\xf0\x9f\x98"),
    _inside("a two-byte character with a bad continuation", b"\xc3\x28"),
    _inside("a three-byte character with a bad second byte", b"\xe2\x28\xa1"),
    _inside("a three-byte character with a bad third byte", b"\xe2\x82\x28"),
    _inside("a four-byte character with a bad second byte", b"\xf0\x28\x8c\xbc"),
    _inside("a four-byte character with a bad third byte", b"\xf0\x90\x28\xbc"),
    _inside("a four-byte character with a bad fourth byte", b"\xf0\x90\x8c\x28"),
    _inside("one continuation byte too many", b"\xc3\xa9\xa9"),
    _inside("an overlong slash", b"\xc0\xaf"),
    _inside("an overlong slash of three bytes", b"\xe0\x80\xaf"),
    _inside("an overlong slash of four bytes", b"\xf0\x80\x80\xaf"),
    _inside("an overlong NUL", b"\xc0\x80"),
    _inside("an overlong delete character", b"\xc1\xbf"),
    _inside("an overlong quote", b"\xc0\xa2"),
    _inside("a high surrogate encoded as UTF-8", b"\xed\xa0\x80"),
    _inside("a low surrogate encoded as UTF-8", b"\xed\xbf\xbf"),
    _inside("a surrogate pair encoded as CESU-8", b"\xed\xa0\xbd\xed\xb8\x80"),
    _inside("a code point above U+10FFFF", b"\xf4\x90\x80\x80"),
    _inside("a lead byte beyond Unicode", b"\xf5\x80\x80\x80"),
    _inside("a five-byte character", b"\xf8\x88\x80\x80\x80"),
    _inside("a six-byte character", b"\xfc\x84\x80\x80\x80\x80"),
    _inside("bytes 0xFE 0xFF inside", b"\xfe\xff"),
    _inside("Latin-1 text", "café".encode("latin-1")),
    _inside("Windows-1252 quotation marks", "“a”".encode("cp1252")),
    _inside("Shift JIS text", "日本語".encode("shift_jis")),
    _inside("GBK text", "中文".encode("gbk")),
    _inside("KOI8-R text", "привет".encode("koi8-r")),
    Poison("a key in Latin-1", b'{"id":"a","caf\xe9":1}', "not_utf8"),
    Poison("a line cut inside a character", '{"id":"café'.encode()[:-1], "not_utf8"),
    Poison("UTF-16 with a byte order mark", _PLAIN.encode("utf-16"), "not_utf8"),
    Poison("big-endian UTF-16 with a byte order mark", b"\xfe\xff" + _PLAIN.encode("utf-16-be"), "not_utf8"),
    Poison("UTF-32 with a byte order mark", b"\xff\xfe\x00\x00" + _PLAIN.encode("utf-32-le"), "not_utf8"),
    Poison("big-endian UTF-32 with a byte order mark", b"\x00\x00\xfe\xff" + _PLAIN.encode("utf-32-be"), "not_utf8"),
    Poison("a damaged UTF-8 byte order mark", b"\xef\xbb" + _PLAIN.encode(), "not_utf8"),
    Poison("EBCDIC", _PLAIN.encode("cp037"), "not_utf8"),
    Poison("gzip bytes", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "not_utf8"),
    Poison("a gzip member in the middle of a file", gzip.compress(b"a", mtime=0), "not_utf8"),
    Poison("zlib bytes", zlib.compress(b"aaaa"), "not_utf8"),
    Poison("a zstd magic number", b"\x28\xb5\x2f\xfd\x04\x00", "not_utf8"),
    Poison("MessagePack", b"\x81\xa2id\xa1a", "not_utf8"),
    Poison("CBOR", b"\xa1\x62id\x61a", "not_utf8"),
    Poison("a picture", b"\x89PNG\r", "not_utf8"),
    Poison("a compiled Java class", b"\xca\xfe\xba\xbe\x00\x00\x00\x37", "not_utf8"),
    Poison("bad bytes after the object", GOOD + b"\xff", "not_utf8"),
    Poison("bad bytes before the object", b"\xff" + GOOD, "not_utf8"),
    Poison("every byte from 0x80 on", bytes(range(0x80, 0x100)), "not_utf8"),
]

NUL = [
    Poison("a NUL in a string", b'{"id":"a\x00b"}', "nul"),
    Poison("a NUL in a key", b'{"i\x00d":"a"}', "nul"),
    Poison("a NUL in a number", b'{"n":1\x002}', "nul"),
    Poison("a NUL as white space", b'{"id":\x00"a"}', "nul"),
    Poison("a NUL after the object", b'{"id":"a"}\x00', "nul"),
    Poison("a NUL before the object", b'\x00{"id":"a"}', "nul"),
    Poison("a NUL after a good line", GOOD + b"\x00", "nul"),
    Poison("a NUL and a CR after the object", b'{"id":"a"}\x00\r', "nul"),
    Poison("nothing but NULs", b"\x00" * 16, "nul"),
    Poison("a block of NULs, as a file system leaves after a crash", b"\x00" * 4096, "nul"),
    Poison("UTF-16 without a byte order mark", _PLAIN.encode("utf-16-le"), "nul"),
    Poison("big-endian UTF-16 without a byte order mark", _PLAIN.encode("utf-16-be"), "nul"),
    Poison("UTF-32 without a byte order mark", _PLAIN.encode("utf-32-le"), "nul"),
    Poison("a tar header", b"a.ndjson" + b"\x00" * 92 + b"0000644\x00", "nul"),
]

EMPTY = [
    Poison("no byte at all", b"", "empty_line"),
    Poison("one blank", b" ", "empty_line"),
    Poison("blanks and tabs", b" \t  ", "empty_line"),
    Poison("a lone CR", b"\r", "empty_line"),
    Poison("two CRs", b"\r\r", "empty_line"),
    Poison("a form feed", b"\x0c", "empty_line"),
    Poison("a vertical tab", b"\x0b", "empty_line"),
    Poison("a lone byte order mark", b"\xef\xbb\xbf", "empty_line"),
    Poison("a byte order mark and a CR", b"\xef\xbb\xbf\r", "empty_line"),
    Poison("a byte order mark and blanks", b"\xef\xbb\xbf  ", "empty_line"),
    Poison("10,000 blanks", b" " * 10_000, "empty_line"),
]

OTHER_TEXT = [
    Poison("a lone no-break space", "\u00a0".encode(), "not_json"),
    Poison("a lone line separator", "\u2028".encode(), "not_json"),
    Poison("a lone next-line character", "\u0085".encode(), "not_json"),
    Poison("a lone zero-width space", "\u200b".encode(), "not_json"),
    Poison("a lone ideographic space", "\u3000".encode(), "not_json"),
    Poison("a lone replacement character", "\ufffd".encode(), "not_json"),
    Poison("a file separator", b"\x1c", "not_json"),
    Poison("an end-of-transmission character", b"\x04", "not_json"),
    Poison("a Ctrl-Z, as DOS ends a file", b"\x1a", "not_json"),
    Poison("two byte order marks", b"\xef\xbb\xbf\xef\xbb\xbf{}", "not_json"),
    Poison("a byte order mark in the middle", b'{"id":\xef\xbb\xbf"a"}', "not_json"),
    Poison("a byte order mark after the object", b'{"id":"a"}\xef\xbb\xbf', "not_json"),
    Poison("UTF-7", b"+AHsAIg-id+ACI-:+ACI-a+ACIAfQ-", "not_json"),
    Poison("base64", base64.b64encode(GOOD), "not_json"),
    Poison("hexadecimal digits", GOOD.hex().encode(), "not_json"),
    Poison("a zip archive's first bytes", b"PK\x03\x04\x14", "not_json"),
    Poison("a Parquet file's first bytes", b"PAR1\x15\x04", "not_json"),
    Poison("an Avro file's first bytes", b"Obj\x01\x04", "not_json"),
    Poison("a PDF's first line", b"%PDF-1.7", "not_json"),
    Poison("a backspace in a string", b'{"id":"a\x08"}', "not_json"),
    Poison("a bell in a string", b'{"id":"\x07"}', "not_json"),
    Poison("a unit separator in a string", b'{"id":"a\x1fb"}', "not_json"),
    Poison("an escape character in a string", b'{"id":"\x1b[0m"}', "not_json"),
    Poison("a tab in a string", b'{"id":"a\tb"}', "not_json"),
    Poison("a CR in a string", b'{"id":"a\rb"}', "not_json"),
    Poison("a line feed in a string", b'{"id":"a\nb"}', "not_json"),
    Poison("a tab in a key", b'{"i\td":"a"}', "not_json"),
]


def _text(name: str, inner: str, field: str | None = "id") -> Poison:
    return Poison(name, f'{{"id":"{inner}"}}'.encode(), "lone_surrogate", field)


SURROGATE = [
    _text("a high surrogate alone", "\\ud83d"),
    _text("a low surrogate alone", "\\uDE00"),
    _text("a pair in the wrong order", "\\ude00\\ud83d"),
    _text("a high surrogate before a letter", "\\ud83dx"),
    _text("two high surrogates", "\\ud83d\\ud83d"),
    _text("two low surrogates", "\\ude00\\ude00"),
    _text("a low surrogate after a whole pair", "\\ud83d\\ude00\\ude00"),
    _text("a pair parted by an escaped line feed", "\\ud83d\\n\\ude00"),
    _text("a high surrogate before an escaped letter", "\\ud83d\\u0041"),
    _text("a high surrogate before a character of four bytes", "\\ud83d😀"),
    _text("the first surrogate", "\\ud800"),
    _text("the last surrogate", "\\uDFFF"),
    _text("a surrogate after an escaped backslash", "\\\\\\ud800"),
    Poison("a lone surrogate in an undeclared value", b'{"z":"\\ud800"}', "lone_surrogate"),
    Poison("a lone surrogate in a key", b'{"\\ud800":1}', "lone_surrogate"),
    Poison("a lone surrogate in a renamed field", b'{"Note-Text":"\\ud800"}', "lone_surrogate", "note"),
    Poison("a lone surrogate in a timestamp", b'{"at":"\\ud800"}', "lone_surrogate", "at"),
    Poison("a lone surrogate deep inside", b'{"tags":[{"a":["\\udfff"]}]}', "lone_surrogate", "tags"),
    Poison("a lone surrogate in a nested key", b'{"tags":{"\\udfff":1}}', "lone_surrogate", "tags"),
    Poison("a lone surrogate in a known shape", GOOD.replace(b'"hi"', b'"\\udc00"'), "lone_surrogate", "note"),
]

ENCODING = [*NOT_UTF8, *NUL, *EMPTY, *OTHER_TEXT, *SURROGATE]
