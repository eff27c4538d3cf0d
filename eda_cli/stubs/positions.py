"""How far a consumer is in each place, as stored with what it did: an event that comes again is known. Knows no event's content.

A position is the offset of the first event that is not settled; what is settled behind one that waits for its retry is
remembered one by one (`ahead`). The channel's own committed position comes after this one, never before. Where groups have
no offsets there are no positions: the messages that are settled are remembered, each by its name.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence

from eda_cli.channels.base import Place
from eda_cli.event import Delivery
from eda_cli.stubs.messages import Messages
from eda_cli.stubs.store import Store


class Positions:
    """Those of the places that this member handles; a place that was taken away is dropped."""

    def __init__(self) -> None:
        self._settled: dict[Place, int] = {}  # the highest offset, since the place came to this member
        self._messages = Messages()  # where there are no offsets

    def drop(self, places: Iterable[Place]) -> None:
        """These are handled by somebody else from now on."""
        for place in places:
            self._settled.pop(place, None)
            self._messages.drop(place)

    def come(self, deliveries: Sequence[Delivery]) -> bool:
        """Whether one is of a place that this member has settled nothing of since it came to it.

        Always where there are no offsets: members may share a place there, and what one held comes to the others.
        """
        return any(place not in self._settled for place in {(one.topic, one.partition) for one in deliveries})

    def known(self, store: Store, deliveries: Sequence[Delivery]) -> Collection[int]:
        """The indexes of those that are settled already."""
        if deliveries and deliveries[0].offset is None:
            return self._messages.known(store, deliveries)
        known: set[int] = set()
        reached: dict[Place, tuple[int, Collection[int]]] = {}
        last: tuple[str, int | None] | None = None
        next_, ahead = 0, _NONE
        for index, delivery in enumerate(deliveries):
            if last is None or delivery.partition != last[1] or delivery.topic != last[0]:
                last = delivery.topic, delivery.partition
                place = Place(delivery.topic, delivery.partition)
                next_, ahead = reached[place] = reached.get(place) or _reached(store, place, deliveries)
            offset = delivery.offset
            if offset is not None and (offset < next_ or offset in ahead):
                known.add(index)
        return known

    def folded(self, store: Store, deliveries: Sequence[Delivery]) -> Collection[int]:
        """The indexes of those that own copies were made of, and that are not settled."""
        return self._messages.folded(store, deliveries) if deliveries and deliveries[0].offset is None else ()

    def settle(self, connection: sqlite3.Connection, settled: Sequence[Delivery], waiting: Mapping[Place, Collection[int]],
               now: float, times: Mapping[tuple[str, int | None], float] | None = None) -> None:
        """These are done for good; `waiting` are the numbers of those that are not and came before, as the inbox gives them.

        `times` is the newest moment that the events of a place tell of, `now` the clock (epoch seconds).
        """
        if settled and settled[0].offset is None:
            self._messages.settle(connection, settled, waiting, now, times or {})
            return
        offsets: dict[Place, list[int]] = {}
        last: tuple[str, int | None] | None = None
        done: list[int] = []
        for delivery in settled:
            if delivery.partition is None or delivery.offset is None:
                continue
            if last is None or delivery.partition != last[1] or delivery.topic != last[0]:
                last = delivery.topic, delivery.partition
                done = offsets.setdefault(Place(delivery.topic, delivery.partition), [])
            done.append(delivery.offset)
        for place, done in offsets.items():
            highest = self._settled[place] = max(self._settled.get(place, -1), *done)
            open_ = waiting.get(place)
            next_ = min(open_) if open_ else highest + 1
            connection.execute(
                "INSERT INTO positions VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET next = max(next, excluded.next),"
                " time = max(ifnull(time, excluded.time), ifnull(excluded.time, time)), at = excluded.at",
                (*place, next_, times.get(place) if times else None, now))
            if ahead := [offset for offset in done if offset > next_]:
                connection.executemany(  # not where another member, who has the place now, is past them
                    "INSERT OR IGNORE INTO ahead SELECT topic, partition, ?3 FROM positions"
                    " WHERE topic = ?1 AND partition = ?2 AND next <= ?3", [(*place, offset) for offset in ahead])
            else:
                connection.execute("DELETE FROM ahead WHERE topic = ? AND partition = ? AND offset < ?", (*place, next_))


_NONE: Collection[int] = frozenset()


def _reached(store: Store, place: Place, deliveries: Sequence[Delivery]) -> tuple[int, Collection[int]]:
    """The position, and those of the deliveries that are settled ahead of it."""
    found = store.rows("SELECT next FROM positions WHERE topic = ? AND partition = ?", place)
    last = store.rows("SELECT max(offset) FROM ahead WHERE topic = ? AND partition = ?", place)[0][0]
    ahead: Collection[int] = _NONE
    if last is not None:  # behind one that waits for long there may be many, and these are mostly behind them all
        asked = [(*place, one.offset) for one in deliveries
                 if one.offset is not None and one.offset <= last and (one.topic, one.partition) == place]
        ahead = {offset for at in asked for offset, in store.rows(
            "SELECT offset FROM ahead WHERE topic = ? AND partition = ? AND offset = ?", at)}
    return found[0][0] if found else 0, ahead
