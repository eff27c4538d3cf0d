"""Reading topics of RabbitMQ from their streams: of no group, moving nobody's position."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from eda_cli.channels.base import Place, Start
from eda_cli.channels.rabbitmq_link import Link
from eda_cli.channels.rabbitmq_names import stream
from eda_cli.channels.rabbitmq_streams import Cursor, Message, edges
from eda_cli.channels.rabbitmq_wire import event_of, name_of, published_of
from eda_cli.event import Delivery

QUIET_S = 0.1  # a read that waits says so this often
LOOK_S = 0.5  # how often it looks for partitions that came
CLOCK_S = 5.0  # a stream knows moments by its chunks and by seconds: so much earlier is read, and left out
BATCH = 500


class Found(NamedTuple):
    """A message of a partition that is stored now."""

    place: Place
    message: Message
    published: float


class Part:
    """One partition as it is read: up to `end`, or for ever; `wanted` says which messages are."""

    def __init__(self, link: Link, place: Place, start: Any, end: int | None, wanted: Callable[[Message], bool]) -> None:
        self.place = place
        self.end = end
        self._wanted = wanted
        self.over = end is not None and (end == 0 or (isinstance(start, int) and start >= end))
        self._cursor = None if self.over else Cursor(link, stream(place), place.topic, start)

    def take(self) -> list[Message]:
        """What is there by now."""
        if self._cursor is None or self.over:
            return []
        found = self._cursor.take(BATCH)
        if found and self.end is not None and found[-1].offset >= self.end - 1:
            self.close()
        return [message for message in found if (self.end is None or message.offset < self.end) and self._wanted(message)]

    def wait(self, seconds: float) -> None:
        if self._cursor is not None:
            self._cursor.wait(seconds)

    def close(self) -> None:
        self.over = True
        if self._cursor is not None:
            self._cursor.close()


def parts(link: Link, places: Sequence[Place], start: Start, follow: bool) -> list[Part]:
    """The partitions as `start` has them read, but for `last` over several of them."""
    made: list[Part] = []
    asks = not follow or start.at == "last"
    lasts = edges(link, [stream(place) for place in places], "last") if asks else [None] * len(places)
    for place, last in zip(places, lasts, strict=True):
        end = None if not asks else last.offset + 1 if last else 0
        wanted: Callable[[Message], bool] = _all
        at: Any
        match start.at:
            case "beginning":
                at = "first"
            case "end":
                at = end if end is not None else "next"
            case "offset":
                at = int(start.value)
            case "last":
                at = max(0, (end or 0) - int(start.value)) if start.value else end or "next"
            case "time":
                at = datetime.fromtimestamp(max(0.0, start.value - CLOCK_S), UTC)
                wanted = _since(start.value)
                if last and published_of(last.properties) < start.value:
                    end = 0
        made.append(Part(link, place, at, None if follow else end, wanted))
    return made


def messages(link: Link, place: Place, start: Start) -> Iterator[Found]:
    """What one partition holds now, from `start` on."""
    (part,) = parts(link, [place], start, follow=False)
    yield from _all_of(part)


def _all_of(part: Part) -> Iterator[Found]:
    try:
        while not part.over:
            for message in part.take():
                yield Found(part.place, message, published_of(message.properties))
            if not part.over:
                part.wait(QUIET_S)
    finally:
        part.close()


def newest(link: Link, places: Sequence[Place], many: int) -> tuple[Sequence[Delivery], list[int]]:
    """The newest so many of the partitions together, by their moments; and the offset behind those of each partition."""
    reading = parts(link, places, Start("last", many), follow=False)
    found = heapq.nlargest(many, (one for part in reading for one in _all_of(part)), key=_moment)
    return [_delivery(one.place, one.message) for one in sorted(found, key=_moment)], [part.end or 0 for part in reading]


def from_offset(link: Link, place: Place, offset: int) -> Part:
    """The partition from that offset on, for ever."""
    return Part(link, place, offset or "first", None, _all)


def merged(reading: Sequence[Part]) -> Iterator[Sequence[Delivery]]:
    """Partitions merged by the moment of publishing; each stays in its own order."""
    def one_by_one(part: Part) -> Iterator[Delivery]:
        while not part.over:
            found = part.take()
            if not found and not part.over:
                part.wait(QUIET_S)
            yield from (_delivery(part.place, message) for message in found)

    batch: list[Delivery] = []
    try:
        for delivery in heapq.merge(*(one_by_one(part) for part in reading), key=lambda one: one.published):
            batch.append(delivery)
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch
    finally:
        for part in reading:
            part.close()


def following(before: Iterator[Sequence[Delivery]], reading: list[Part],
              look: Callable[[set[Place]], list[Part]]) -> Iterator[Sequence[Delivery]]:
    """For ever, behind what was `before`; an empty batch while nothing comes. `look` gives partitions that came."""
    told = looked = time.monotonic()
    try:
        yield from before
        while True:
            batch = [_delivery(part.place, message) for part in reading for message in part.take()]
            now = time.monotonic()
            if batch:
                yield sorted(batch, key=lambda one: one.published) if len(reading) > 1 else batch
                told = now
            elif now - told >= QUIET_S:
                yield ()
                told = now
            else:
                time.sleep(0.003)
            if now - looked >= LOOK_S:
                looked = now
                reading += look({part.place for part in reading})
    finally:
        for part in reading:
            part.close()


def _delivery(place: Place, message: Message) -> Delivery:
    event = event_of(message.properties, message.body)
    return Delivery(event, place.topic, place.partition, message.offset, published_of(message.properties), None,
                    name_of(message.properties, event))


def _moment(one: Found) -> tuple[float, Place, int]:
    return one.published, one.place, one.message.offset


def _all(_: Message) -> bool:
    return True


def _since(moment: float) -> Callable[[Message], bool]:
    return lambda message: published_of(message.properties) >= moment
