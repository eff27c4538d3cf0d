"""Calls of the library Faker, seeded, bounded, and as JSON. Knows no pool and no event.

A sketch of somebody else must neither hang a stub nor fill its memory: what makes files, pictures and whole tables is not
offered, numbers are limited, and every call is tried once before it is used.
"""

from __future__ import annotations

import inspect
import warnings
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from math import isfinite, prod
from typing import TYPE_CHECKING, Any
from uuid import UUID

from eda_cli.payloads.arguments import Argument
from eda_cli.payloads.problems import PayloadError, Refused, shown

if TYPE_CHECKING:
    from faker.generator import Generator

LARGEST_NUMBER = 10_000  # of an argument that can be a size
LONGEST_TEXT = 1_000  # characters of an argument
LARGEST_MADE = 100_000  # characters of one value
_DEEPEST = 8
_ITEMS = 8  # bytes that an item of a list takes at least
_FREE = frozenset({"min", "max", "min_value", "max_value", "step", "width", "height"})  # they say which value, not how much

_TOO_MUCH = ("it makes files or whole tables", "write the fields of the body one by one")
_ANYTHING = ("it makes values of any kind, and some that no seed repeats", "write the fields that are meant")
_CLOCK = ("it looks at the clock, so that no seed repeats it",
          "write a range such as 2020-01-01T00:00:00Z..2026-01-01T00:00:00Z, or now()")
_REFUSED: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("binary", "csv", "dsv", "fixed_width", "image", "json", "json_bytes", "psv", "tar", "tsv", "xml", "zip"),
                    _TOO_MUCH),
    **dict.fromkeys(("enum", "pydict", "pyiterable", "pylist", "pyobject", "pyset", "pystruct", "pytuple", "get_words_list"),
                    _ANYTHING),
    **dict.fromkeys(("date_time", "date_time_ad", "date_time_between", "date_time_between_dates", "date_time_this_century",
                     "date_time_this_decade", "date_time_this_month", "date_time_this_year", "future_datetime", "iso8601",
                     "past_datetime", "time", "time_object", "time_series", "unix_time"), _CLOCK),
}


@cache
def _generator(locale: str) -> Generator:
    from faker import Faker  # 0.1 s, which only a sketch that uses it pays

    generator: Generator = Faker(locale).factories[0]
    return generator


@cache
def provider_names(locale: str) -> tuple[list[str], Mapping[str, tuple[str, str]]]:
    """What Faker offers for the locale, and what of it is not offered here: why, and what to do."""
    names = {name for provider in _generator(locale).providers for name in dir(provider)
             if not name.startswith("_") and callable(getattr(provider, name))}
    return sorted(names - set(_REFUSED)), {name: why for name, why in _REFUSED.items() if name in names}


def limited(provider: str, locale: str, arguments: Sequence[Argument], named: Mapping[str, Argument]) -> None:
    """Raises Refused for arguments that the provider does not take, and for those that could make too much."""
    signature = inspect.signature(getattr(_generator(locale), provider))
    try:
        bound = signature.bind(*arguments, **named).arguments
    except TypeError as wrong:
        takes = ", ".join(signature.parameters) or "nothing"
        raise Refused(f"faker.{provider}(…) has wrong arguments", f"{wrong}", f"it takes {takes}") from wrong
    sizes = [1]
    for name, one in bound.items():
        for argument in one if isinstance(one, tuple) else one.values() if isinstance(one, dict) else (one,):
            if isinstance(argument.value, str) and len(argument.value) > LONGEST_TEXT:
                raise Refused(f"faker.{provider}(…) has a text that is too long", f"at most {LONGEST_TEXT:,} characters are read")
            if argument.number is not None and name not in _FREE:
                sizes.append(abs(int(argument.number)) if "nb" in name else 1)
                if abs(argument.number) > LARGEST_NUMBER:
                    sizes.append(LARGEST_NUMBER + 1)
    if prod(max(size, 1) for size in sizes) > LARGEST_NUMBER:
        raise Refused(f"faker.{provider}(…) makes too much", f"at most {LARGEST_NUMBER:,} are made of anything",
                      "write smaller numbers")


class Fakery:
    """One call of Faker with its arguments."""

    def __init__(self, provider: str, locale: str, arguments: Sequence[Any], named: Mapping[str, Any]) -> None:
        self._provider = provider
        self._generator = _generator(locale)
        self._call = getattr(self._generator, provider)
        self._arguments = arguments
        self._named = named

    def tried(self) -> Any:
        """One value. Raises Refused when the arguments give none, or one that is no JSON."""
        try:
            return self.make(0)
        except PayloadError as wrong:
            raise Refused(wrong.what, wrong.why, wrong.hint) from wrong

    def make(self, seed: int) -> Any:
        """The value of this seed, as JSON data. Raises PayloadError."""
        self._generator.seed_instance(seed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what Faker will do otherwise some day
                made = _json(self._call(*self._arguments, **self._named))
        except Exception as wrong:  # a provider raises whatever its code comes upon
            raise PayloadError(f"faker.{self._provider}(…) could not be made", shown(wrong) or type(wrong).__name__,
                               "see https://faker.readthedocs.io for what it takes") from wrong
        if plain_size(made) > LARGEST_MADE:
            raise PayloadError(f"faker.{self._provider}(…) is too large",
                               f"at most {LARGEST_MADE:,} characters are made", "write smaller numbers")
        return made


def plain_size(made: Any) -> int:
    """About how many bytes JSON data takes."""
    if isinstance(made, str):
        return len(made) + 4
    if isinstance(made, dict):
        return sum(_ITEMS + len(name) + plain_size(item) for name, item in made.items())
    return sum(_ITEMS + plain_size(item) for item in made) if isinstance(made, list) else 20


def _json(made: Any, depth: int = 0) -> Any:
    """What Faker made as JSON data: times as ISO 8601, decimals as numbers. Raises ValueError when it is none."""
    if made is None or isinstance(made, bool):
        return made
    if isinstance(made, str):
        made.encode()
        return str(made)
    if isinstance(made, int) and -(1 << 63) <= made < 1 << 64:
        return int(made)
    if isinstance(made, float | Decimal) and isfinite(made):
        return float(made)
    if isinstance(made, datetime | date | time):
        return made.isoformat()
    if isinstance(made, timedelta):
        return made.total_seconds()
    if isinstance(made, bytes):
        return b64encode(made).decode()
    if isinstance(made, UUID) or hasattr(made, "utcoffset"):  # a time zone says its name
        return str(made)
    if depth < _DEEPEST:
        if isinstance(made, dict):
            return {str(name): _json(item, depth + 1) for name, item in made.items()}
        if isinstance(made, set | frozenset):
            made = sorted(made, key=repr)
        if isinstance(made, list | tuple):
            return [_json(item, depth + 1) for item in made]
    raise ValueError(f"a {type(made).__name__} is no JSON value")
