"""A stub that generates: makes events by the clock and publishes them. Knows one generator of the sketch."""

from __future__ import annotations

import os
import time

from eda_cli import lock
from eda_cli.event import Event
from eda_cli.payloads import Dice
from eda_cli.sketch.resolved import Generator
from eda_cli.stubs.making import generator_events
from eda_cli.stubs.numbers import Numbers, Spool
from eda_cli.stubs.pace import Pace, Spaced, Steady
from eda_cli.stubs.part import Part
from eda_cli.stubs.speakers import speakers

GOING_S = 0.02  # between two looks at whether a replica is gone
PAUSED_S = 3600.0  # a paused generator waits to be stopped: resumed, it is started anew


def run(part: Part) -> bool:
    """Publish until stopping is wished or `count` is reached (then True)."""
    return _Running(part, part.sketch.generators[part.name]).run()


class _Running:
    def __init__(self, part: Part, generator: Generator) -> None:
        self._part = part
        self._generator = generator
        self._numbers = Numbers(part.folder, part.name, part.process)
        self._spool = Spool(part.folder, part.process)

    def run(self) -> bool:
        self._part.ready()
        while self._generator.paused:
            if self._part.stop.wait(PAUSED_S):
                return False
        if not self._orphans_gone():
            return False
        self._speakers = speakers(self._part, self._generator)
        self._make = generator_events(self._part.sketch.topics[self._generator.publishes], self._generator, self._part.seed,
                                      self._part.source, self._speakers.having, self._speakers.living)
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
        """Publish what a kill may have left unpublished; False where stopping was wished meanwhile."""
        whole = self._finish(self._spool, self._numbers.claimed())
        if self._part.replica == 1:
            for process in self._numbers.orphans(self._generator.replicas):
                whole = whole and self._inherit(process)
        return whole

    def _orphans_gone(self) -> bool:
        """Wait for replicas that are wished no more: what they tell last is known then; False where stopping was wished."""
        for process in self._numbers.orphans(self._generator.replicas):
            while lock.holder(self._part.folder / f"{process}.lock"):  # without a pid: somebody inherits from it
                if self._part.stop.wait(GOING_S):
                    return False
        return True

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
            return not claimed or self._publish(spool, claimed)
        return not pending or self._deliver(spool, events)

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
