"""Personal data is found by name and by value, protected, and never shown in the YAML."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.scaffold.personal import is_address, is_card
from tests.scaffold.samples import loaded, made, rows_of

Maker = Callable[[random.Random], object]


def card(chance: random.Random) -> str:
    digits = [4, *(chance.randrange(10) for _ in range(14))]
    odd = sum(sum(divmod(2 * digit, 10)) for digit in digits[::2])
    return "".join(map(str, digits)) + str(-(odd + sum(digits[1::2])) % 10)


def phone(chance: random.Random) -> str:
    return f"+49 30 {chance.randrange(10**6, 10**7)}"


def person(chance: random.Random) -> str:
    return (
        f"{chance.choice(['Anna', 'Peter', 'Maria', 'Omar'])} {chance.choice('ABCDEFGH')}{chance.choice(['erg', 'olm', 'aas'])}"
    )


BY_VALUE: list[tuple[str, Maker]] = [
    ("who", lambda c: f"user{c.randrange(10**6)}@example.net"),
    ("peer", lambda c: ".".join(str(c.randrange(1, 255)) for _ in range(4))),
    ("peer6", lambda c: f"2001:db8::{c.randrange(2**16):x}"),
    ("reach", phone),
    ("paid_with", card),
    ("paid_with", lambda c: int(card(c))),
    ("seller", person),
]
BY_NAME: list[tuple[str, Maker]] = [
    ("firstName", lambda c: f"Xq{c.randrange(9999)}"),
    ("mobile", lambda c: c.randrange(10**9)),
    ("date_of_birth", lambda c: f"19{c.randrange(50, 99)}-02-03"),
    ("client_ip", lambda c: f"h{c.randrange(9999)}"),
    ("ssn", lambda c: f"{c.randrange(10**8, 10**9)}"),
]


@pytest.mark.parametrize(("name", "value"), [*BY_VALUE, *BY_NAME], ids=lambda x: x if isinstance(x, str) else "")
def test_it_is_hashed_and_no_value_of_it_stands_in_the_file(tmp_path: Path, name: str, value: Maker) -> None:
    rows = rows_of(1200, lambda n, chance: {name: value(chance), "kind": "ab"[n % 2], "size": n % 37})
    found = made(tmp_path, rows)
    stream = loaded(found.text)
    field = next(f for f in stream.fields if f.source_name == name)
    assert (field.type, field.classification, field.protect) == ("string", "pii", "hash")
    assert found.protected == (field.name,)
    assert not [row[name] for row in rows if str(row[name]) in found.text]


def test_a_secret_is_dropped_and_never_shown(tmp_path: Path) -> None:
    rows = rows_of(300, lambda n, chance: {"api_token": f"tok{chance.randrange(10**9)}"})
    found = made(tmp_path, rows)
    field = loaded(found.text).field_named("api_token")
    assert (field.classification, field.protect, field.required) == ("secret", "drop", False)
    assert not [row for row in rows if row["api_token"] in found.text]


def test_addresses_inside_free_texts_are_not_shown(tmp_path: Path) -> None:
    rows = rows_of(300, lambda n, _: {"note": f"ask person{n % 3}@example.net"})
    assert "@example.net" not in made(tmp_path, rows).text.replace("change-me@example.com", "")


@pytest.mark.parametrize(
    ("name", "value"),
    [("product", "Blue Chair"), ("email_count", 3), ("version", "1.2.3.4.5"), ("order_number", 4242424242), ("street_id", 5)],
)
def test_what_only_sounds_alike_is_left_alone(tmp_path: Path, name: str, value: object) -> None:
    assert made(tmp_path, rows_of(60, lambda n, _: {name: value})).protected == ()


@given(st.ip_addresses())
def test_every_address_is_an_address(address: object) -> None:
    assert is_address(str(address))


@given(st.randoms(use_true_random=False))
def test_a_card_number_is_one_and_stops_being_one_with_another_digit(chance: random.Random) -> None:
    number = card(chance)
    assert is_card(number)
    place = chance.randrange(1, 16)
    assert not is_card(f"{number[:place]}{(int(number[place]) + 1) % 10}{number[place + 1 :]}")
