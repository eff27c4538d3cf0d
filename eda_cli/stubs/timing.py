"""When the events of one process are due by the clock, and when each of them happened. Knows no events and no disk."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Protocol

from eda_cli.sketch.resolved import Generator
from eda_cli.stubs.pace import CATCH_UP_S, Place, pace_of


def clock_of(generator: Generator) -> str:
    """What its schedule is made of, as a digest: with another one it begins anew."""
    said = (generator.rate, generator.every, generator.stages, generator.repeat, generator.arrivals)
    return blake2b(repr(said).encode(), digest_size=8).hexdigest()


def origin_of(generator: Generator) -> float | None:
    """When its schedule begins if it begins now, in epoch seconds; None where that is now."""
    if generator.start is None:
        return None
    kind, seconds = generator.start
    return time.time() - seconds if kind == "ago" else seconds


def zero_of(generator: Generator, created: float) -> float:
    """When its schedule begins, in seconds of the run, which was `created` at that moment (epoch seconds)."""
    if generator.start is None:
        return generator.after_s
    kind, seconds = generator.start
    return generator.after_s - seconds if kind == "ago" else seconds - created


class Played(Protocol):
    """What is played: when its events are due, in seconds of the schedule. It moves a place."""

    @property
    def lost(self) -> int:
        """How many events were given up."""

    def due(self, at: float, catch_up_s: float = CATCH_UP_S, most: int | None = None) -> Sequence[float]:
        """The moments of the events that are due (`most` at most, else BATCH); they count as taken."""

    def next_moment(self) -> float:
        """That of the next event; `inf` where none comes any more."""

    def wished(self, at: float) -> float:
        """How many events are wished up to a moment."""

    def pause(self, at: float) -> float:
        """Seconds until it is worth asking again."""

    def reach(self, at: float) -> None:
        """Note in the place that it is played up to here."""

    def over(self, at: float) -> bool:
        """Whether it is played to its end."""


class Timing:
    """Plays a replica's schedule from its place on, which it moves.

    While its events lie in the past they are due at once, each at its moment; from then on by a clock that
    stands still while the process is away. `moments` are those of the events that were taken last, in seconds of the
    run: the same in each run, unless some were given up. The first schedule begins `zero` seconds after the run.
    """

    def __init__(self, pace: Played, place: Place, zero: float = 0.0) -> None:
        self.moments: Sequence[float] = ()
        self._begins = zero + place.before
        self.place = place  # as it was when events were taken last; now: `here()`
        self._pace = pace
        self._zero = time.monotonic() - place.at

    @property
    def in_past(self) -> bool:
        """Whether its events lie in the past."""
        return self.place.origin is not None

    @property
    def lost(self) -> int:
        """How many events were given up because they were too late."""
        return self._pace.lost

    def wished(self) -> float:
        """How many events this replica should have made since the schedule began."""
        return self._pace.wished(self._at())

    def due(self, most: int | None = None) -> Sequence[float]:
        """When each of the events that are due happened (`most` at most), in epoch seconds; they count as taken."""
        origin = self.place.origin
        if origin is not None:
            at = time.time() - origin
            if (moments := self._pace.due(at, math.inf, most)) or at < 0:
                self.moments = [self._begins + moment for moment in moments]
                return [origin + moment for moment in moments]
            self.place.origin, self._zero = None, time.monotonic() - at
        moments = self._pace.due(time.monotonic() - self._zero, most=most)
        self.moments = [self._begins + moment for moment in moments]
        return [time.time()] * len(moments)

    def next_s(self) -> float:
        """When the next event happens, in seconds of the run; `inf` where none does any more."""
        return self._begins + self._pace.next_moment()

    def pause(self) -> float:
        """Seconds until it is worth asking again; `inf` where nothing comes any more."""
        return self._pace.pause(self._at())

    def over(self) -> bool:
        """Whether the schedule is played to its end."""
        return self._pace.over(self._at())

    def here(self) -> Place:
        """The place that is reached now: what is not taken yet is due when the schedule goes on."""
        self._pace.reach(self._at())
        return self.place

    def _at(self) -> float:
        origin = self.place.origin
        return time.monotonic() - self._zero if origin is None else time.time() - origin


def again(generator: Generator, replica: int, seed: int, place: Place, many: int) -> Sequence[float]:
    """When the last events up to `place` happened, in epoch seconds: they are made anew after a kill."""
    assert place.origin is not None
    if (place.clock, place.among) != (clock_of(generator), generator.replicas):  # what is left of the old one is its place
        return [place.origin + place.at] * many
    before = replace(place, next=place.was, drawn=place.was_drawn)
    return [place.origin + moment for moment in pace_of(generator, replica, seed, before).take(many)]
