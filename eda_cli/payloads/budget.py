"""How much one value may cost while it is made: no sketch can hang a stub or fill its memory. Knows no template."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any

from eda_cli.payloads.problems import PayloadError

BUDGET = 1_000_000  # items touched while one value is made; eight characters count as one
LARGEST_INT_BITS = 1024  # of a number on its way; JSON carries 64


class Budget:
    """What is left for one value. Every operation of a template pays for what it reads and for what it makes."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = BUDGET

    def take(self, units: int) -> None:
        """Pay; raises PayloadError when that is more than what is left."""
        self.left -= units
        if self.left < 0:
            raise too_much()

    def spend(self, *values: Any) -> int:
        """Pay for values by their size as trees (a shared part counts each time it appears); gives that size."""
        left = before = self.left
        waiting = list(values)
        while waiting:
            value = waiting.pop()
            left -= 1
            if isinstance(value, str):
                left -= len(value) >> 3
            elif isinstance(value, dict):
                waiting.extend(value)
                waiting.extend(value.values())
            elif isinstance(value, list | tuple):
                waiting.extend(value)
            elif isinstance(value, range):
                left -= len(value)
            elif isinstance(value, int) and value.bit_length() > LARGEST_INT_BITS:
                raise PayloadError("a number is too large", f"numbers have at most {LARGEST_INT_BITS} bits here")
            if left < 0:
                self.left = left
                raise too_much()
        self.left = left
        return before - left

    def collect(self, made: Any) -> Any:
        """What an operation made, paid for; what it would make bit by bit becomes a list."""
        if not isinstance(made, Iterator | KeysView | ValuesView | ItemsView):
            self.spend(made)
            return made
        items = []
        for item in made:
            self.spend(item)
            items.append(item)
        return items


def too_much() -> PayloadError:
    return PayloadError("the value is too large or takes too long to make",
                        f"one value may touch {BUDGET:,} items and make {BUDGET * 8 // 1_000_000} MB of text")
