"""The whole corpus: every line that goes wrong in a way we know, and every line that only looks as if it did."""

from __future__ import annotations

from tests.poison.csv_records import CSV, CSV_LONG
from tests.poison.encoding import ENCODING
from tests.poison.harmless import HARMLESS
from tests.poison.harmless import LONG as LONG_AND_GOOD
from tests.poison.structure import LONG, STRUCTURE
from tests.poison.syntax import SYNTAX
from tests.poison.times import TIMES
from tests.poison.values import VALUES

USUAL = [*ENCODING, *SYNTAX, *STRUCTURE, *VALUES, *TIMES, *CSV, *HARMLESS]
"""All but the long lines."""
OVERLONG = [*LONG, *CSV_LONG, *LONG_AND_GOOD]
POISON = [*USUAL, *OVERLONG]
