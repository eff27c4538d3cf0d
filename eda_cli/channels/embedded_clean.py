"""Retention, compaction and removal on the embedded channel, done by whoever writes. Knows no group.

A little at a time: each transaction takes CHUNK offsets, so nobody waits long for the file's lock, and a kill
leaves only what the next writer goes on with.
"""

from __future__ import annotations

import time
from sqlite3 import Connection

from eda_cli.channels.embedded_log import OFFSET_BITS, Log, logs_of, seek
from eda_cli.channels.embedded_store import Store

CHUNK = 1000
TAIL = 1000  # so many of the newest events of a partition are not compacted: who follows closely misses none
TOMBSTONE_S = 86_400  # as Kafka's delete.retention.ms


def clean(store: Store, topic: str) -> None:
    """What the topic's retention or compaction asks for now."""
    row = store.row("SELECT retention, compacted FROM topics WHERE name = ?", (topic,))
    retention, compacted = row or (None, False)
    if retention is None and not compacted:
        return
    for log in logs_of(store, topic):
        if retention is not None:
            _expire(store, log, time.time_ns() // 1000 - retention)
        if compacted:
            compact(store, log.id)
            _bury(store, log)


def _expire(store: Store, log: Log, published: int) -> None:
    """Delete what was published before these epoch microseconds; the first offset moves up with it."""
    until = seek(store, log, published)
    while log.first < until:
        with store.write() as connection:
            log.first = _cut(connection, log, until)


def _cut(connection: Connection, log: Log, until: int) -> int:
    row = connection.execute("SELECT first FROM partitions WHERE id = ?", (log.id,)).fetchone()
    first: int = row[0] if row else until  # no row: the topic was removed meanwhile
    upto = min(until, first + CHUNK)
    if upto <= first:
        return first
    gone = (log.base + first, log.base + upto)
    connection.execute("DELETE FROM events WHERE place >= ? AND place < ?", gone)
    survivors = connection.execute("DELETE FROM latest WHERE place >= ? AND place < ?", gone).rowcount
    connection.execute("UPDATE partitions SET first = ?, cleaned = max(cleaned, ?), kept = kept - ?"
                       " WHERE id = ?", (upto, upto, survivors, log.id))
    return upto


def compact(store: Store, partition: int) -> None:
    """Keep the newest event of each key, but for the tail. Its cost does not grow with the log."""
    while True:
        row = store.row("SELECT end - cleaned FROM partitions WHERE id = ?", (partition,))
        if row is None or row[0] < TAIL + CHUNK:
            return
        with store.write() as connection:
            _compact_chunk(connection, partition)


def _compact_chunk(connection: Connection, partition: int) -> None:
    row = connection.execute("SELECT cleaned, end, kept FROM partitions WHERE id = ?",
                             (partition,)).fetchone()
    if row is None or row[1] - row[0] < TAIL + CHUNK:
        return
    cleaned, _, kept = row
    low = partition << OFFSET_BITS | cleaned
    chunk = (low, low + CHUNK)
    # First within the chunk, so that each of its keys is there once; then what it supersedes below.
    connection.execute(
        "DELETE FROM events WHERE place >= ? AND place < ? AND key IS NOT NULL AND place NOT IN"
        " (SELECT max(place) FROM events WHERE place >= ? AND place < ? GROUP BY key)", (*chunk, *chunk))
    superseded = connection.execute(
        "DELETE FROM events WHERE place IN (SELECT l.place FROM events e JOIN latest l"
        " ON l.partition = ? AND l.key = e.key WHERE e.place >= ? AND e.place < ?)",
        (partition, *chunk)).rowcount
    dies = time.time_ns() // 1000 + TOMBSTONE_S * 1_000_000
    survivors = connection.execute(
        "INSERT OR REPLACE INTO latest SELECT place, ?, key, iif(value IS NULL, ?, NULL) FROM events"
        " WHERE place >= ? AND place < ? AND key IS NOT NULL", (partition, dies, *chunk)).rowcount
    connection.execute("UPDATE partitions SET cleaned = ?, kept = ? WHERE id = ?",
                       (cleaned + CHUNK, kept + survivors - superseded, partition))


def _bury(store: Store, log: Log) -> None:
    """Drop the tombstones that everybody had the time to see."""
    while dead := store.rows(
            "SELECT place FROM latest WHERE dies < ? AND place >= ? AND place < ? LIMIT ?",
            (time.time_ns() // 1000, log.base, log.base + log.end, CHUNK)):
        with store.write() as connection:
            connection.executemany("DELETE FROM events WHERE place = ?", dead)
            buried = connection.executemany("DELETE FROM latest WHERE place = ?", dead).rowcount
            connection.execute("UPDATE partitions SET kept = kept - ? WHERE id = ?", (buried, log.id))


def remove(connection: Connection, topic: str) -> None:
    """The topic is gone at once; `sweep` deletes its events."""
    connection.execute("INSERT INTO garbage SELECT p.id << ?, p.id + 1 << ? FROM partitions p"
                       " JOIN topics t ON t.id = p.topic WHERE t.name = ?", (OFFSET_BITS, OFFSET_BITS, topic))
    connection.execute("DELETE FROM topics WHERE name = ?", (topic,))


def sweep(store: Store) -> None:
    """Delete the events of removed topics."""
    while store.row("SELECT 1 FROM garbage"):
        with store.write() as connection:
            _sweep_chunk(connection)


def _sweep_chunk(connection: Connection) -> None:
    row = connection.execute("SELECT low, high FROM garbage").fetchone()
    if row is None:
        return
    low, high = row
    kept_on = connection.execute("SELECT place FROM events WHERE place >= ? AND place < ? ORDER BY place"
                                 " LIMIT 1 OFFSET ?", (low, high, CHUNK)).fetchone()
    upto = kept_on[0] if kept_on else high
    connection.execute("DELETE FROM events WHERE place >= ? AND place < ?", (low, upto))
    connection.execute("DELETE FROM latest WHERE place >= ? AND place < ?", (low, upto))
    connection.execute("DELETE FROM garbage WHERE low = ?", (low,))
    if kept_on:
        connection.execute("INSERT INTO garbage VALUES (?, ?)", (upto, high))
