"""Where a generator keeps what it holds back: `<part>.held.db` in the run folder, shared by its replicas. Knows no event.

A batch lies in its replica's spool before it is published, with what it changes here: so each change is put here at
least once, and one that is there already changes nothing.
"""

from __future__ import annotations

from pathlib import Path

from eda_cli.stubs.held import Change, Packed
from eda_cli.stubs.store import Store

_TABLES = """
CREATE TABLE held (process TEXT, number INTEGER, due REAL NOT NULL, event BLOB NOT NULL, PRIMARY KEY (process, number))
  WITHOUT ROWID
"""


class Shelf:
    """What one replica holds back. There is no file until something is. Raises Forgetful alone."""

    def __init__(self, folder: Path, part: str, process: str) -> None:
        self._path = folder / f"{part}.held.db"
        self._process = process
        self._store = self._opened() if self._path.exists() else None

    def all(self) -> list[Packed]:
        """All of it, in no order."""
        return self._store.rows("SELECT due, number, event FROM held WHERE process = ?", (self._process,)) if self._store else []

    def put(self, change: Change) -> None:
        """Keep a change, which may be there already if it is the last one."""
        if not any(change):
            return
        self._store = self._store or self._opened()
        with self._store.write() as connection:
            connection.executemany("INSERT OR IGNORE INTO held VALUES (?, ?, ?, ?)",
                                   [(self._process, number, due, event) for due, number, event in change.more])
            connection.executemany("DELETE FROM held WHERE process = ? AND number = ?",
                                   [(self._process, number) for number in change.gone])

    def close(self) -> None:
        if self._store:
            self._store.close()

    def _opened(self) -> Store:
        return Store(self._path, _TABLES, "the generator")
