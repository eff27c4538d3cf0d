"""Where groups have no offsets: which messages a consumer has settled, and how many. Knows no event's content.

A queue broker hands out again only what was not acknowledged, and that is soon after it was settled, unless nobody
settles anything meanwhile: so the last ones are remembered, and those of the last minutes. What has no name is never known.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import blake2b

from eda_cli.channels.base import Place
from eda_cli.event import Delivery
from eda_cli.stubs.store import Store

LAST = 100_000  # a member holds some hundreds that are not acknowledged
FOR_S = 600.0  # a broker gives up a member whose connection is silent, and hands its messages to others, long before
NO_PARTITION = -1  # as it is stored: a place is a key, which has no NULL
_AT_ONCE = 500  # names in one query
_PRUNE_EVERY = 10_000  # messages


class Messages:
    """Those of one consumer, by hashes of their names: one is as large as another. Its replicas share them."""

    def __init__(self) -> None:
        self._counts: dict[Place, _Count] = {}
        self._unpruned = _PRUNE_EVERY
        self._folded: frozenset[bytes] | None = None

    def drop(self, place: Place) -> None:
        """It is handled by somebody else from now on."""
        self._counts.pop(place, None)

    def known(self, store: Store, deliveries: Sequence[Delivery]) -> Collection[int]:
        """The indexes of those that are settled already."""
        names = {index: _name_of(one) for index, one in enumerate(deliveries) if one.message is not None}
        asked = list(names.values())
        found: set[bytes] = set()
        for first in range(0, len(asked), _AT_ONCE):
            some = asked[first:first + _AT_ONCE]
            marks = ",".join("?" * len(some))
            found.update(name for name, in store.rows(f"SELECT id FROM messages WHERE id IN ({marks})", some))
        return {index for index, name in names.items() if name in found}

    def folded(self, store: Store, deliveries: Sequence[Delivery]) -> Collection[int]:
        """The indexes of those that are in the copies already, though they are not settled."""
        if self._folded is None:  # they are written before the first message comes
            self._folded = frozenset(name for name, in store.rows("SELECT id FROM folded"))
        return {index for index, one in enumerate(deliveries) if _name_of(one) in self._folded} if self._folded else ()

    def settle(self, connection: sqlite3.Connection, settled: Sequence[Delivery], waiting: Mapping[Place, Collection[int]],
               now: float, times: Mapping[tuple[str, int | None], float]) -> None:
        """As `Positions.settle`, which see."""
        newest: dict[Place, float] = {}
        for one in settled:
            place = Place(one.topic, one.partition)
            newest[place] = max(newest.get(place, 0.0), one.published)
        for place, many in self.add(connection, settled, now).items():
            more, published = self._counts.setdefault(place, _Count()).settled(many, newest[place], waiting.get(place, ()))
            connection.execute(
                "INSERT INTO counts VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET settled = settled + excluded.settled,"
                " time = max(ifnull(time, excluded.time), ifnull(excluded.time, time)), at = excluded.at,"
                " published = max(published, excluded.published)",
                (*stored(place), more, times.get(place), now, published))

    def add(self, connection: sqlite3.Connection, settled: Iterable[Delivery], now: float) -> Mapping[Place, int]:
        """Remember that these are settled; how many of each place were not so before."""
        names: dict[Place, list[bytes]] = {}
        new: dict[Place, int] = {}
        for one in settled:
            place = Place(one.topic, one.partition)
            new.setdefault(place, 0)
            if one.message is None:
                new[place] += 1
            else:
                names.setdefault(place, []).append(_name_of(one))
        for place, each in names.items():
            new[place] += connection.executemany("INSERT OR IGNORE INTO messages (id, topic, at) VALUES (?, ?, ?)",
                                                 [(name, place.topic, now) for name in each]).rowcount
        self._unpruned += sum(new.values())
        if self._unpruned >= _PRUNE_EVERY:
            self._unpruned = 0
            connection.execute(
                "DELETE FROM messages WHERE number <= (SELECT max(number) FROM messages) - ? AND number <"
                " ifnull((SELECT number FROM messages WHERE at >= ? ORDER BY number LIMIT 1), 1 << 62)", (LAST, now - FOR_S))
        return new


class _Count:
    """Of one place: what this member has settled, told as far as nothing that came before waits.

    What a member that ends has not told stays untold: whoever waits for a number waits longer, and never too short.
    """

    def __init__(self) -> None:
        self._reached = 0, 0.0  # events, and the newest moment that one of them was published at
        self._told = 0
        self._before: dict[int, tuple[int, float]] = {}  # by each that waits: what was reached when it began to

    def settled(self, many: int, published: float, waiting: Collection[int]) -> tuple[int, float]:
        """So many more, and what waits now: how many more are to be told of, and up to which moment."""
        self._before = {number: self._before.get(number, self._reached) for number in waiting}
        self._reached = self._reached[0] + many, max(self._reached[1], published)
        upto, moment = min(self._before.values(), default=self._reached)
        more, self._told = upto - self._told, upto
        return more, moment


def remember_folded(connection: sqlite3.Connection, deliveries: Iterable[Delivery]) -> None:
    """The copies were made of these, too."""
    connection.execute("DELETE FROM folded")
    connection.executemany("INSERT OR IGNORE INTO folded VALUES (?)", [(_name_of(one),) for one in deliveries])


def stored(place: Place) -> tuple[str, int]:
    """The place as the table `counts` has it."""
    return place.topic, NO_PARTITION if place.partition is None else place.partition


def _name_of(delivery: Delivery) -> bytes:
    return blake2b(f"{delivery.topic}\0{delivery.message}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
