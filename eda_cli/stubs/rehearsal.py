"""What a generator looks up where nothing runs: those that publish it play along in this process. Knows no channel, no file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from math import inf

from eda_cli.event import Delivery, Event
from eda_cli.payloads import Looked, Lookup
from eda_cli.sketch.looking import sources
from eda_cli.sketch.resolved import Resolved
from eda_cli.stubs.forms import seen_of
from eda_cli.stubs.lives import Having
from eda_cli.stubs.making import Failed, Wanted, generator_events
from eda_cli.stubs.sampling import Make, wanted_of
from eda_cli.stubs.speakers import living_of

BEFORE_S = 1.0  # as in a run: what happened so long before an event is what it chooses from
MOST_IN_VAIN = 20_000  # events that are looked at, one after another, without one that is meant: there is none

_Published = tuple[float, Event]  # the moment (epoch seconds) at which an event happens


def rehearsed(sketch: Resolved, name: str, seed: int, now: float, on_stage: tuple[str, ...] = ()) -> Make:
    """The function that makes the events of a generator whose sketch begins at `now` (epoch seconds).

    `on_stage` are generators that look it up themselves: where they go in a circle, nothing is found.
    """
    generator, cast = sketch.generators[name], _Cast(sketch, name, seed, now, on_stage)
    having = Having(generator, seed, now) if generator.entities else None
    make = generator_events(sketch.topics[generator.publishes], generator, seed, f"/eda/{sketch.name}/{name}", cast.look,
                            having, living_of(generator, seed))
    return (lambda wanted: cast.play(make, wanted)) if cast.feeds else make


class _Cast:
    """All that one generator looks up."""

    def __init__(self, sketch: Resolved, name: str, seed: int, now: float, on_stage: tuple[str, ...]) -> None:
        self._sketch, self._name, self._seed, self._now = sketch, name, seed, now
        self._on_stage = (*on_stage, name)
        self.feeds: list[_Feed] = []

    def look(self, lookups: Sequence[Lookup]) -> Sequence[Looked]:
        self.feeds = [_Feed(lookup, {part: self._events(part) for part in sources(self._sketch, lookup.topic, lookup.of)})
                      for lookup in lookups]
        return [feed.looked for feed in self.feeds]

    def play(self, make: Make, wanted: Sequence[Wanted]) -> tuple[list[Event], Failed]:
        """Make events one by one, as each may look up those before it."""
        made: list[Event] = []
        failed: Failed = []
        for one in wanted:
            for feed in self.feeds:
                feed.prepare(one)
            events, wrong = make([one])
            for feed in self.feeds:
                feed.hear_own(self._name, one.now, events)
            made += events
            failed += wrong
        return made, failed

    def _events(self, part: str) -> Iterator[_Published] | None:
        """What another generator publishes; None for this one itself, and nothing for those that look it up."""
        if part == self._name:
            return None
        return iter(()) if part in self._on_stage else self._others(part)

    def _others(self, part: str) -> Iterator[_Published]:
        make = rehearsed(self._sketch, part, self._seed, self._now, self._on_stage)
        for one in wanted_of(self._sketch.generators[part], self._seed, self._now):
            for event in make([one])[0]:
                yield one.now, event


class _Feed:
    """One lookup, and what it hears."""

    def __init__(self, lookup: Lookup, events: dict[str, Iterator[_Published] | None]) -> None:
        self.looked = Looked(lookup)
        self._own = {part for part, one in events.items() if one is None}
        self._others = {part: one for part, one in events.items() if one is not None}
        self._in_vain = 0
        self._ahead: dict[str, list[_Published]] = {part: [] for part in events}

    def prepare(self, wanted: Wanted) -> None:
        """Hear what the event may choose from."""
        looked = self.looked
        looked.begin()
        for moment, event in self._until(wanted.now - BEFORE_S):
            self._hear(moment, event)
        if not looked.lookup.otherwise and looked.lacks(wanted.number):
            for moment, event in islice(self._until(inf), MOST_IN_VAIN - self._in_vain):
                self._hear(moment, event)
                if not looked.lacks(wanted.number):
                    break
        looked.sees(wanted.number)

    def hear_own(self, name: str, moment: float, events: Sequence[Event]) -> None:
        """The generator itself published these."""
        if name in self._own:
            self._ahead[name] += [(moment, event) for event in events]

    def _until(self, moment: float) -> Iterator[_Published]:
        """What happened up to a moment and was not heard yet, in its order."""
        while True:
            for part, events in self._others.items():
                if not self._ahead[part]:
                    self._ahead[part] += islice(events, 1)
            nearest = min((ahead for ahead in self._ahead.values() if ahead), key=lambda ahead: ahead[0][0], default=None)
            if nearest is None or nearest[0][0] > moment:
                return
            yield nearest.pop(0)

    def _hear(self, moment: float, event: Event) -> None:
        if event.data is not None:  # a tombstone says nothing
            before = self.looked.matches
            self.looked.hear(seen_of(Delivery(event, self.looked.lookup.topic, None, None, moment)))
            self._in_vain = 0 if self.looked.matches > before else min(self._in_vain + 1, MOST_IN_VAIN)
