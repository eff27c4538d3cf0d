"""Ids that were handled: known again, up to so many and for so long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eda_cli.event import Delivery
from eda_cli.sketch.resolved import Consumer, Fold, Idempotent, Kept
from eda_cli.stubs.interest import Interest
from eda_cli.stubs.known import Known
from eda_cli.stubs.store import Store
from tests.stubs.test_histories import event

INTEREST = Interest(Consumer("bill", ("t",)), None)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "store.db")
    yield opened
    opened.close()


def some(*numbers: int) -> list[Delivery]:
    return [Delivery(event(number), "t", 0, index, 0.0) for index, number in enumerate(numbers)]


def handle(store: Store, known: Known, deliveries: list[Delivery], now: float = 0.0, fails: bool = False) -> list[int]:
    """The numbers of those that were new."""
    with store.write() as connection:
        repeated = known.find(deliveries, now)
        new = [one for index, one in enumerate(deliveries) if index not in repeated and known.first(one)]
        for one in new if fails else ():
            known.forget(one)
        known.save(connection, now)
        known.saved()
    return [int(one.event.id or "") for one in new]


def test_an_id_is_new_once_in_a_batch_and_ever_after(store: Store) -> None:
    assert handle(store, Known(store, Idempotent(), INTEREST), some(1, 2, 1)) == [1, 2]
    assert handle(store, Known(store, Idempotent(), INTEREST), some(3, 2, 1)) == [3]


def test_one_that_failed_is_new_again(store: Store) -> None:
    known = Known(store, Idempotent(), INTEREST)
    assert handle(store, known, some(1), fails=True) == [1]
    assert handle(store, known, some(1)) == [1]
    assert handle(store, known, some(1)) == []


def test_foreign_events_are_told_by_their_place(store: Store) -> None:
    known = Known(store, Idempotent(), INTEREST)
    foreign = [Delivery(event(0, id=None, source=None, type=None), "t", 0, offset, 0.0) for offset in (0, 1)]
    with store.write() as connection:
        assert known.find(foreign, 0.0) == ()
        assert known.first(foreign[0]) and known.first(foreign[1])
        known.save(connection, 0.0)
        known.saved()
    assert known.find(foreign, 0.0) == {0, 1}


def test_the_last_so_many_for_so_long(store: Store) -> None:
    handle(store, Known(store, Idempotent(), INTEREST), some(*range(2_000)), now=0.0)
    handle(store, Known(store, Idempotent(), INTEREST), some(*range(2_000, 3_000)), now=100.0)
    assert handle(store, Known(store, Idempotent(last=500), INTEREST), some(3_000)) == [3_000]  # prunes when it begins
    assert handle(store, Known(store, Idempotent(last=500), INTEREST), some(2_499, 2_600)) == [2_499]
    assert handle(store, Known(store, Idempotent(for_s=60.0), INTEREST), some(9_000), now=161.0) == [9_000]
    assert store.rows("SELECT count(*) FROM seen")[0][0] == 1


def test_bounds_hold_between_two_times_of_pruning(store: Store) -> None:
    known = Known(store, Idempotent(last=3, for_s=60.0), INTEREST)
    assert handle(store, known, some(1, 2, 3)) == [1, 2, 3]
    assert handle(store, known, some(1, 4)) == [4]
    assert handle(store, known, some(1)) == [1]
    assert handle(store, known, some(1, 4), now=59.0) == []
    assert handle(store, known, some(4), now=61.0) == [4]
    assert handle(store, known, some(4), now=120.0) == []


def test_more_ids_than_a_query_takes(store: Store) -> None:
    known = Known(store, Idempotent(), INTEREST)
    handle(store, known, some(*range(1_200)))
    assert len(known.find(some(*range(1_300)), 0.0)) == 1_200


def test_what_was_only_heard_is_not_handled_by_that(store: Store) -> None:
    (fact,) = some(1)
    heard = Delivery(fact.event, "t.dlq", 0, 0, 0.0)  # kept in a copy
    interest = Interest(Consumer("bill", ("t",), keeps=(Kept("letters", (Fold(("t.dlq",)),)),)), None)
    known = Known(store, Idempotent(), interest)
    assert handle(store, known, [heard]) == [1]
    assert handle(store, known, [heard]) == []
    assert handle(store, known, [fact]) == [1]
    assert handle(store, known, [fact]) == []
