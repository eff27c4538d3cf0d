"""The file that a consumer remembers in: all of a batch or nothing, and one kind of error."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from eda_cli.errors import Forgetful
from eda_cli.stubs.store import Store, set_meta
from tests.stubs.playing import Killed


@pytest.mark.parametrize("wrong", [Killed, ValueError])
def test_what_breaks_off_is_not_there(tmp_path: Path, wrong: type[BaseException]) -> None:
    with closing(Store(tmp_path / "s.db")) as store:
        with pytest.raises(wrong), store.write() as connection:
            set_meta(connection, "a", 1)
            raise wrong
        with store.write() as connection:
            set_meta(connection, "b", 2)
    with closing(Store(tmp_path / "s.db")) as store:
        assert (store.meta("a"), store.meta("b")) == (None, 2)


def test_a_full_disk_is_said_and_leaves_what_there_was(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "s.db")) as store:
        with store.write() as connection:
            set_meta(connection, "a", 1)
        store.rows("PRAGMA max_page_count = 1")
        with pytest.raises(Forgetful) as told, store.write() as connection:
            set_meta(connection, "a", 2)
            set_meta(connection, "b", b"x" * 1_000_000)
        assert told.value.hint == "is the disk full?"
        assert store.meta("a") == 1
        store.rows("PRAGMA max_page_count = 1000000")
        with store.write() as connection:
            set_meta(connection, "a", 3)
        assert store.meta("a") == 3


def test_what_is_no_store_is_said(tmp_path: Path) -> None:
    (tmp_path / "s.db").write_bytes(b"no database at all, " * 100)
    with pytest.raises(Forgetful, match="cannot be read or written"):
        Store(tmp_path / "s.db")
