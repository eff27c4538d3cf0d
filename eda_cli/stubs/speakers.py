"""Who speaks for a generator: nobody in particular, or its entities, by their own clocks. Knows no channel."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from eda_cli.event import Event
from eda_cli.payloads import compile_states, is_states
from eda_cli.sketch.resolved import Generator, Topic
from eda_cli.stubs.lives import Having, Living, paused, step_of
from eda_cli.stubs.making import Failed, Look, Wanted, generator_events
from eda_cli.stubs.numbers import spooled
from eda_cli.stubs.pace import Place
from eda_cli.stubs.part import Part
from eda_cli.stubs.standing import Change, Row, Standing
from eda_cli.stubs.turns import Clocks, Turn, Turns

_ROUND = (1.0, 1.0)  # where a rate says when, each entity comes once in a round


class Speakers(Protocol):
    """Who speaks: for which entity each number is, and what a batch changes of them."""

    @property
    def living(self) -> Living | None:
        """The lives of its entities, where they live."""

    @property
    def having(self) -> Having | None:
        """What its entities have, where there are some."""

    @property
    def clocks(self) -> Clocks | None:
        """Their own clocks; None where the generator's schedule says when somebody speaks."""

    def nobody(self) -> bool:
        """Whether there is nobody to speak for."""

    def wanted(self, numbers: range, happened: Sequence[float]) -> list[Wanted]:
        """The events of these numbers, and of these moments."""

    def changed(self) -> Change | None:
        """What the events that were wanted last have changed, to be spooled with them."""

    def keep(self, change: Sequence[Any] | None) -> None:
        """The change is spooled: it holds from now on."""

    def close(self) -> None:
        """Let go of its file."""


class Plain:
    """Nobody in particular."""

    living = having = clocks = None

    def nobody(self) -> bool:
        return False

    def wanted(self, numbers: range, happened: Sequence[float]) -> list[Wanted]:
        """The events of these numbers, and of these moments."""
        return [Wanted(number, now, number) for number, now in zip(numbers, happened, strict=False)]

    def changed(self) -> None:
        return None

    def keep(self, change: Sequence[Any] | None) -> None: ...

    def close(self) -> None: ...


class Entities:
    """The entities of one replica. Others of the generator that run are as many, so that each entity belongs to one."""

    def __init__(self, part: Part, generator: Generator, place: Place) -> None:
        assert generator.entities is not None
        self._process, self._replicas = part.process, generator.replicas
        self._standing = Standing(part.folder, part.name)
        for _, change in spooled(part.folder, part.name):
            self._standing.take_in(change)
        self.living, self.having = living_of(generator, part.seed), Having(generator, part.seed, self._standing.began())
        rows = [row for row in self._standing.rows(part.replica, generator.replicas) if row.entity <= generator.entities.count]
        for row in rows:
            if self.living and row.own is not None:
                self.living.recall(row.entity, row.own)
        paced = is_paced(generator)
        own = range(part.replica, generator.entities.count + 1, generator.replicas)
        position = self._standing.position(part.process, generator.replicas) if paced else place.at
        self._turns = turns_of(generator, part.seed, own, rows, position)
        self.clocks = None if paced else Clocks(self._turns, place)
        self._last: list[Turn] = []

    def nobody(self) -> bool:
        return not self._turns

    def wanted(self, numbers: range, happened: Sequence[float]) -> list[Wanted]:
        """The events of these numbers: those of whoever is due, or will be next."""
        taken = self.clocks.taken if self.clocks else None
        self._last = [taken.popleft() if taken else self._turns.take() for _ in numbers]
        return [Wanted(number, now, turn.step, turn.entity, turn.state, turn.born)
                for number, now, turn in zip(numbers, happened, self._last, strict=False)]

    def changed(self) -> Change | None:
        """Where those that spoke last stand now."""
        if not self._last:
            return None
        last = {turn.entity: turn for turn in self._last}  # one may have spoken twice
        own = self.living.own if self.living else lambda entity: None
        rows = [Row(turn.entity, turn.step + 1, turn.due, turn.state, own(turn.entity)) for turn in last.values()]
        return Change(self._process, self._replicas, self._last[-1].position, rows)

    def keep(self, change: Sequence[Any] | None) -> None:
        """Store where they stand."""
        if change is not None:
            self._standing.take_in(change)

    def close(self) -> None:
        self._standing.close()


def speakers(part: Part, generator: Generator, place: Place) -> Speakers:
    """Who speaks for a generator whose schedule has come to a place."""
    return Entities(part, generator, place) if generator.entities else Plain()


def is_paced(generator: Generator) -> bool:
    """Whether a schedule says when entities speak; else each has a clock of its own."""
    scheduled = generator.rate is not None or bool(generator.stages)
    return generator.every is None and (scheduled or not is_states(generator.body))


def turns_of(generator: Generator, seed: int, own: Iterable[int], rows: Sequence[Row] = (), position: float = 0.0) -> Turns:
    """The turns of these entities; see `Turns`."""
    lives = compile_states(generator.body) if is_states(generator.body) else None
    every = generator.every or _ROUND
    if lives is None:
        return Turns(own, rows, paused(every, generator.name, seed), every[1], every[1], position)
    longest = max(state.after_s[1] for state in lives.states.values())
    return Turns(own, rows, step_of(lives, generator.name, seed), lives.states[lives.first(0.0)].after_s[1], longest, position)


def living_of(generator: Generator, seed: int) -> Living | None:
    """The lives of its entities, where they live."""
    return Living(compile_states(generator.body), generator, seed) if is_states(generator.body) else None


def by_hand(topic: Topic, generator: Generator, seed: int, source: str, look: Look
            ) -> Callable[[int, float], tuple[list[Event], Failed]]:
    """A function from number and moment to an event that nobody's clock asks for: with entities, the first one of an
    entity that is not among theirs.
    """
    lives = compile_states(generator.body) if is_states(generator.body) else None
    living = living_of(generator, seed)
    having = Having(generator, seed, time.time()) if generator.entities else None
    make = generator_events(topic, generator, seed, source, look, having, living)
    state = lives.first(0.0) if lives else ""

    def made(number: int, now: float) -> tuple[list[Event], Failed]:
        if generator.entities is None:
            return make([Wanted(number, now, number)])
        return make([Wanted(number, now, 0, generator.entities.count + 1 + number, state, born=True)])

    return made
