"""What a member may commit: histories as data."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from eda_cli.channels.base import Place
from eda_cli.channels.ledger import Ledger
from eda_cli.event import Delivery
from tests.channels.acts import event

A, B = Place("t", 0), Place("t", 1)


def delivery(place: Place, offset: int) -> Delivery:
    return Delivery(event(), place.topic, place.partition, offset, 0.0)


def test_done_in_order_moves_on() -> None:
    ledger = Ledger()
    ledger.handed_out(A, [5, 6, 7])
    ledger.done([delivery(A, 5), delivery(A, 6)])
    assert ledger.moved() == {A: 7}
    assert ledger.moved() == {}
    assert ledger.holds(A)
    ledger.done([delivery(A, 7)])
    assert ledger.moved() == {A: 8}
    assert not ledger.holds(A)


def test_a_gap_holds_back_what_is_done_behind_it() -> None:
    ledger = Ledger()
    ledger.handed_out(A, [1, 2, 3, 9])
    ledger.done([delivery(A, 9), delivery(A, 2)])
    assert ledger.moved() == {}
    ledger.done([delivery(A, 1)])
    assert ledger.moved() == {A: 3}
    ledger.done([delivery(A, 3)])
    assert ledger.moved() == {A: 10}


def test_places_do_not_touch_each_other() -> None:
    ledger = Ledger()
    ledger.handed_out(A, [0, 1])
    ledger.handed_out(B, [0, 1])
    ledger.done([delivery(A, 0), delivery(B, 1), delivery(A, 1)])
    assert ledger.moved() == {A: 2}


def test_what_was_dropped_or_was_done_is_passed_over() -> None:
    ledger = Ledger()
    ledger.handed_out(A, [0, 1])
    ledger.done([delivery(A, 0)])
    ledger.drop(A)
    ledger.done([delivery(A, 1), delivery(B, 0)])
    assert ledger.moved() == {}
    assert not ledger.holds(A)
    ledger.handed_out(A, [4])
    ledger.done([delivery(A, 1)])
    assert ledger.moved() == {}
    ledger.done([delivery(A, 4), delivery(A, 4)])
    assert ledger.moved() == {A: 5}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
@given(some.data())
def test_it_commits_up_to_the_first_that_is_not_done(data: some.DataObject) -> None:
    offsets = sorted(data.draw(some.sets(some.integers(0, 60), min_size=1)))
    order = data.draw(some.permutations(offsets))
    ledger = Ledger()
    ledger.handed_out(A, offsets)
    done: set[int] = set()
    reached = None
    while order:
        count = data.draw(some.integers(1, len(order)))
        batch, order = order[:count], order[count:]
        ledger.done([delivery(A, offset) for offset in batch])
        done.update(batch)
        reached = ledger.moved().get(A, reached)
        left = [offset for offset in offsets if offset not in done]
        before = [offset for offset in offsets if not left or offset < left[0]]
        assert reached == (before[-1] + 1 if before else None)
