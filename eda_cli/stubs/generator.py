"""A stub that generates: makes events by the clock and publishes them. Knows one generator of the sketch."""

from __future__ import annotations

import math
import os
import time
from collections import Counter

from eda_cli import lock
from eda_cli.journal import last_counts
from eda_cli.payloads import Dice
from eda_cli.sketch.resolved import Generator
from eda_cli.stubs.faults import Faulty
from eda_cli.stubs.held import Going, Held
from eda_cli.stubs.making import Wanted, generator_events
from eda_cli.stubs.numbers import Batch, Numbers, Spool
from eda_cli.stubs.pace import Pace, Spaced, Steady
from eda_cli.stubs.part import Part

FAULTED = "faulted"  # the kind under which the journal counts events by their faults
PAUSED_S = 3600.0  # a paused generator waits to be stopped: resumed, it is started anew


def run(part: Part) -> bool:
    """Publish until stopping is wished or `count` is reached (then True)."""
    return _Running(part, part.sketch.generators[part.name]).run()


class _Running:
    def __init__(self, part: Part, generator: Generator) -> None:
        self._part = part
        self._generator = generator
        self._make = generator_events(part.sketch.topics[generator.publishes], generator, part.seed, part.source)
        self._numbers = Numbers(part.folder, part.name, part.process)
        self._stock = _Stock(part, generator, part.process)

    def run(self) -> bool:
        self._part.ready()
        while self._generator.paused:
            if self._part.stop.wait(PAUSED_S):
                return False
        if not self._resume():
            return False
        if not self._numbers.claimed() and self._part.stop.wait(self._generator.after_s):
            return False
        pace = self._pace()
        while not self._part.stop.wished:
            moments = pace.due(time.monotonic())
            if not moments:
                if not self._wait(pace.pause(time.monotonic())):
                    return False
                continue
            numbers = self._numbers.claim(len(moments), self._generator.count)
            if not numbers:
                return self._finish_held()
            if not self._publish(self._stock, numbers):
                return False
        return False

    def _wait(self, pause: float) -> bool:
        """Wait so long, or until something held back is due, which is published; False where stopping was wished."""
        held = self._stock.held
        if wait := min(pause, held.pause(time.time())):
            return not self._part.stop.wait(wait)
        due = Going().add(*held.due(time.time()))
        return not due.events or self._send(self._stock, self._numbers.claimed(), due)

    def _finish_held(self) -> bool:
        """All others are published: wait for what is held back."""
        while self._stock.held:
            if not self._wait(math.inf):
                return False
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
        whole = self._finish(self._stock, self._numbers.claimed())
        if self._part.replica == 1:
            for process in self._numbers.orphans(self._generator.replicas):
                whole = whole and self._inherit(process)
        return whole

    def _inherit(self, process: str) -> bool:
        """Finish what a replica that is wished no more has left, once it is gone; then its claim is, and what it held is ours."""
        while (fd := lock.take(self._part.folder / f"{process}.lock", patience_s=0.2, for_child=True)) is None:
            if self._part.stop.wished:
                return False
        stock, claimed = _Stock(self._part, self._generator, process), self._numbers.claimed(process)
        try:
            whole = self._finish(stock, claimed)
            if whole:
                self._stock.take_over(stock)
                self._stock.keep(self._numbers.claimed())
                stock.keep(claimed)  # a kill from here on must not bring it to us again
                self._numbers.drop(process)
                stock.spool.forget()
            return whole
        finally:
            stock.spool.close()
            os.close(fd)

    def _finish(self, stock: _Stock, claimed: range) -> bool:
        batch, pending = stock.left
        if batch.numbers != claimed:
            return not claimed or self._publish(stock, claimed)
        return not pending or self._deliver(stock, batch)

    def _publish(self, stock: _Stock, numbers: range) -> bool:
        """Make the events of these numbers and publish them; False where stopping was wished before they were stored."""
        now = time.time()
        wanted = [Wanted(number, now, number) for number in numbers]
        events, failed = self._make(stock.faults.earlier(wanted))
        for _, event, wrong in failed:
            self._part.journal.unpublished(self._generator.publishes, event, wrong.line)
        if failed:
            lost = {number for number, _, _ in failed}
            wanted = [one for one in wanted if one.number not in lost]
        return self._send(stock, numbers, stock.faults.afflict(wanted, events))

    def _send(self, stock: _Stock, numbers: range, going: Going) -> bool:
        batch = Batch(numbers, going.events, going.faults, stock.held.packed(), dict(stock.faults.faulted))
        stock.spool.store(batch)
        return self._deliver(stock, batch)

    def _deliver(self, stock: _Stock, batch: Batch) -> bool:
        topic, journal = self._generator.publishes, self._part.journal
        journal.faults = batch.faults
        if stock is self._stock:
            journal.count_all(FAULTED, batch.faulted)
        refused = self._part.publish([(topic, batch.events)])
        if refused is None:
            return False
        for event in batch.events if refused else ():
            if wrong := refused.get(event.id):
                journal.unpublished(topic, event, wrong.line)
        journal.flush()
        stock.spool.stored()
        return True


class _Stock:
    """What a replica has left or holds back, as its spool says, and the faults of its events so far."""

    def __init__(self, part: Part, generator: Generator, process: str) -> None:
        self._counted = last_counts(part.folder / f"{process}.jsonl").get(FAULTED, {})
        self.spool = Spool(part.folder, process)
        self.left = self.spool.pending()
        self.held = Held(self.left[0].held)
        faulted = self.left[0].faulted or self._counted
        self.faults = Faulty(generator.faults, part.seed, part.name, self.held, faulted)

    def take_over(self, other: _Stock) -> None:
        """Hold what the other one held, and count what it did not come to count."""
        self.held.take_over(other.held)
        uncounted = other.faults.faulted - Counter(other._counted)
        self.faults.faulted += uncounted
        other.faults.faulted -= uncounted

    def keep(self, numbers: range) -> None:
        """Store what is held and counted, with nothing to publish: all of these numbers is."""
        self.spool.store(Batch(numbers, held=self.held.packed(), faulted=dict(self.faults.faulted)))
        self.spool.stored()
