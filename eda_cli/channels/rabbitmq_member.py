"""A member of a group on RabbitMQ: the partitions that it has, what it was given, and what of it is done.

Who consumes the owner queue of a partition alone has the partition; the broker lets nobody else, and frees it when a
connection ends. Members share by counting: each takes its part of the partitions that are free, and lets go of what is
more than its part when others come. The group's queue has a single active consumer besides: when a member is killed, what
it held goes to the next one before all that came later, and a program of one's own may join the group and keep the order.
Over 250 lines because taking a partition and letting go of it are read together.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pika import BasicProperties

from eda_cli.channels import rabbitmq_names as names
from eda_cli.channels.base import Group, Place, Polled
from eda_cli.channels.rabbitmq_catalog import Catalog
from eda_cli.channels.rabbitmq_link import HOLD_MS, REFUSED, Lane, Link, Refused
from eda_cli.channels.rabbitmq_wire import event_of, name_of, published_of
from eda_cli.event import Delivery

PREFETCH = 2_000  # messages of a partition that are not done: what a stub holds at most, and as much again on its way
LOOK_S = 0.2  # how often the members are counted and free partitions looked for
SPARE_S = 0.5  # a free partition beyond everybody's part is left so long to those who have less


class Feed:
    """One queue that a member takes messages from, and which of them are done."""

    def __init__(self, seat: Seat, lane: Lane, queue: str) -> None:
        self.seat = seat
        self.lane = lane
        self.queue = queue
        self.open: deque[int] = deque()  # delivery tags that were handed to us, in order
        self.done: set[int] = set()  # of these, ahead of one that is not done

    def settle(self, tags: Sequence[int]) -> list[tuple[int, bool]]:
        """What to acknowledge for these: a tag, and whether it stands for all before it."""
        acks: list[tuple[int, bool]] = []
        reached = 0
        for tag in tags:
            if self.open and self.open[0] == tag:
                reached = self.open.popleft()
                while self.open and self.open[0] in self.done:
                    self.done.discard(self.open.popleft())
            elif self.open and tag > self.open[0] and tag not in self.done:
                self.done.add(tag)
                acks.append((tag, False))
        return [(reached, True), *((tag, one) for tag, one in acks if tag > reached)] if reached else acks

    @property
    def held(self) -> int:
        return len(self.open) - len(self.done)


@dataclass(slots=True)
class Seat:
    """One partition that a member has: its lock, and what it takes messages from.

    A `backlog` is taken first; once it has nothing more to give, the queue's turn begins, whatever is still open of it.
    """

    place: Place
    lock: Lane
    backlog: Feed | None = None
    feed: Feed | None = None

    def feeds(self) -> list[Feed]:
        return [feed for feed in (self.backlog, self.feed) if feed is not None]

    @property
    def broken(self) -> bool:
        """Whether the broker took something of it away: it lost patience with what is not done, or a queue was deleted."""
        return any(lane.cancelled or lane.closed for lane in (self.lock, *(feed.lane for feed in self.feeds())))


class Member:
    """Membership of one connection. Belongs to one thread; its heartbeats are the link's."""

    def __init__(self, link: Link, group: Group) -> None:
        self._link = link
        self._group = group
        self._name = f"{os.getpid()}-{id(self):x}"
        self._catalog = Catalog(link)
        self._seats: dict[Place, Seat] = {}
        self._came: deque[tuple[Feed, Delivery]] = deque()
        self._lost: set[Place] = set()
        self._news = threading.Condition()
        self._looked = 0.0
        self._members = 0
        self._free_since: dict[Place, float] = {}
        self._look = link.lane()
        self._join()

    def poll(self, timeout: float, at_most: int) -> Polled:
        deadline = time.monotonic() + timeout
        while True:
            if time.monotonic() - self._looked >= LOOK_S:
                self._share()
            found = self._taken(at_most)
            lost, self._lost = frozenset(self._lost), set()
            if self._link.lost is not None:
                raise self._link.lost
            left = deadline - time.monotonic()
            if found or lost or left <= 0:
                return Polled(found, lost)
            with self._news:
                self._news.wait_for(lambda: (self._came and at_most) or self._link.lost, min(left, LOOK_S))

    def done(self, deliveries: Sequence[Delivery]) -> None:
        by_feed: dict[int, tuple[Feed, list[int]]] = {}
        for delivery in deliveries:
            feed, tag = delivery.tag
            by_feed.setdefault(id(feed), (feed, []))[1].append(tag)
        for feed, tags in by_feed.values():
            if self._seats.get(feed.seat.place) is feed.seat and (acks := feed.settle(tags)):
                feed.lane.tell(_acknowledge(acks))

    def close(self) -> None:
        if self._link.lost is None:
            for place in list(self._seats):
                self._let_go(place)
            self._look.close()
        self._link.close()
        self._seats.clear()
        self._came.clear()

    # --- membership

    def _join(self) -> None:
        """Be counted among the members, and answer when they are called."""
        group, lane = self._group.name, self._link.lane()
        lane.call("queue_declare", names.members(group), durable=True, arguments=names.LOCK)
        lane.call("basic_consume", names.members(group), _nothing)
        lane.call("exchange_declare", names.roll(group), "fanout", durable=True)
        mine = lane.call("queue_declare", "", exclusive=True).method.queue
        lane.call("queue_bind", mine, names.roll(group), "")
        lane.call("basic_consume", mine, self._answer_roll, auto_ack=True)

    def _answer_roll(self, channel: Any, _: Any, properties: BasicProperties, __: bytes) -> None:
        """Say who we are, and how many messages of each partition we hold."""
        holds = {f"{place.topic}\0{place.partition}": sum(feed.held for feed in seat.feeds())
                 for place, seat in self._seats.copy().items()}
        channel.basic_publish("", properties.reply_to, json.dumps([self._name, holds]).encode(),
                              BasicProperties(correlation_id=properties.correlation_id))

    # --- sharing

    def _share(self) -> None:
        """Count the members, let go of what is more than our part, take what is free."""
        self._looked = time.monotonic()
        for place in [place for place, seat in self._seats.items() if seat.broken]:
            self._let_go(place)
        self._finish_backlogs()
        self._catalog.look()
        places = self._catalog.places(self._group.topics)
        for place in self._seats.keys() - set(places):
            self._let_go(place)  # its topic was deleted
        members = max(1, self._look.count(names.members(self._group.name)).result().method.consumer_count)
        low, high = divmod(len(places), members)
        if members > self._members:
            for place in sorted(self._seats)[low:] if self._members else ():
                self._let_go(place)
        self._members = members
        free = [place for place in places if place not in self._seats]
        answers = [self._look.count(names.owner(self._group.name, place)) for place in free]
        now = time.monotonic()
        for place, answer in zip(free, answers, strict=True):
            if answer.result().method.consumer_count:
                self._free_since.pop(place, None)
                continue
            since = self._free_since.setdefault(place, now)
            spare = high and len(self._seats) == low and (not low or now - since >= SPARE_S)
            if len(self._seats) < low or spare:
                self._take_seat(place)

    def _take_seat(self, place: Place) -> None:
        """Have the partition, unless somebody else was quicker."""
        lock = self._link.lane()
        try:
            lock.call("basic_consume", names.owner(self._group.name, place), _nothing, exclusive=True)
        except Refused as wrong:
            if wrong.code == REFUSED:
                return
            raise
        self._catalog.look()  # who had it before may have finished its backlog just now
        self._seats[place] = seat = Seat(place, lock)
        self._free_since.pop(place, None)
        backlog = names.backlog(self._group.name, place)
        if backlog in self._catalog.backlogs:
            seat.backlog = self._consume(seat, backlog)
        else:
            seat.feed = self._consume(seat, names.queue(self._group.name, place))

    def _consume(self, seat: Seat, queue: str) -> Feed:
        feed = Feed(seat, self._link.lane(), queue)
        feed.lane.start("basic_qos", prefetch_count=PREFETCH)
        feed.lane.call("basic_consume", queue, lambda _, method, properties, body: self._take(feed, method, properties, body),
                       arguments={"x-consumer-timeout": HOLD_MS})
        return feed

    def _take(self, feed: Feed, method: Any, properties: BasicProperties, body: bytes) -> None:
        place = feed.seat.place
        event = event_of(properties, body)
        delivery = Delivery(event, place.topic, place.partition, None, published_of(properties),
                            (feed, method.delivery_tag), name_of(properties, event))
        with self._news:
            feed.open.append(method.delivery_tag)
            self._came.append((feed, delivery))
            if len(self._came) == 1:
                self._news.notify()

    def _taken(self, at_most: int) -> list[Delivery]:
        found: list[Delivery] = []
        while self._came and len(found) < at_most:
            feed, delivery = self._came.popleft()
            if self._seats.get(feed.seat.place) is feed.seat:
                found.append(delivery)
        return found

    def _finish_backlogs(self) -> None:
        """The queue's turn begins once its backlog gives nothing more, and that goes once all of it is done."""
        for seat in self._seats.values():
            if seat.backlog is None:
                continue
            if seat.feed is None and not self._look.count(seat.backlog.queue).result().method.message_count:
                seat.backlog.lane.call("basic_qos", prefetch_count=PREFETCH)  # all that it gave is here, before what is newer
                seat.feed = self._consume(seat, names.queue(self._group.name, seat.place))
            if seat.feed is not None and not seat.backlog.open:
                seat.backlog.lane.close()
                # In this order: a kill between them leaves an empty queue, and not one that is looked for in vain.
                self._catalog.write([{"what": "backlog", "name": seat.backlog.queue, "there": False}])
                self._look.call("queue_delete", seat.backlog.queue)
                seat.backlog = None

    def _let_go(self, place: Place) -> None:
        """Others may have it: what is not done is ready again, in its order, before anybody else can take the partition."""
        seat = self._seats.pop(place)
        self._lost.add(place)
        for feed in seat.feeds():
            feed.lane.close()
        seat.lock.close()


def _acknowledge(acks: Sequence[tuple[int, bool]]) -> Callable[[Any], None]:
    def tell(channel: Any) -> None:
        for tag, multiple in acks:
            channel.basic_ack(tag, multiple=multiple)
    return tell


def _nothing(*_: Any) -> None:
    """Nothing ever comes there."""

