"""The events of a generator without a channel: in the order of its schedule, with its moments and its faults. Knows no clock."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, count, islice, repeat, takewhile

from eda_cli.event import Event
from eda_cli.payloads import PayloadError
from eda_cli.sketch.resolved import Generator, Topic
from eda_cli.stubs.faults import Faulty
from eda_cli.stubs.held import Going, Held
from eda_cli.stubs.lives import Having
from eda_cli.stubs.making import Failed, Look, Wanted, generator_events
from eda_cli.stubs.pace import Pace, Place, curve_of, gaps_of
from eda_cli.stubs.speakers import is_paced, living_of, turns_of

TOGETHER = 100  # events that are made at once
END_S = 253_402_300_799.0  # epoch seconds: with the year 9999 the calendar ends, and with it each schedule

Make = Callable[[Sequence[Wanted]], tuple[list[Event], Failed]]  # as `generator_events` gives it


def sampled(make: Make, generator: Generator, seed: int, wanted: Iterable[Wanted], together: int = TOGETHER
            ) -> Iterator[Event | PayloadError]:
    """What a generator publishes, one by one, and why an event could not be made. `wanted` stands in the order of its schedule.

    Of a dropped event nothing comes. What is held back comes at last, where nothing else does. So many are made `together`;
    those of them that could not be made come first.
    """
    held = Held()
    faults = Faulty(generator.faults, seed, generator.name, held, {})
    wanted = iter(wanted)
    while some := list(islice(wanted, together)):
        events, failed = make(faults.earlier(some))
        lost = {number for number, _, _ in failed}
        yield from (wrong for _, _, wrong in failed)
        yield from faults.afflict([one for one in some if one.number not in lost], events).events
    yield from Going().add(*held.due(math.inf)).events


def maker(topic: Topic, generator: Generator, seed: int, source: str, now: float, look: Look = lambda lookups: ()) -> Make:
    """The function that makes the events of a generator that begins at `now` (epoch seconds); see `generator_events`."""
    having = Having(generator, seed, now) if generator.entities else None
    return generator_events(topic, generator, seed, source, look, having, living_of(generator, seed))


def wanted_of(generator: Generator, seed: int, now: float) -> Iterator[Wanted]:
    """The events of a generator that begins at `now` (epoch seconds); until END_S, where it has no end."""
    return takewhile(lambda one: one.now < END_S, _wanted_of(generator, seed, now))


def _wanted_of(generator: Generator, seed: int, now: float) -> Iterator[Wanted]:
    numbers = count() if generator.count is None else iter(range(generator.count))
    if generator.entities is None:
        moments = moments_of(generator, seed, now)
        return (Wanted(number, moment, number) for number, moment in zip(numbers, moments, strict=False))
    turns = turns_of(generator, seed, range(1, generator.entities.count + 1))
    begins = begin_of(generator, now)
    spoken = ((turn := turns.take(), begins + turn.position) for _ in repeat(None))
    if is_paced(generator):
        spoken = ((turns.take(), moment) for moment in moments_of(generator, seed, now))
    return (Wanted(number, moment, turn.step, turn.entity, turn.state, turn.born)
            for number, (turn, moment) in zip(numbers, spoken, strict=False))


def begin_of(generator: Generator, now: float) -> float:
    """When its schedule begins, in epoch seconds."""
    if generator.start is None:
        return now + generator.after_s
    kind, seconds = generator.start
    return now - seconds if kind == "ago" else seconds


def moments_of(generator: Generator, seed: int, now: float) -> Iterable[float]:
    """When each event happens (epoch seconds), by its number; without end, where the schedule has none.

    Who is flat out publishes as fast as it goes, which nobody knows here: then all happens at once, when that begins.
    """
    begins = begin_of(generator, now)
    replicas = [Pace(curve_of(generator), gaps_of(generator, replica, seed), Place())
                for replica in range(1, generator.replicas + 1)]
    moments = heapq.merge(*map(_moments, replicas))
    flat = curve_of(generator).first_flat_out
    if flat is None:
        return (begins + moment for moment in moments)
    return (begins + moment for moment in chain(takewhile(lambda moment: moment < flat, moments), repeat(flat)))


def _moments(pace: Pace) -> Iterator[float]:
    while some := pace.take(TOGETHER):
        yield from some
