"""Whose turn it is: the entities of one replica, each due at a moment of its own. Pure; knows no value and no file.

Moments are seconds of the schedule. Where the total is given by a rate they only say the order.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from heapq import heapify, heapreplace
from typing import NamedTuple

from eda_cli.stubs import pace
from eda_cli.stubs.standing import Row

_GOLDEN = 0.6180339887498949  # its multiples are spread over [0, 1) as evenly as can be, however many there are

Step = Callable[[int, int, str], tuple[str, bool, float]]
"""From an entity, its step and its state to the state it enters, whether a life begins there, and the seconds to its next."""


class Turn(NamedTuple):
    """An entity speaks: when it was due, and when it is again."""

    entity: int
    step: int
    position: float
    due: float
    state: str = ""
    born: bool = False


class Turns:
    """The entities of a replica, and where they stand. `rows` are those that have spoken before, `position` is how far
    the clock was. The first turns are spread over so many seconds (`first`); so is whoever is out of its time, more than
    the `longest` pause of any away, because the sketch has changed.
    """

    def __init__(self, own: Iterable[int], rows: Sequence[Row], step: Step, first: float, longest: float,
                 position: float) -> None:
        self._step = step
        self._stands = {row.entity: (row.step, row.state) for row in rows}
        self.position = position
        low, high = position - longest, position + longest
        dues = {row.entity: row.due for row in rows}
        begin = ((dues[entity] if entity in dues else phase(entity) * first, entity) for entity in own)
        self._waiting = [(due, entity) if low <= due <= high else (position + phase(entity) * first, entity)
                         for due, entity in begin]
        heapify(self._waiting)

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def due(self) -> float:
        """When the next one is."""
        return self._waiting[0][0]

    def take(self) -> Turn:
        """The turn of whoever is due longest."""
        due, entity = self._waiting[0]
        step, state = self._stands.get(entity, (0, ""))
        entered, born, pause = self._step(entity, step, state)
        self._stands[entity] = (step + 1, entered)
        heapreplace(self._waiting, (due + pause, entity))
        self.position = due
        return Turn(entity, step, due, due + pause, entered, born)


class Clocks:
    """A pace: each entity by its own clock. Moves the place. Where they fell behind by more than can be caught up, all clocks
    wait: nobody is left out, and `lost` is how many turns did not come meanwhile.
    """

    def __init__(self, turns: Turns, place: pace.Place) -> None:
        self._turns = turns
        self._place = place
        self._began = place.at
        self._many = 0  # turns since then
        self._waited = 0.0
        self.lost = 0
        self.taken: deque[Turn] = deque()  # turns whose moments were given out

    def due(self, at: float, catch_up_s: float = pace.CATCH_UP_S, most: int | None = None) -> Sequence[float]:
        """The moments of the turns that are due (`most` at most, else BATCH), which then count as taken."""
        most = pace.BATCH if most is None else most
        at -= self._waited
        if (late := at - self._turns.due - catch_up_s) > 0:
            self._waited += late
            at -= late
            if (played := self._turns.position - self._began) > 0:
                self.lost += round(late * self._many / played)
        moments = self.take(most, at)
        self._place.at = moments[-1] if len(moments) == most else at
        return moments

    def take(self, many: int, until: float = math.inf) -> list[float]:
        """The moments of the next turns, or of those up to a moment."""
        moments: list[float] = []
        while len(moments) < many and self._turns.due <= until:
            self.taken.append(self._turns.take())
            moments.append(self.taken[-1].position)
        self._many += len(moments)
        return moments

    def next_moment(self) -> float:
        """That of the next turn."""
        return self._turns.due

    def wished(self, at: float) -> float:
        """How many turns the clocks wished for up to now."""
        return self._many + self.lost

    def pause(self, at: float) -> float:
        """Seconds until it is worth asking again: turns that are close to each other are taken together."""
        wait = self._turns.due + self._waited - at
        return max(wait, pace.TICK_S) if wait > 0 else 0.0

    def reach(self, at: float) -> None:
        """Note in the place how far the clocks are, but for turns that are due."""
        self._place.at = max(self._place.at, min(at - self._waited, self._turns.due))

    def over(self, at: float) -> bool:
        """They go on without end."""
        return False


def phase(entity: int) -> float:
    """Where in the first pause an entity begins, from 0 to 1."""
    return entity * _GOLDEN % 1.0
