"""How much one value may cost while it is made, so that no sketch hangs a stub or fills its memory.

Knows no template.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any

from eda_cli.payloads.problems import PayloadError

BUDGET = 500_000  # items touched while one value is made; eight characters count as one
LONGEST_TEXT = 1_000_000  # characters
LARGEST_INT_BITS = 1024  # of a number on its way; JSON carries 64
LARGEST_MEMORY = 50_000_000  # bytes that one value remembers to be faster

_WHOLE = frozenset({str, float, int, bool, list, tuple, dict})  # what is surely made already


class Budget:
    """What is left for one value: every operation of a template pays for what it reads and what it makes."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = BUDGET

    def take(self, units: int) -> None:
        """Pay; raises PayloadError when that is more than what is left."""
        self.left -= units
        if self.left < 0:
            raise PayloadError(
                "the value is too large or takes too long to make",
                f"one value may touch {BUDGET:,} items and make {BUDGET * 8 // 1_000_000} MB of text")

    def spend(self, *values: Any) -> int:
        """Pay for values by their size as trees, where a shared part counts each time; gives that size."""
        left = before = self.left
        waiting = list(values)
        while waiting and left >= 0:
            value = waiting.pop()
            kind = type(value)  # comparing it costs half of what isinstance does, and this is most of a template's cost
            left -= 1
            if kind is str:
                if len(value) > LONGEST_TEXT:
                    raise PayloadError("a text is too long", f"it has more than {LONGEST_TEXT:,} characters")
                left -= len(value) >> 3
            elif kind is float:
                continue
            elif kind is dict:
                waiting += value
                waiting += value.values()
            elif kind is int:
                check_bits(value.bit_length())
            elif kind is list or kind is tuple:
                waiting += value
            elif kind is range:
                left -= len(value)
            elif isinstance(value, str | tuple | list | dict):
                waiting.append(_bare(value))
        self.left = left
        self.take(0)
        return before - left

    def collect(self, made: Any) -> Any:
        """What an operation made, paid for; what it would make bit by bit becomes a list."""
        if type(made) in _WHOLE or not isinstance(made, Iterator | KeysView | ValuesView | ItemsView):
            self.spend(made)
            return made
        items = []
        for item in made:
            self.spend(item)
            items.append(item)
        return items


class Memory:
    """What the functions of one value may remember altogether, for as long as it is used."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = LARGEST_MEMORY

    def holds(self, bytes: int) -> bool:
        """Whether so much more may be remembered, which then counts as done."""
        if bytes > self.left:
            return False
        self.left -= bytes
        return True


def _bare(value: Any) -> Any:
    """The same as what it is a kind of: Jinja2's groups are tuples with names."""
    base: type[Any] = next(kind for kind in (str, tuple, list, dict) if isinstance(value, kind))
    return base(value)


def check_bits(bits: int) -> None:
    """Raises PayloadError for a whole number with so many bits."""
    if bits > LARGEST_INT_BITS:
        raise PayloadError("a number is too large", f"numbers have at most {LARGEST_INT_BITS} bits here")
