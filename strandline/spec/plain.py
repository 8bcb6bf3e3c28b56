"""The value of a YAML text that holds nothing but plain data, with few places: one pass, several times as fast as with all.

Nearly every file is of this kind. Whatever is odd (an anchor, a tag, a key twice, a syntax error) ends the pass; `document`
then reads the text again, with the place of everything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from strandline.spec.positions import Path, Place
from strandline.spec.scalars import NumberRefusedError, resolve

LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAX_DEPTH = 30
MAX_VALUES = 12_000


class OddError(Exception):
    """The text holds more than plain data, or is no YAML; what it is, and where, is for `document` to say."""


class TooManyError(Exception):
    """The text holds more than MAX_VALUES keys and values; `place` is where reading stopped."""

    def __init__(self, place: Place) -> None:
        self.place = place


def plain_value(text: str) -> tuple[Any, dict[Path, Place]]:
    """The value of the one document in `text`, and the places of the items of lists at its top (`("tests", 0)`).

    Raises OddError when the text needs a closer look, TooManyError when there is too much in it.
    """
    loader = LOADER(text)
    try:
        plain = _Plain(loader.get_event)
        return plain.document(), plain.places
    except (yaml.YAMLError, NumberRefusedError) as error:
        raise OddError from error
    finally:
        loader.dispose()


class _Plain:
    def __init__(self, next_event: Callable[[], Any]) -> None:
        self.next = next_event
        self.left = MAX_VALUES
        self.places: dict[Path, Place] = {}

    def document(self) -> Any:
        self.next()
        if type(self.next()) is not yaml.DocumentStartEvent:
            raise OddError
        value = self.value(self.next(), 0)
        if type(self.next()) is not yaml.DocumentEndEvent or type(self.next()) is not yaml.StreamEndEvent:
            raise OddError
        return value

    def value(self, event: Any, depth: int) -> Any:
        kind = type(event)
        if kind is yaml.AliasEvent or event.anchor is not None or event.tag is not None:
            raise OddError
        if kind is yaml.ScalarEvent:
            text = event.value
            return text if event.style else resolve(text)
        if depth >= MAX_DEPTH:
            raise OddError
        return self.mapping(depth + 1) if kind is yaml.MappingStartEvent else self.items(depth + 1, None)

    def mapping(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        next_event, scalar = self.next, yaml.ScalarEvent
        while type(event := next_event()) is scalar:
            key = event.value
            if event.anchor is not None or event.tag is not None or key in found:
                raise OddError
            if not event.style and (key == "<<" or type(resolve(key)) is not str):
                raise OddError
            if len(found) > self.left:
                raise TooManyError(_place(event))
            event = next_event()
            if type(event) is scalar and event.anchor is None and event.tag is None:  # most are; so no call is made for them
                found[key] = event.value if event.style else resolve(event.value)
            elif depth == 1 and type(event) is yaml.SequenceStartEvent and event.anchor is None and event.tag is None:
                found[key] = self.items(2, key)
            else:
                found[key] = self.value(event, depth)
        self.left -= len(found)
        if type(event) is not yaml.MappingEndEvent:
            raise OddError
        return found

    def items(self, depth: int, top: str | None) -> list[Any]:
        found: list[Any] = []
        next_event = self.next
        while type(event := next_event()) is not yaml.SequenceEndEvent:
            if top is not None:
                self.places[(top, len(found))] = _place(event)
            found.append(self.value(event, depth))
            if len(found) > self.left:
                raise TooManyError(_place(event))
        self.left -= len(found)
        return found


def _place(event: Any) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)
