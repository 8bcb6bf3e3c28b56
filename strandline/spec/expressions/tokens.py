"""The words of an expression, each with its place in the text; comments and blanks are dropped."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from strandline.spec.expressions.errors import ExpressionError

Kind = Literal["name", "quoted", "integer", "number", "text", "symbol", "end"]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<blank>--[^\n]*|/\*.*?\*/|\Z)
      | (?P<number>(?:[0-9]+\.[0-9]+|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<text>'(?:[^']|'')*')
      | (?P<quoted>"(?:[^"]|"")*")
      | (?P<symbol><=|>=|<>|!=|==|\|\||//|\*\*|::|->|&&|[-+*/%=<>(),.;?$:\[\]{}!^&|~@\#]))""",
    re.VERBOSE | re.DOTALL,
)
_OPEN = {"'": "the text", '"': "the quoted name", "/": "the comment"}


class Token(NamedTuple):
    """One word: `text` is its value (quotes removed; names as written), `start` and `end` its 0-based characters.

    `word` is the keyword this token could be: a name in lower case, else empty; `symbol` the symbol that it is, or empty.
    """

    kind: Kind
    text: str
    start: int
    end: int
    word: str = ""
    symbol: str = ""


def tokens_of(text: str) -> list[Token]:
    """The words of `text`, ended by one of kind `end`; raises ExpressionError for a character or quote that fits nowhere."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unreadable(text, len(text) - len(text[at:].lstrip()))
        kind = match.lastgroup or ""
        word, start, at = match[kind], match.start(kind), match.end()
        if kind == "blank":
            continue
        if word == "/" and text.startswith("*", at):
            raise _unreadable(text, start)
        if kind == "symbol":
            found.append(Token("symbol", word, start, at, "", word))
            continue
        if kind == "number" and at < len(text) and (text[at].isalnum() or text[at] in "_."):
            raise ExpressionError(f"a number ends before '{text[at]}'", at, "names start with a letter; 1000 has no separators")
        found.append(_token(kind, word, start, at))
    found.append(Token("end", "", len(text), len(text)))
    return found


def _token(kind: str, word: str, start: int, end: int) -> Token:
    if kind == "text":
        if "\0" in word:
            raise ExpressionError("a text cannot hold the NUL character", start + word.index("\0"))
        return Token("text", word[1:-1].replace("''", "'"), start, end)
    if kind == "quoted":
        return Token("quoted", word[1:-1].replace('""', '"'), start, end)
    if kind == "number":
        return Token("integer" if word.isdigit() else "number", word, start, end)
    return Token("name", word, start, end, word.lower())


def _unreadable(text: str, at: int) -> ExpressionError:
    character = text[at]
    if character in _OPEN:
        hint = "a ' inside a text is written ''" if character == "'" else ""
        return ExpressionError(f"{_OPEN[character]} opened here is never closed", at, hint)
    if character in "‘’“”":
        return ExpressionError(f"a typographic quote is not a quote (saw {character})", at, "texts stand in '…'")
    return ExpressionError(f"cannot read the character {character!r}", at)
