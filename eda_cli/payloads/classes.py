"""The signs that a class of a regular expression stands for: `[a-z]`, `[^x]`, `\\d`. Knows no pattern."""

from __future__ import annotations

import re
from typing import Any

from eda_cli.payloads.budget import Memory
from eda_cli.payloads.problems import Refused

_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))  # ASCII: `.` and negated classes give no other
_CATEGORIES = {
    "DIGIT": "0123456789", "SPACE": " ", "WORD": "".join(sign for sign in _PRINTABLE if re.match(r"\w", sign)),
}


def signs_of(name: str, argument: Any, memory: Memory) -> str:
    """The signs that a literal or a class of Python's parser gives, each once; `name` is its operation.

    Raises Refused when it gives none, or more than may be remembered.
    """
    if name == "ANY":
        return _PRINTABLE
    items = argument if name == "IN" else [(name, argument)]
    named = [(getattr(operation, "name", operation), value) for operation, value in items]
    negated = named[0][0] in ("NEGATE", "NOT_LITERAL")
    given: dict[str, None] = {}
    for operation, value in named:
        if operation == "CATEGORY":
            given.update(dict.fromkeys(_category(value.name)))
        elif operation != "NEGATE":
            low, high = value if operation == "RANGE" else (value, value)
            if negated:
                high = min(high, 0x7F)
            if high > 0x7F and not memory.holds(100 * (high - low)):
                raise Refused("pattern(…) has too large classes", "", "write a smaller range into […]")
            given.update(dict.fromkeys(map(chr, range(low, high + 1))))
    signs = "".join(sign for sign in _PRINTABLE if sign not in given) if negated else "".join(given)
    if any("\ud800" <= sign <= "\udfff" for sign in signs):
        raise Refused("pattern(…) has half of a surrogate pair", "no JSON can carry it", "take it out")
    if not signs:
        raise Refused("pattern(…) has a class without a sign", "negated classes give printable ASCII",
                      "write the signs that are meant")
    return signs


def _category(name: str) -> str:
    """The signs of `\\d`, `\\w`, `\\s`; `\\D` and the like are the other printable ones."""
    kind = name.removeprefix("CATEGORY_").removeprefix("NOT_")
    signs = _CATEGORIES[kind]
    return "".join(sign for sign in _PRINTABLE if sign not in signs) if "NOT_" in name else signs
