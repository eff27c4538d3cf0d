"""Publishing to and reading from one SQLite file, as a person would write it by hand with Python's sqlite3.

`python -m bench.by_hand_sqlite publish|consume|tick|listen FILE TOPIC NUMBER`
"""

from __future__ import annotations

import sqlite3
import time

import orjson

from bench import by_hand
from bench.by_hand import BATCH, COMMIT_S, SOURCE, TYPE, Heard, Purchase, Stopwatch, purchases, say

LOOK_S = 0.003  # between two looks at the file when there was nothing new

_TABLES = """
CREATE TABLE IF NOT EXISTS events (place INTEGER PRIMARY KEY, published INTEGER NOT NULL,
  key BLOB, attributes BLOB, value BLOB);
CREATE TABLE IF NOT EXISTS committed (topic TEXT PRIMARY KEY, place INTEGER NOT NULL);
"""


def connect(file: str) -> sqlite3.Connection:
    """The file, with its tables."""
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA page_size = 8192")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.executescript(_TABLES)
    return connection


def store(connection: sqlite3.Connection, batch: list[Purchase]) -> None:
    """One transaction."""
    published = time.time_ns() // 1000
    with connection:
        connection.executemany("INSERT INTO events (published, key, attributes, value) VALUES (?, ?, ?, ?)", [
            (published, event.key,
             orjson.dumps({"id": event.id, "source": SOURCE, "type": TYPE, "time": event.time}), event.value)
            for event in batch])


def read(connection: sqlite3.Connection, after: int) -> list[Heard]:
    """The next events behind a place."""
    rows = connection.execute("SELECT place, published, key, attributes, value FROM events"
                              " WHERE place > ? ORDER BY place LIMIT ?", (after, BATCH)).fetchall()
    heard = []
    for place, published, key, attributes, value in rows:
        about = orjson.loads(attributes)
        heard.append(Heard(about["id"], about["source"], about["type"], about["time"],
                           None if key is None else key.decode(), value, (0, place), published / 1e6))
    return heard


def commit(connection: sqlite3.Connection, topic: str, place: int) -> None:
    """A reader came so far."""
    with connection:
        connection.execute("INSERT OR REPLACE INTO committed VALUES (?, ?)", (topic, place))


def publish(file: str, topic: str, count: int) -> None:
    """So many events, as fast as can be."""
    connection, watch = connect(file), Stopwatch(count)
    for first in range(0, count, BATCH):
        batch = purchases(min(BATCH, count - first))
        store(connection, batch)
        watch.through(len(batch))
    connection.close()
    say(watch.lap())


def consume(file: str, topic: str, count: int) -> None:
    """Read and count so many events from the beginning."""
    connection, watch = connect(file), Stopwatch(count)
    place = handled = 0
    committed = time.monotonic()
    while handled < count:
        if not (heard := read(connection, place)):
            time.sleep(LOOK_S)
            continue
        handled += len(heard)
        place = heard[-1].place[1]
        if time.monotonic() - committed >= COMMIT_S:
            commit(connection, topic, place)
            committed = time.monotonic()
        watch.through(len(heard))
    commit(connection, topic, place)
    connection.close()
    say(watch.lap())


def tick(file: str, topic: str, seconds: int) -> None:
    """One event after the other, 100 a second."""
    connection = connect(file)
    for _ in by_hand.ticks(seconds):
        store(connection, purchases(1))
    connection.close()


def listen(file: str, topic: str, seconds: int) -> None:
    """Wait for what comes from now on; says how many milliseconds after its publishing each was here."""
    connection = connect(file)
    (place,) = connection.execute("SELECT ifnull(max(place), 0) FROM events").fetchone()
    say("ready")
    after_ms: list[float] = []
    until = time.monotonic() + seconds
    committed = 0.0
    while time.monotonic() < until:
        if not (heard := read(connection, place)):
            time.sleep(LOOK_S)
            continue
        now = time.time()
        after_ms += [(now - event.published) * 1000 for event in heard]
        place = heard[-1].place[1]
        if time.monotonic() - committed >= COMMIT_S:
            commit(connection, topic, place)
            committed = time.monotonic()
    connection.close()
    say(after_ms)


if __name__ == "__main__":
    by_hand.main(publish, consume, tick, listen)
