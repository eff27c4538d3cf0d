"""Which events mean something to a consumer: those it reacts to, and those it only takes in. Knows nothing of handling."""

from __future__ import annotations

from collections.abc import Sequence

from eda_cli.event import Delivery
from eda_cli.sketch.resolved import Consumer
from eda_cli.stubs.copying import Copies


class Interest:
    """Of one consumer; `copies` where it keeps any."""

    def __init__(self, consumer: Consumer, copies: Copies | None) -> None:
        self._subscribes, self._accepts = frozenset(consumer.subscribes), frozenset(consumer.accepts)
        self._silent = frozenset(consumer.hears) - self._subscribes
        self._joined = consumer.joins.topic if consumer.joins is not None and consumer.joins.topic in self._silent else None
        self._copies = copies
        self.selective = bool(consumer.accepts or self._silent)  # else it reacts to all that come

    def reacts(self, delivery: Delivery) -> bool:
        """Whether it is handled, and not only heard."""
        return not self.selective or (
            delivery.topic in self._subscribes and (not self._accepts or delivery.event.type in self._accepts))

    def hears(self, delivery: Delivery) -> bool:
        """Whether it is taken in though nothing is to follow from it: it changes a copy, or belongs to a pair."""
        return delivery.topic == self._joined or (self._copies is not None and self._copies.keeps(delivery))

    def wanted(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Those that mean something."""
        if not self.selective:
            return deliveries
        return [delivery for delivery in deliveries if self.reacts(delivery) or self.hears(delivery)]
