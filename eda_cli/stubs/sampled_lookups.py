"""What a sample looks up: the generators of the sketch, played in one process in the order of their schedules.

Knows no channel and no file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from eda_cli.event import Delivery, Event
from eda_cli.payloads import Looked, Lookup
from eda_cli.sketch.looking import sources
from eda_cli.sketch.resolved import Generator, Resolved
from eda_cli.stubs.faults import Faulty
from eda_cli.stubs.forms import seen_of
from eda_cli.stubs.held import Held
from eda_cli.stubs.making import Failed, Wanted
from eda_cli.stubs.sampling import Make, maker, wanted_of

BEFORE_S = 1.0 - 1e-6  # as in a run: what happened so long before an event is what it chooses from; sums are not exact
MOST = 10_000  # events that are made at most for one that looks up: a schedule may be flat out
TOGETHER = 100


class Others:
    """All generators of a sketch, whose schedules begin `now` (epoch seconds)."""

    def __init__(self, sketch: Resolved, seed: int, now: float) -> None:
        self._sketch = sketch
        self._seed = seed
        self._now = now
        self._streams: dict[str, _Stream] = {}

    def maker(self, generator: Generator) -> Make:
        """As `generator_events` gives it, for a generator that looks up what the others publish."""
        looking: list[_Looking] = []

        def look(lookups: Sequence[Lookup]) -> Sequence[Looked]:
            looking.extend(_Looking(Looked(one), [self._stream(name) for name in sources(self._sketch, one.topic, one.of)])
                           for one in lookups)
            return [one.looked for one in looking]

        source = f"/eda/{self._sketch.name}/{generator.name}"
        make = maker(self._sketch.topics[generator.publishes], generator, self._seed, source, self._now, look)

        def prepared(wanted: Sequence[Wanted]) -> tuple[list[Event], Failed]:
            events: list[Event] = []
            failed: list[Any] = []
            for one in wanted:  # each by itself: what it does not choose from any more is let go of
                for each in looking:
                    each.prepare(one)
                its, wrong = make([one])
                events += its
                failed += wrong
            return events, failed

        return prepared if looking else make

    def _stream(self, name: str) -> _Stream:
        if name not in self._streams:
            generator = self._sketch.generators[name]
            stream = _Stream(generator, self._seed, wanted_of(generator, self._seed, self._now))
            self._streams[name] = stream  # before its maker: generators may look each other up
            stream.make = self.maker(generator)
        return self._streams[name]


class _Stream:
    """The events of one generator, made as far as they are asked for. Who listens gets each with its moment."""

    make: Make

    def __init__(self, generator: Generator, seed: int, wanted: Iterator[Wanted]) -> None:
        self._listeners: list[deque[tuple[float, Event]]] = []
        self._wanted = wanted
        self._next = next(wanted, None)
        self._faults = Faulty(generator.faults, seed, generator.name, Held(), {})

    def listen(self) -> deque[tuple[float, Event]]:
        """Where all of its events come in, one by one, to be taken out."""
        self._listeners.append(deque())
        return self._listeners[-1]

    def advance(self, until: float) -> None:
        """Make what happens up to that moment (MOST at most)."""
        for _ in range(MOST // TOGETHER):
            if self._next is None or self._next.now > until:
                return
            self.more(until)

    def more(self, until: float = float("inf")) -> int:
        """Make the next ones, of less than a second; how many there were, be it that nothing comes of them."""
        some: list[Wanted] = []
        first = self._next
        while self._next is not None and first is not None and len(some) < TOGETHER and (
                not some or self._next.now <= min(first.now + BEFORE_S / 2, until)):
            some.append(self._next)
            self._next = next(self._wanted, None)
        events, failed = self.make(self._faults.earlier(some))
        lost = {number for number, _, _ in failed}
        come = self._faults.come([one for one in some if one.number not in lost], events)
        made = [(one.now, event) for one, event in zip(*come, strict=True) if event.data is not None]
        for listener in self._listeners:
            listener.extend(made)
        return len(some)


class _Looking:
    """One lookup, and how far it has heard of each stream."""

    def __init__(self, looked: Looked, streams: Sequence[_Stream]) -> None:
        self.looked = looked
        self._streams = streams
        self._coming = [stream.listen() for stream in streams]
        self._in_vain = 0

    def prepare(self, one: Wanted) -> None:
        """Let this event choose from what it would see in a run."""
        self.looked.begin()
        for stream in self._streams:
            stream.advance(one.now - BEFORE_S)
        self._hear(one.now - BEFORE_S)
        if not self.looked.lookup.otherwise and self.looked.lacks(one.number):
            self._need(one.number)
        self.looked.sees(one.number)

    def _need(self, number: int) -> None:
        """Hear more, whenever it happens."""
        for _ in range(MOST):
            if not self.looked.lacks(number) or self._in_vain >= MOST:
                return
            if self._next() is None and not self._more():
                return
            self._hear(float("inf"), 1)

    def _more(self) -> bool:
        more = sum(stream.more() for stream in self._streams)
        if self._next() is None:  # all are dropped, or cannot be made
            self._in_vain += more
        return more > 0

    def _hear(self, until: float, most: int = MOST) -> None:
        for _ in range(most):
            if (coming := self._next()) is None or coming[0][0] > until:
                return
            _, event = coming.popleft()
            before = self.looked.matches
            self.looked.hear(seen_of(Delivery(event, self.looked.lookup.topic, None, None, 0.0)))
            self._in_vain = 0 if self.looked.matches > before else self._in_vain + 1

    def _next(self) -> deque[tuple[float, Event]] | None:
        """That of the stream with the earliest event that was not heard."""
        return min(filter(None, self._coming), key=lambda coming: coming[0][0], default=None)
