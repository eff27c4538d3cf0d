"""A stub that generates: makes events by the clock and publishes them. Knows one generator of the sketch."""

from __future__ import annotations

import time

from eda_cli.event import Event
from eda_cli.payloads import Dice
from eda_cli.sketch.resolved import Generator
from eda_cli.stubs.making import generator_events
from eda_cli.stubs.numbers import Numbers, Spool
from eda_cli.stubs.pace import Spaced, Steady
from eda_cli.stubs.part import Part


def run(part: Part) -> bool:
    """Publish until stopping is wished or `count` is reached (then True)."""
    return _Running(part, part.sketch.generators[part.name]).run()


class _Running:
    def __init__(self, part: Part, generator: Generator) -> None:
        self._part = part
        self._generator = generator
        self._make = generator_events(part.sketch.topics[generator.publishes], generator, part.seed, part.source)
        self._numbers = Numbers(part.folder, part.name, part.process)
        self._spool = Spool(part.folder, part.process)

    def run(self) -> bool:
        self._part.ready()
        if not self._resume():
            return False
        if not self._numbers.claimed() and self._part.stop.wait(self._generator.after_s):
            return False
        pace = self._pace()
        while not self._part.stop.wished:
            many = pace.due(time.monotonic())
            if not many:
                self._part.stop.wait(pause) if (pause := pace.pause(time.monotonic())) else None
                continue
            numbers = self._numbers.claim(many, self._generator.count)
            if not numbers:
                return True
            if not self._publish(numbers, self._make(numbers)):
                return False
        return False

    def _pace(self) -> Steady | Spaced:
        generator, now = self._generator, time.monotonic()
        if generator.every is None:
            assert generator.rate is not None
            return Steady(generator.rate / generator.replicas, now)
        low, high = generator.every
        dice = Dice(self._part.seed, self._part.process, "every").roll(self._numbers.claimed().stop)
        return Spaced(lambda: dice.uniform(low, high) * generator.replicas, now)

    def _resume(self) -> bool:
        """Publish what a kill may have left unpublished; False where stopping was wished meanwhile."""
        whole = self._finish(self._part.process, self._numbers.claimed())
        if self._part.replica == 1:
            for process, claimed in self._numbers.adopt(self._generator.replicas):
                whole = whole and self._finish(process, claimed)
        return whole

    def _finish(self, process: str, claimed: range) -> bool:
        spool = self._spool if process == self._part.process else Spool(self._part.folder, process)
        numbers, events, pending = spool.pending()
        if numbers != claimed:
            return not claimed or self._publish(claimed, self._make(claimed))
        return not pending or self._publish(numbers, events)

    def _publish(self, numbers: range, events: list[Event]) -> bool:
        self._spool.store(numbers, events)
        if not self._part.publish([(self._generator.publishes, events)]):
            return False
        self._spool.stored()
        return True
