"""Whether all that was published before a moment is handled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eda_cli.channels.base import GroupInfo, GroupPlace, Place
from eda_cli.stubs import barrier as module
from eda_cli.stubs.barrier import GIVE_IN_S, Barrier
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
