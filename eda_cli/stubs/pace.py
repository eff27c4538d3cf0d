"""When the events of one process are due: a schedule, its pauses, and how far it has come. Knows no events and no clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eda_cli.payloads import Dice
from eda_cli.sketch.resolved import Generator, Stage
from eda_cli.stubs.schedule import Curve

BATCH = 500  # events at most that are made and published together
CATCH_UP_S = 1.0  # how much of a delay is made good; what is older is given up
TICK_S = 0.005  # faster than this, the events of a generator are published together; replicas take turns
SECONDS = Curve((Stage((1.0, 1.0)),))  # of pauses: what is reached is the seconds themselves


@dataclass(slots=True)
class Place:
    """How far a process has come in its schedule; it is kept when it ends.

    `clock`: what the schedule is made of, `among` so many replicas. `at`: seconds of it that are played. `next`: what its curve
    has reached when the next event is due (None: not begun). `drawn`: pauses that were drawn. `was` and `was_drawn`: the same
    before the events that were taken last. `origin`: when it began, in epoch seconds, while its events lie in the past; else
    None. `before`: seconds of other schedules that the generator played before this one.
    """

    clock: str = ""
    among: int = 1
    at: float = 0.0
    next: float | None = None
    drawn: int = 0
    was: float = 0.0
    was_drawn: int = 0
    origin: float | None = None
    before: float = 0.0


@dataclass(frozen=True, slots=True)
class Gaps:
    """How much further the curve gets from one event of a process to the next: the mean, and each by its number.

    `first` is what it has reached at the first event. `grid` is None, or (replica, replicas): this one's share of whole numbers.
    """

    mean: float
    draw: Callable[[int], float]
    first: float
    replicas: int = 1
    grid: tuple[int, int] | None = None


def curve_of(generator: Generator) -> Curve:
    """What the replicas of a generator play together."""
    if generator.every is not None:
        return SECONDS
    if generator.stages:
        return Curve(generator.stages, generator.repeat)
    assert generator.rate is not None
    return Curve((Stage((generator.rate, generator.rate)),))


def gaps_of(generator: Generator, replica: int, seed: int) -> Gaps:
    """Those of one replica. They are a function of the seed and their number, so that a kill changes none."""
    dice = Dice(seed, f"{generator.name}.{replica}", "every")
    many = generator.replicas
    if generator.every is not None:
        low, high = (many * end for end in generator.every)
        mean = (low + high) / 2
        return Gaps(mean, lambda number: dice.roll(number).uniform(low, high), mean * (replica - 1) / many, many)
    if generator.arrivals == "poisson":
        def draw(number: int) -> float:
            return -math.log1p(-dice.roll(number).random()) * many

        return Gaps(many, draw, draw(-1), many)
    return Gaps(many, lambda number: many, replica - 1, many, (replica - 1, many))


def pace_of(generator: Generator, replica: int, seed: int, place: Place) -> Pace:
    """That of one replica, from its place on."""
    return Pace(curve_of(generator), gaps_of(generator, replica, seed), place)


class Pace:
    """Plays a schedule from a place on, which it moves. Moments are seconds of the schedule.

    `lost` counts the events that were given up because they were late by more than CATCH_UP_S.
    """

    def __init__(self, curve: Curve, gaps: Gaps, place: Place) -> None:
        self._curve = curve
        self._gaps = gaps
        self.place = place
        self.lost = 0
        self._next = gaps.first if place.next is None else place.next
        if gaps.grid:  # after scaling, the replicas share the whole numbers out anew
            replica, replicas = gaps.grid
            self._next += (replica - self._next) % replicas
        place.next = self._next

    def due(self, at: float, catch_up_s: float = CATCH_UP_S, most: int | None = None) -> Sequence[float]:
        """The moments of the events that are due (`most` at most, else BATCH); they count as taken."""
        most = BATCH if most is None else most
        place = self.place
        self._give_up(at - catch_up_s)
        place.was, place.was_drawn = self._next, place.drawn
        moments = self.take(most, at)
        if not moments and self._curve.flat_out(at):
            moments = [at] * most
        place.at = moments[-1] if len(moments) == most else at
        return moments

    def take(self, many: int, until: float = math.inf) -> list[float]:
        """The moments of the next `many` events, or of those up to a moment."""
        moments: list[float] = []
        place, curve, draw, reached = self.place, self._curve, self._gaps.draw, self._next
        while len(moments) < many and (moment := curve.moment(reached)) is not None and moment <= until:
            moments.append(moment)
            reached += draw(place.drawn)
            place.drawn += 1
        self._next = place.next = reached
        return moments

    def wished(self, at: float) -> float:
        """How many events are its share of what the schedule wishes up to a moment."""
        return self._curve.reached(max(0.0, at)) / self._gaps.mean

    def next_moment(self) -> float:
        """That of the next event; `inf` where none comes any more."""
        moment = self._curve.moment(self._next)
        return math.inf if moment is None else moment

    def pause(self, at: float) -> float:
        """Seconds until it is worth asking again; `inf` where nothing comes any more."""
        curve = self._curve
        if curve.flat_out(at):
            return 0.0
        wait = math.inf
        if (moment := curve.moment(self._next)) is not None:
            wait, tick = moment - at, TICK_S * self._gaps.replicas
            after = curve.moment(self._next + self._gaps.mean)
            if wait > 0 and after is not None and after - moment < tick:
                wait = max(wait, tick)
        return max(0.0, min(wait, curve.stage_end(at) - at))

    def reach(self, at: float) -> None:
        """Note in the place that the schedule is played up to here, but for events that are due."""
        moment = self._curve.moment(self._next)
        self.place.at = max(self.place.at, at if moment is None else min(at, moment))

    def over(self, at: float) -> bool:
        """Whether the schedule is played to its end."""
        return at >= self._curve.end and self._curve.moment(self._next) is None

    def _give_up(self, until: float) -> None:
        """Leave out what was due before a moment: the schedule follows the clock."""
        moment = self._curve.moment(self._next)
        if moment is None or moment >= until:
            return
        missed = math.ceil((self._curve.reached(until) - self._next) / self._gaps.mean)
        if missed > 0:
            self._next += missed * self._gaps.mean
            self.place.next = self._next
            self.lost += missed
