"""Which events of a log a group without offsets has handled: told by their messages' names, and by what is left for it.

From the first message on that the consumer remembers, it has handled those that it remembers. All before that are
handled as far as the channel says; so are all where it remembers none. Should the channel say too much, the last ones are
remembered as folded, and are handled without that when they come. Knows no copy.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence

from eda_cli.channels.base import GroupPlace, Place
from eda_cli.event import Delivery
from eda_cli.sketch.resolved import Consumer
from eda_cli.stubs.messages import Messages, remember_folded
from eda_cli.stubs.part import Part
from eda_cli.stubs.store import Store

LOOK_S = 0.1  # a broker hears a moment later that a member is gone, and queues what is published a moment later
TAIL = 2_000  # events of a place, at the end of what is handled, of which one may come all the same


class Settled:
    """Of one consumer, as it is when its copies are made. Raises ChannelError and Forgetful."""

    def __init__(self, part: Part, consumer: Consumer, topics: Collection[str], store: Store) -> None:
        self._store = store
        self._messages = Messages()
        self._upto = _handled(part, part.sketch.group_of(consumer), topics)
        self._remembered: set[Place] = set()  # places in which one was met that is remembered
        self._tail: list[Delivery] = []

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
                if self._upto[place] - offset <= TAIL and one.message is not None:
                    self._tail.append(one)
        return found

    def save(self, connection: sqlite3.Connection) -> None:
        """The copies are made of them: none is to be folded again, should it come all the same."""
        remember_folded(connection, self._tail)


def _handled(part: Part, group: str, topics: Collection[str]) -> Mapping[Place, int]:
    """How far the group is in each place, at the least: what was published a moment ago, less what is left for it now.

    The other way round, an event that is on its way into the group's queue would count as handled.
    """
    ends = {one.place: one.end or 0 for one in _places(part, group, topics)}
    if not any(ends.values()) or part.stop.wait(LOOK_S):
        return {}
    return {one.place: max(0, ends.get(one.place, 0) - one.lag) for one in _places(part, group, topics) if one.lag is not None}


def _places(part: Part, group: str, topics: Collection[str]) -> Sequence[GroupPlace]:
    return [one for info in part.channel.groups() if info.name == group for one in info.places if one.place.topic in topics]
