"""Positions, told one by one: what is known, what is ahead, and two members that both take a place for theirs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from eda_cli.channels.base import Place
from eda_cli.event import Delivery, Event
from eda_cli.stubs.positions import Positions
from eda_cli.stubs.store import Row, Store

P = Place("t", 0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "store.db")
    yield opened
    opened.close()


def deliveries(*offsets: int | None, partition: int | None = 0) -> list[Delivery]:
    return [Delivery(Event(None, None, None, None, b""), "t", partition, offset, 0.0) for offset in offsets]


def settle(store: Store, positions: Positions, offsets: Collection[int], waiting: Collection[int] = ()) -> None:
    with store.write() as connection:
        positions.settle(connection, deliveries(*offsets), {P: waiting} if waiting else {}, 0.0)


def stored(store: Store) -> tuple[int | None, list[int]]:
    next_ = store.rows("SELECT next FROM positions WHERE topic = 't' AND partition = 0")
    return next_[0][0] if next_ else None, [offset for offset, in store.rows("SELECT offset FROM ahead ORDER BY offset")]


def test_what_is_settled_is_known_to_whoever_comes(store: Store) -> None:
    settle(store, Positions(), range(5))
    assert stored(store) == (5, [])
    assert Positions().known(store, deliveries(3, 4, 5)) == {0, 1}


def test_behind_one_that_waits_each_is_remembered_until_that_is_settled(store: Store) -> None:
    positions = Positions()
    settle(store, positions, [0, 1, 3, 4], [2])
    assert stored(store) == (2, [3, 4])
    assert Positions().known(store, deliveries(1, 2, 3, 4, 5)) == {0, 2, 3}
    settle(store, positions, [6], [2, 5])
    settle(store, positions, [2], [5])
    assert stored(store)[0] == 5
    settle(store, positions, [5])
    assert stored(store) == (7, [])


def test_a_compacted_log_has_gaps_that_nobody_waits_for(store: Store) -> None:
    positions = Positions()
    settle(store, positions, [3, 9, 40])
    assert stored(store) == (41, [])


def test_a_place_that_comes_again_begins_where_it_is_and_not_where_it_was(store: Store) -> None:
    positions = Positions()
    settle(store, positions, [0, 1, 3, 4], [2])
    positions.drop([P])
    settle(store, positions, [0])  # it comes again from there; 2 is not taken yet
    assert stored(store)[0] == 2


def test_who_lost_a_place_without_knowing_it_takes_nothing_back(store: Store) -> None:
    zombie, owner = Positions(), Positions()
    settle(store, zombie, [0, 1, 3], [2])
    settle(store, owner, range(10))
    settle(store, zombie, [4, 5], [2])
    assert stored(store) == (10, [])
    settle(store, zombie, [2])
    assert stored(store) == (10, [])


def test_what_it_settles_just_at_the_position_of_its_new_owner_is_remembered(store: Store) -> None:
    zombie, owner = Positions(), Positions()
    settle(store, owner, [0, 1])
    settle(store, zombie, [2], [0, 1])
    assert Positions().known(store, deliveries(1, 2, 3)) == {0, 1}


def test_what_has_no_place_or_no_offset_is_never_known(store: Store) -> None:
    nowhere = [*deliveries(None, None), *deliveries(1, 2, partition=None)]
    with store.write() as connection:
        Positions().settle(connection, nowhere, {}, 0.0)
    assert Positions().known(store, nowhere) == set()
    assert stored(store) == (None, [])


def test_what_is_ahead_is_asked_for_and_not_read_whole(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(store, Positions(), range(1, 2_000), [0])
    read: list[int] = []
    rows = store.rows

    def counting(sql: str, args: Sequence[Any] = ()) -> list[Row]:
        found = rows(sql, args)
        read.append(len(found))
        return found

    monkeypatch.setattr(store, "rows", counting)
    assert Positions().known(store, deliveries(*range(2_000, 2_500))) == set()
    assert Positions().known(store, deliveries(0, 1_999, 2_001)) == {1}
    assert sum(read) < 20
