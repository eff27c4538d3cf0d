"""Which events of a log a group without offsets has handled: told by their messages' names, and by what is left for it.

From the first message on that the consumer remembers, it has handled those that it remembers. All before that are
handled as far as the channel says; so are all where it remembers none. Knows no copy.
"""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence

from eda_cli.channels.base import Place
from eda_cli.event import Delivery
from eda_cli.sketch.resolved import Consumer
from eda_cli.stubs.interest import Interest
from eda_cli.stubs.messages import Messages
from eda_cli.stubs.part import Part
from eda_cli.stubs.store import Store

LOOK_S, QUIET_S = 0.1, 2.0  # a broker hears a moment later that a member is gone, and what it held is left then
TAIL = 2_000  # events at the end of what is handled, of which one may come again


class Settled:
    """Of one consumer, as it is when its copies are made. Raises ChannelError and Forgetful."""

    def __init__(self, part: Part, consumer: Consumer, topics: Collection[str], store: Store, interest: Interest) -> None:
        self._store = store
        self._messages = Messages()
        self._upto = _quiet(part, part.sketch.group_of(consumer), topics)
        self._remembered: set[Place] = set()  # places in which one was met that is remembered
        self._tail: deque[Delivery] = deque(maxlen=TAIL)
        self._interest = interest
        self._effect = bool(consumer.rules or consumer.code or consumer.window or consumer.joins)

    def __bool__(self) -> bool:
        return any(self._upto.values())

    def of(self, batch: Sequence[Delivery]) -> Sequence[Delivery]:
        """Those that are handled, of the next ones of the log."""
        known = self._messages.known(self._store, batch)
        found: list[Delivery] = []
        for index, one in enumerate(batch):
            place, offset = Place(one.topic, one.partition), one.offset or 0
            if index in known:
                self._remembered.add(place)
                found.append(one)
            elif place not in self._remembered and offset < self._upto.get(place, 0):
                found.append(one)
                self._end_with(one, self._upto[place] - offset)
        return found

    def _end_with(self, one: Delivery, left: int) -> None:
        """It is in a copy now. Comes it all the same, that is all that would come of it, unless it has another effect."""
        if left <= TAIL and one.message is not None and not (self._effect and self._interest.reacts(one)):
            self._tail.append(one)

    def save(self, connection: sqlite3.Connection) -> None:
        """The copies are made of them: none is to be folded again."""
        self._messages.add(connection, self._tail, time.time())


def _quiet(part: Part, group: str, topics: Collection[str]) -> Mapping[Place, int]:
    """How far the group is in each place, once two looks agree or it has taken too long."""
    upto = _committed(part, group, topics)
    until = time.monotonic() + QUIET_S
    while any(upto.values()) and time.monotonic() < until and not part.stop.wait(LOOK_S):
        before, upto = upto, _committed(part, group, topics)
        if before == upto:
            break
    return upto


def _committed(part: Part, group: str, topics: Collection[str]) -> Mapping[Place, int]:
    return {one.place: one.committed or 0 for info in part.channel.groups() if info.name == group
            for one in info.places if one.place.topic in topics}
