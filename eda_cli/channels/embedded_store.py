"""The SQLite file of the embedded channel: opening it, transactions, and its errors in our words.

Knows the tables, but not what publishing or sharing means. `synchronous=NORMAL` in WAL mode: what was
committed survives the kill of any process, not a power cut.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eda_cli.errors import BrokerUnreachable, ChannelError
from eda_cli.sqlite import PATIENCE_S, error_code, patiently, transaction

APPLICATION_ID = 0x65646101  # "eda" and a one: what `file events.db` shows
SCHEMA = 1

_FRESH = "a run begins anew with --fresh"

# An event lies at `partition << 40 | offset`: a partition is one range of the table, and a publish appends.
# The value comes last: what stands behind a large one is slow to reach. The id of a removed partition never
# comes again (AUTOINCREMENT), neither does a member's, which is the token that fences off who lost a place.
_TABLES = """
CREATE TABLE topics (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
  retention INTEGER, compacted INTEGER NOT NULL);
CREATE TABLE partitions (id INTEGER PRIMARY KEY AUTOINCREMENT,
  topic INTEGER NOT NULL REFERENCES topics ON DELETE CASCADE, number INTEGER NOT NULL,
  first INTEGER NOT NULL DEFAULT 0, end INTEGER NOT NULL DEFAULT 0, published INTEGER NOT NULL DEFAULT 0,
  cleaned INTEGER NOT NULL DEFAULT 0, kept INTEGER NOT NULL DEFAULT 0, UNIQUE (topic, number));
CREATE TABLE events (place INTEGER PRIMARY KEY, published INTEGER NOT NULL,
  key BLOB, attributes BLOB, value BLOB);
CREATE TABLE latest (place INTEGER PRIMARY KEY, partition INTEGER NOT NULL, key BLOB NOT NULL, dies INTEGER);
CREATE UNIQUE INDEX latest_key ON latest (partition, key);
CREATE INDEX latest_dies ON latest (dies) WHERE dies IS NOT NULL;
CREATE TABLE garbage (low INTEGER PRIMARY KEY, high INTEGER NOT NULL);
CREATE TABLE groups (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
  generation INTEGER NOT NULL DEFAULT 0);
CREATE TABLE group_topics (grp INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE, topic TEXT NOT NULL,
  PRIMARY KEY (grp, topic)) WITHOUT ROWID;
CREATE TABLE committed (grp INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,
  partition INTEGER NOT NULL REFERENCES partitions ON DELETE CASCADE, next INTEGER NOT NULL,
  PRIMARY KEY (grp, partition)) WITHOUT ROWID;
CREATE INDEX committed_partition ON committed (partition);
CREATE TABLE members (id INTEGER PRIMARY KEY AUTOINCREMENT,
  grp INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE, pid INTEGER NOT NULL, lease REAL NOT NULL);
CREATE TABLE member_topics (member INTEGER NOT NULL REFERENCES members ON DELETE CASCADE,
  topic TEXT NOT NULL, PRIMARY KEY (member, topic)) WITHOUT ROWID;
CREATE TABLE places (grp INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,
  partition INTEGER NOT NULL REFERENCES partitions ON DELETE CASCADE, owner INTEGER, wanted INTEGER NOT NULL,
  PRIMARY KEY (grp, partition)) WITHOUT ROWID;
