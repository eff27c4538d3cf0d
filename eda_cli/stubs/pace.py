"""When a generator publishes: pure arithmetic of the clock it is given. Knows no events."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

BATCH = 500  # events at most that are made and published together
CATCH_UP_S = 1.0  # how much of a delay is made good; what is older is given up
TICK_S = 0.005  # faster than this, events are published together


class Pace(Protocol):
    """When the events of one process are due. `position` is that of the next one, in seconds of its schedule."""

    position: float

    def due(self, now: float) -> Sequence[float]:
        """The positions of the events that are due (BATCH at most); they count as taken."""

    def pause(self, now: float) -> float:
        """Seconds until it is worth asking again."""


class Steady:
    """`rate` events per second; the first one is due at once. `inf` is flat out. Moments are seconds of any clock.

    `position` is how many seconds of its schedule have passed when the next event is due.
    """

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._next = now
        self.position = 0.0

    def due(self, now: float) -> Sequence[float]:
        """The positions of the events that are due; they count as taken."""
        if math.isinf(self._rate):
            self.position, self._next = self.position + now - self._next, now
            return [self.position] * BATCH
        if now < self._next:
            return ()
        self._next = max(self._next, now - CATCH_UP_S)
        many = min(BATCH, 1 + int((now - self._next) * self._rate))
        self._next += many / self._rate
        first, self.position = self.position, self.position + many / self._rate
        return [first + one / self._rate for one in range(many)]

    def pause(self, now: float) -> float:
        """Seconds until it is worth asking again."""
        if math.isinf(self._rate):
            return 0.0
        wait = self._next - now
        return max(wait, TICK_S) if wait > 0 and self._rate * TICK_S > 1 else max(wait, 0.0)


class Spaced:
    """One event after each pause that `draw` gives, in seconds; the first one is due at once."""

    def __init__(self, draw: Callable[[], float], now: float) -> None:
        self._draw = draw
        self._next = now
        self.position = 0.0

    def due(self, now: float) -> Sequence[float]:
        """The position of the event that is due, which then counts as taken."""
        if now < self._next:
            return ()
        pause, first = self._draw(), self.position
        self._next = max(self._next, now - CATCH_UP_S) + pause
        self.position += pause
        return (first,)

    def pause(self, now: float) -> float:
        """Seconds until the next event is due."""
        return max(0.0, self._next - now)
