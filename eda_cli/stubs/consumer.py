"""A stub that consumes: the life of a member of a group, who takes events and hands in which are done.

Knows one consumer of the sketch; what is done with an event is decided in `handling`.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from functools import partial

from eda_cli.channels.base import Group, Place, Subscription
from eda_cli.errors import ChannelError, Forgetful
from eda_cli.event import Delivery
from eda_cli.payloads import Dice
from eda_cli.sketch.resolved import Consumer
from eda_cli.stubs.handling import Handling
from eda_cli.stubs.inbox import Inbox
from eda_cli.stubs.own_code import Code
from eda_cli.stubs.part import RETRY_S, Part

POLL_S = 0.2  # bounds how long stopping takes
AT_MOST = 500  # events held at once
SETTLED_S = 5.0  # a membership that lasted so long begins its troubles anew
CODE_S = (0.01, 0.05)  # own code is given so many events at once that they take about this long


def run(part: Part) -> bool:
    """Handle events until stopping is wished; never ends by itself."""
    consumer = part.sketch.consumers[part.name]
    code = Code(part, consumer) if consumer.code else None
    try:
        _remain(part, consumer, code)
    finally:
        if code is not None:
            code.close()
    return False


def _remain(part: Part, consumer: Consumer, code: Code | None) -> None:
    """Be a member of the group, again and again where that breaks."""
    told, pause = "", RETRY_S[0]
    while not part.stop.wished:
        began = time.monotonic()
        try:
            _Membership(part, consumer, code).run()
        except (ChannelError, Forgetful) as wrong:
            if time.monotonic() - began > SETTLED_S:
                told, pause = "", RETRY_S[0]
            told = part.tell_trouble(wrong, told)
            part.stop.wait(pause)
            pause = min(pause * 2, RETRY_S[1])


class _Membership:
    """From joining the group to leaving it."""

    def __init__(self, part: Part, consumer: Consumer, code: Code | None) -> None:
        self._part = part
        self._consumer = consumer
        self._group = Group(part.sketch.group_of(consumer), consumer.hears, consumer.start, part.declared)
        self._dice = Dice(part.seed, part.name, "takes")
        self._inbox = Inbox()
        self._handling = Handling(part, consumer, self._inbox, code)
        self._many = 1 if consumer.takes or consumer.code else AT_MOST

    def run(self) -> None:
        try:
            if not self._handling.begin():
                return
            subscription = self._part.channel.subscribe(self._group)
            try:
                self._part.ready()
                while not self._part.stop.wished:
                    self._turn(subscription)
                self._handling.leave()
            finally:
                subscription.close()
        finally:
            self._handling.close()

    def _turn(self, subscription: Subscription) -> None:
        room = 0 if self._consumer.paused else max(AT_MOST - len(self._inbox), 0)
        polled = subscription.poll(self._patience(), room)
        self._lose(polled.lost)
        self._inbox.put(polled.deliveries)
        if self._consumer.paused:
            return
        while not self._part.stop.wished and (batch := self._inbox.take(time.monotonic(), self._many)):
            self._work(subscription, batch)
            self._handling.tick(idle=False)
        self._handling.tick(idle=not polled.deliveries)

    def _patience(self) -> float:
        """How long nothing else is to be done."""
        due = [seconds for seconds in (self._inbox.due_in(time.monotonic()), self._handling.due_in()) if seconds is not None]
        return min([POLL_S, *due])

    def _work(self, subscription: Subscription, batch: Sequence[Delivery]) -> None:
        """Take the time that it takes, handle them, and hand in which are done."""
        came = self._handling.untried(self._handling.wanted(self._inbox.first_time(batch)))
        self._part.journal.consumed("received", came)
        if self._consumer.takes and self._handling.reacts(batch[0]):
            self._part.journal.flush()
            if not self._take_time(subscription, batch[0]):
                return
        began = time.monotonic()
        settled = self._handling.handle(batch, partial(self._goes_on, subscription))
        if self._consumer.code and not self._consumer.takes:
            self._many = _paced(self._many, len(batch), time.monotonic() - began)
        if settled:
            subscription.done(settled)

    def _take_time(self, subscription: Subscription, delivery: Delivery) -> bool:
        """Pass the time that handling takes; False where the event is not ours any more, or stopping is wished."""
        assert self._consumer.takes is not None
        low, high = self._consumer.takes
        until = time.monotonic() + self._dice.roll(delivery.identity).uniform(low, high)
        while (left := until - time.monotonic()) > 0:
            if self._part.stop.wait(min(left, POLL_S)):
                return False
            lost = subscription.poll(0, 0).lost
            self._lose(lost)
            if Place(delivery.topic, delivery.partition) in lost:
                return False
            self._handling.tick(idle=False)
        return not self._part.stop.wished

    def _goes_on(self, subscription: Subscription, seconds: float) -> bool:
        """While own code works: keep the membership; False where stopping is wished."""
        self._part.stop.wait(seconds)
        self._lose(subscription.poll(0, 0).lost)
        return not self._part.stop.wished

    def _lose(self, places: Collection[Place]) -> None:
        if places:
            self._inbox.lose(places)
            self._handling.lose(places)


def _paced(many: int, had: int, seconds: float) -> int:
    """How many events own code is given next: what a kill has it do again is bounded by time."""
    low, high = CODE_S
    if seconds > high:
        return max(1, many // 2)
    return min(AT_MOST, many * 2) if seconds < low and had == many else many
