"""What a generator looks up while it makes its events: waits for what it needs, chooses nothing. Knows no channel.

An event that happens at a moment of the run chooses from what happened until a second before it: that is there
by then, so that two runs find the same, however fast their processes are. A schedule stands still while its process
does: who is far behind those it looks up is as far as they are from then on, and waits for none of them that is far behind.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from eda_cli.errors import EdaError, Futile
from eda_cli.event import Delivery
from eda_cli.payloads import Looked, Lookup
from eda_cli.sketch.looking import looker, sources
from eda_cli.sketch.resolved import Generator, Resolved
from eda_cli.sketch.text import shorten
from eda_cli.stubs.forms import seen_of
from eda_cli.stubs.pace import BATCH
from eda_cli.stubs.published import FOREVER, PAST, Source, tick
from eda_cli.stubs.stop import Stop

BEFORE = 1_000_000  # microseconds: what happened so long before an event is what it chooses from
PATIENCE_S = 1.0  # that a source may be silent while it has not told what it should have
LOOK_S = 0.01  # between two looks at what others told
APART = 10_000_000  # microseconds: schedules that are further from each other do not go side by side
NOTE = 1_000  # matches after which it is noted how far they are used

Trouble = Callable[[EdaError], str]


class Lookers:
    """All that one process looks up. Raises Forgetful, and Futile where nothing will ever be found."""

    def __init__(self, folder: Path, sketch: Resolved, generator: Generator, lookups: Sequence[Lookup]) -> None:
        self._feeds = [_Feed(folder, sketch, generator, index, lookup) for index, lookup in enumerate(lookups)]
        self.found = [feed.looked for feed in self._feeds]
        self._behind_s = 0.0  # how much later the sources are than the schedule says

    def catch_up(self, moment: float) -> None:
        """The next event happens now, and at that moment of the schedule: when its sources are far ahead of it, it follows."""
        latest = max(feed.latest() for feed in self._feeds)
        if latest - tick(moment + self._behind_s) > APART:
            self._behind_s = latest / 1e6 - moment

    def prepare(self, numbers: range, moments: Sequence[float] | None, oldest: int, stop: Stop, trouble: Trouble) -> bool:
        """Let each of these events choose from what it may see; waits for it. False where stopping was wished.

        `moments` are when they happen, in seconds of the run; without them everything that is there is seen. Events
        before number `oldest` are not made any more.
        """
        if moments is not None:
            moments = [moment + self._behind_s for moment in moments]
        return all(feed.prepare(numbers, moments, oldest, stop, trouble) for feed in self._feeds)

    def most(self, number: int) -> int:
        """How many events from this number on can be made together without waiting; at least 1."""
        return max(1, min(feed.most(number, BATCH) for feed in self._feeds))

    def show(self, number: int) -> None:
        """Let the event choose from what is there now."""
        for feed in self._feeds:
            feed.show(number)

    def close(self) -> None:
        for feed in self._feeds:
            feed.close()


class _Feed:
    """One lookup and its sources."""

    def __init__(self, folder: Path, sketch: Resolved, generator: Generator, index: int, lookup: Lookup) -> None:
        parts = [sketch.generators[name] for name in sources(sketch, lookup.topic, lookup.of)]
        self._sources = [Source(folder, part.name, part.replicas) for part in parts]
        self._awaited = [source for source, part in zip(self._sources, parts, strict=True)  # it waits not for itself
                         if part.name != generator.name and (part.rate != float("inf") or part.count is not None)]
        self._looker = looker(generator.name, index)
        self.looked = Looked(lookup, self._sources[0].used(self._looker) if lookup.once else 0)
        self._marks: deque[tuple[int, int]] = deque()  # first numbers of batches, with the rank of the first match there
        self._noted = 0  # the rank up to which it is noted that matches are used
        self._impatient = False  # a source is behind: what is there is taken
        self._whole = [part.name for part in parts  # what is there whole before anything of it is taken; until told
                       if part.name != generator.name and part.rate == float("inf") and part.count is not None]
        self._flat_out = generator.rate == float("inf")
        self._all = all(part.rate == float("inf") and part.count is not None for part in parts)

    def latest(self) -> int:
        """The latest moment that its sources told of."""
        self._read()
        return max((source.latest for source in self._sources), default=PAST)

    def prepare(self, numbers: range, moments: Sequence[float] | None, oldest: int, stop: Stop, trouble: Trouble) -> bool:
        looked = self.looked
        looked.begin()
        self._read()
        for at, number in enumerate(numbers):
            moment = self._moment(moments[at] if moments is not None else None)
            if looked.lookup.otherwise or not looked.lookup.once:  # else it takes what is next, whenever that comes
                if moment < FOREVER and not self._told(moment) and not self._await(moment, stop, trouble):
                    return False
                self._hear(moment)
            if not looked.lookup.otherwise and looked.lacks(number) and not self._need(number, stop, trouble):
                return False
            looked.sees(number)
        if looked.lookup.once:
            self._note(oldest * looked.lookup.stride)
        return True

    def most(self, number: int, wanted: int) -> int:
        lookup = self.looked.lookup
        if lookup.otherwise or not lookup.once:
            return wanted
        self._read()
        while self.looked.lacks(number + wanted - 1) and (source := self._next()) is not None:
            self._take(source)
            if not source.ahead:
                source.read()
        return self.looked.matches // lookup.stride - number

    def show(self, number: int) -> None:
        self._read()
        self._hear(FOREVER)
        self.looked.sees(number)

    def close(self) -> None:
        for source in self._sources:
            source.close()

    def _moment(self, moment: float | None) -> int:
        """Up to when what happened is seen; FOREVER: it is what is there. Who is flat out has no schedule."""
        if self._flat_out or moment is None:
            return FOREVER - 1 if self._all and moment is not None else FOREVER
        return tick(moment) - BEFORE

    def _read(self) -> bool:
        new = False
        for source in self._sources:
            new = source.read() or new
        return new

    def _told(self, moment: int) -> bool:
        return all(source.told(moment) for source in self._awaited)

    def _await(self, moment: int, stop: Stop, trouble: Trouble) -> bool:
        """Wait until all is told that happened up to a moment, or a source stays silent or is far behind; False where
        stopping was wished.
        """
        self._read()
        if self._told(moment):
            self._impatient = False
        began = silent = time.monotonic()
        while not self._impatient and not self._told(moment):
            if stop.wait(LOOK_S):
                return False
            self._hear(moment)
            if self._read():
                silent = time.monotonic()
            if self._whole and time.monotonic() - began > PATIENCE_S:
                names, self._whole = " and ".join(self._whole), []
                trouble(EdaError(f"what {names} publishes flat out is looked up once all of it is there",
                                 "nobody knows which of it happens before an event"))
            self._impatient = time.monotonic() - silent > PATIENCE_S or any(
                source.behind(moment - APART) for source in self._awaited)
        return True

    def _hear(self, moment: int) -> None:
        """Hear what happened up to a moment, in that order."""
        while (source := self._next()) is not None and source.ahead[0].moment <= moment:
            self._take(source)
            if not source.ahead:
                source.read()

    def _next(self) -> Source | None:
        """The source with the earliest event that was not heard."""
        full = [source for source in self._sources if source.ahead]
        return min(full, key=lambda source: source.ahead[0].moment, default=None)

    def _take(self, source: Source) -> None:
        told = source.ahead.popleft()
        if told.first >= 0 and self.looked.lookup.once:
            self._marks.append((told.first, self.looked.matches))
        self.looked.hear(seen_of(Delivery(told.event, self.looked.lookup.topic, None, None, 0.0)))

    def _need(self, number: int, stop: Stop, trouble: Trouble) -> bool:
        """Hear more, whenever it happens, until the event finds something; False where stopping was wished."""
        since, told = time.monotonic(), False
        while self.looked.lacks(number):
            if (source := self._next()) is not None:
                self._take(source)
                continue
            if self._read():
                continue
            if all(source.over for source in self._sources):
                raise Futile(*self._nothing(), "let there be more of them, or say else: what is taken instead")
            if not told and time.monotonic() - since > PATIENCE_S:
                told = bool(trouble(EdaError(*self._nothing())))
            if stop.wait(LOOK_S):
                return False
        return True

    def _nothing(self) -> tuple[str, str]:
        looked = self.looked
        more = "more " if looked.lookup.once and looked.matches else ""
        where = f" where {shorten(looked.lookup.where)}" if looked.lookup.where else ""
        names = " and ".join(source.part for source in self._sources)
        return (f"there is nothing {more}to look up in '{looked.lookup.topic}'{where}",
                f"{looked.heard:,} events of {names} were looked at, {looked.matches:,} of them are meant")

    def _note(self, used: int) -> None:
        """Matches before this rank are used: whoever keeps their events may let go of them, now and then."""
        while len(self._marks) > 1 and self._marks[1][1] <= used:
            self._marks.popleft()
        if self._marks and self._marks[0][1] >= self._noted + NOTE and self._marks[0][1] <= used:
            number, self._noted = self._marks[0]
            self._sources[0].use(self._looker, number, self._noted)
            self.looked.forget(self._noted)
