"""A stub that consumes: handles what its group hears and publishes what follows. Knows one consumer of the sketch."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from eda_cli.channels.base import Group, Place, Subscription
from eda_cli.errors import ChannelError
from eda_cli.event import Delivery, Event
from eda_cli.payloads import Dice, PayloadError
from eda_cli.sketch.resolved import Consumer
from eda_cli.stubs.making import Reactions
from eda_cli.stubs.part import RETRY_S, Part

POLL_S = 0.2  # bounds how long stopping takes
AT_MOST = 500  # events held at once
SETTLED_S = 5.0  # a membership that lasted so long begins its troubles anew


def run(part: Part) -> bool:
    """Handle events until stopping is wished; never ends by itself."""
    running = _Running(part, part.sketch.consumers[part.name])
    told, pause = "", RETRY_S[0]
    while not part.stop.wished:
        began = time.monotonic()
        try:
            running.run()
        except ChannelError as wrong:
            if time.monotonic() - began > SETTLED_S:
                told, pause = "", RETRY_S[0]
            told = part.tell_trouble(wrong, told)
            part.stop.wait(pause)
            pause = min(pause * 2, RETRY_S[1])
    return False


class _Running:
    def __init__(self, part: Part, consumer: Consumer) -> None:
        self._part = part
        self._consumer = consumer
        self._group = Group(part.sketch.group_of(consumer), consumer.subscribes, consumer.start, part.declared)
        self._dice = Dice(part.seed, part.name, "takes")
        self._accepts = frozenset(consumer.accepts)
        self._reactions = Reactions(part.sketch, consumer, part.source)

    def run(self) -> None:
        """One membership in the group, from joining to leaving."""
        subscription = self._part.channel.subscribe(self._group)
        handle = self._one_by_one if self._consumer.takes else self._together
        try:
            self._part.ready()
            while not self._part.stop.wished:
                polled = subscription.poll(POLL_S, AT_MOST)
                if polled.deliveries:
                    handle(subscription, polled.deliveries)
        finally:
            subscription.close()

    def _together(self, subscription: Subscription, deliveries: Sequence[Delivery]) -> None:
        """What takes no time is handled and committed as one batch."""
        wanted = self._wanted(deliveries)
        self._part.journal.consumed("received", wanted)
        if self._handle(wanted):
            subscription.done(deliveries)

    def _one_by_one(self, subscription: Subscription, deliveries: Sequence[Delivery]) -> None:
        waiting = deque(deliveries)
        while waiting and not self._part.stop.wished:
            delivery = waiting.popleft()
            wanted = self._wanted([delivery])
            if wanted:
                self._part.journal.consumed("received", wanted)
                self._part.journal.flush()
                lost = self._work(subscription, delivery)
                waiting = deque(left for left in waiting if _place(left) not in lost)
                if self._part.stop.wished or _place(delivery) in lost:
                    continue
            if self._handle(wanted):
                subscription.done([delivery])

    def _work(self, subscription: Subscription, delivery: Delivery) -> frozenset[Place]:
        """Take the time that handling takes; the places lost meanwhile."""
        assert self._consumer.takes is not None
        low, high = self._consumer.takes
        until = time.monotonic() + self._dice.roll(delivery.identity).uniform(low, high)
        lost: frozenset[Place] = frozenset()
        while (left := until - time.monotonic()) > 0 and not self._part.stop.wait(min(left, POLL_S)):
            lost |= subscription.poll(0, 0).lost
        return lost

    def _wanted(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        if not self._accepts:
            return deliveries
        return [delivery for delivery in deliveries if delivery.event.type in self._accepts]

    def _handle(self, deliveries: Sequence[Delivery]) -> bool:
        """Publish what follows and tell; False where stopping was wished before it was stored."""
        if not deliveries:
            return True
        failed: dict[int, str] = {}
        if self._reactions:
            follows: dict[str, list[Event]] = {}
            causes: dict[str | None, int] = {}
            for index, delivery in enumerate(deliveries):
                try:
                    for topic, event in self._reactions.follow(delivery):
                        follows.setdefault(topic, []).append(event)
                        causes[event.id] = index
                except PayloadError as wrong:
                    failed[index] = wrong.line
            refused = self._part.publish(list(follows.items()))
            if refused is None:
                return False
            failed |= {causes[id_]: each.line for id_, each in refused.items()}
        self._tell(deliveries, failed)
        return True

    def _tell(self, deliveries: Sequence[Delivery], failed: dict[int, str]) -> None:
        journal = self._part.journal
        if failed:
            for index, reason in failed.items():
                journal.consumed("failed", [deliveries[index]], reason=reason)
            deliveries = [delivery for index, delivery in enumerate(deliveries) if index not in failed]
        journal.consumed("handled", deliveries)
        journal.flush()


def _place(delivery: Delivery) -> Place:
    assert delivery.partition is not None
    return Place(delivery.topic, delivery.partition)