CREATE INDEX places_partition ON places (partition);
"""

Row = tuple[Any, ...]


class Store:
    """One connection to the file, made with its tables where there is none. Raises ChannelError alone."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.written = 0  # transactions of this connection
        self._version: int | None = None
        with mapped(path):
            # Waiting for the lock is ours: SQLite's own busy wait costs up to 0.7 s under contention.
            self._connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
            try:
                _prepare(self._connection, path)
                self._file = _identity(path)
            except BaseException:
                self._connection.close()
                raise

    def rows(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query: an open cursor would keep the log from being checkpointed."""
        with mapped(self.path):
            return patiently(lambda: self._connection.execute(sql, args).fetchall())

    def row(self, sql: str, args: Sequence[Any] = ()) -> Row | None:
        """The first row of a query, if there is one."""
        rows = self.rows(sql, args)
        return rows[0] if rows else None

    def cursor(self, sql: str, args: Sequence[Any] = ()) -> sqlite3.Cursor:
        """A query to be read and closed at once, within `mapped`."""
        return patiently(lambda: self._connection.execute(sql, args))

    @contextmanager
    def write(self, patience_s: float = PATIENCE_S) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the file's lock: all of it is stored, or nothing."""
        with mapped(self.path):
            self.look()
            with transaction(self._connection, patience_s) as connection:
                yield connection
            self.written += 1

    def changed(self) -> bool:
        """Whether another connection has committed since this was last asked; True the first time."""
        before, self._version = self._version, self.moment()[0]
        return before != self._version

    def moment(self) -> tuple[int, int]:
        """A number that changes when another connection commits, and one that does when this one does."""
        with mapped(self.path):
            version: int = patiently(lambda: self._connection.execute("PRAGMA data_version").fetchone()[0])
        return version, self.written

    def look(self) -> None:
        """Raises BrokerUnreachable where the file was removed: SQLite would go on in one nobody can find."""
        if _identity(self.path) != self._file:
            raise BrokerUnreachable("the events are gone", f"{self.path} was removed or replaced")

    def close(self) -> None:
        with mapped(self.path):
            self._connection.close()


@contextmanager
def mapped(path: str) -> Iterator[None]:
    """The seam: SQLite's errors become ours."""
    try:
        yield
    except (sqlite3.Error, UnicodeEncodeError, OverflowError) as error:
        raise _in_our_words(error, path) from error


def _in_our_words(error: Exception, path: str) -> ChannelError:
    match error_code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return BrokerUnreachable("the event file is locked", f"{path}: another process keeps it")
        case sqlite3.SQLITE_CANTOPEN:
            return BrokerUnreachable("cannot open the event file", f"{path}: {_why_closed(path)}")
        case sqlite3.SQLITE_FULL:
            return ChannelError("the event is not stored: the disk is full", path)
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return ChannelError("the event file is damaged", f"{path}: {error}", _FRESH)
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return ChannelError("the event file cannot be written", f"{path}: {error}")
        case sqlite3.SQLITE_IOERR:
            return ChannelError("the event file cannot be read or written", f"{path}: {error}")
        case _:
            return ChannelError("the embedded channel failed", f"{path}: {error}")


def _why_closed(path: str) -> str:
    file = Path(path)
    if not file.parent.is_dir():
        return "its folder does not exist"
    return "it is a folder" if file.is_dir() else "no right to it"


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - asked before every transaction, Path costs four times as much
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    if patiently(lambda: _is_new(connection, path)):
        # Both stay with the file; setting them needs it alone, and several processes may be here at once.
        patiently(lambda: connection.execute("PRAGMA page_size = 8192"))
        patiently(lambda: connection.execute("PRAGMA journal_mode = WAL"))
        _make(connection, path)
    mode = patiently(lambda: connection.execute("PRAGMA journal_mode").fetchone()[0])
    if mode != "wal":
        raise ChannelError("the embedded channel does not work here",
                           f"{path}: its file system cannot share memory", "put EDA_HOME on a local disk")
    for setting in ("synchronous = NORMAL", "foreign_keys = ON", "journal_size_limit = 67108864"):
        connection.execute(f"PRAGMA {setting}")


def _is_new(connection: sqlite3.Connection, path: str) -> bool:
    # In one statement, so that all three are of one moment: others may be making the file right now.
    application, schema, tables = connection.execute(
        "SELECT a.application_id, u.user_version, (SELECT count(*) FROM sqlite_master)"
        " FROM pragma_application_id a, pragma_user_version u").fetchone()
    if not tables:
        return True
    if application != APPLICATION_ID:
        raise ChannelError("this is no event file", f"{path} is a database of something else")
    if schema != SCHEMA:
        raise ChannelError("this event file is of another version of eda",
                           f"{path} has format {schema}, not {SCHEMA}", _FRESH)
    return False


def _make(connection: sqlite3.Connection, path: str) -> None:
    patiently(lambda: connection.execute("BEGIN IMMEDIATE"))
    try:
        if _is_new(connection, path):
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
