"""A stub's circumstances without processes: a channel that keeps what it is given, and refuses what it is told to."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from eda_cli.channels.base import (
    Ability,
    Group,
    GroupInfo,
    GroupPlace,
    PartitionInfo,
    Place,
    Polled,
    Receipt,
    Start,
    Subscription,
    TopicInfo,
)
from eda_cli.channels.ledger import Ledger
from eda_cli.errors import BrokerUnreachable, EventRefused, UnknownTopic
from eda_cli.event import Delivery, Event
from eda_cli.journal import Journal
from eda_cli.sketch.resolved import Resolved
from eda_cli.stubs.part import Part
from eda_cli.stubs.stop import Stop


class Memory:
    """A channel in memory. `refuses` says which events it never takes; while `away` it takes nothing."""

    can = frozenset(Ability)

    def __init__(self) -> None:
        self.stored: list[Event] = []
        self.away = False
        self.refuses: Callable[[Event], bool] = lambda event: False
        self.on_publish: Callable[[], object] = lambda: None
        self.waiting: list[Sequence[Delivery]] = []
        self.handled: list[Delivery] = []
        self.on_end: Callable[[], object] = lambda: None
        self._care: list[tuple[str, Event]] = []

    def publish(self, topic: str, events: Sequence[Event]) -> None:
        self.on_publish()
        if self.away:
            raise BrokerUnreachable("the broker does not answer", "it is away")
        for event in events:
            if self.refuses(event):
                raise EventRefused("never", "it is refused", id=event.id)
            self._care.append((topic, event))

    def flush(self, timeout: float) -> list[Receipt]:
        care, self._care = self._care, []
        first = len(self.stored)
        self.stored += [event for _, event in care]
        return [Receipt(event.id, topic, 0, first + index, 0.0) for index, (topic, event) in enumerate(care)]

    def subscribe(self, group: Group) -> Subscription:
        """A membership that is given `waiting`, batch by batch; behind the last one its part is told to stop."""
        return self

    def poll(self, timeout: float, at_most: int) -> Polled:
        if at_most and not self.waiting:
            self.on_end()
        return Polled(self.waiting.pop(0) if at_most and self.waiting else ())

    def done(self, deliveries: Sequence[Delivery]) -> None:
        self.handled += deliveries

    def close(self) -> None: ...

    def numbers(self) -> list[Any]:
        return [event.body()["n"] for event in self.stored]


def part(folder: Path, sketch: Resolved, name: str, replica: int, channel: Memory) -> Part:
    """The circumstances of one replica; its journal and its wish to stop are those of this process."""
    process = f"{name}.{replica}"
    (folder / "sketch.json").touch()
    (folder / "run.json").write_text('{"created": "2026-11-30T09:30:00.000000Z"}')
    anything: Any = channel
    return Part(folder, process, name, replica, sketch, 7, anything, Journal(folder / f"{process}.jsonl", name, replica), Stop(),
                lambda: None)


def let_go(one: Part) -> None:
    """Close what the end of its process would."""
    for fd in (one.stop._wake, one.stop._waker, one.journal._fd):
        os.close(fd)


class Killed(BaseException):
    """The process ended here: nothing of it that catches errors may catch this one."""


class Log(Memory):
    """A channel that is a log: topics of one partition, a group's position, and what is not done comes again.

    Every step of whoever uses it goes through `step`, which a test replaces to kill there. Where nothing comes any
    more, `over` says whether the member's part is told to stop.
    """

    def __init__(self) -> None:
        super().__init__()
        self.logs: dict[str, list[Event]] = {}
        self.committed: dict[str, int] = {}
        self.step: Callable[[str], object] = lambda name: None
        self.over: Callable[[], bool] = lambda: True
        self.polls = 0
        self._topics: Sequence[str] = ()
        self._read: dict[str, int] = {}
        self._ledger = Ledger()

    def put(self, topic: str, *events: Event) -> None:
        """Others published these."""
        self.logs.setdefault(topic, []).extend(events)

    def delivery(self, topic: str, offset: int) -> Delivery:
        return Delivery(self.logs[topic][offset], topic, 0, offset, 1_700_000_000.0 + offset)

    def publish(self, topic: str, events: Sequence[Event]) -> None:
        self.step("publish")
        super().publish(topic, events)

    def flush(self, timeout: float) -> list[Receipt]:
        receipts = super().flush(timeout)
        for receipt, event in zip(receipts, self.stored[len(self.stored) - len(receipts):], strict=True):
            self.put(receipt.topic, event)
        self.step("published")
        return receipts

    def subscribe(self, group: Group) -> Subscription:
        self._topics, self._ledger, self._read = group.topics, Ledger(), dict(self.committed)
        return self

    def poll(self, timeout: float, at_most: int) -> Polled:
        self.polls += 1
        self._commit()
        if at_most:
            if deliveries := self._hand_out(at_most):
                return Polled(deliveries)
            if self.over():
                self.on_end()
        time.sleep(min(timeout, 0.005))
        return Polled(())

    def done(self, deliveries: Sequence[Delivery]) -> None:
        self.step("done")
        self._ledger.done(deliveries)
        self.handled += deliveries

    def close(self) -> None:
        self._commit()

    def caught_up(self) -> bool:
        """Whether all that there is in the topics of the group is done."""
        return all(self.committed.get(topic, 0) == len(self.logs.get(topic, ())) for topic in self._topics)

    def groups(self) -> list[GroupInfo]:
        return [GroupInfo("bill", 1, [GroupPlace(Place(topic, 0), self.committed.get(topic, 0), len(log), None, None)
                                      for topic, log in self.logs.items()])]

    def topics(self) -> list[TopicInfo]:
        return [TopicInfo(topic, [PartitionInfo(0, 0, len(log))], len(log)) for topic, log in self.logs.items()]

    def read(self, topic: str, start: Start, end: str) -> Iterator[Sequence[Delivery]]:
        if topic not in self.logs:
            raise UnknownTopic(topic)
        yield [self.delivery(topic, offset) for offset in range(len(self.logs[topic]))]

    def _hand_out(self, at_most: int) -> list[Delivery]:
        deliveries: list[Delivery] = []
        for topic in self._topics:
            start = self._read.get(topic, 0)
            offsets = range(start, min(start + at_most - len(deliveries), len(self.logs.get(topic, ()))))
            self._read[topic] = max(start, offsets.stop)
            self._ledger.handed_out(Place(topic, 0), offsets)
            deliveries += [self.delivery(topic, offset) for offset in offsets]
        return deliveries

    def _commit(self) -> None:
        self.committed.update({place.topic: offset for place, offset in self._ledger.moved().items()})
