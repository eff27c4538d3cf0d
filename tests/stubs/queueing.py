"""Channels whose groups have no offsets: a queue for each topic, whose messages are acknowledged one by one.

What was handed out and not acknowledged when its member went comes again, in its order and before all that is newer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from eda_cli.channels.base import Ability, Group, GroupInfo, GroupPlace, Place, Start, Subscription, TopicInfo
from eda_cli.errors import ChannelError
from eda_cli.event import Delivery, Event
from tests.stubs.playing import Log

_MOST = frozenset(Ability) - {Ability.OFFSETS}


class Queues(Log):
    """Queues beside logs that can be read, as a broker with streams has them: partitions, and a lag that is known."""

    can = _MOST
    partition: int | None = 0

    def __init__(self) -> None:
        super().__init__()
        self.ready: dict[str, deque[int]] = {}
        self._held: dict[str, int] = {}  # by the name of the message
        self._done: list[Delivery] = []

    def put(self, topic: str, *events: Event) -> None:
        log = self.logs.setdefault(topic, [])
        self.ready.setdefault(topic, deque()).extend(range(len(log), len(log) + len(events)))
        log.extend(events)

    def delivery(self, topic: str, offset: int) -> Delivery:
        return Delivery(self.logs[topic][offset], topic, self.partition, None, 1_700_000_000.0 + offset, None,
                        f"{topic}:{offset}")

    def subscribe(self, group: Group) -> Subscription:
        """Whoever had the group before is gone."""
        self._topics, self._done = group.topics, []
        self._hand_back()
        return self

    def done(self, deliveries: Sequence[Delivery]) -> None:
        self.step("done")
        self._done += deliveries
        self.handled += deliveries

    def close(self) -> None:
        self._commit()
        self._hand_back()

    def caught_up(self) -> bool:
        return not self._held and not any(self.ready.get(topic) for topic in self._topics)

    def lag(self, topic: str) -> int | None:
        return len(self.ready[topic]) + sum(name.rpartition(":")[0] == topic for name in self._held)

    def groups(self) -> list[GroupInfo]:
        places = []
        for topic, log in self.logs.items():
            lag, end = self.lag(topic), len(log)
            places.append(GroupPlace(Place(topic, self.partition), end - lag if lag is not None else None, end, lag, None))
        return [GroupInfo("bill", 1, places)]

    def read(self, topic: str, start: Start, end: str) -> Iterator[Sequence[Delivery]]:
        for batch in super().read(topic, start, end):
            for offset, one in enumerate(batch):
                one.offset = offset
            yield batch

    def _hand_out(self, at_most: int) -> list[Delivery]:
        deliveries: list[Delivery] = []
        for topic in self._topics:
            queue = self.ready.get(topic, deque())
            while queue and len(deliveries) < at_most:
                offset = queue.popleft()
                deliveries.append(one := self.delivery(topic, offset))
                self._held[str(one.message)] = offset
        return deliveries

    def _commit(self) -> None:
        for one in self._done:
            self._held.pop(str(one.message), None)
        self._done = []

    def _hand_back(self) -> None:
        for name, offset in reversed(self._held.items()):
            self.ready[name.rpartition(":")[0]].appendleft(offset)
        self._held = {}


class Bare(Queues):
    """Queues and nothing else: no partitions, no log, and a lag that is known."""

    can = _MOST - {Ability.PARTITIONS, Ability.REPLAY, Ability.SEEK_TIME}
    partition = None

    def groups(self) -> list[GroupInfo]:
        places = [GroupPlace(Place(topic, None), None, None, self.lag(topic), None) for topic in self.logs]
        return [GroupInfo("bill", 1, places)]

    def topics(self) -> list[TopicInfo]:
        return [TopicInfo(topic, [], None) for topic in self.logs]

    def read(self, topic: str, start: Start, end: str) -> Iterator[Sequence[Delivery]]:
        raise ChannelError("it cannot be read from the beginning", "nothing is kept")


class Blind(Bare):
    """The same, and nobody knows what is left in a queue."""

    can = Bare.can - {Ability.LAG}

    def lag(self, topic: str) -> int | None:
        return None


CHANNELS = (Log, Queues, Bare, Blind)
