"""A stub that generates: makes events by the clock and publishes them. Knows one generator of the sketch.

Over 250 lines because what a kill left is made and published by the same steps.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import Any

from eda_cli import lock
from eda_cli.errors import Futile
from eda_cli.payloads import Exhausted, Looked, Lookup, lookups_in
from eda_cli.sketch.looking import demand
from eda_cli.sketch.resolved import Generator
from eda_cli.stubs.held import Going
from eda_cli.stubs.lookers import Lookers
from eda_cli.stubs.making import generator_events
from eda_cli.stubs.numbers import Batch, Numbers, spooled
from eda_cli.stubs.pace import CATCH_UP_S, pace_of
from eda_cli.stubs.part import Part
from eda_cli.stubs.published import Published
from eda_cli.stubs.shortfall import Shortfall, Sums
from eda_cli.stubs.speakers import Plain, Speakers, speakers
from eda_cli.stubs.stock import FAULTED, Stock
from eda_cli.stubs.timing import Timing, again, clock_of, origin_of, zero_of

GOING_S = 0.02  # between two looks at whether others still speak
NOTED_S = 5.0  # what a kill in a long pause takes from it at most
WAITED_S = 0.001  # from when on waiting for a lookup counts
PAUSED_S = 3600.0  # a paused generator waits to be stopped: resumed, it is started anew


def run(part: Part) -> bool:
    """Publish until stopping is wished, or `count` or the end of the stages is reached (then True).

    Raises Futile where nothing more can be made.
    """
    with closing(_Running(part, part.sketch.generators[part.name])) as running:
        return running.run()


class _Running:
    def __init__(self, part: Part, generator: Generator) -> None:
        self._part = part
        self._generator = generator
        self._numbers = Numbers(part.folder, part.name, part.process)
        self._stock = Stock(part, generator, part.process)
        self._speakers: Speakers = Plain()
        self._lookers: Lookers | None = None
        wanted = demand(part.sketch, part.name)
        self._published = Published(part.folder, generator, part.process, wanted) if wanted else None
        looked = wanted or any(lookups_in(generator.body))  # else nobody asks in which second of the run an event happens
        self._zero = zero_of(generator, part.created) if looked else 0.0
        self._next_s = self._zero  # when the next event happens

    def close(self) -> None:
        """Let go of its files."""
        for one in (self._lookers, self._published):
            if one:
                one.close()
        self._speakers.close()
        self._stock.close()
        self._numbers.close()

    def run(self) -> bool:
        self._part.ready()
        while self._generator.paused:
            if self._part.stop.wait(PAUSED_S):
                return False
        self._tell_next(range(0))
        with ExitStack() as held:
            left = self._left(held)
            if left is None or (self._generator.entities and not self._others_told()):
                return False
            if not self._numbers.begun() and self._part.stop.wait(self._generator.after_s):
                return False
            timing = self._begin()
            if not self._make_up(left):
                return False
        while self._speakers.nobody():
            if self._part.stop.wait(PAUSED_S):
                return False
        self._next_s = timing.next_s()
        self._tell_next(self._numbers.claimed())
        if not self._play(timing):
            return False
        if self._published:
            self._published.end()
        return True

    def _tell_next(self, done: range) -> None:
        """Let those who look up know when the next event happens, and which numbers are published by now."""
        if self._published:
            self._published.begin(self._numbers.oldest(), self._next_s, done)

    def _begin(self) -> Timing:
        """Learn for whom to speak, and when."""
        part, generator = self._part, self._generator
        place = self._numbers.begin(clock_of(generator), generator.replicas, origin_of(generator))
        self._speakers = speakers(part, generator, place)
        self._make = generator_events(part.sketch.topics[generator.publishes], generator, part.seed, part.source, self._look,
                                      self._speakers.having, self._speakers.living)
        return Timing(self._speakers.clocks or pace_of(generator, part.replica, part.seed, place), place, self._zero)

    def _look(self, lookups: Sequence[Lookup]) -> Sequence[Looked]:
        self._lookers = Lookers(self._part.folder, self._part.sketch, self._generator, lookups) if lookups else None
        return self._lookers.found if self._lookers else ()

    def _play(self, timing: Timing) -> bool:
        """Publish what is due until stopping is wished, or all is published (then True)."""
        stop, shortfall = self._part.stop, Shortfall(self._part.journal, self._generator.publishes, time.monotonic())
        made, before = 0, self._stored()
        while not stop.wished:
            in_past = timing.in_past
            happened = timing.due(self._lookers.most(self._numbers.next()) if self._lookers else None)
            if in_past and not timing.in_past:
                self._part.journal.tell("live", events=self._stored() - before)
            shortfall.see(time.monotonic(), Sums(made, timing.wished(), timing.lost, self._part.troubles))
            if happened:
                numbers = self._numbers.claim(len(happened), self._generator.count, timing.place)
                if not numbers:
                    return self._finish_held()
                self._next_s = timing.next_s()
                if self._lookers and not timing.in_past:
                    self._lookers.catch_up(timing.moments[0])
                if not self._publish(self._stock, numbers, happened, timing.moments):
                    return False
                made += len(numbers)
            elif timing.over() or not self._wait(timing):
                break
        self._numbers.note(timing.here())
        self._part.journal.flush()  # what was given up last
        return not stop.wished and self._finish_held()

    def _stored(self) -> int:
        """How many were published: fewer than were made where some are dropped."""
        return self._part.journal.counts.get("published", {}).get(self._generator.publishes, 0)

    def _wait(self, timing: Timing) -> bool:
        """Wait until something is due, or until it is time to note the place; False where stopping was wished."""
        pause = timing.pause()
        if not self._wait_held(min(pause, NOTED_S)):
            return False
        if pause > NOTED_S:
            self._numbers.note(timing.here())
        return True

    def _wait_held(self, pause: float) -> bool:
        """Wait so long, or until something held back is due, which is published; False where stopping was wished."""
        held = self._stock.held
        if wait := min(pause, held.pause(time.time())):
            return not self._part.stop.wait(wait)
        due = Going().add(*held.due(time.time()))
        return not due.events or self._send(self._stock, self._numbers.claimed(), due)

    def _finish_held(self) -> bool:
        """All others are published: wait for what is held back."""
        while self._stock.held:
            if not self._wait_held(math.inf):
                return False
        return True

    def _left(self, held: ExitStack) -> list[Stock] | None:
        """Publish what lies in the spool, and replica 1 what lies in those of replicas that are wished no more; None where
        stopping was wished meanwhile. Their stocks, the own one first; `held` are the locks of the others.
        """
        left = [self._stock]
        for process in self._numbers.orphans(self._generator.replicas) if self._part.replica == 1 else ():
            while (fd := lock.take(self._part.folder / f"{process}.lock", patience_s=0.2, for_child=True)) is None:
                if self._part.stop.wished:
                    return None
            held.callback(os.close, fd)
            left.append(Stock(self._part, self._generator, process))
            held.callback(left[-1].close)
        for stock in left:
            batch, pending = stock.left
            if pending and batch.numbers == self._numbers.claimed(stock.process) and not self._deliver(stock, batch):
                return None
        return left

    def _others_told(self) -> bool:
        """Wait until nobody speaks any more who shared out the entities otherwise: the events of each keep their order.

        False where stopping was wished meanwhile.
        """
        folder, replicas = self._part.folder, self._generator.replicas
        while any(lock.holder(folder / f"{process}.lock") for process in self._numbers.orphans(replicas)) or any(
                pending and change[1] != replicas for pending, change in spooled(folder, self._part.name)):
            if self._part.stop.wait(GOING_S):
                return False
        return True

    def _make_up(self, left: Sequence[Stock]) -> bool:
        """Publish what was claimed and not made, and take over what others held; False where stopping was wished meanwhile."""
        for stock in left:
            claimed = self._numbers.claimed(stock.process)
            if claimed and stock.left[0].numbers != claimed and not self._publish(
                    stock, claimed, self._happened(stock.process, len(claimed))):
                return False
        for stock in left[1:]:
            self._stock.take_over(stock)
            self._stock.keep(self._numbers.claimed())
            stock.keep(self._numbers.claimed(stock.process))  # a kill from here on must not bring it to us again
            self._numbers.drop(stock.process)
            stock.spool.forget()
        return True

    def _happened(self, process: str, many: int) -> Sequence[float]:
        """When the events happened that a process claimed, and did not make any more."""
        place, replica = self._numbers.past(process), int(process.rpartition(".")[2])
        if place is None or place.origin is None:
            return [time.time()] * many
        if clocks := self._speakers.clocks:
            return [place.origin + moment for moment in clocks.take(many)]
        return again(self._generator, replica, self._part.seed, place, many)

    def _publish(self, stock: Stock, numbers: range, happened: Sequence[float], moments: Sequence[float] | None = None) -> bool:
        """Make the events of these numbers and publish them; False where stopping was wished before they were stored.

        `moments` are when they happened in seconds of the run; None where nobody knows it any more.
        """
        began = time.time()
        if self._lookers and not self._lookers.prepare(numbers, moments, self._numbers.oldest(), self._part.stop,
                                                       self._part.tell_trouble):
            return False
        if (waited := time.time() - began) > WAITED_S:  # what happens live happens after what it waited for
            happened = [moment + waited if began - moment < CATCH_UP_S else moment for moment in happened]
        wanted = self._speakers.wanted(numbers, happened)
        events, failed = self._make(stock.faults.earlier(wanted))
        for _, event, wrong in failed:
            self._part.journal.unpublished(self._generator.publishes, event, wrong.line, made=False)
        if failed:
            lost = {number for number, _, _ in failed}
            wanted = [one for one in wanted if one.number not in lost]
        told = self._published.packed(numbers, *stock.faults.come(wanted, events), moments) if self._published else None
        sent = self._send(stock, numbers, stock.faults.afflict(wanted, events), self._speakers.changed(), told)
        for _, _, wrong in failed:
            if isinstance(wrong, Exhausted):  # so are all that come after it
                raise Futile(wrong.what, wrong.why, wrong.hint)
        return sent

    def _send(self, stock: Stock, numbers: range, going: Going, change: Sequence[Any] | None = None,
              told: bytes | None = None) -> bool:
        batch = stock.store(numbers, going, change, told)
        self._speakers.keep(change)
        return self._deliver(stock, batch)

    def _deliver(self, stock: Stock, batch: Batch) -> bool:
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
        if self._published and batch.told is not None:
            self._published.tell(batch.numbers, batch.told, refused, self._next_s)
        stock.spool.stored()
        return True
