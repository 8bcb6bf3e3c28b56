"""Values that do not convert to the declared type without loss: each in JSON and, where a cell can say it, in CSV."""

from __future__ import annotations

import json

from tests.poison.lines import cells, wrong


def _texts(*values: str) -> list[str]:
    return [json.dumps(value, ensure_ascii=False) for value in values]


_INTEGERS = ("abc", " 1", "1 ", "1.5", "1e2", "0x10", "1,000", "1_000", "1 000", "١", "１", "--1", "+", "-", ".", "1.", ".0",
             "1\u00a0", "1\n", "NaN", "Infinity", "½", "true", "None", "1/1", "1-1", "\u22121", "1;", "#N/A",
             "9223372036854775808",
             "-9223372036854775809", "9" * 40, "0b1", "1.0.0")  # fmt: skip
_NUMBERS = ("abc", " 1.5", "1.5 ", "1,5", "1 000.0", "1e", "e5", "1e1.5", "0x1p3", "NaN", "nan", "-nan", "Infinity", "-inf",
            "1e400", "1e18", "-1e18", "1.5.5", "\u22121.5", "1_0", "$1", "50%", "1d", "1.5f", "1٫5", "true", "1..5", "1e5e5",
            "\t1", "1\u2028", "∞", "9" * 5000)  # fmt: skip
_DECIMALS = ("abc", "1.005", "0.001", "1e2", "1,50", "€2", "2 EUR", "NaN", "Infinity", "1.5 ", ".5", "5.", "-", "1.2.3", "--1",
             "99999999999999999.99", "1" + "0" * 16, "1." + "0" * 40 + "1",
             "\u22122.50", "(2.50)", "2'500.00", "9" * 5000)  # fmt: skip
_BOOLEANS = ("yes", "no", "1", "0", "t", "f", "y", "n", "on", "off", " true", "true ", "truthy", "null", "2", "ja", "✓", "tru",
             "TRUE!", "true\n")  # fmt: skip

VALUES = [
    *wrong("n", *_texts("", *_INTEGERS), "1.5", "1e2", "1E0", "0.1", "true", "false", "9223372036854775808",
           "-9223372036854775809", "1" + "0" * 30, "1e-1", "12345678901234567890.0", "9" * 299),
    *wrong("x", *_texts("", *_NUMBERS), "1e18", "-1e18", "1000000000000000000", "1.7976931348623157e308", "true", "false"),
    *wrong("price", *_texts("", *_DECIMALS), "1.005", "1e2", "1E-2", "10000000000000000.00", "99999999999999999999", "true",
           "-0.001"),
    *wrong("ok", *_texts("", *_BOOLEANS), "1", "0", "2", "-1", "1.0"),
    *cells("n", *_INTEGERS),
    *cells("x", *_NUMBERS),
    *cells("price", *_DECIMALS),
    *cells("ok", *_BOOLEANS),
]  # fmt: skip
