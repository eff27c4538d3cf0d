"""Whether all that was published before a moment is handled: only then is it certain that something did not come.

Looks at where the topics end and waits until the consumer's positions are there, its replicas' included. Knows no timer.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from eda_cli.channels.base import EventChannel, Place
from eda_cli.stubs.store import Store

ASK_EVERY_S = 0.1  # the broker, and only while somebody waits
GIVE_IN_S = 15.0  # a position may never come to the end: transactions and compaction leave gaps behind the last event.
# Longer than nothing comes of a place while a member that died is still counted (Kafka: 6 s), and it is dealt anew.


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
        if self._ends is None and now - self._asked >= ASK_EVERY_S:
            self._asked = now
            self._ends = {place.place: place.end for group in self._channel.groups() if group.name == self._group
                          for place in group.places
                          if place.place.topic in self._topics and place.end and (place.committed or 0) < place.end}
            self._seen = now
        if self._ends is not None and self._are_reached(self._ends, now):
            self.passed, self._ends = self._seen, None
        return self.passed >= moment

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
