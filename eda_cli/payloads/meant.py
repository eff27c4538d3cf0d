"""Texts that are nearly a call or a range, and which one: `uuid`, `faker.name`, `1...5`. Knows no sketch."""

from __future__ import annotations

import re

from eda_cli.payloads.arguments import split_call
from eda_cli.payloads.functions import FUNCTIONS
from eda_cli.payloads.ranges import is_range

_LONGEST = 200  # characters of a text that is looked at
_NO_WORDS = ("uuid", "seq", "zipf", "lognormal", "poisson")  # what is in brackets behind another one may explain a word
_FAKER = re.compile(r"faker(?:\.[a-z0-9_]+){1,2}\Z")
_DOTS = re.compile(r"\s*\.{2,3}\s*")
_NO_ZERO = re.compile(r"(?<![\d.])\.(?=\d)")


def meant_value(text: str) -> str | None:
    """The value that a text, which is none, was meant as; None where it may be a text."""
    bare = text.strip()
    if len(text) > _LONGEST or _is_call(text) or is_range(text) or not bare:
        return None
    if bare == "uuid" or _FAKER.match(bare):
        return f"{bare}()"
    name, bracket, rest = bare.partition("(")
    close = f"{name.rstrip()}{bracket}{rest}"
    if _is_call(bare) or (_is_call(close) and (name.rstrip() in _NO_WORDS or name.startswith("faker."))):
        return close
    spread = _NO_ZERO.sub("0.", _DOTS.sub("..", bare))
    return spread if is_range(spread) else None


def _is_call(text: str) -> bool:
    call = split_call(text)
    return call is not None and (call[0] in FUNCTIONS or call[0].startswith("faker."))
