"""A walk over the words of an expression: what comes now, what must come, and what is said when something else does."""

from __future__ import annotations

from strandline.spec.expressions.errors import ExpressionError
from strandline.spec.expressions.left_out import left_out_symbol, left_out_word
from strandline.spec.expressions.tokens import Token

MAX_DEPTH = 50


class Cursor:
    """The place in the words, and how deeply nested it is; `now` is the word at the cursor."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.now = tokens[0]
        self.at = 0
        self.depth = 0

    def following(self, ahead: int = 1) -> Token:
        """The word `ahead` of the cursor, or the end."""
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)]

    def take(self) -> Token:
        """The word at the cursor, which moves on."""
        token = self.now
        if token.kind != "end":
            self.at += 1
            self.now = self.tokens[self.at]
        return token

    def is_word(self, *words: str) -> bool:
        """Whether one of the keywords comes now."""
        return self.now.word in words

    def is_symbol(self, *symbols: str) -> bool:
        """Whether one of the symbols comes now."""
        return self.now.symbol in symbols

    def expect_symbol(self, symbol: str, what: str) -> Token:
        """Takes the symbol; raises ExpressionError when something else comes."""
        if not self.is_symbol(symbol):
            raise self.unexpected(f"expected {symbol} {what}".rstrip())
        return self.take()

    def expect_word(self, word: str, what: str) -> None:
        """Takes the keyword; raises ExpressionError when something else comes."""
        if not self.is_word(word):
            raise self.unexpected(f"expected {word} {what}".rstrip())
        self.take()

    def unexpected(self, wanted: str) -> ExpressionError:
        """The error that `wanted` should come now, or that what comes is left out on purpose."""
        token = self.now
        before = self.tokens[self.at - 1] if self.at else token
        for suspect in (token, before):
            known = left_out_symbol(suspect.text) if suspect.kind == "symbol" else left_out_word(suspect.word)
            if known and (suspect is token or suspect.kind == "name"):
                return ExpressionError(known[0], suspect.start, known[1], "SL404")
        saw = "the end" if token.kind == "end" else f"'{token.text}'"
        return ExpressionError(f"{wanted} (saw {saw})", token.start)

    def skip_word(self, word: str) -> bool:
        """Takes the keyword if it comes now, and says whether it did."""
        if self.is_word(word):
            self.take()
            return True
        return False

    def enter(self) -> None:
        """One level further in, to be left with `leave`; raises ExpressionError past the deepest allowed."""
        if self.depth >= MAX_DEPTH:
            raise too_deep(self.now.start)
        self.depth += 1

    def leave(self) -> None:
        """One level back out."""
        self.depth -= 1


def too_deep(offset: int) -> ExpressionError:
    """The error that an expression is nested too deeply."""
    return ExpressionError(f"is nested too deeply (allowed {MAX_DEPTH} levels)", offset, code="SL405")
