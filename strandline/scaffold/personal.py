"""Which fields hold personal data or secrets, by their names and by their values."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from itertools import islice

from strandline.scaffold.guess import Guess

_ENOUGH = 0.8
_LOOKED_AT = 2000
_BY_NAME: tuple[tuple[str, frozenset[str]], ...] = (
    ("an e-mail address", frozenset(["email", "mail", "emailaddress"])),
    ("a phone number", frozenset(["phone", "mobile", "telephone", "tel", "fax", "msisdn", "cellphone"])),
    ("a network address", frozenset(["ip", "ipv4", "ipv6", "ipaddress"])),
    ("a payment card or account", frozenset(["iban", "pan", "cardnumber", "bic", "ccnumber"])),
    ("an official number of a person", frozenset(["ssn", "passport", "taxid", "nino"])),
    ("a date of birth", frozenset(["birthday", "birthdate", "dob", "birth"])),
    ("the name of a person", frozenset(["firstname", "lastname", "surname", "fullname", "forename", "username"])),
    ("a postal address", frozenset(["street"])),
)
_PAIRS: tuple[tuple[str, frozenset[str]], ...] = (
    *(
        ("the name of a person", frozenset((who, "name")))
        for who in [
            "first",
            "last",
            "full",
            "user",
            "family",
            "given",
            "customer",
            "contact",
            "passenger",
            "patient",
            "employee",
            "driver",
            "holder",
            "sender",
            "author",
        ]
    ),
    ("an e-mail address", frozenset(("e", "mail"))),
    ("a network address", frozenset(("remote", "addr"))),
    ("a network address", frozenset(("client", "addr"))),
    ("a payment card or account", frozenset(("card", "number"))),
    ("a postal address", frozenset(("home", "address"))),
    ("a postal address", frozenset(("street", "address"))),
    ("a postal address", frozenset(("shipping", "address"))),
    ("a postal address", frozenset(("billing", "address"))),
)
_SECRET = frozenset(
    [
        "password",
        "passwd",
        "pwd",
        "secret",
        "token",
        "apikey",
        "authorization",
        "cookie",
        "credential",
        "credentials",
        "cvv",
        "cvc",
        "pin",
    ]
)
_EMAIL = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9.-]{1,190}\.[A-Za-z]{2,24}")
_PHONE = re.compile(
    r"\+[0-9][0-9 ().-]{7,18}|\(?0[0-9]{1,5}\)?[ /-][0-9][0-9 -]{4,14}|\(?[2-9][0-9]{2}\)?[ -][0-9]{3}-[0-9]{4}"
)
_CARD = re.compile(r"[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{1,7}|3[47][0-9]{2}[ -]?[0-9]{6}[ -]?[0-9]{5}")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?")
_PERSON = re.compile(r"[A-Z][a-zà-öø-ÿ'’.-]+(?: [A-Z][A-Za-zà-öø-ÿ'’.-]*){1,3}")
_GIVEN = frozenset(
    [
        "james",
        "mary",
        "john",
        "patricia",
        "robert",
        "jennifer",
        "michael",
        "linda",
        "david",
        "elizabeth",
        "william",
        "barbara",
        "richard",
        "susan",
        "joseph",
        "jessica",
        "thomas",
        "sarah",
        "charles",
        "karen",
        "daniel",
        "nancy",
        "matthew",
        "lisa",
        "anthony",
        "anna",
        "maria",
        "peter",
        "paul",
        "laura",
        "julia",
        "sophie",
        "emma",
        "olivia",
        "noah",
        "liam",
        "lucas",
        "leon",
        "mohammed",
        "muhammad",
        "ahmed",
        "ali",
        "fatima",
        "omar",
        "yusuf",
        "wei",
        "li",
        "chen",
        "hiroshi",
        "yuki",
        "kenji",
        "jan",
        "piotr",
        "anna",
        "katarzyna",
        "ivan",
        "olga",
        "dmitri",
        "elena",
        "carlos",
        "jose",
        "juan",
        "luis",
        "ana",
        "carmen",
        "pedro",
        "pablo",
        "lucia",
        "sofia",
        "marco",
        "giulia",
        "francesca",
        "luca",
        "jean",
        "pierre",
        "marie",
        "claire",
        "hans",
        "klaus",
        "jürgen",
        "petra",
        "sabine",
        "lars",
        "sven",
        "ingrid",
        "erik",
        "ada",
        "grace",
        "alan",
        "george",
        "kate",
        "alice",
        "bob",
        "eve",
        "frank",
        "henry",
        "jack",
        "kim",
        "lee",
        "max",
        "nina",
        "oscar",
    ]
)


def mark_personal(guess: Guess) -> None:
    """Marks a field that looks personal (`pii`, hashed, and then a text) or secret (dropped), and says why."""
    if guess.type in ("json", "boolean"):
        return
    if _SECRET & guess.words and guess.type == "string":
        guess.classification, guess.protect = "secret", "drop"
        guess.personal = "a secret"
        guess.why.insert(0, "named like a secret: never stored")
        return
    what, how = _personal(guess)
    if not what:
        return
    guess.classification, guess.protect, guess.personal = "pii", "hash", what
    if guess.type != "string":
        guess.type, guess.scale = "string", None
        guess.values = [None if text in guess.null_values else text for text in guess.texts]
    guess.why.insert(0, f"{how} {what}: stored as a keyed hash")


def _personal(guess: Guess) -> tuple[str, str]:
    texts = list(islice((str(value) for value in guess.counts), _LOOKED_AT))
    for what, looks_so, least in _BY_VALUE:
        if len(texts) >= least and guess.type in ("string", "integer") and _share(texts, looks_so) >= _ENOUGH:
            return what, "looks like"
    if guess.type in ("string", "integer") and _named_persons(guess, texts):
        return "the name of a person", "looks like"
    for what, names in _PAIRS:
        if names <= guess.words and guess.type == "string":
            return what, "named like"
    for what, names in _BY_NAME:
        if (
            names & guess.words
            and guess.type in ("string", "integer", "date")
            and not guess.words & {"id", "count", "type", "verified"}
        ):
            return what, "named like"
    return "", ""


def _share(texts: Iterable[str], looks_so: Callable[[str], bool]) -> float:
    found = [looks_so(text.strip()) for text in texts]
    return sum(found) / len(found) if found else 0.0


def _named_persons(guess: Guess, texts: list[str]) -> bool:
    if len(texts) < 5 or _share(texts, lambda text: _PERSON.fullmatch(text) is not None) < _ENOUGH:
        return False
    return _share(texts, lambda text: text.split()[0].lower() in _GIVEN) > 0.3


def is_address(text: str) -> bool:
    """Whether the text is an IPv4 or IPv6 address."""
    if "." not in text and text.count(":") < 2:
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_card(text: str) -> bool:
    """Whether the text is a card number: 13 to 19 digits with a right check digit. Source: ISO/IEC 7812, Luhn's formula."""
    digits = re.sub(r"[ -]", "", text)
    if not _CARD.fullmatch(text) or not 13 <= len(digits) <= 19:
        return False
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


_BY_VALUE: tuple[tuple[str, Callable[[str], bool], int], ...] = (
    ("an e-mail address", lambda text: _EMAIL.fullmatch(text) is not None, 1),
    ("a network address", is_address, 1),
    ("a payment card or account", is_card, 5),
    ("a payment card or account", lambda text: _IBAN.fullmatch(text) is not None and len(text) >= 15, 3),
    ("a phone number", lambda text: _PHONE.fullmatch(text) is not None, 3),
)


def placeholder(guess: Guess, number: int = 1) -> str:
    """A value of that kind that belongs to nobody, for examples: documentation's own addresses and numbers."""
    made = {
        "an e-mail address": f"person{number}@example.com",
        "a network address": f"203.0.113.{number}",
        "a phone number": f"+1-202-555-{100 + number:04d}",
        "a date of birth": "1990-01-01",
    }
    return made.get(guess.personal, f"somebody-{number}")
