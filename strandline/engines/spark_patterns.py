"""A regular expression of the vocabulary (`strandline.spec.patterns`) in Java's words, meaning what it means to RE2.

Java differs in more than it shows: `$` also stands before a last line break, `.` stops at six kinds of line ends, `\\s` has one
character more, `\\b` knows Unicode, `(?i)` folds other letters. So nothing is left to Java's defaults: the result has no flags,
and every class is written out. Source: https://github.com/google/re2/wiki/Syntax; java.util.regex.Pattern (Java 17).
"""

from __future__ import annotations

import re
from functools import lru_cache

from strandline.errors import UsageError

_WORD, _DIGIT, _SPACE = "0-9A-Za-z_", "0-9", "\\t\\n\\f\\r "
_SETS = {"d": _DIGIT, "w": _WORD, "s": _SPACE}
_CONTROLS = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_EDGE = f"(?:(?<=[{_WORD}])(?![{_WORD}])|(?<![{_WORD}])(?=[{_WORD}]))"
_INSIDE = f"(?:(?<=[{_WORD}])(?=[{_WORD}])|(?<![{_WORD}])(?![{_WORD}]))"
_REPEAT = re.compile(r"\{\d+(?:,\d*)?\}")
_FLAGS = re.compile(r"\(\?([ims]+)\)")
_FOLDED = {"k": "\\x{212a}", "s": "\\x{17f}"}
"""Letters outside ASCII that are the same as one within it, whatever their case: the Kelvin sign and the long s."""


@lru_cache(maxsize=1_024)
def java_pattern(pattern: str) -> str:
    """The pattern for `java.util.regex.Pattern`, to be searched for anywhere. Raises `UsageError` for what RE2 would refuse."""
    return _Pattern(pattern).translated()


class _Pattern:
    def __init__(self, pattern: str) -> None:
        self.pattern, self.at, self.flags = pattern, 0, set[str]()

    def translated(self) -> str:
        while found := _FLAGS.match(self.pattern, self.at):
            self.flags |= set(found[1])
            self.at = found.end()
        parts = []
        while self.at < len(self.pattern):
            parts.append(self._part())
        return "".join(parts)

    def _part(self) -> str:
        found = _REPEAT.match(self.pattern, self.at)
        if found:
            self.at = found.end()
            return found[0]
        if self.pattern.startswith("(?:", self.at):
            self.at += 3
            return "(?:"
        character = self._take()
        if character == "\\":
            return self._escape()
        if character == "[":
            return self._class()
        if character == ".":
            return "[\\x{0}-\\x{10ffff}]" if "s" in self.flags else "[^\\n]"
        if character == "^":
            return "(?<![^\\n])" if "m" in self.flags else "\\A"
        if character == "$":
            return "(?![^\\n])" if "m" in self.flags else "\\z"
        if character in "()|*+?":
            return character
        return self._letter(ord(character))

    def _take(self) -> str:
        if self.at >= len(self.pattern):
            raise UsageError(f"not a regular expression: {self.pattern}")
        self.at += 1
        return self.pattern[self.at - 1]

    def _escape(self) -> str:
        """What stands after a backslash, outside a class."""
        character = self.pattern[self.at : self.at + 1]
        known = {"A": "\\A", "z": "\\z", "b": _EDGE, "B": _INSIDE}
        if character in known:
            self.at += 1
            return known[character]
        if character.lower() in _SETS:
            self.at += 1
            return f"[{'' if character.islower() else '^'}{_SETS[character.lower()]}]"
        return self._letter(self._code())

    def _code(self) -> int:
        """The code point that an escape means."""
        character = self._take()
        if character in _CONTROLS:
            return _CONTROLS[character]
        found = re.compile(r"x([0-9A-Fa-f]{2})|0([0-7]{0,2})").match(self.pattern, self.at - 1)
        if found:
            self.at = found.end()
            return int(found[1], 16) if found[1] else int(found[2] or "0", 8)
        if character.isascii() and character.isalnum():
            raise UsageError(f"the escape \\{character} is not available in a pattern")
        return ord(character)

    def _letter(self, code: int) -> str:
        """One code point; with `(?i)` the letters that are the same as it."""
        character = chr(code)
        if "i" in self.flags and character.isascii() and character.isalpha():
            return f"[{character.lower()}{character.upper()}{_FOLDED.get(character.lower(), '')}]"
        return _plain(code)

    def _class(self) -> str:
        """A class, written out as ranges; sets of what is not in it (`\\D`) become classes within."""
        negated = self.pattern[self.at : self.at + 1] == "^"
        self.at += negated
        ranges: list[tuple[int, int]] = []
        parts: list[str] = []
        first = True
        while first or self.pattern[self.at : self.at + 1] != "]":
            first = False
            low = self._member(parts)
            if low is None:
                continue
            ranges.append((low, self._end_of_range(low)))
        self.at += 1
        parts += [_plain(low) if low == high else f"{_plain(low)}-{_plain(high)}" for low, high in self._folded(ranges)]
        found = "[" + "".join(dict.fromkeys(parts)) + "]"
        return f"[\\x{{0}}-\\x{{10ffff}}&&[^{found}]]" if negated else found

    def _member(self, parts: list[str]) -> int | None:
        """The next code point of a class; a set is added to the parts, and there is none."""
        character = self._take()
        if character != "\\":
            return ord(character)
        name = self.pattern[self.at : self.at + 1]
        if name.lower() not in _SETS:
            return self._code()
        self.at += 1
        parts.append(_SETS[name] if name.islower() else f"[^{_SETS[name.lower()]}]")
        return None

    def _end_of_range(self, low: int) -> int:
        after = self.pattern[self.at + 1 : self.at + 2]
        if self.pattern[self.at : self.at + 1] != "-" or after in ("]", ""):
            return low
        self.at += 1
        high = self._member([])
        if high is None or high < low:
            raise UsageError(f"a range of characters has no end in the pattern {self.pattern}")
        return high

    def _folded(self, ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
        if "i" not in self.flags:
            return ranges
        more = []
        for low, high in ranges:
            for code in range(max(low, 65), min(high, 122) + 1):
                if chr(code).isalpha():
                    more.append((code ^ 32, code ^ 32))
                    more += [(other, other) for key, other in (("k", 0x212A), ("s", 0x17F)) if chr(code).lower() == key]
        return [*ranges, *more]


def _plain(code: int) -> str:
    """The code point as Java reads it anywhere."""
    character = chr(code)
    return character if character.isascii() and (character.isalnum() or character == "_") else f"\\x{{{code:x}}}"
