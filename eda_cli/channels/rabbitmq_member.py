"""A member of a group on RabbitMQ: the partitions that it has, what it was given, and what of it is done.

Who consumes the owner queue of a partition alone has the partition; the broker lets nobody else, and frees it when a
connection ends. Members share by counting: each takes its part of the partitions that are free, and lets go of what is
more than its part when others come. The group's queue has a single active consumer besides: when a member is killed, what
it held goes to the next one before all that came later, and a program of one's own may join the group and keep the order.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from pika import BasicProperties

from eda_cli.channels import rabbitmq_names as names
from eda_cli.channels.base import Group, Place, Polled
from eda_cli.channels.rabbitmq_catalog import Catalog
from eda_cli.channels.rabbitmq_link import REFUSED, Lane, Link, Refused
from eda_cli.channels.rabbitmq_wire import event_of, published_of
from eda_cli.event import Delivery

PREFETCH = 2_000  # messages of a partition that are not done: what a stub holds at most, and as much again on its way
LOOK_S = 0.2  # how often the members are counted and free partitions looked for
SPARE_S = 0.5  # a free partition beyond everybody's part is left so long to those who have less


class Seat:
    """One partition that a member has: the lane of its messages, and which of them are done."""

    def __init__(self, place: Place, lock: Lane, lane: Lane, queue: str) -> None:
        self.place = place
        self.lock = lock
        self.lane = lane
        self.queue = queue
        self.backlog = ""  # a queue that is handled before that one
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


class Member:
    """Membership of one connection. Belongs to one thread; its heartbeats are the link's."""

    def __init__(self, link: Link, group: Group) -> None:
        self._link = link
        self._group = group
        self._name = f"{os.getpid()}-{id(self):x}"
        self._catalog = Catalog(link)
        self._seats: dict[Place, Seat] = {}
        self._came: deque[tuple[Seat, Delivery]] = deque()
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
            self._finish_backlogs()
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
        by_seat: dict[int, tuple[Seat, list[int]]] = {}
        for delivery in deliveries:
            seat, tag = delivery.tag
            by_seat.setdefault(id(seat), (seat, []))[1].append(tag)
        for seat, tags in by_seat.values():
            if self._seats.get(seat.place) is seat and (acks := seat.settle(tags)):
                seat.lane.tell(_acknowledge(acks))

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
        lane.call("queue_declare", names.members(group), durable=True)
        lane.call("basic_consume", names.members(group), _nothing)
        lane.call("exchange_declare", names.roll(group), "fanout", durable=True)
        mine = lane.call("queue_declare", "", exclusive=True).method.queue
        lane.call("queue_bind", mine, names.roll(group), "")
        lane.call("basic_consume", mine, self._answer_roll, auto_ack=True)

    def _answer_roll(self, channel: Any, _: Any, properties: BasicProperties, __: bytes) -> None:
        """Say who we are, and how many messages of each partition we hold."""
        holds = {f"{place.topic}\0{place.partition}": len(seat.open) - len(seat.done)
                 for place, seat in self._seats.copy().items()}
        channel.basic_publish("", properties.reply_to, json.dumps([self._name, holds]).encode(),
                              BasicProperties(correlation_id=properties.correlation_id))

    # --- sharing

    def _share(self) -> None:
        """Count the members, let go of what is more than our part, take what is free."""
        self._looked = time.monotonic()
        self._catalog.look()
        places = self._catalog.places(self._group.topics)
        for place in self._seats.keys() - set(places):
            self._drop(place)  # its topic was deleted
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
        seat = Seat(place, lock, self._link.lane(), names.queue(self._group.name, place))
        if names.backlog(self._group.name, place) in self._catalog.backlogs:
            seat.backlog = names.backlog(self._group.name, place)
        self._seats[place] = seat
        self._free_since.pop(place, None)
        self._consume(seat)

    def _consume(self, seat: Seat) -> None:
        seat.lane.start("basic_qos", prefetch_count=PREFETCH)
        queue = seat.backlog or seat.queue
        seat.lane.call("basic_consume", queue, lambda _, method, properties, body: self._take(seat, method, properties, body))

    def _take(self, seat: Seat, method: Any, properties: BasicProperties, body: bytes) -> None:
        delivery = Delivery(event_of(properties, body), seat.place.topic, seat.place.partition, None,
                            published_of(properties), (seat, method.delivery_tag), properties.message_id)
        with self._news:
            seat.open.append(method.delivery_tag)
            self._came.append((seat, delivery))
            if len(self._came) == 1:
                self._news.notify()

    def _taken(self, at_most: int) -> list[Delivery]:
        found: list[Delivery] = []
        while self._came and len(found) < at_most:
            seat, delivery = self._came.popleft()
            if self._seats.get(seat.place) is seat:
                found.append(delivery)
        return found

    def _finish_backlogs(self) -> None:
        """A backlog that is handled goes, and the queue's turn begins."""
        for seat in self._seats.values():
            if seat.backlog and not seat.open and not self._look.count(seat.backlog).result().method.message_count:
                seat.lane.close()
                self._look.call("queue_delete", seat.backlog)
                self._catalog.write([{"what": "backlog", "name": seat.backlog, "there": False}])
                seat.backlog, seat.lane = "", self._link.lane()
                self._consume(seat)

    def _let_go(self, place: Place) -> None:
        """Others may have it: what is not done is ready again, in its order, before anybody else can take the partition."""
        seat = self._drop(place)
        seat.lane.close()
        seat.lock.close()

    def _drop(self, place: Place) -> Seat:
        seat = self._seats.pop(place)
        self._lost.add(place)
        return seat


def _acknowledge(acks: Sequence[tuple[int, bool]]) -> Callable[[Any], None]:
    def tell(channel: Any) -> None:
        for tag, multiple in acks:
            channel.basic_ack(tag, multiple=multiple)
    return tell


def _nothing(*_: Any) -> None:
    """Nothing ever comes there."""

