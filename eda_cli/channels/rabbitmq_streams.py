"""Streams of RabbitMQ: where they end, and their messages from a place on. Knows no event.

AMQP 0.9.1 tells of a stream neither its first offset nor its end, and its count of messages comes late. But who consumes
from `last` gets the newest chunk whole, before the answer to what is asked next on that channel.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from pika import BasicProperties

from eda_cli.channels.rabbitmq_link import HOLD_MS, NOT_FOUND, Lane, Link, Refused
from eda_cli.channels.rabbitmq_names import topic_of
from eda_cli.errors import UnknownTopic

PREFETCH = 2_000  # messages on their way
ACK_EVERY = 500
TICK_S = 0.2
AT_ONCE = 200  # streams that are looked at together
FIRST_S = 0.15  # a stream that tells of no message has none if nothing comes for so long
SURE_S = 5.0  # one that tells of some gives one


class Message(NamedTuple):
    """One message of a stream."""

    offset: int
    properties: BasicProperties
    body: bytes


class Cursor:
    """Reads one stream from a place on: `first`, `last`, `next`, an offset or a moment. Raises UnknownTopic.

    What is taken out of it is acknowledged, which lets more come; so is after a while what is only here, unless that is much:
    RabbitMQ closes the lane of who lets a message be for half an hour.
    """

    def __init__(self, link: Link, stream: str, topic: str, start: Any) -> None:
        self._topic = topic
        self._link = link
        self._lane: Lane = link.lane()
        self._came: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._arrived = self._acked = 0  # delivery tags; of the link's thread
        self._ticks = False
        self._unacked = 0
        self._tag = 0
        lane = self._lane
        lane.start("basic_qos", prefetch_count=PREFETCH)
        try:
            lane.call("basic_consume", stream, self._take,
                      arguments={"x-stream-offset": start, "x-consumer-timeout": HOLD_MS})
        except Refused as wrong:
            raise (UnknownTopic(topic) if wrong.code == NOT_FOUND else wrong) from None

    def _take(self, _: Any, method: Any, properties: BasicProperties, body: bytes) -> None:
        self._came.put(Message(int((properties.headers or {})["x-stream-offset"]), properties, body))
        self._arrived = method.delivery_tag
        if not self._ticks:
            self._ticks = True
            self._link.later(TICK_S, self._tick)

    def _tick(self) -> None:
        self._ticks = self._came.qsize() >= ACK_EVERY
        if self._ticks:
            self._link.later(TICK_S, self._tick)
        else:
            self._acknowledge(self._lane.channel, self._arrived)

    def _acknowledge(self, channel: Any, tag: int) -> None:
        if tag > self._acked and channel.is_open:
            self._acked = tag
            channel.basic_ack(tag, multiple=True)

    def wait(self, seconds: float) -> None:
        """Until something is there, or so many seconds."""
        deadline = time.monotonic() + seconds
        while self._came.empty() and self.alive and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, 0.002))

    def take(self, at_most: int = PREFETCH) -> Sequence[Message]:
        """What is there by now. Raises UnknownTopic where the stream was deleted, BrokerUnreachable."""
        found: list[Message] = []
        while len(found) < at_most:
            try:
                found.append(self._came.get_nowait())
            except queue.Empty:
                break
        if not found and not self.alive:
            raise self._lane.closed or UnknownTopic(self._topic)
        self._tag += len(found)
        self._unacked += len(found)
        if self._unacked >= ACK_EVERY:
            self._unacked, tag = 0, self._tag
            self._lane.tell(lambda channel: self._acknowledge(channel, tag))
        return found

    def settle(self) -> None:
        """All that the broker had for us before is here."""
        self._lane.call("basic_qos", prefetch_count=PREFETCH)

    def close(self) -> None:
        if self._lane.closed is None:
            self._lane.tell(lambda channel: channel.close())

    @property
    def alive(self) -> bool:
        return not self._lane.cancelled and self._lane.closed is None


def ends(link: Link, streams: Sequence[str]) -> list[int]:
    """The offset behind the newest message of each. Raises UnknownTopic."""
    return [0 if newest is None else newest.offset + 1 for newest in edges(link, streams, "last")]


def firsts(link: Link, streams: Sequence[str]) -> list[int]:
    """The offset of the oldest message of each that is kept; 0 where there is none."""
    return [0 if oldest is None else oldest.offset for oldest in edges(link, streams, "first")]


def edges(link: Link, streams: Sequence[str], which: Literal["first", "last"]) -> list[Message | None]:
    """The oldest or the newest message of each; None where there is none. Raises UnknownTopic."""
    return [edge for first in range(0, len(streams), AT_ONCE) for edge in _edges(link, streams[first:first + AT_ONCE], which)]


def _edges(link: Link, streams: Sequence[str], which: Literal["first", "last"]) -> list[Message | None]:
    cursors: list[Cursor] = []
    lane = link.lane()
    try:
        for stream in streams:
            cursors.append(Cursor(link, stream, topic_of(stream), which))
        counts = [lane.count(stream) for stream in streams]
        began = time.monotonic()
        found: list[Message | None] = []
        for cursor, count in zip(cursors, counts, strict=True):
            patience = SURE_S if count.result().method.message_count else FIRST_S
            cursor.wait(began + patience - time.monotonic())
            edge = next(iter(cursor.take(1)), None)
            if edge is not None and which == "last":
                cursor.settle()
                while more := cursor.take():
                    edge = more[-1]
                    cursor.settle()
            found.append(edge)
        return found
    finally:
        for cursor in cursors:
            cursor.close()
        lane.tell(lambda channel: channel.close())
