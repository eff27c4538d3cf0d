"""What a consumer remembers: one SQLite file in the run folder, shared by its replicas. Knows the tables, not what they mean.

Whatever a batch of events changes is written in one transaction, so that a kill leaves nothing half done. In WAL mode
with `synchronous=NORMAL` what was committed survives the kill of any process, not a power cut.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eda_cli.errors import Forgetful
from eda_cli.sqlite import error_code, patiently, transaction

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
CREATE TABLE positions (topic TEXT, partition INTEGER, next INTEGER NOT NULL, time REAL, at REAL,
  PRIMARY KEY (topic, partition)) WITHOUT ROWID;
CREATE TABLE ahead (topic TEXT, partition INTEGER, offset INTEGER,
  PRIMARY KEY (topic, partition, offset)) WITHOUT ROWID;
CREATE TABLE messages (number INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE, topic TEXT NOT NULL,
  at REAL NOT NULL);
CREATE TABLE folded (id BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE counts (topic TEXT, partition INTEGER, settled INTEGER NOT NULL, time REAL, at REAL, published REAL,
  PRIMARY KEY (topic, partition)) WITHOUT ROWID;
CREATE TABLE copy (name TEXT, key TEXT, row BLOB NOT NULL, PRIMARY KEY (name, key)) WITHOUT ROWID;
CREATE TABLE seen (number INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE, at REAL NOT NULL);
CREATE TABLE spools (process TEXT PRIMARY KEY, batch BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE timers (number INTEGER PRIMARY KEY AUTOINCREMENT, due REAL NOT NULL, event BLOB NOT NULL, unless BLOB);
CREATE INDEX timers_due ON timers (due);
CREATE TABLE heard (topic TEXT, key BLOB, published REAL NOT NULL, partition INTEGER, offset INTEGER, at REAL NOT NULL,
  PRIMARY KEY (topic, key)) WITHOUT ROWID;
CREATE TABLE attempts (identity TEXT PRIMARY KEY, failures INTEGER NOT NULL, deaths INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE windows (start REAL, key BLOB, end REAL NOT NULL, state BLOB NOT NULL, PRIMARY KEY (start, key)) WITHOUT ROWID;
CREATE INDEX windows_end ON windows (end);
CREATE TABLE pairs (ours INTEGER, key BLOB, published REAL, identity TEXT, at REAL NOT NULL, event BLOB NOT NULL,
  PRIMARY KEY (ours, key, published, identity)) WITHOUT ROWID;
CREATE INDEX pairs_at ON pairs (at);
"""

Row = tuple[Any, ...]


def store_path(folder: Path, consumer: str) -> Path:
    """Where a consumer of a run remembers."""
    return folder / f"{consumer}.memory.db"


class Store:
    """One connection to the file, which is made with these tables where there is none. Raises Forgetful alone."""

    def __init__(self, path: Path, tables: str = _TABLES, whose: str = "the consumer") -> None:
        self._path = path
        self._tables = tables
        self._whose = whose
        self._version = -1
        with self._mapped():
            self._connection = sqlite3.connect(path, timeout=0, isolation_level=None, cached_statements=256)
            patiently(self._prepare)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the file's lock: all of it is stored, or nothing."""
        with self._mapped(), transaction(self._connection) as connection:
            yield connection

    def changed(self) -> bool:
        """Whether anybody else has written since this was asked last: what was read before may be otherwise now.

        Ask within a transaction: then nobody does until it ends.
        """
        before = self._version
        self._version = self.rows("PRAGMA data_version")[0][0]
        return self._version != before

    def rows(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query, within a transaction or without."""
        with self._mapped():
            return patiently(lambda: self._connection.execute(sql, args).fetchall())

    def meta(self, name: str) -> Any:
        """A value by its name; None where there is none."""
        rows = self.rows("SELECT value FROM meta WHERE name = ?", (name,))
        return rows[0][0] if rows else None

    def close(self) -> None:
        with self._mapped():
            self._connection.close()

    def _prepare(self) -> None:
        connection = self._connection
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            try:
                if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:  # nobody was quicker
                    for statement in self._tables.split(";"):
                        connection.execute(statement)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # a full disk has ended it already
                    connection.execute("ROLLBACK")
                raise
        for setting in ("synchronous = NORMAL", "journal_size_limit = 67108864"):
            connection.execute(f"PRAGMA {setting}")

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as wrong:
            full = error_code(wrong) == sqlite3.SQLITE_FULL
            raise Forgetful(f"what {self._whose} remembers cannot be read or written", f"{self._path.name}: {wrong}",
                            "is the disk full?" if full else "begin anew with --fresh") from wrong


def set_meta(connection: sqlite3.Connection, name: str, value: Any) -> None:
    """Store a value under its name."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


def forget_topics(connection: sqlite3.Connection, topics: Iterable[str]) -> None:
    """Nothing was handled of these topics; own copies are to be made anew."""
    for topic in topics:
        for table in ("positions", "ahead", "heard", "messages", "counts"):
            connection.execute(f"DELETE FROM {table} WHERE topic = ?", (topic,))
    set_meta(connection, "copies", None)
