"""A stub that generates: makes events by the clock and publishes them. Knows one generator of the sketch."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

from eda_cli import lock
from eda_cli.event import Event
from eda_cli.payloads import Dice, Looked, Lookup
from eda_cli.sketch.looking import demand
from eda_cli.sketch.resolved import Generator
from eda_cli.stubs.lookers import Lookers
from eda_cli.stubs.making import Wanted, generator_events
from eda_cli.stubs.numbers import Numbers, Spool
from eda_cli.stubs.pace import Pace, Spaced, Steady
from eda_cli.stubs.part import Part
from eda_cli.stubs.published import Published

PAUSED_S = 3600.0  # a paused generator waits to be stopped: resumed, it is started anew


def run(part: Part) -> bool:
    """Publish until stopping is wished or `count` is reached (then True)."""
    return _Running(part, part.sketch.generators[part.name]).run()


class _Running:
    def __init__(self, part: Part, generator: Generator) -> None:
        self._part = part
        self._generator = generator
        self._lookers: Lookers | None = None
        self._make = generator_events(part.sketch.topics[generator.publishes], generator, part.seed, part.source, self._look)
        self._numbers = Numbers(part.folder, part.name, part.process)
        self._spool = Spool(part.folder, part.process)
        wanted = demand(part.sketch, part.name)
        self._published = Published(part.folder, generator, part.process, part.seed, wanted) if wanted else None
        self._position = 0.0  # at which the next event is due

    def _look(self, lookups: Sequence[Lookup]) -> Sequence[Looked]:
        self._lookers = Lookers(self._part.folder, self._part.sketch, self._generator, lookups) if lookups else None
        return self._lookers.found if self._lookers else ()

    def run(self) -> bool:
        self._part.ready()
        while self._generator.paused:
            if self._part.stop.wait(PAUSED_S):
                return False
        if self._published:
            self._published.begin(self._numbers.oldest(), self._position)
        if not self._resume():
            return False
        if not self._numbers.claimed() and self._part.stop.wait(self._generator.after_s):
            return False
        pace = self._pace()
        while not self._part.stop.wished:
            moments = pace.due(time.monotonic())
            if not moments:
                self._part.stop.wait(pause) if (pause := pace.pause(time.monotonic())) else None
                continue
            self._position = pace.position
            while moments:
                numbers = self._numbers.claim(self._at_once(len(moments)), self._generator.count)
                if not numbers:
                    return self._end()
                if not self._publish(self._spool, numbers, moments):
                    return False
                moments = moments[len(numbers):]
        return False

    def _at_once(self, due: int) -> int:
        """How many of the events that are due can be made together."""
        return self._lookers.most(self._numbers.next(), due) if self._lookers else due

    def _end(self) -> bool:
        """All is published."""
        if self._published:
            self._published.end()
        return True

    def _pace(self) -> Pace:
        generator, now = self._generator, time.monotonic()
        if generator.every is None:
            assert generator.rate is not None
            return Steady(generator.rate / generator.replicas, now)
        low, high = generator.every
        dice = Dice(self._part.seed, self._part.process, "every").roll(self._numbers.claimed().stop)
        return Spaced(lambda: dice.uniform(low, high) * generator.replicas, now)

    def _resume(self) -> bool:
        """Publish what a kill may have left unpublished; False where stopping was wished meanwhile."""
        whole = self._finish(self._spool, self._numbers.claimed())
        if self._part.replica == 1:
            for process in self._numbers.orphans(self._generator.replicas):
                whole = whole and self._inherit(process)
        return whole

    def _inherit(self, process: str) -> bool:
        """Finish what a replica that is wished no more has left, once it is gone; then its claim is."""
        while (fd := lock.take(self._part.folder / f"{process}.lock", patience_s=0.2, for_child=True)) is None:
            if self._part.stop.wished:
                return False
        spool = Spool(self._part.folder, process)
        try:
            whole = self._finish(spool, self._numbers.claimed(process))
            if whole:
                self._numbers.drop(process)
                spool.forget()
            return whole
        finally:
            spool.close()
            os.close(fd)

    def _finish(self, spool: Spool, claimed: range) -> bool:
        numbers, events, pending = spool.pending()
        if numbers != claimed:
            return not claimed or self._publish(spool, claimed, None)
        return not pending or self._deliver(spool, claimed, events, {})

    def _publish(self, spool: Spool, numbers: range, moments: Sequence[float] | None) -> bool:
        """Make the events of these numbers and publish them; False where stopping was wished before they were stored.

        `moments` are those of the schedule; None where nobody knows them any more.
        """
        if self._lookers and not self._lookers.prepare(numbers, moments, self._numbers.oldest(), self._part.stop,
                                                       self._part.tell_trouble):
            return False
        now = time.time()
        events, failed = self._make(Wanted(number, now, number) for number in numbers)
        for event, wrong in failed:
            self._part.journal.unpublished(self._generator.publishes, event, wrong.line)
        spool.store(numbers, events)
        happened = self._published.moments(numbers, events, moments) if self._published and moments is not None else {}
        return self._deliver(spool, numbers, events, happened)

    def _deliver(self, spool: Spool, numbers: range, events: list[Event], happened: Mapping[str | None, int]) -> bool:
        topic, journal = self._generator.publishes, self._part.journal
        refused = self._part.publish([(topic, events)])
        if refused is None:
            return False
        for event in events if refused else ():
            if wrong := refused.get(event.id):
                journal.unpublished(topic, event, wrong.line)
        journal.flush()
        if self._published:
            self._published.tell(numbers, [event for event in events if event.id not in refused], happened, self._position)
        spool.stored()
        return True
