"""What a YAML parser's complaint means, in words: place, code, one sentence and what to do."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from strandline.spec.positions import Place

_QUOTE_IT = "put the whole value in quotes, of the kind it does not hold itself"

Explained = tuple[Place, str, str, str]


def explain(error: yaml.YAMLError, text: str, lines: Sequence[str]) -> Explained:
    """Place, code, message and hint for a parser error; the library's own words are only used when nothing better is known."""
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        place = Place(before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1)
        return place, "SL102", f"holds a character that YAML does not allow (saw U+{_ordinal(error):04X})", "remove it"
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Place(1, 1), "SL102", "is not YAML", ""
    place = Place(error.problem_mark.line + 1, error.problem_mark.column + 1)
    opened = Place(error.context_mark.line + 1, error.context_mark.column + 1) if error.context_mark else place
    tab = _tab_in_indentation(lines, place)
    if tab:
        return tab, "SL103", "is indented with a tab", "indent with spaces"
    return _explain_marked(error, place, opened, lines)


def _explain_marked(error: yaml.MarkedYAMLError, place: Place, opened: Place, lines: Sequence[str]) -> Explained:
    problem, context = error.problem or "", error.context or ""
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    if "nesting depth" in problem:
        return place, "SL108", "is nested too deeply", ""
    if "mapping values are not allowed" in problem:
        return _second_colon(place, lines)
    if "cannot start any token" in problem:
        mark = line[place.column - 1 : place.column]
        return (
            place,
            "SL102",
            f"a value cannot start with {mark}",
            f'put it in quotes: "{line[place.column - 1 :].strip()[:40]}"',
        )
    if "quoted scalar" in context and "end of stream" in problem:
        return opened, "SL102", "the quote opened here is never closed", "close it on the same line"
    if "unknown escape" in problem:
        return place, "SL102", "is an unknown escape in a double-quoted text", "use single quotes: nothing is escaped there"
    if "block scalar" in context and line[: opened.column - 1].rstrip().endswith(("'", '"')):
        return opened, "SL102", "the value ends at its closing quote, but the line goes on", _QUOTE_IT
    if "block scalar" in context:
        return opened, "SL102", "a value cannot start with | or > and go on on the same line", "put the whole value in quotes"
    if "flow" in context:
        return _flow(context, place, opened, line)
    if "simple key" in context:
        return opened, "SL102", "a key without a value: a colon is missing", "write key: value"
    if "block" in context and line.strip():
        return _misplaced(place, opened, lines)
    if "document start" in problem:
        return place, "SL111", "holds something after the end of the document", "one file, one document"
    return place, "SL102", f"is not YAML: {problem or 'something is wrong here'}", ""


def _second_colon(place: Place, lines: Sequence[str]) -> Explained:
    line = lines[place.line - 1]
    above = next((text for text in reversed(lines[: place.line - 1]) if text.strip() and not text.lstrip().startswith("#")), "")
    first = line.find(": ")
    indent, above_indent = _indent(line), _indent(above)
    if indent > above_indent and first + 1 >= place.column and not above.rstrip().endswith(":"):
        message = "is indented further than the line above, which already has a value"
        return Place(place.line, indent + 1), "SL104", message, f"indent it by {_spaces(above_indent)}"
    value = line[first + 2 :].strip()[:60]
    return place, "SL102", "a value cannot hold a colon followed by a space", f'put it in quotes: "{value}"'


def _flow(context: str, place: Place, opened: Place, line: str) -> Explained:
    start, end = ("[", "]") if "sequence" in context else ("{", "}")
    if place.line != opened.line or place.column > len(line.rstrip()):
        return opened, "SL102", f"the {start} opened here is never closed", f"close it with {end}"
    message = f"expected a comma or {end} here"
    return place, "SL102", message, "put values that hold , : [ ] { } or quotes in quotes"


def _misplaced(place: Place, opened: Place, lines: Sequence[str]) -> Explained:
    line = lines[place.line - 1]
    indent = _indent(line)
    if place.column == indent + 1:
        above = next((_indent(text) for text in reversed(lines[: place.line - 1]) if text.strip()), 0)
        ways = [f"by {_spaces(above)} like the line above"]
        if above != opened.column - 1:
            ways.append(f"by {_spaces(opened.column - 1)} like line {opened.line}")
        message = f"is indented by {_spaces(indent)}, which matches no line above"
        return place, "SL104", message, f"indent it {' or '.join(ways)}"
    rest = line[place.column - 1 :].strip()[:40]
    return (
        place,
        "SL102",
        f"the value ends before this (saw {rest})",
        _QUOTE_IT,
    )


def _tab_in_indentation(lines: Sequence[str], place: Place) -> Place | None:
    """The place of a tab in the indentation of the line complained about, or of one near above it."""
    for number in range(place.line, max(0, place.line - 3), -1):
        line = lines[number - 1] if number <= len(lines) else ""
        indentation = line[: len(line) - len(line.lstrip())]
        if "\t" in indentation and line.strip():
            return Place(number, indentation.index("\t") + 1)
    return None


def _spaces(count: int) -> str:
    return f"{count} space" if count == 1 else f"{count} spaces"


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _ordinal(error: yaml.reader.ReaderError) -> int:
    return error.character if isinstance(error.character, int) else ord(str(error.character)[:1] or "?")
