"""Whether all that was published before a moment is handled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eda_cli.channels.base import GroupInfo, GroupPlace, Place
from eda_cli.stubs import barrier as module
from eda_cli.stubs.barrier import ASK_AGAIN_S, GIVE_IN_S, QUIET_S, Barrier, QueueBarrier
from eda_cli.stubs.messages import stored
from eda_cli.stubs.store import Store


class Broker:
    """Where the topics end, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.ends = {Place("t", 0): 5, Place("t", 1): 0, Place("other", 0): 9}

    def groups(self) -> list[GroupInfo]:
        self.asked += 1
        places = [GroupPlace(place, None, end, None, None) for place, end in self.ends.items()]
        return [GroupInfo("bill", 1, places), GroupInfo("mine", 1, [GroupPlace(Place("t", 0), 0, 99, None, None)])]


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "store.db")
    yield opened
    opened.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def barrier(broker: Any, store: Store) -> Barrier:
    return Barrier(broker, "bill", ("t",), store)


def at(store: Store, partition: int, next_: int) -> None:
    with store.write() as connection:
        connection.execute("INSERT OR REPLACE INTO positions (topic, partition, next) VALUES ('t', ?, ?)", (partition, next_))


def test_it_is_reached_once_what_there_was_is_handled_whoever_did_that(store: Store, clock: Clock) -> None:
    broker = Broker()
    one = barrier(broker, store)
    assert not one.reach(1_000.0)
    broker.ends[Place("t", 0)] = 50  # comes later: it does not count
    clock.now += 1.0
    at(store, 0, 4)
    assert not one.reach(1_000.0)
    at(store, 0, 5)
    assert one.reach(1_000.0)
    assert one.passed == 1_000.0
    assert broker.asked == 1
    assert not one.reach(1_000.5)
    assert broker.asked == 2


def test_a_moment_that_is_passed_asks_nobody(store: Store, clock: Clock) -> None:
    broker = Broker()
    broker.ends = {}
    one = barrier(broker, store)
    assert one.reach(999.0)
    assert one.reach(1_000.0)
    assert broker.asked == 1


def test_a_gap_behind_the_last_event_is_given_in_to_while_nothing_comes_from_there(store: Store, clock: Clock) -> None:
    broker = Broker()
    broker.ends[Place("t", 1)] = 9
    one = barrier(broker, store)
    at(store, 1, 9)
    assert not one.reach(1_000.0)
    clock.now += GIVE_IN_S - 1
    with store.write() as connection:
        connection.execute("INSERT INTO positions (topic, partition, next, at) VALUES ('t', 0, 4, ?)", (clock.now,))
    clock.now += 2
    assert not one.reach(1_000.0)  # it goes on there
    clock.now += GIVE_IN_S
    assert one.reach(1_000.0)


# --- queues


class Waiting:
    """What is left in each queue."""

    def __init__(self, **left: int | None) -> None:
        self.left = left

    def groups(self) -> list[GroupInfo]:
        return [GroupInfo("bill", 1, [GroupPlace(Place(topic, None), None, None, lag, None) for topic, lag in self.left.items()])]


def queues(broker: Any, store: Store, takes_s: float = 0.0) -> QueueBarrier:
    return QueueBarrier(broker, "bill", ("t", "v"), store, takes_s)


def settled(store: Store, clock: Clock, topic: str, many: int, published: float = 0.0) -> None:
    with store.write() as connection:
        connection.execute("INSERT OR REPLACE INTO counts VALUES (?, ?, ?, NULL, ?, ?)",
                           (*stored(Place(topic, None)), many, clock.now, published))


def test_queues_that_are_empty_have_nothing_that_was_published_before(store: Store, clock: Clock) -> None:
    assert queues(Waiting(t=0, v=0, other=7), store).reach(1_000.0)


def test_what_was_left_is_handled_once_so_many_more_are_settled(store: Store, clock: Clock) -> None:
    broker = Waiting(t=3, v=0)
    settled(store, clock, "t", 100)
    one = queues(broker, store)
    assert not one.reach(1_000.0)
    broker.left["t"] = 50  # as much comes as goes
    clock.now += ASK_AGAIN_S
    settled(store, clock, "t", 102)
    assert not one.reach(1_000.0)
    settled(store, clock, "t", 103)
    assert one.reach(1_000.0)
    assert one.passed == 1_000.0
    assert not one.reach(1_000.5)


def test_what_was_settled_and_is_acknowledged_only_later_is_waited_for_no_longer_than_that(store: Store, clock: Clock) -> None:
    broker = Waiting(t=3)
    settled(store, clock, "t", 3)
    one = queues(broker, store)
    assert not one.reach(1_000.0)
    broker.left["t"] = 0
    assert not one.reach(1_000.0)  # it is not asked each time
    clock.now += ASK_AGAIN_S
    assert one.reach(1_000.0)


def test_a_number_that_never_comes_is_given_in_to(store: Store, clock: Clock) -> None:
    one = queues(Waiting(t=3), store)
    assert not one.reach(1_000.0)
    clock.now += GIVE_IN_S
    assert one.reach(1_000.0)


def test_where_nobody_knows_what_is_left_what_was_published_later_tells(store: Store, clock: Clock) -> None:
    one = queues(Waiting(t=None), store)
    assert not one.reach(1_000.0)
    settled(store, clock, "t", 8, published=999.9)
    assert not one.reach(1_000.0)
    settled(store, clock, "t", 9, published=1_000.1)
    assert one.reach(1_000.0)


@pytest.mark.parametrize(("takes_s", "failing", "quiet_s"), [(0.0, False, QUIET_S), (3.0, False, 3.0 + QUIET_S),
                                                             (0.0, True, GIVE_IN_S)])
def test_or_that_nothing_comes_any_more(store: Store, clock: Clock, takes_s: float, failing: bool, quiet_s: float) -> None:
    if failing:
        with store.write() as connection:
            connection.execute("INSERT INTO attempts VALUES ('/x/1', 1, 0)")
    one = queues(Waiting(t=None, v=None), store, takes_s)
    assert not one.reach(1_000.0)
    clock.now += quiet_s - 0.1
    assert not one.reach(1_000.0)
    clock.now += 0.2
    assert one.reach(1_000.0)
