"""A stub that generates: makes events by the clock and publishes them. Knows one generator of the sketch."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from eda_cli import lock
from eda_cli.event import Event
from eda_cli.sketch.resolved import Generator
from eda_cli.stubs.making import Wanted, generator_events
from eda_cli.stubs.numbers import Numbers, Spool
from eda_cli.stubs.part import Part
from eda_cli.stubs.shortfall import Shortfall, Sums
from eda_cli.stubs.timing import Timing, again, clock_of, origin_of

NOTED_S = 5.0  # what a kill in a long pause takes from it at most
PAUSED_S = 3600.0  # a paused generator waits to be stopped: resumed, it is started anew


def run(part: Part) -> bool:
    """Publish until stopping is wished, or `count` or the end of the stages is reached (then True)."""
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
        while self._generator.paused:
            if self._part.stop.wait(PAUSED_S):
                return False
        if not self._resume():
            return False
        if not self._numbers.begun() and self._part.stop.wait(self._generator.after_s):
            return False
        return self._play(self._begin())

    def _begin(self) -> Timing:
        part, generator = self._part, self._generator
        place = self._numbers.begin(clock_of(generator), generator.replicas, origin_of(generator))
        return Timing(generator, part.replica, part.seed, place)

    def _play(self, timing: Timing) -> bool:
        """Publish what is due until stopping is wished, or all is published (then True)."""
        stop, shortfall = self._part.stop, Shortfall(self._part.journal, self._generator.publishes, time.monotonic())
        made = 0
        while not stop.wished:
            happened = timing.due()
            shortfall.see(time.monotonic(), Sums(made, timing.wished(), timing.lost, self._part.troubles))
            if happened:
                numbers = self._numbers.claim(len(happened), self._generator.count, timing.place)
                if not numbers:
                    return True
                if not self._publish(self._spool, numbers, happened):
                    return False
                made += len(numbers)
            elif timing.over():
                break
            elif (pause := timing.pause()) > 0 and not stop.wait(min(pause, NOTED_S)) and pause > NOTED_S:
                self._numbers.note(timing.here())
        self._numbers.note(timing.here())
        self._part.journal.flush()  # what was given up last
        return not stop.wished

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
            return not claimed or self._publish(spool, claimed, self._happened(process, len(claimed)))
        return not pending or self._deliver(spool, events)

    def _happened(self, process: str, many: int) -> Sequence[float]:
        """When the events happened that a process claimed, and did not make any more."""
        place, replica = self._numbers.past(process), int(process.rpartition(".")[2])
        if place is None:
            return [time.time()] * many
        return again(self._generator, replica, self._part.seed, place, many)

    def _publish(self, spool: Spool, numbers: range, happened: Sequence[float]) -> bool:
        """Make the events of these numbers and publish them; False where stopping was wished before they were stored."""
        events, failed = self._make(Wanted(number, now, number) for number, now in zip(numbers, happened, strict=False))
        for event, wrong in failed:
            self._part.journal.unpublished(self._generator.publishes, event, wrong.line)
        spool.store(numbers, events)
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
