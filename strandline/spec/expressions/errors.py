"""What is wrong with an expression: one sentence, where in the text, and what to do."""

from __future__ import annotations

from strandline.errors import StrandlineError


class ExpressionError(StrandlineError):
    """An expression is refused. `offset` is the 0-based character the message is about; `code` is SL401 to SL405:

    SL401 not an expression, SL402 an unknown column or function, SL403 a type that does not fit, SL404 something SQL has and
    this language leaves out on purpose, SL405 too long or too deep.
    """

    def __init__(self, message: str, offset: int, hint: str = "", code: str = "SL401") -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.hint = hint
        self.code = code
