"""Own copies read from outside: beside a writer, after a kill, and where there is nothing."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from eda_cli.errors import EdaError
from eda_cli.stubs.copies import PAGE, StoredCopies

TABLE = "CREATE TABLE copy(name TEXT, key TEXT, row BLOB, PRIMARY KEY(name, key)) WITHOUT ROWID"


def store(path: Path) -> sqlite3.Connection:
    """A consumer's file, as far as copies go."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(TABLE)
    return connection


def put(connection: sqlite3.Connection, name: str, **rows: bytes) -> None:
    connection.executemany("INSERT OR REPLACE INTO copy VALUES (?, ?, ?)", [(name, key, row) for key, row in rows.items()])


def test_a_file_that_is_not_there_is_not_made_and_has_none(tmp_path: Path) -> None:
    path = tmp_path / "billing.db"
    copies = StoredCopies(path)
    assert (copies.counts(), list(copies.rows("a")), copies.row("a", "k"), copies.around("a", "k", 5)) == ({}, [], None, [])
    copies.close()
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_the_table_has_none(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "billing.db")
    connection.execute("CREATE TABLE position(x)")
    connection.close()
    with closing(StoredCopies(tmp_path / "billing.db")) as copies:
        assert copies.counts() == {}


def test_it_reads_what_is_committed_beside_a_writer_and_hinders_nobody(tmp_path: Path) -> None:
    writer = store(tmp_path / "#1 ?.db")
    put(writer, "a", k=b'{"n":1}')
    writer.execute("PRAGMA busy_timeout = 0")
    writer.execute("BEGIN IMMEDIATE")
    put(writer, "a", k=b'{"n":2}')
    copies = StoredCopies(tmp_path / "#1 ?.db")
    rows = copies.rows("a")
    assert next(rows) == ("k", b'{"n":1}')
    writer.execute("COMMIT")
    assert copies.row("a", "k") == b'{"n":2}'
    assert writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0  # not busy, though rows are being read
    writer.close()
    assert copies.counts() == {"a": 1}
    copies.close()


def test_what_a_killed_consumer_committed_is_there(tmp_path: Path) -> None:
    code = ("import os, signal, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
            f"c.execute('PRAGMA journal_mode = WAL'); c.execute('{TABLE}');"
            "c.execute('INSERT INTO copy VALUES (?, ?, ?)', ('a', 'k', b'1')); os.kill(os.getpid(), signal.SIGKILL)")
    assert subprocess.run([sys.executable, "-c", code, tmp_path / "billing.db"], check=False).returncode < 0
    assert (tmp_path / "billing.db-wal").stat().st_size
    with closing(StoredCopies(tmp_path / "billing.db")) as copies:
        assert copies.row("a", "k") == b"1"


def test_rows_come_by_key_over_pages_and_around_a_key(tmp_path: Path) -> None:
    with closing(store(tmp_path / "billing.db")) as writer:
        put(writer, "a", **{f"{n:05}": b"1" for n in range(2 * PAGE + 1)})
        put(writer, "b", x=b"1")
    copies = StoredCopies(tmp_path / "billing.db")
    assert [key for key, _ in copies.rows("a")] == [f"{n:05}" for n in range(2 * PAGE + 1)]
    assert copies.counts() == {"a": 2 * PAGE + 1, "b": 1}
    assert copies.around("a", "00010x", 2) == ["00009", "00010", "00011", "00012"]
    copies.close()


def test_what_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "billing.db").write_bytes(os.urandom(4096))
    with pytest.raises(EdaError, match="cannot be read"):
        StoredCopies(tmp_path / "billing.db")
