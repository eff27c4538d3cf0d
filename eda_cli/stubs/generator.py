"""A stub that generates: makes events by the clock and publishes them. Knows one generator of the sketch."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, closing

from eda_cli import lock
from eda_cli.event import Event
from eda_cli.payloads import Dice
from eda_cli.sketch.resolved import Generator
from eda_cli.stubs.making import generator_events
from eda_cli.stubs.numbers import Numbers, Spool, spooled
from eda_cli.stubs.pace import Pace, Spaced, Steady
from eda_cli.stubs.part import Part
from eda_cli.stubs.speakers import Plain, Speakers, speakers

GOING_S = 0.02  # between two looks at whether a replica is gone
PAUSED_S = 3600.0  # a paused generator waits to be stopped: resumed, it is started anew


def run(part: Part) -> bool:
    """Publish until stopping is wished or `count` is reached (then True)."""
    with closing(_Running(part, part.sketch.generators[part.name])) as running:
        return running.run()


class _Running:
    def __init__(self, part: Part, generator: Generator) -> None:
        self._part = part
        self._generator = generator
        self._numbers = Numbers(part.folder, part.name, part.process)
        self._spool = Spool(part.folder, part.process)
        self._speakers: Speakers = Plain()

    def close(self) -> None:
        """Let go of its files."""
        self._speakers.close()
        self._spool.close()
        self._numbers.close()

    def run(self) -> bool:
        self._part.ready()
        while self._generator.paused:
            if self._part.stop.wait(PAUSED_S):
                return False
        if not self._resume():
            return False
        if not self._numbers.claimed() and self._part.stop.wait(self._generator.after_s):
            return False
        while self._speakers.nobody():
            if self._part.stop.wait(PAUSED_S):
                return False
        pace = self._pace()
        while not self._part.stop.wished:
            moments = pace.due(time.monotonic())
            if not moments:
                self._part.stop.wait(pause) if (pause := pace.pause(time.monotonic())) else None
                continue
            numbers = self._numbers.claim(len(moments), self._generator.count)
            if not numbers:
                return True
            if not self._publish(self._spool, numbers):
                return False
        return False

    def _pace(self) -> Pace:
        generator, now = self._generator, time.monotonic()
        if clocks := self._speakers.clocks(now):
            return clocks
        if generator.every is None:
            assert generator.rate is not None
            return Steady(generator.rate / generator.replicas, now)
        low, high = generator.every
        dice = Dice(self._part.seed, self._part.process, "every").roll(self._numbers.claimed().stop)
        return Spaced(lambda: dice.uniform(low, high) * generator.replicas, now)

    def _resume(self) -> bool:
        """Publish what a kill may have left unpublished; False where stopping was wished meanwhile.

        Replica 1 does so for those that are wished no more. What lies in the spools comes first, everybody's, and then what
        was claimed and not made: an entity may be another replica's now, and its events keep their order.
        """
        with ExitStack() as held:
            left = [(self._part.process, self._spool)]
            for process in self._numbers.orphans(self._generator.replicas) if self._part.replica == 1 else ():
                if not self._hold(process, held):
                    return False
                left.append((process, held.enter_context(closing(Spool(self._part.folder, process)))))
            unmade: list[tuple[Spool, range]] = []
            for process, spool in left:
                numbers, events, pending = spool.pending()
                if numbers != (claimed := self._numbers.claimed(process)):
                    unmade += [(spool, claimed)] if claimed else []
                elif pending and not self._deliver(spool, events):
                    return False
            if not self._take_over() or not all(self._publish(spool, claimed) for spool, claimed in unmade):
                return False
            for process, spool in left[1:]:
                self._numbers.drop(process)
                spool.forget()
            return True

    def _hold(self, process: str, held: ExitStack) -> bool:
        """Wait until a replica that is wished no more is gone, and take its place."""
        while (fd := lock.take(self._part.folder / f"{process}.lock", patience_s=0.2, for_child=True)) is None:
            if self._part.stop.wished:
                return False
        held.callback(os.close, fd)
        return True

    def _take_over(self) -> bool:
        """Learn for whom to speak, once nobody tells of them any more who shared them out otherwise."""
        while self._generator.entities and self._others_tell():
            if self._part.stop.wait(GOING_S):
                return False
        self._speakers = speakers(self._part, self._generator)
        self._make = generator_events(self._part.sketch.topics[self._generator.publishes], self._generator, self._part.seed,
                                      self._part.source, self._speakers.having, self._speakers.living)
        return True

    def _others_tell(self) -> bool:
        """Whether a replica that is wished no more is alive, or one of so many others has a batch to publish."""
        folder, replicas = self._part.folder, self._generator.replicas
        return any(lock.holder(folder / f"{process}.lock") for process in self._numbers.orphans(replicas)) or any(
            pending and change[1] != replicas for pending, change in spooled(folder, self._part.name))

    def _publish(self, spool: Spool, numbers: range) -> bool:
        """Make the events of these numbers and publish them; False where stopping was wished before they were stored."""
        events, failed = self._make(self._speakers.wanted(numbers, time.time()))
        for event, wrong in failed:
            self._part.journal.unpublished(self._generator.publishes, event, wrong.line)
        change = self._speakers.changed()
        spool.store(numbers, events, change)
        self._speakers.keep(change)
        return self._deliver(spool, events)

    def _deliver(self, spool: Spool, events: list[Event]) -> bool:
        topic, journal = self._generator.publishes, self._part.journal
        refused = self._part.publish([(topic, events)])
        if refused is None:
            return False
        for event in events if refused else ():
            if wrong := refused.get(event.id):
                journal.unpublished(topic, event, wrong.line)
        journal.flush()
        spool.stored()
        return True
