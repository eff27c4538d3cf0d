"""Ids of events that were handled: an idempotent consumer handles none of them again. Knows no channel."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from hashlib import blake2b

from eda_cli.event import Delivery
from eda_cli.sketch.resolved import Idempotent
from eda_cli.stubs.interest import Interest
from eda_cli.stubs.store import Store

_AT_ONCE = 500  # ids in one query
_PRUNE_EVERY = 1_000  # ids


class Known:
    """The last so many ids, for so long; as hashes, so that one is as large as another."""

    def __init__(self, store: Store, bounds: Idempotent, interest: Interest) -> None:
        self._store = store
        self._bounds = bounds
        self._interest = interest
        self._batch: dict[bytes, None] = {}
        self._unpruned = _PRUNE_EVERY

    def find(self, deliveries: Sequence[Delivery], now: float) -> Collection[int]:
        """The indexes of those that were handled before; `now` is epoch seconds."""
        ids = [hash_of(delivery, self._interest) for delivery in deliveries]
        found: set[bytes] = set()
        for first in range(0, len(ids), _AT_ONCE):
            some = ids[first:first + _AT_ONCE]
            marks = ",".join("?" * len(some))
            found.update(id_ for id_, in self._store.rows(
                f"SELECT id FROM seen WHERE id IN ({marks}) AND at >= ? AND number > (SELECT max(number) FROM seen) - ?",
                (*some, now - self._bounds.for_s, self._bounds.last)))
        return {index for index, id_ in enumerate(ids) if id_ in found} if found else ()

    def first(self, delivery: Delivery) -> bool:
        """Whether it is the first of its id in this batch; from now on it is in it."""
        id_ = hash_of(delivery, self._interest)
        if id_ in self._batch:
            return False
        self._batch[id_] = None
        return True

    def forget(self, delivery: Delivery) -> None:
        """It failed: another attempt is not a repetition."""
        self._batch.pop(hash_of(delivery, self._interest), None)

    def save(self, connection: sqlite3.Connection, now: float) -> None:
        """Store those of the batch, within a transaction."""
        connection.executemany("INSERT OR REPLACE INTO seen (id, at) VALUES (?, ?)", [(id_, now) for id_ in self._batch])
        self._unpruned += len(self._batch)
        if self._unpruned >= _PRUNE_EVERY:
            self._unpruned = 0
            connection.execute("DELETE FROM seen WHERE number <= (SELECT max(number) FROM seen) - ?", (self._bounds.last,))
            connection.execute("DELETE FROM seen WHERE number < ifnull((SELECT min(number) FROM seen WHERE at >= ?),"
                               " (SELECT max(number) + 1 FROM seen))", (now - self._bounds.for_s,))

    def saved(self) -> None:
        """The batch is stored, or given up."""
        self._batch = {}


def hash_of(delivery: Delivery, interest: Interest) -> bytes:
    """What is remembered of an event's identity: one that was only heard, for a copy, is not handled by that."""
    identity = delivery.identity if interest.reacts(delivery) else f"{delivery.identity}\0{delivery.topic}"
    return blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=16).digest()
