"""Whether all that was published before a moment is handled: only then is it certain that something did not come.

Looks at where the topics end and waits until the consumer's positions are there, its replicas' included; where groups have
no offsets, at how much is left in the queues, until so much more is settled. Knows no timer.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping

from eda_cli.channels.base import EventChannel, GroupPlace, Place
from eda_cli.stubs.messages import stored
from eda_cli.stubs.store import Store

ASK_EVERY_S = 0.1  # the broker, and only while somebody waits
ASK_AGAIN_S = 0.5  # the same of what is known since a look, and only not reached
GIVE_IN_S = 15.0  # a position may never come to the end: transactions and compaction leave gaps behind the last event.
# Longer than nothing comes of a place while a member that died is still counted (Kafka: 6 s), and it is dealt anew.
QUIET_S = 1.0  # a queue of which nobody knows what is left, and of which nothing was settled for so long, is taken for empty


class Barrier:
    """For one group and some of its topics. Moments are epoch seconds."""

    def __init__(self, channel: EventChannel, group: str, topics: Collection[str], store: Store) -> None:
        self._channel = channel
        self._group = group
        self._topics = frozenset(topics)
        self._store = store
        self._ends: Mapping[Place, int] | None = None  # to be reached
        self._seen = 0.0  # when those were the ends
        self._asked = 0.0
        self.passed = 0.0  # all that was published before is handled

    def reach(self, moment: float) -> bool:
        """Whether all that was published before `moment` is handled; looks anew where that is not known.

        Raises ChannelError.
        """
        if self.passed >= moment:
            return True
        now = time.time()
        if self._is_to_look() and now - self._asked >= ASK_EVERY_S:
            self._asked = now
            self._look(now)
        if self._ends is not None and self._are_reached(self._ends, now):
            self.passed, self._ends = self._seen, None
        return self.passed >= moment

    def _is_to_look(self) -> bool:
        return self._ends is None

    def _look(self, now: float) -> None:
        self._ends = {place.place: place.end for place in self._places()
                      if place.end and (place.committed or 0) < place.end}
        self._seen = now

    def _places(self) -> Iterator[GroupPlace]:
        return (place for group in self._channel.groups() if group.name == self._group
                for place in group.places if place.place.topic in self._topics)

    def _are_reached(self, ends: Mapping[Place, int], now: float) -> bool:
        if not ends:
            return True
        reached = {Place(topic, partition): (next_, at or 0.0) for topic, partition, next_, at in
                   self._store.rows("SELECT topic, partition, next, at FROM positions")}
        for place, end in ends.items():
            next_, at = reached.get(place, (0, 0.0))
            if next_ < end and now - max(self._seen, at) < GIVE_IN_S:
                return False
        return True


class QueueBarrier(Barrier):
    """The same where groups have no offsets: what is to be reached is a number of settled events.

    Queues are first in, first out: what was left at a look is settled once so many more are. Never too early where a
    place has one member; where several share it, one of them may still have an older event in hand. An event that waits
    for its retry holds the number back. Where nobody knows what is left, what was published later tells, or silence
    for as long as one event may take (`takes_s`) and QUIET_S more.
    """

    def __init__(self, channel: EventChannel, group: str, topics: Collection[str], store: Store, takes_s: float) -> None:
        super().__init__(channel, group, topics, store)
        self._takes_s = takes_s

    def _is_to_look(self) -> bool:
        # a queue that is empty is reached, whatever is counted: what was settled and not acknowledged yet is left in it
        return self._ends is None or time.time() - self._asked >= ASK_AGAIN_S

    def _look(self, now: float) -> None:
        left = {place.place: place.lag for place in self._places() if place.lag != 0}
        if self._ends is not None:
            self._ends = {place: end for place, end in self._ends.items() if place in left}
            return
        counts = self._counts()  # asked for later than what is left: what is settled in between only makes it wait longer
        self._ends = {place: counts.get(stored(place), _NEVER)[0] + lag if lag is not None else _UNKNOWN
                      for place, lag in left.items()}
        self._seen = now

    def _are_reached(self, ends: Mapping[Place, int], now: float) -> bool:
        counts = self._counts() if ends else {}
        return all(self._is_reached(end, *counts.get(stored(place), _NEVER), now) for place, end in ends.items())

    def _is_reached(self, end: int, settled: int, at: float, published: float, now: float) -> bool:
        quiet_s = now - max(self._seen, at)
        if end != _UNKNOWN:
            return settled >= end or quiet_s >= GIVE_IN_S
        failing = self._store.rows("SELECT 1 FROM attempts LIMIT 1")
        return published >= self._seen or quiet_s >= (GIVE_IN_S if failing else QUIET_S + self._takes_s)

    def _counts(self) -> Mapping[tuple[str, int], tuple[int, float, float]]:
        return {(topic, partition): (settled, at, published) for topic, partition, settled, at, published in
                self._store.rows("SELECT topic, partition, settled, at, published FROM counts")}


_UNKNOWN = -1  # what is left, and so what is to be reached
_NEVER = 0, 0.0, 0.0  # nothing was settled of a place
