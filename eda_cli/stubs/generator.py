"""A stub that generates: makes events by the clock and publishes them. Knows one generator of the sketch."""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import Any

from eda_cli import lock
from eda_cli.journal import last_counts
from eda_cli.payloads import Dice
from eda_cli.sketch.resolved import Generator
from eda_cli.stubs.faults import Faulty
from eda_cli.stubs.held import Going, Held
from eda_cli.stubs.making import generator_events
from eda_cli.stubs.numbers import Batch, Numbers, Spool, spooled
from eda_cli.stubs.pace import Pace, Spaced, Steady
from eda_cli.stubs.part import Part
from eda_cli.stubs.speakers import Plain, Speakers, speakers

FAULTED = "faulted"  # the kind under which the journal counts events by their faults
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
        self._stock = _Stock(part, generator, part.process)
        self._speakers: Speakers = Plain()

    def close(self) -> None:
        """Let go of its files."""
        self._speakers.close()
        self._stock.spool.close()
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
            left = [(self._part.process, self._stock)]
            for process in self._numbers.orphans(self._generator.replicas) if self._part.replica == 1 else ():
                if not self._hold(process, held):
                    return False
                left.append((process, _Stock(self._part, self._generator, process)))
                held.callback(left[-1][1].spool.close)
            unmade: list[tuple[_Stock, range]] = []
            for process, stock in left:
                batch, pending = stock.left
                if batch.numbers != (claimed := self._numbers.claimed(process)):
                    unmade += [(stock, claimed)] if claimed else []
                elif pending and not self._deliver(stock, batch):
                    return False
            if not self._take_over() or not all(self._publish(stock, claimed) for stock, claimed in unmade):
                return False
            for process, stock in left[1:]:
                self._inherit(process, stock)
            return True

    def _inherit(self, process: str, stock: _Stock) -> None:
        """All that a replica had claimed which is wished no more is published; what it held is ours."""
        self._stock.take_over(stock)
        self._stock.keep(self._numbers.claimed())
        stock.keep(self._numbers.claimed(process))  # a kill from here on must not bring it to us again
        self._numbers.drop(process)
        stock.spool.forget()

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

    def _publish(self, stock: _Stock, numbers: range) -> bool:
        """Make the events of these numbers and publish them; False where stopping was wished before they were stored."""
        wanted = self._speakers.wanted(numbers, time.time())
        events, failed = self._make(stock.faults.earlier(wanted))
        for _, event, wrong in failed:
            self._part.journal.unpublished(self._generator.publishes, event, wrong.line)
        if failed:
            lost = {number for number, _, _ in failed}
            wanted = [one for one in wanted if one.number not in lost]
        return self._send(stock, numbers, stock.faults.afflict(wanted, events), self._speakers.changed())

    def _send(self, stock: _Stock, numbers: range, going: Going, change: Sequence[Any] | None = None) -> bool:
        batch = Batch(numbers, going.events, going.faults, stock.held.packed(), dict(stock.faults.faulted), change)
        stock.spool.store(batch)
        self._speakers.keep(change)
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
