"""A consumer's own copies, read from outside while it works or after. Knows no event, and never writes.

They lie in the consumer's file beside what else it remembers: the table `copy`, a row of JSON under each name and key.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from eda_cli.errors import EdaError

PAGE = 1_000  # rows read at once: an open cursor would keep the consumer's log from being checkpointed
PATIENCE_S = 5.0  # a file is locked for moments only, while it is made or after a kill


class StoredCopies:
    """What lies in `path`; a file that is not there yet, or has no copies yet, has none. Raises EdaError alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        if not path.exists():
            return
        try:
            self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=PATIENCE_S,
                                               isolation_level=None)
        except sqlite3.Error as wrong:
            raise self._damaged(wrong) from None
        try:
            kept = self._all("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'copy'")
        except EdaError:
            self.close()
            raise
        if not kept:
            self.close()

    def counts(self) -> dict[str, int]:
        """The copies that have rows, and how many."""
        return dict(self._all("SELECT name, count(*) FROM copy GROUP BY name ORDER BY name"))

    def rows(self, name: str) -> Iterator[tuple[str, bytes]]:
        """The rows of a copy in the order of their keys, each as JSON; what changes meanwhile may be in it or not."""
        page = self._all("SELECT key, row FROM copy WHERE name = ? ORDER BY key LIMIT ?", name, PAGE)
        while page:
            yield from page
            page = self._all("SELECT key, row FROM copy WHERE name = ? AND key > ? ORDER BY key LIMIT ?",
                             name, page[-1][0], PAGE)

    def row(self, name: str, key: str) -> bytes | None:
        """One row as JSON; a key that is no text has none."""
        if not _is_text(key):
            return None
        rows = self._all("SELECT row FROM copy WHERE name = ? AND key = ?", name, key)
        return rows[0][0] if rows else None

    def around(self, name: str, key: str, many: int) -> list[str]:
        """So many keys before and behind a place in the order of keys."""
        if not _is_text(key):
            return []
        before = self._all("SELECT key FROM copy WHERE name = ? AND key < ? ORDER BY key DESC LIMIT ?", name, key, many)
        behind = self._all("SELECT key FROM copy WHERE name = ? AND key > ? ORDER BY key LIMIT ?", name, key, many)
        return [one for one, in (*reversed(before), *behind)]

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _all(self, sql: str, *args: Any) -> Sequence[Any]:
        if self._connection is None:
            return []
        try:
            return self._connection.execute(sql, args).fetchall()
        except sqlite3.Error as wrong:
            raise self._damaged(wrong) from None

    def _damaged(self, wrong: Exception) -> EdaError:
        return EdaError("the own copies cannot be read", f"{self._path}: {wrong}", "make them anew with: eda up --fresh")


def _is_text(key: str) -> bool:
    """Whether it could be a key: what was typed may be bytes that are none."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True
