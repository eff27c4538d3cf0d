"""A stub that generates: makes events by the clock and publishes them. Knows one generator of the sketch."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

from eda_cli import lock
from eda_cli.event import Event
from eda_cli.payloads import Looked, Lookup
from eda_cli.sketch.looking import demand
from eda_cli.sketch.resolved import Generator
from eda_cli.stubs.lookers import Lookers
from eda_cli.stubs.making import Wanted, generator_events
from eda_cli.stubs.numbers import Numbers, Spool
from eda_cli.stubs.part import Part
from eda_cli.stubs.published import Published
from eda_cli.stubs.shortfall import Shortfall
from eda_cli.stubs.timing import Timing, again, clock_of, origin_of, zero_of

NOTED_S = 5.0  # what a kill in a long pause takes from it at most
PAUSED_S = 3600.0  # a paused generator waits to be stopped: resumed, it is started anew


def run(part: Part) -> bool:
    """Publish until stopping is wished, or `count` or the end of the stages is reached (then True)."""
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
        looked = self._published or self._lookers  # else nobody asks in which second of the run an event happens
        self._zero = zero_of(generator, part.created) if looked else 0.0
        self._next_s = self._zero  # when the next event happens

    def _look(self, lookups: Sequence[Lookup]) -> Sequence[Looked]:
        self._lookers = Lookers(self._part.folder, self._part.sketch, self._generator, lookups) if lookups else None
        return self._lookers.found if self._lookers else ()

    def run(self) -> bool:
        self._part.ready()
        while self._generator.paused:
            if self._part.stop.wait(PAUSED_S):
                return False
        self._tell_next()
        if not self._resume():
            return False
        if not self._numbers.begun() and self._part.stop.wait(self._generator.after_s):
            return False
        timing = self._begin()
        self._next_s = timing.next_s()
        self._tell_next()
        if not self._play(timing):
            return False
        if self._published:
            self._published.end()
        return True

    def _tell_next(self) -> None:
        """Let those who look up know when the next event happens."""
        if self._published:
            self._published.begin(self._numbers.oldest(), self._next_s)

    def _at_once(self) -> int | None:
        """How many events can be made together; None where there is no bound to that."""
        return self._lookers.most(self._numbers.next()) if self._lookers else None

    def _begin(self) -> Timing:
        part, generator = self._part, self._generator
        place = self._numbers.begin(clock_of(generator), generator.replicas, origin_of(generator))
        return Timing(generator, part.replica, part.seed, place, self._zero)

    def _play(self, timing: Timing) -> bool:
        """Publish what is due until stopping is wished, or all is published (then True)."""
        stop, shortfall = self._part.stop, Shortfall(self._part.journal, self._generator.publishes, time.monotonic())
        made = 0
        while not stop.wished:
            happened = timing.due(self._at_once())
            shortfall.see(time.monotonic(), made, timing.lost, self._part.troubles)
            if happened:
                numbers = self._numbers.claim(len(happened), self._generator.count, timing.place)
                if not numbers:
                    return True
                self._next_s = timing.next_s()
                if not self._publish(self._spool, numbers, happened, timing.moments):
                    return False
                made += len(numbers)
            elif timing.over():
                self._numbers.note(timing.here())
                return True
            elif (pause := timing.pause()) > 0 and not stop.wait(min(pause, NOTED_S)) and pause > NOTED_S:
                self._numbers.note(timing.here())
        self._numbers.note(timing.here())
        return False

    def _resume(self) -> bool:
        """Publish what a kill may have left unpublished; False where stopping was wished meanwhile."""
        whole = self._finish(self._spool, self._part.process)
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
            whole = self._finish(spool, process)
            if whole:
                self._numbers.drop(process)
                spool.forget()
            return whole
        finally:
            spool.close()
            os.close(fd)

    def _finish(self, spool: Spool, process: str) -> bool:
        claimed = self._numbers.claimed(process)
        numbers, events, pending = spool.pending()
        if numbers != claimed:
            return not claimed or self._publish(spool, claimed, self._happened(process, len(claimed)), None)
        return not pending or self._deliver(spool, claimed, events, {})

    def _happened(self, process: str, many: int) -> Sequence[float]:
        """When the events happened that a process claimed, and did not make any more."""
        place, replica = self._numbers.past(process), int(process.rpartition(".")[2])
        if place is None:
            return [time.time()] * many
        return again(self._generator, replica, self._part.seed, place, many)

    def _publish(self, spool: Spool, numbers: range, happened: Sequence[float], moments: Sequence[float] | None) -> bool:
        """Make the events of these numbers and publish them; False where stopping was wished before they were stored.

        `moments` are when they happened in seconds of the run; None where nobody knows it any more.
        """
        if self._lookers and not self._lookers.prepare(numbers, moments, self._numbers.oldest(), self._part.stop,
                                                       self._part.tell_trouble):
            return False
        events, failed = self._make(Wanted(number, now, number) for number, now in zip(numbers, happened, strict=False))
        for event, wrong in failed:
            self._part.journal.unpublished(self._generator.publishes, event, wrong.line)
        spool.store(numbers, events)
        ticks = self._published.moments(numbers, events, moments) if self._published and moments is not None else {}
        return self._deliver(spool, numbers, events, ticks)

    def _deliver(self, spool: Spool, numbers: range, events: list[Event], ticks: Mapping[str | None, int]) -> bool:
        topic, journal = self._generator.publishes, self._part.journal
        refused = self._part.publish([(topic, events)])
        if refused is None:
            return False
        for event in events if refused else ():
            if wrong := refused.get(event.id):
                journal.unpublished(topic, event, wrong.line)
        journal.flush()
        if self._published:
            self._published.tell(numbers, [event for event in events if event.id not in refused], ticks, self._next_s)
        spool.stored()
        return True
