"""Joins: an event and its counterpart of another topic, whichever comes first. Knows no clock and no channel."""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

from eda_cli.event import Delivery, Event
from eda_cli.payloads import Context, Dice, Seen, body_unread, compile_value, seen_beside
from eda_cli.sketch.resolved import Join
from eda_cli.stubs.forms import OTHERS_BODY, body_of, key_of, moment_of, seen_of
from eda_cli.stubs.packing import fields_of
from eda_cli.stubs.reactions import Cause
from eda_cli.stubs.store import Store

KEEP_S = 600.0  # how much longer than `within` one waits: topics may be read at different speeds


class Pair(NamedTuple):
    """Two that belong together: what follows from them, and what its rules see."""

    cause: Cause
    seen: Seen


class Joins:
    """The events that wait for their counterpart. Moments are epoch seconds."""

    def __init__(self, store: Store, join: Join) -> None:
        self._store = store
        self._join = join
        self._by = {True: compile_value(join.by, "rule"), False: compile_value(join.with_by, "rule")}
        self._dice = Dice(0, "join")
        self._batch: dict[tuple[bool, bytes], list[Delivery]] = {}  # waiting, and not stored yet; by side and key

    def meet(self, delivery: Delivery, seen: Seen) -> tuple[bytes | None, Sequence[Pair]]:
        """Its key, and the pairs that it makes with those that came before it. Raises PayloadError."""
        ours = delivery.topic != self._join.topic
        key = key_of(self._by[ours](Context(self._dice.roll(delivery.identity), moment_of(delivery), seen=seen)))
        if key is None:
            return None, ()
        within = self._join.within_s
        stored = [_unpacked(event) for event, in self._store.rows(
            "SELECT event FROM pairs WHERE ours = ? AND key = ? AND published BETWEEN ? AND ? ORDER BY published",
            (not ours, key, delivery.published - within, delivery.published + within))]
        others = {other.identity: other for other in stored}
        others.update((other.identity, other) for other in self._batch.get((not ours, key), ())
                      if abs(other.published - delivery.published) <= within)
        if ours:
            return key, [_pair(delivery, other, seen, body_of(other.event, OTHERS_BODY)) for other in others.values()]
        return key, [_pair(other, delivery, _with_copies(seen_of(other, OTHERS_BODY), seen), body_unread(seen))
                     for other in others.values()]

    def wait(self, delivery: Delivery, key: bytes) -> None:
        """It is handled: counterparts may come after it."""
        self._batch.setdefault((delivery.topic != self._join.topic, key), []).append(delivery)

    def save(self, connection: sqlite3.Connection, now: float) -> None:
        """Store those of the batch, within a transaction."""
        connection.executemany("INSERT OR REPLACE INTO pairs VALUES (?, ?, ?, ?, ?, ?)", [
            (ours, key, one.published, one.identity, now, _packed(one))
            for (ours, key), waiting in self._batch.items() for one in waiting])

    def saved(self) -> None:
        """It is stored, or given up."""
        self._batch = {}

    def begin(self, connection: sqlite3.Connection, now: float) -> None:
        """Those that wait do so anew: while nobody was there, no counterpart could come."""
        connection.execute("UPDATE pairs SET at = ?", (now,))

    def prune(self, connection: sqlite3.Connection, now: float) -> None:
        """Those whose counterpart would come too late."""
        connection.execute("DELETE FROM pairs WHERE at < ?", (now - self._join.within_s - KEEP_S,))


def _pair(ours: Delivery, theirs: Delivery, seen: Seen, joined: Any) -> Pair:
    cause = Cause(f"{ours.identity}+{theirs.identity}", ours.event, max(moment_of(ours), moment_of(theirs)))
    return Pair(cause, seen_beside(seen, joined=joined))


def _with_copies(ours: Seen, theirs: Seen) -> Seen:
    ours.copy, ours.was = theirs.copy, theirs.was
    return ours


def _packed(delivery: Delivery) -> bytes:
    return pickle.dumps((fields_of(delivery.event), delivery.topic, delivery.partition, delivery.offset, delivery.published,
                         None, delivery.message), 5)


def _unpacked(data: bytes) -> Delivery:
    fields, *place = pickle.loads(data)
    return Delivery(Event(*fields), *place)
