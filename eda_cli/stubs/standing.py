"""Where the entities of a generator stand: `<part>.entities.db` in the run folder, shared by its replicas. Knows no value.

A batch lies in its replica's spool before it is published, with what it changes here: so each change is taken in at
least once, and one that is there already changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from eda_cli.stubs.store import Store

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
CREATE TABLE entities (entity INTEGER PRIMARY KEY, step INTEGER NOT NULL, due REAL NOT NULL, state TEXT NOT NULL, own BLOB);
CREATE TABLE clocks (process TEXT PRIMARY KEY, replicas INTEGER NOT NULL, position REAL NOT NULL) WITHOUT ROWID;
"""
_LATER = """INSERT INTO entities VALUES (?, ?, ?, ?, ?) ON CONFLICT (entity) DO UPDATE SET
  step = excluded.step, due = excluded.due, state = excluded.state, own = excluded.own WHERE excluded.step > entities.step"""


class Row(NamedTuple):
    """An entity that has spoken: its next step, when that is due, the state it is in, and what it has in it."""

    entity: int
    step: int
    due: float
    state: str = ""
    own: bytes | None = None


class Change(NamedTuple):
    """What a batch changes: rows, and how far the clock of a replica (one of so many) is."""

    process: str
    replicas: int
    position: float
    rows: Sequence[Row]


class Standing:
    """What is kept of a generator's entities: those that never spoke have no row. Raises Forgetful alone."""

    def __init__(self, folder: Path, part: str) -> None:
        self._store = Store(folder / f"{part}.entities.db", _TABLES, "the generator")

    def take_in(self, change: Sequence[Any]) -> None:
        """Keep a change, which may be there already: what is newer stays."""
        process, replicas, position, rows = change
        with self._store.write() as connection:
            connection.executemany(_LATER, rows)
            connection.execute("""INSERT INTO clocks VALUES (?, ?, ?) ON CONFLICT (process) DO UPDATE SET
                position = CASE WHEN replicas = excluded.replicas THEN max(position, excluded.position)
                           ELSE excluded.position END, replicas = excluded.replicas""", (process, replicas, position))

    def rows(self, replica: int, replicas: int) -> list[Row]:
        """Those of the entities that belong to a replica."""
        return [Row(*row) for row in self._store.rows(
            "SELECT entity, step, due, state, own FROM entities WHERE (entity - 1) % ? = ?", (replicas, replica - 1))]

    def position(self, process: str, replicas: int) -> float:
        """How far the clock of a replica is; where it had none among so many, how far the foremost one is."""
        own = self._store.rows("SELECT position FROM clocks WHERE process = ? AND replicas = ?", (process, replicas))
        return float((own or self._store.rows("SELECT coalesce(max(position), 0.0) FROM clocks"))[0][0])

    def began(self) -> float:
        """When the generator began, in epoch seconds: now, where it was never asked."""
        with self._store.write() as connection:
            connection.execute("INSERT OR IGNORE INTO meta VALUES ('began', ?)", (time.time(),))
        return float(self._store.meta("began"))

    def close(self) -> None:
        self._store.close()
