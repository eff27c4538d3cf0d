"""Publishing on the embedded channel: events wait here and are stored in one transaction. Knows no group."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic, time_ns

import orjson

from eda_cli.channels.base import Receipt
from eda_cli.channels.embedded_clean import CHUNK, TAIL, clean
from eda_cli.channels.embedded_log import OFFSET_BITS, pack
from eda_cli.channels.embedded_store import Store
from eda_cli.channels.murmur2 import positive
from eda_cli.errors import ChannelError, EventRefused, PublishError, UnknownTopic
from eda_cli.event import Event
from eda_cli.sqlite import PATIENCE_S

FULL_EVENTS = 1000  # so much waits at most for the flush, then it is stored at once
FULL_BYTES = 1_000_000
CLEAN_S = 1.0  # a topic with a retention is looked at this often
KEYLESS_RUN = 100  # so many events without a key go to one partition, then it is the next one's turn


_Row = tuple[int, int, bytes | None, bytes, bytes | None]


@dataclass(slots=True)
class _Batch:
    """What one call of `publish` took into care."""

    topic: str
    events: Sequence[Event]
    packed: Sequence[bytes]


@dataclass(slots=True)
class _Tail:
    """A partition: its end as it is stored, and as it moves within a transaction."""

    id: int
    stored: int
    end: int
    cleaned: int


@dataclass(slots=True)
class _Topic:
    """A topic as it was last seen; `perishable` is one with a retention, or compacted."""

    name: str
    tails: list[_Tail]
    published: int  # when its newest event was
    compacted: bool
    perishable: bool


class Publisher:
    """Takes events into care and stores them; tells what was stored where."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[_Batch] = []
        self._events = self._bytes = 0
        self._receipts: list[Receipt] = []
        self._lost: list[str | None] = []
        self._topics: dict[str, _Topic] = {}
        self._moment = (-1, -1)  # of what is known about the topics
        self._cleaned: dict[str, float] = {}
        self._turn = random.randrange(1 << 16)

    def publish(self, topic: str, events: Sequence[Event]) -> None:
        self._look()
        events, packed, refused = _taken(self._topic(topic), events)
        if events:
            self._waiting.append(_Batch(topic, list(events), packed))
            self._events += len(events)
            self._bytes += sum([len(event.data) for event in events if event.data is not None])
            if self._events >= FULL_EVENTS or self._bytes >= FULL_BYTES:
                self._write(PATIENCE_S)
        if refused is not None:
            raise refused

    def flush(self, timeout: float) -> list[Receipt]:
        failure: ChannelError | None = None
        try:
            if self._waiting:
                self._write(timeout)
        except ChannelError as error:
            failure = error
        receipts, self._receipts = self._receipts, []
        lost, self._lost = self._lost, []
        lost += [event.id for batch in self._waiting for event in batch.events]
        self._forget()
        if lost:
            why = str(failure) if failure else "their topic was removed meanwhile"
            raise PublishError(f"{len(lost)} events are not stored", why,
                               unstored=lost, receipts=receipts) from failure
        return receipts

    def _forget(self) -> None:
        self._waiting = []
        self._events = self._bytes = 0

    def _look(self) -> None:
        """What is known of the topics holds as long as nobody else committed."""
        moment = self._store.moment()
        if moment != self._moment:
            self._topics.clear()
            self._moment = moment

    def _topic(self, name: str) -> _Topic:
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = _seen(self._store, name)
        return topic

    def _write(self, patience_s: float) -> None:
        receipts: list[Receipt] = []
        lost: list[str | None] = []
        rows: list[_Row] = []
        try:
            with self._store.write(patience_s) as connection:
                self._look()
                topics = {batch.topic: self._topic(batch.topic) for batch in self._waiting}
                for batch in self._waiting:
                    lost += self._place(batch, topics[batch.topic], rows, receipts)
                moved = [(tail.end, topic.published, tail.id) for topic in topics.values()
                         for tail in topic.tails if tail.end != tail.stored]
                connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
                connection.executemany("UPDATE partitions SET end = ?, published = ? WHERE id = ?", moved)
        except BaseException:
            self._topics.clear()
            raise
        for topic in topics.values():
            for tail in topic.tails:
                tail.stored = tail.end
        self._moment = (self._moment[0], self._store.written)
        self._receipts += receipts
        self._lost += lost
        self._forget()
        self._clean([topic for topic in topics.values() if topic.perishable])

    def _place(self, batch: _Batch, topic: _Topic, rows: list[_Row],
               receipts: list[Receipt]) -> list[str | None]:
        """Gives each event its partition and offset; returns those for which the topic has none any more."""
        tails, name, count = topic.tails, topic.name, len(topic.tails)
        if not all(event.partition is None or event.partition < count for event in batch.events) or not count:
            return [event.id for event in batch.events]
        # A microsecond apart and never back, whatever the clock does: order of time is order of publishing.
        published = max(time_ns() // 1000, topic.published + 1)
        for event, packed in zip(batch.events, batch.packed, strict=True):
            key, number = event.key, event.partition
            if number is None:
                if key is None:
                    number = self._turn // KEYLESS_RUN % count
                    self._turn += 1
                else:
                    number = positive(key) % count
            tail = tails[number]
            offset = tail.end
            tail.end = offset + 1
            rows.append((tail.id << OFFSET_BITS | offset, published, key, packed, event.data))
            receipts.append(Receipt(event.id, name, number, offset, published / 1e6))
            published += 1
        topic.published = published - 1
        self._turn += -self._turn % KEYLESS_RUN
        return []

    def _clean(self, topics: Sequence[_Topic]) -> None:
        now = monotonic()
        for topic in topics:
            dirty = topic.compacted and any(tail.end - tail.cleaned >= TAIL + CHUNK for tail in topic.tails)
            if dirty or now - self._cleaned.get(topic.name, 0.0) >= CLEAN_S:
                self._cleaned[topic.name] = now
                with suppress(ChannelError):  # what was published is stored; the next writer cleans
                    clean(self._store, topic.name)


def _taken(topic: _Topic, events: Sequence[Event]) -> tuple[Sequence[Event], list[bytes], EventRefused | None]:
    """The events up to the first that is refused, each packed; and why that is. Raises UnknownTopic."""
    if not topic.tails:
        raise UnknownTopic(topic.name)
    refused: EventRefused | None = None
    for index, event in enumerate(events):
        if (refused := _refused(topic, event)) is not None:
            events = events[:index]
            break
    try:
        return events, list(map(pack, events)), refused
    except (orjson.JSONEncodeError, UnicodeEncodeError):
        return _packed_up_to_the_first_that_cannot_be(events)


def _refused(topic: _Topic, event: Event) -> EventRefused | None:
    if event.partition is not None and not 0 <= event.partition < len(topic.tails):
        return EventRefused(f"topic '{topic.name}' has no partition {event.partition}",
                            f"it has {len(topic.tails)}, counted from 0", id=event.id)
    if event.key is None and topic.compacted:
        return EventRefused(f"topic '{topic.name}' is compacted and takes no event without a key",
                            "compaction keeps the newest event of each key", "give its events a key", id=event.id)
    return None


def _packed_up_to_the_first_that_cannot_be(
        events: Sequence[Event]) -> tuple[Sequence[Event], list[bytes], EventRefused]:
    packed: list[bytes] = []
    for event in events:
        try:
            packed.append(pack(event))
        except (orjson.JSONEncodeError, UnicodeEncodeError) as wrong:
            return events[:len(packed)], packed, EventRefused(
                "an attribute of the event cannot be encoded", str(wrong), id=event.id)
    raise AssertionError("unreachable: one of them could not be packed")


def _seen(store: Store, name: str) -> _Topic:
    rows = store.rows("SELECT p.id, p.end, p.cleaned, p.published, t.compacted, t.retention"
                      " FROM topics t JOIN partitions p ON p.topic = t.id WHERE t.name = ? ORDER BY p.number",
                      (name,))
    compacted = any(row[4] for row in rows)
    return _Topic(name, [_Tail(id_, end, end, cleaned) for id_, end, cleaned, *_ in rows],
                  max((row[3] for row in rows), default=0), compacted,
                  compacted or any(row[5] is not None for row in rows))
