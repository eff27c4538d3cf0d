"""The events that a `$lookup` chooses from, in the order in which it heard of them. Knows not where they come from.

Whoever makes events lets it hear what was published, and says of each event before it is made that it sees what
was heard `so far`: so what is chosen hangs on nothing else, and making an event again chooses the same.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from math import exp, log1p
from typing import Any

from eda_cli.payloads.context import MISSING, Seen
from eda_cli.payloads.dice import Dice
from eda_cli.payloads.lookups import Lookup
from eda_cli.payloads.problems import PayloadError

_SPARE = 1_000  # values that nobody can choose any more are let go of in such numbers at once


class Looked:
    """What was heard, for one `$lookup`. Called for an event, it gives the value, or MISSING where `else` is to be made.

    `rank` is that of the first match it will hear, where others were heard before: by whoever used each event once.
    """

    def __init__(self, lookup: Lookup, rank: int = 0) -> None:
        self.lookup = lookup
        self.heard = 0  # events, matching or not
        self._dropped = rank  # matches that are not held any more
        self._places: list[int] = []  # of each match among the events
        self._values: list[Any] = []
        self._choices: dict[int, tuple[int, int]] = {}  # of each event to be made: from which match to which
        self._used: tuple[int, int] = (-1, 0)  # with once: by which event, and how many times
        self._chooser = _CHOOSERS[lookup.distribution]

    @property
    def matches(self) -> int:
        """How many of the events matched, those before the first that was heard among them."""
        return self._dropped + len(self._values)

    def hear(self, seen: Seen) -> None:
        """One more event was published."""
        value = self.lookup.take(seen)
        if value is not MISSING:
            self._places.append(self.heard)
            self._values.append(value)
        self.heard += 1

    def begin(self) -> None:
        """Other events are made now: the choices of those before them are needed no more."""
        self._choices.clear()
        self._used = (-1, 0)
        spare = 0 if self.lookup.once else bisect_left(self._places, self.heard - self.lookup.last)
        if spare >= max(_SPARE, len(self._places) // 2):
            self._drop(spare)

    def forget(self, rank: int) -> None:
        """Matches before the one of this rank are never chosen again."""
        if (spare := rank - self._dropped) >= _SPARE:
            self._drop(min(spare, len(self._values)))

    def lacks(self, number: int) -> int:
        """How many matches at least have to be heard yet so that the event finds something."""
        if self.lookup.once:
            return max(0, (number + 1) * self.lookup.stride - self.matches)
        return int(bisect_left(self._places, self.heard - self.lookup.last) == len(self._places))

    def sees(self, number: int) -> None:
        """The event of this number chooses from what was heard so far."""
        first = 0 if self.lookup.once else bisect_left(self._places, self.heard - self.lookup.last)
        self._choices[number] = (self._dropped + first, self.matches)

    def __call__(self, random: Dice, number: int) -> Any:
        first, end = self._choices[number]
        if self.lookup.once:
            chosen = number * self.lookup.stride + self._use(number)
            if not self._dropped <= chosen < end:
                return self._none()
        elif first == end:
            return self._none()
        else:
            chosen = self._chooser(random, first, end)
        return self._values[chosen - self._dropped]

    def _use(self, number: int) -> int:
        """How many times the event has looked before."""
        by, times = self._used
        times = times if by == number else 0
        self._used = (number, times + 1)
        return times

    def _none(self) -> Any:
        if self.lookup.otherwise:
            return MISSING
        topic = self.lookup.topic
        raise PayloadError(f"there is nothing to look up in '{topic}'", f"{self.heard:,} events of it were looked at",
                           "say else: what is taken instead")

    def _drop(self, many: int) -> None:
        del self._places[:many], self._values[:many]
        self._dropped += many


def _uniform(random: Dice, first: int, end: int) -> int:
    return first + int((random.draw() - 1.0) * (end - first))


def _ranked(random: Dice, many: int) -> int:
    """A rank from 0 on, each half as likely as the one of half its place: the law of Zipf, without a table of sums."""
    return min(many - 1, int(exp((random.draw() - 1.0) * log1p(many)) - 1.0))


def _recent(random: Dice, first: int, end: int) -> int:
    return end - 1 - _ranked(random, end - first)


def _zipf(random: Dice, first: int, end: int) -> int:
    return first + _ranked(random, end - first)


_CHOOSERS: dict[str, Callable[[Dice, int, int], int]] = {"uniform": _uniform, "recent": _recent, "zipf": _zipf}
