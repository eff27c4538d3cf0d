"""`faker.name(locale=de_DE, pool=5000)`, `faker.unique.email()`: what the library Faker makes. Knows no other function.

Faker takes 10 to 150 µs for a value, so values come from a pool that fills as it is drawn from: the i-th value of a pool is
made from a seed of its own, and stays. The same seed gives the same values with the same version of Faker; what is told from
today, a date of birth say, moves on with the calendar. The library is imported when a sketch uses it, never before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from hashlib import blake2b
from typing import Any

from eda_cli.payloads.arguments import Argument, read_named_arguments
from eda_cli.payloads.budget import Memory
from eda_cli.payloads.code import Code
from eda_cli.payloads.context import MISSING
from eda_cli.payloads.dice import Dice
from eda_cli.payloads.fakery import Fakery, limited, plain_size, provider_names
from eda_cli.payloads.problems import Exhausted, Refused, did_you_mean, shown

POOL = 1_000  # different values, unless said otherwise
LARGEST_POOL = 100_000
MOST_UNIQUE = 100_000  # of one faker.unique.NAME(…)
MOST_OF_ONE_VALUE = 200  # calls in one body: each is tried when it is compiled
_ALL_KNOWN = 1_000  # so many values in a row that were there already: there are no others
_ENTRY = 150  # bytes that a value takes to be remembered, beside itself


def compile_faker(name: str, inner: str, code: Code) -> str:
    """The source of `faker.NAME(inner)` or `faker.unique.NAME(inner)`. Raises Refused."""
    _, _, provider = name.partition(".")
    unique = provider.startswith("unique.")
    provider = provider.removeprefix("unique.")
    arguments, named = read_named_arguments(name, inner)
    locale = named.pop("locale", None)
    size = _pool_size(named.pop("pool", None), unique)
    fakery = _fakery(provider, locale.text.replace("-", "_") if locale else "en_US", arguments, named)
    at = code.place(f"{name}({inner})")
    if code.count_tried() > MOST_OF_ONE_VALUE:
        raise Refused("the value has too many faker.…()", f"at most {MOST_OF_ONE_VALUE} are made in one")
    code.weigh(plain_size(fakery.tried()))
    if unique:
        _check_unique(name, code)
        code.use("random", "number")
        return f"{code.constant(_Unique(f'{name}({inner})', at, fakery, code.memory).value)}(random, number)"
    code.use("random", "draw")
    return f"{code.constant(_Pool(at, fakery, size, code.memory).value)}(random, draw())"


def _check_unique(name: str, code: Code) -> None:
    if code.scope != "generator":
        raise Refused("faker.unique counts the events of a generator", "its body and headers alone can have it",
                      f"write {name.replace('.unique', '')}(), or take a field of the event, such as $.id")
    if code.in_list:
        raise Refused("faker.unique stands in a $list", "it has one value for each event, so all items would be equal",
                      f"write {name.replace('.unique', '')}(), or give each a field of its own")


def _pool_size(pool: Argument | None, unique: bool) -> int:
    if pool is None:
        return POOL
    if unique:
        raise Refused("faker.unique has no pool", "each of its values comes once", "take pool=… or unique out")
    if type(pool.value) is not int or not 1 <= pool.value <= LARGEST_POOL:
        raise Refused(f"'{shown(pool.text)}' is no size of a pool", f"it is a whole number from 1 to {LARGEST_POOL:,}",
                      "write pool=5000")
    return pool.value


def _fakery(provider: str, locale: str, arguments: Sequence[Argument], named: Mapping[str, Argument]) -> Fakery:
    from faker.config import AVAILABLE_LOCALES

    if locale not in AVAILABLE_LOCALES:
        alike = [one for one in sorted(AVAILABLE_LOCALES) if one[:2] == locale[:2].lower()]
        raise Refused(f"Faker has no locale '{shown(locale)}'", f"it has {', '.join(alike)}" if alike else "",
                      "write one such as locale=de_DE")
    known, refused = provider_names(locale)
    if provider in refused:
        raise Refused(f"faker.{provider}() is not offered", *refused[provider])
    if provider not in known:
        raise Refused(f"Faker has no '{shown(provider)}'" + ("" if locale == "en_US" else f" for {locale}"), "",
                      _near(provider, known) or "see https://faker.readthedocs.io for what it has")
    limited(provider, locale, arguments, named)
    return Fakery(provider, locale, tuple(one.value for one in arguments),
                  {name: one.value for name, one in named.items()})


def _near(name: str, known: Sequence[str]) -> str:
    """The suggestion for a name: by spelling among those that begin alike, or one that holds it."""
    spelled = did_you_mean(name, [one for one in known if one[0] == name[:1].lower()], "faker.{}()")
    within = [one for one in known if len(name) > 2 and name.lower() in one]
    return spelled or (f"did you mean faker.{min(within, key=len)}()?" if within else "")


def _seed(place: bytes, at: int) -> int:
    return int.from_bytes(blake2b(place + b"/%d" % at, digest_size=8).digest(), "little")


class _Pool:
    """So many values, of which each event draws one."""

    def __init__(self, name: str, fakery: Fakery, size: int, memory: Memory) -> None:
        self._name = name
        self._fakery = fakery
        self._size = size
        self._memory = memory
        self._made: dict[tuple[bytes, int], Any] = {}

    def value(self, random: Dice, drawn: float) -> Any:
        """The value that a float of [1, 2) stands for."""
        key = random.place(self._name), int((drawn - 1.0) * self._size)
        made = self._made.get(key, MISSING)
        if made is MISSING:
            made = self._fakery.make(_seed(*key))
            if self._memory.holds(_ENTRY + plain_size(made)):
                self._made[key] = made
        return deepcopy(made) if type(made) in (dict, list) else made


class _Unique:
    """An endless row of values without a repetition: the n-th event has the n-th of them."""

    def __init__(self, text: str, name: str, fakery: Fakery, memory: Memory) -> None:
        self._text = text
        self._name = name
        self._fakery = fakery
        self._memory = memory
        self._rows: dict[bytes, _Row] = {}

    def value(self, random: Dice, number: int) -> Any:
        """The value of this event. Raises Exhausted when there are no more."""
        if number >= MOST_UNIQUE:
            raise Exhausted(f"{shown(self._text)} has come to its end", f"it makes {MOST_UNIQUE:,} values at most",
                               "take faker without unique, uuid() or seq()")
        place = random.place(self._name)
        row = self._rows.get(place)
        if row is None:
            row = self._rows[place] = _Row(place)
        while len(row.values) <= number:
            if row.known_in_a_row == _ALL_KNOWN:
                raise Exhausted(
                    f"there are only {len(row.values):,} different {shown(self._text)}",
                    f"event {number + 1:,} finds none left", "take faker without unique, or give the generator a count")
            made = row.next(self._fakery.make)
            if not self._memory.holds(_ENTRY + plain_size(made)):
                raise Exhausted(f"{shown(self._text)} cannot remember more values", f"it has {len(row.values):,}",
                                   "take faker without unique, uuid() or seq()")
        made = row.values[number]
        return deepcopy(made) if type(made) in (dict, list) else made


class _Row:
    """What was made so far, in its order."""

    def __init__(self, place: bytes) -> None:
        self.values: list[Any] = []
        self.known_in_a_row = 0
        self._place = place
        self._known: set[str] = set()
        self._tried = 0

    def next(self, make: Callable[[int], Any]) -> Any:
        """One more try: a new value, or one more that is known."""
        made = make(_seed(self._place, self._tried))
        self._tried += 1
        written = made if isinstance(made, str) else repr(made)
        if written in self._known:
            self.known_in_a_row += 1
        else:
            self.known_in_a_row = 0
            self._known.add(written)
            self.values.append(made)
        return made
