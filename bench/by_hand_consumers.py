"""What a consumer does with its events, as a person would write it by hand with eda's own client and Python's sqlite3.

`python -m bench.by_hand_consumers invoice|keep|fold|window ADDRESS TOPIC NUMBER`, where ADDRESS is a channel's, as JSON.
Each promises what eda's consumers promise: at least once, what it remembers and how far it came in one transaction, and
ids by which everybody sees that an event that is published again is the same. What a kill may have left is settled
already when it comes again, and skipped.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import time_ns
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson

from bench import by_hand
from bench.by_hand import BATCH, WINDOW_S, Stopwatch, say
from eda_cli.channels import connect
from eda_cli.channels.base import EventChannel, Group, Subscription, Topic
from eda_cli.event import Delivery, Event

POLL_S = 0.2
FLUSH_S = 10.0
SOURCE = "/by-hand/bookkeeping"

_TABLES = """
CREATE TABLE positions (topic TEXT, partition INTEGER, next INTEGER NOT NULL, PRIMARY KEY (topic, partition)) WITHOUT ROWID;
CREATE TABLE purchases (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE users (user TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE windows (user TEXT, start INTEGER, n INTEGER NOT NULL, total REAL NOT NULL,
  PRIMARY KEY (user, start)) WITHOUT ROWID;
CREATE INDEX windows_start ON windows (start);
CREATE TABLE closed (upto INTEGER NOT NULL);
INSERT INTO closed VALUES (0);
"""


class Member:
    """Of a group that reads a topic from its beginning, and publishes to one that is made for it."""

    def __init__(self, address: str, topic: str) -> None:
        name = f"by-hand-{time_ns()}"
        group = Group(name, (topic,), "earliest")
        self.to = f"{name}-out"
        self.channel: EventChannel = connect(orjson.loads(address))
        self.channel.declare([Topic(self.to)], [group])
        self.subscription: Subscription = self.channel.subscribe(group)

    def batches(self, count: int) -> Iterator[Sequence[Delivery]]:
        """Its events, until so many came and were worked on: whoever asks for the next batch is done with the one before."""
        while count > 0:
            if heard := self.subscription.poll(POLL_S, BATCH).deliveries:
                yield heard
                self.subscription.done(heard)
                count -= len(heard)
        self.subscription.close()
        self.channel.close()

    def publish(self, events: Sequence[Event]) -> None:
        """They are stored."""
        self.channel.publish(self.to, events)
        self.channel.flush(FLUSH_S)


# --- a rule

def invoice(address: str, topic: str, count: int) -> None:
    """An invoice follows from each purchase."""
    member, watch = Member(address, topic), Stopwatch(count)
    for heard in member.batches(count):
        member.publish([_invoice(one.event) for one in heard])
        watch.through(len(heard))
    say({**watch.lap(), "published": count})


def _invoice(cause: Event) -> Event:
    assert cause.data is not None
    body = orjson.loads(cause.data)
    total = round(sum(item["price"] for item in body["items"]), 2)
    return Event(str(uuid5(NAMESPACE_URL, f"{cause.source}/{cause.id}/invoice")), SOURCE, "invoiceIssued", cause.time,
                 orjson.dumps({"purchase": body["id"], "user": body["user"], "total": total}), cause.key,
                 correlationid=cause.correlationid or cause.id, causationid=cause.id)


# --- what is remembered

@contextmanager
def memory() -> Iterator[sqlite3.Connection]:
    """A file that survives the kill of this process, as eda's do."""
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(Path(folder) / "memory.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_TABLES)
        yield connection
        connection.close()


def unsettled(connection: sqlite3.Connection, heard: Sequence[Delivery]) -> list[Delivery]:
    """Those that are not settled yet; within the transaction that settles them."""
    next_ = {(topic, partition): offset
             for topic, partition, offset in connection.execute("SELECT topic, partition, next FROM positions")}
    new = [one for one in heard if (one.offset or 0) >= next_.get((one.topic, one.partition), 0)]
    connection.executemany(
        "INSERT OR REPLACE INTO positions VALUES (?, ?, ?)",
        [(*place, offset) for place, offset in
         {(one.topic, one.partition): (one.offset or 0) + 1 for one in new}.items()])
    return new


def keep(address: str, topic: str, count: int) -> None:
    """A copy of the purchases by their id."""
    member, watch = Member(address, topic), Stopwatch(count)
    with memory() as connection:
        for heard in member.batches(count):
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                connection.executemany("INSERT OR REPLACE INTO purchases VALUES (?, ?)", [
                    (_body(one)["id"], one.event.data) for one in unsettled(connection, heard)])
            watch.through(len(heard))
    say({**watch.lap(), "published": 0})


def fold(address: str, topic: str, count: int) -> None:
    """How many purchases each user made."""
    member, watch = Member(address, topic), Stopwatch(count)
    with memory() as connection:
        for heard in member.batches(count):
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                counts: dict[str, int] = {}
                for one in unsettled(connection, heard):
                    user = _body(one)["user"]
                    if user not in counts:
                        row = connection.execute("SELECT n FROM users WHERE user = ?", (user,)).fetchone()
                        counts[user] = row[0] if row else 0
                    counts[user] += 1
                connection.executemany("INSERT OR REPLACE INTO users VALUES (?, ?)", counts.items())
            watch.through(len(heard))
    say({**watch.lap(), "published": 0})


def _body(heard: Delivery) -> Any:
    assert heard.event.data is not None
    return orjson.loads(heard.event.data)


# --- windows

def window(address: str, topic: str, count: int) -> None:
    """How many purchases each user made in WINDOW_S, and what their first items cost; says how many windows closed too."""
    member, watch = Member(address, topic), Stopwatch(count)
    told: dict[int | None, float] = {}  # up to which moment the events of a partition tell
    published = 0
    with memory() as connection:
        (closed,) = connection.execute("SELECT upto FROM closed").fetchone()
        for heard in member.batches(count):
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                _gather(connection, unsettled(connection, heard), told, closed)
                upto = int(min(told.values())) // WINDOW_S * WINDOW_S
                if upto > closed:
                    closed = upto
                    published += _close(connection, member, closed)
            watch.through(len(heard))
    say({**watch.lap(), "published": published})


def _gather(connection: sqlite3.Connection, heard: Sequence[Delivery], told: dict[int | None, float], closed: int) -> None:
    added: dict[tuple[str, int], list[Any]] = {}
    for one in heard:
        assert one.event.time is not None
        moment = datetime.fromisoformat(one.event.time).timestamp()
        start = int(moment) // WINDOW_S * WINDOW_S
        if start < closed:
            continue  # it is late
        told[one.partition] = max(moment, told.get(one.partition, 0.0))
        body = _body(one)
        price = body["items"][0]["price"]
        if (sums := added.get((body["user"], start))) is None:
            added[body["user"], start] = [1, price]
        else:
            sums[0] += 1
            sums[1] += price
    connection.executemany(
        "INSERT INTO windows VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n, total = total + excluded.total",
        [(*window, *sums) for window, sums in added.items()])


def _close(connection: sqlite3.Connection, member: Member, upto: int) -> int:
    """Publish the windows whose time is over before the transaction that deletes them: a kill publishes them again."""
    connection.execute("UPDATE closed SET upto = ?", (upto,))
    over = connection.execute("DELETE FROM windows WHERE start < ? RETURNING user, start, n, total", (upto,)).fetchall()
    member.publish([_closed(*row) for row in over])
    return len(over)


def _closed(user: str, start: int, n: int, total: float) -> Event:
    end = datetime.fromtimestamp(start + WINDOW_S, UTC).isoformat()
    body = {"user": user, "n": n, "total": total}
    return Event(str(uuid5(NAMESPACE_URL, f"{SOURCE}/{user}/{start}")), SOURCE, "spendingCounted", end, orjson.dumps(body),
                 user.encode())


if __name__ == "__main__":
    by_hand.main(invoice, keep, fold, window)
