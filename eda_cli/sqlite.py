"""An SQLite file that several processes share: waiting for its lock, writing under it. Knows no table.

SQLite's own busy wait costs up to 0.7 s under contention; this one a few milliseconds.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

PATIENCE_S = 30.0  # for the lock of the file; a writer holds it for milliseconds

T = TypeVar("T")


def patiently(attempt: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """The result of `attempt`, which is repeated for so long while another connection holds the lock."""
    deadline = 0.0
    while True:
        try:
            return attempt()
        except sqlite3.OperationalError as error:
            if error_code(error) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            now = time.monotonic()
            deadline = deadline or now + patience_s
            if now >= deadline:
                raise
        time.sleep(random.uniform(0.0003, 0.001))


@contextmanager
def transaction(connection: sqlite3.Connection, patience_s: float = PATIENCE_S) -> Iterator[sqlite3.Connection]:
    """A transaction that holds the file's lock: all of it is stored, or nothing."""
    patiently(lambda: connection.execute("BEGIN IMMEDIATE"), patience_s)
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        raise


def error_code(error: Exception) -> int:
    """SQLite's code of an error, 0 for any other."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # the upper bytes tell finer than we say
