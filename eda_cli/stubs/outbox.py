"""What a consumer is to publish: stored in the transaction that decided it, published after, repeated by the same bytes.

`Spool` is the batch that a process publishes now; `Timers` are events that wait for their moment. Knows no channel.
"""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from eda_cli.event import Delivery, Event
from eda_cli.stubs.packing import fields_of
from eda_cli.stubs.reactions import Later
from eda_cli.stubs.store import Store

AT_ONCE = 500  # timers that are published together
HEARD_S = 600.0  # how much longer than the longest timer an event is remembered that makes one needless

Batch = Mapping[str, Sequence[Event]]  # by topic


class Spool:
    """The batch of each process: one row, replaced by the next one."""

    def __init__(self, store: Store, process: str) -> None:
        self._store = store
        self._process = process
        self._written = False

    def write(self, connection: sqlite3.Connection, batch: Batch) -> None:
        """This process is about to publish these; what it stored before is published."""
        if batch:
            connection.execute("INSERT OR REPLACE INTO spools VALUES (?, ?)", (self._process, _packed(batch)))
            self._written = True
        else:
            self._clear(connection)

    def left(self) -> Batch:
        """What this process may have left unpublished before it was started again."""
        batch = self.of(self._process)
        self._written = bool(batch)
        return unpacked(batch)

    def others(self) -> list[str]:
        """Other processes that have something there."""
        return [process for process, in self._store.rows("SELECT process FROM spools WHERE process != ?", (self._process,))]

    def drop(self) -> None:
        """What this process had is published."""
        if self._written:
            with self._store.write() as connection:
                self._clear(connection)

    def of(self, process: str) -> bytes:
        """The packed batch of a process; empty where there is none."""
        rows = self._store.rows("SELECT batch FROM spools WHERE process = ?", (process,))
        return bytes(rows[0][0]) if rows else b""

    def drop_of(self, process: str, batch: bytes) -> None:
        """What another process left is published, and dropped unless it has come back and has a new one."""
        with self._store.write() as connection:
            connection.execute("DELETE FROM spools WHERE process = ? AND batch = ?", (process, batch))

    def _clear(self, connection: sqlite3.Connection) -> None:
        if self._written:
            connection.execute("DELETE FROM spools WHERE process = ?", (self._process,))
            self._written = False


class Due(NamedTuple):
    """A timer whose moment came; `certain` where nothing could make it needless any more."""

    number: int
    due: float
    topic: str
    event: Event
    certain: bool


class Origin(NamedTuple):
    """Where the event lies that a timer was set for: what makes it needless comes behind that."""

    topic: str
    partition: int | None
    offset: int | None
    published: float


class Timers:
    """Events that wait for their moment. Moments are epoch seconds."""

    def __init__(self, longest_s: float) -> None:
        self._keep_s = longest_s + HEARD_S

    def set(self, connection: sqlite3.Connection, cause: Origin, later: Sequence[Later], now: float) -> None:
        """These follow from an event that is handled now."""
        connection.executemany("INSERT INTO timers (due, event, unless) VALUES (?, ?, ?)", [
            (now + one.after_s, pickle.dumps((one.topic, fields_of(one.event)), 5),
             pickle.dumps((one.unless, tuple(cause)), 5) if one.unless else None) for one in later])

    def hear(self, connection: sqlite3.Connection, deliveries: Sequence[Delivery], now: float) -> None:
        """These came to topics that timers wait for."""
        connection.executemany(
            "INSERT INTO heard VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " published = max(published, excluded.published), partition = excluded.partition, at = excluded.at,"
            " offset = iif(partition IS excluded.partition, max(offset, excluded.offset), excluded.offset)",
            [(one.topic, one.event.key, one.published, one.partition, one.offset, now)
             for one in deliveries if one.event.key is not None])

    def next_due(self, store: Store) -> float | None:
        """The moment of the next one; None where there is none."""
        due: float | None = store.rows("SELECT min(due) FROM timers")[0][0]
        return due

    def due(self, connection: sqlite3.Connection, now: float) -> list[Due]:
        """Those whose moment came. What was made needless is gone."""
        found = connection.execute("SELECT number, due, event, unless FROM timers WHERE due <= ? ORDER BY due, number LIMIT ?",
                                   (now, AT_ONCE)).fetchall()
        due: list[Due] = []
        needless: list[tuple[int]] = []
        for number, moment, event, unless in found:
            if unless is not None and _came(connection, *pickle.loads(unless)):
                needless.append((number,))
                continue
            topic, fields = pickle.loads(event)
            due.append(Due(number, moment, topic, Event(*fields), unless is None))
        connection.executemany("DELETE FROM timers WHERE number = ?", needless)
        return due

    def drop(self, connection: sqlite3.Connection, due: Sequence[Due]) -> None:
        """These are published with the batch that the transaction writes."""
        connection.executemany("DELETE FROM timers WHERE number = ?", [(one.number,) for one in due])

    def prune(self, connection: sqlite3.Connection, now: float) -> None:
        """Forget what came so long ago that no timer asks for it any more, be it overdue."""
        connection.execute("DELETE FROM heard WHERE at < min(?, ifnull((SELECT min(due) FROM timers), ?)) - ?",
                           (now, now, self._keep_s))


def _came(connection: sqlite3.Connection, unless: Sequence[tuple[str, bytes]],
          cause: tuple[str, int | None, int | None, float]) -> bool:
    """Whether one of these came after the cause: behind it in its partition, else not published before it.

    Where there are no offsets, what is behind it in its place is what was published after it: it may be heard itself.
    """
    topic, partition, offset, published = cause
    for awaited, key in unless:
        for at, place, number in connection.execute(
                "SELECT published, partition, offset FROM heard WHERE topic = ? AND key = ?", (awaited, key)):
            if (awaited, place) != (topic, partition):
                behind = at >= published
            elif offset is None or number is None:
                behind = at > published
            else:
                behind = number > offset
            if behind:
                return True
    return False


def _packed(batch: Batch) -> bytes:
    # pickle, as the fastest that keeps bytes; the folder is the user's own (mode 0700), as is its code
    return pickle.dumps([(topic, [fields_of(event) for event in events]) for topic, events in batch.items()], 5)


def unpacked(data: bytes) -> Batch:
    """What `Spool.of` gave."""
    if not data:
        return {}
    return {topic: [Event(*fields) for fields in events] for topic, events in pickle.loads(data)}

