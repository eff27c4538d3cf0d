"""Publishing to RabbitMQ: messages to a topic's exchange, confirmed by the broker. Knows no group."""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from eda_cli.channels.base import Receipt
from eda_cli.channels.murmur2 import partition_of
from eda_cli.channels.rabbitmq_link import Lane, Link
from eda_cli.channels.rabbitmq_wire import message_of, why_none
from eda_cli.errors import BrokerUnreachable, EventRefused, PublishError
from eda_cli.event import Event

IN_CARE = 5_000  # messages that are not confirmed; more waits
CARE_S = 60.0  # that wait
LARGEST_BYTES = 16 * 1024 * 1024  # what RabbitMQ 4 takes
TOGETHER = 100  # events without a key that stay in one partition


class Publisher:
    """One lane in confirm mode, made when first needed, and what it has in care."""

    def __init__(self, link: Callable[[], Link], partitions: Callable[[str], int]) -> None:
        self._link = link
        self._partitions = partitions
        self._lane: Lane | None = None
        self._name = ""  # of this publisher: two never have the same
        self._numbers = itertools.count()
        self._turn = itertools.count()
        self._pending: list[Receipt] = []
        self._tags: deque[int] = deque()  # delivery tags that are not confirmed, growing
        self._place: dict[int, int] = {}  # tag -> index in pending
        self._next_tag = 0
        self._failed: dict[int, str] = {}  # index in pending -> why
        self._moved = threading.Condition()

    def publish(self, topic: str, events: Sequence[Event]) -> None:
        if not events:
            return
        many = self._partitions(topic)
        lane = self._open()
        batch: list[tuple[str, Any, bytes]] = []
        receipts: list[Receipt] = []
        try:
            for index, event in enumerate(events):
                if index % TOGETHER == 0:
                    free = next(self._turn) % many
                _check(topic, event, many)
                number = event.partition
                if number is None:
                    number = free if event.key is None else partition_of(event.key, many)
                published = time.time()
                properties, body = message_of(event, published, f"{self._name}-{next(self._numbers)}")
                if why := why_none(properties):
                    raise EventRefused("the event cannot be a message of RabbitMQ", why, "make it smaller", id=event.id)
                batch.append((str(number), properties, body))
                receipts.append(Receipt(event.id, topic, number, None, round(published * 1e6) / 1e6))
        finally:
            self._send(lane, topic, batch, receipts)

    def flush(self, timeout: float) -> list[Receipt]:
        if not self._pending:
            return []
        deadline = time.monotonic() + timeout
        with self._moved:
            self._moved.wait_for(lambda: not self._place or self._broken(), max(0.0, deadline - time.monotonic()))
            pending, failed = self._pending, dict(self._failed)
            failed |= dict.fromkeys(self._place.values(), "")
            self._pending, self._failed, self._place = [], {}, {}
            self._tags.clear()
        if not failed:
            return pending
        lane = self._lane
        link = self._link() if lane is None or lane.closed is None else None
        why = next((text for text in failed.values() if text), "") or str(
            (lane.closed.why or lane.closed.what) if lane and lane.closed else (link.blocked if link else "")
            or f"not confirmed in {timeout:g} s")
        self._drop()
        unstored = [receipt.id for index, receipt in enumerate(pending) if index in failed]
        raise PublishError(f"{len(unstored)} of {len(pending)} events are not known to be stored", why,
                           unstored=unstored, receipts=[one for index, one in enumerate(pending) if index not in failed])

    def close(self) -> None:
        self._drop()

    def _drop(self) -> None:
        """What was in care on this lane is given up."""
        if self._lane is not None:
            self._lane.tell(lambda channel: channel.close())
            self._lane = None

    def _broken(self) -> bool:
        return self._lane is None or self._lane.closed is not None

    def _open(self) -> Lane:
        if self._lane is not None and self._lane.closed is None:
            return self._lane
        if self._pending:  # the flush tells
            raise BrokerUnreachable("RabbitMQ was lost", "what was published before is not known to be stored")
        self._lane = lane = self._link().lane()
        self._name, self._next_tag = secrets.token_hex(6), 0
        lane.tell(lambda channel: channel.add_on_return_callback(partial(self._returned, lane)))
        lane.tell(lambda channel: channel.add_on_close_callback(self._wake))
        lane.call("confirm_delivery", partial(self._confirmed, lane))
        return lane

    def _send(self, lane: Lane, topic: str, batch: list[tuple[str, Any, bytes]], receipts: list[Receipt]) -> None:
        if not batch:
            return
        with self._moved:
            for receipt in receipts:
                self._next_tag += 1
                self._place[self._next_tag] = len(self._pending)
                self._tags.append(self._next_tag)
                self._pending.append(receipt)

        def send(channel: Any) -> None:
            sent = 0
            try:
                for routing, properties, body in batch:
                    channel.basic_publish(topic, routing, body, properties, mandatory=True)
                    sent += 1
            finally:
                if sent < len(batch) and channel.is_open:
                    channel.close()  # what comes next would be confirmed by the tags of what was not sent

        lane.tell(send)
        with self._moved:
            if not self._moved.wait_for(lambda: len(self._place) <= IN_CARE or self._broken(), CARE_S):
                raise BrokerUnreachable("RabbitMQ takes no more events", self._link().blocked or
                                        f"it confirmed nothing for {CARE_S:g} s")

    def _confirmed(self, lane: Lane, frame: Any) -> None:
        method = frame.method
        stored = method.NAME == "Basic.Ack"
        with self._moved:
            if lane is not self._lane:  # it was given up, and its tags are now those of other events
                return
            while self._tags and (self._tags[0] <= method.delivery_tag if method.multiple else True):
                tag = self._tags[0] if method.multiple else method.delivery_tag
                index = self._place.pop(tag, None)
                if index is not None and not stored:
                    self._failed[index] = "the broker could not store it"
                if method.multiple:
                    self._tags.popleft()
                else:
                    break
            while self._tags and self._tags[0] not in self._place:
                self._tags.popleft()
            if len(self._place) <= IN_CARE:
                self._moved.notify_all()

    def _returned(self, lane: Lane, _: Any, method: Any, *__: Any) -> None:
        """No queue is bound where it was to go: the topic was deleted."""
        with self._moved:
            if lane is not self._lane:
                return
            for index, receipt in enumerate(self._pending):
                if receipt.topic == method.exchange and index not in self._failed:
                    self._failed[index] = f"there is no topic '{receipt.topic}' any more"

    def _wake(self, *_: Any) -> None:
        with self._moved:
            self._moved.notify_all()


def _check(topic: str, event: Event, many: int) -> None:
    if event.partition is not None and not 0 <= event.partition < many:
        raise EventRefused(f"there is no partition {event.partition} in '{topic}'", f"it has {many}, counted from 0",
                           id=event.id)
    if event.data is not None and len(event.data) > LARGEST_BYTES:
        raise EventRefused(f"the event is too large: {len(event.data):,} bytes", f"RabbitMQ takes {LARGEST_BYTES:,}",
                           "make the body smaller", id=event.id)
