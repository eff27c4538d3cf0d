"""What is to be published: batches of processes that are gone, and events that wait for their moment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from eda_cli import lock
from eda_cli.event import Delivery
from eda_cli.sketch.resolved import Rule
from eda_cli.stubs.handling import Handling
from eda_cli.stubs.inbox import Inbox
from eda_cli.stubs.outbox import HEARD_S, Origin, Spool, Timers, unpacked
from eda_cli.stubs.reactions import Later
from eda_cli.stubs.store import Store
from tests.eventually import eventually
from tests.stubs.playing import Log, let_go, part
from tests.stubs.test_histories import event, live, rows_of, sketch_of
from tests.stubs.test_stopped import FINE


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "store.db")
    yield opened
    opened.close()


def write(store: Store, spool: Spool, *numbers: int) -> None:
    with store.write() as connection:
        spool.write(connection, {"u": [event(number) for number in numbers]} if numbers else {})


def test_a_batch_is_there_until_the_next_one_takes_its_place(store: Store) -> None:
    spool = Spool(store, "bill.1")
    write(store, spool, 1, 2)
    assert Spool(store, "bill.1").left() == {"u": [event(1), event(2)]}
    write(store, spool, 3)
    assert Spool(store, "bill.1").left() == {"u": [event(3)]}
    write(store, spool)
    assert Spool(store, "bill.1").left() == {}


def test_what_a_process_wrote_since_it_came_back_is_not_dropped_for_it(store: Store) -> None:
    other, gone = Spool(store, "bill.1"), Spool(store, "bill.2")
    write(store, gone, 1)
    assert other.others() == ["bill.2"]
    left = other.of("bill.2")
    write(store, gone, 2)
    other.drop_of("bill.2", left)
    assert gone.left() == {"u": [event(2)]}
    other.drop_of("bill.2", other.of("bill.2"))
    assert other.others() == []
    assert unpacked(other.of("bill.2")) == {}


def test_what_a_replica_that_is_gone_left_is_published_by_another(tmp_path: Path) -> None:
    with Spooled(tmp_path) as store:
        write(store, Spool(store, "bill.2"), 1, 2)
    log = Log()
    live(tmp_path, FINE, log, lambda one: not rows_of(tmp_path, "spools"))
    assert log.logs["u"] == [event(1), event(2)]


class Spooled:
    """The store of a consumer, before it lives."""

    def __init__(self, folder: Path) -> None:
        self._store = Store(folder / "bill.memory.db")

    def __enter__(self) -> Store:
        return self._store

    def __exit__(self, *_: object) -> None:
        self._store.close()


# --- timers


def timed(number: int, after_s: float, *unless: tuple[str, bytes]) -> Later:
    return Later("u", event(number), after_s, unless)


def heard(offset: int, key: bytes = b"a", published: float = 50.0, topic: str = "paid", partition: int = 0) -> Delivery:
    return Delivery(event(offset, key=key), topic, partition, offset, published)


ORIGIN = Origin("t", 0, 5, 50.0)


def rung(store: Store, timers: Timers, now: float) -> list[str | None]:
    with store.write() as connection:
        due = timers.due(connection, now)
        timers.drop(connection, due)
    return [one.event.id for one in due]


def test_timers_ring_in_their_order_and_once(store: Store) -> None:
    timers = Timers(10.0)
    with store.write() as connection:
        timers.set(connection, ORIGIN, [timed(1, 2.0), timed(2, 1.0), timed(3, 9.0)], 100.0)
    assert timers.next_due(store) == 101.0
    assert rung(store, timers, 100.9) == []
    assert rung(store, timers, 102.0) == ["2", "1"]
    assert rung(store, timers, 102.0) == []
    assert timers.next_due(store) == 109.0


@pytest.mark.parametrize(("came", "needless"), [
    (heard(0, published=50.0), True),  # elsewhere, at the same moment
    (heard(0, published=49.9), False),
    (heard(0, key=b"b", published=60.0), False),
    (heard(0, topic="other", published=60.0), False),
    (heard(6, topic="t", published=50.0), True),  # in the place of the cause it is the order that counts
    (heard(5, topic="t", published=50.0), False),
    (heard(4, topic="t", published=60.0), False),
    (heard(4, topic="t", published=60.0, partition=1), True),
])
def test_what_makes_a_timer_needless_came_behind_its_cause(store: Store, came: Delivery, needless: bool) -> None:
    timers = Timers(10.0)
    unless = [("paid", b"a"), ("t", b"a")]
    with store.write() as connection:
        timers.set(connection, ORIGIN, [timed(1, 2.0, *unless)], 100.0)
        timers.hear(connection, [came], 101.0)
    assert rung(store, timers, 102.0) == ([] if needless else ["1"])
    assert timers.next_due(store) is None


@pytest.mark.parametrize(("topic", "published", "needless"), [
    ("t", 50.0, False),  # as the cause itself is
    ("t", 50.1, True),
    ("t", 49.9, False),
    ("paid", 50.0, True),
    ("paid", 49.9, False),
])
def test_without_offsets_it_is_the_time_that_tells(store: Store, topic: str, published: float, needless: bool) -> None:
    timers = Timers(10.0)
    with store.write() as connection:
        timers.set(connection, Origin("t", None, None, 50.0), [timed(1, 2.0, ("paid", b"a"), ("t", b"a"))], 100.0)
        timers.hear(connection, [Delivery(event(1, key=b"a"), topic, None, None, published, None, "m1")], 101.0)
    assert rung(store, timers, 102.0) == ([] if needless else ["1"])


def test_an_earlier_place_of_a_key_says_nothing_of_the_order_in_its_new_one(store: Store) -> None:
    timers = Timers(10.0)
    with store.write() as connection:
        timers.set(connection, ORIGIN, [timed(1, 2.0, ("t", b"a"))], 100.0)
        timers.hear(connection, [heard(1_000, topic="t", partition=1, published=10.0)], 101.0)
        timers.hear(connection, [heard(3, topic="t", partition=0, published=20.0)], 101.0)
    assert rung(store, timers, 102.0) == ["1"]


@pytest.mark.parametrize("late_s", [0.0, 86_400.0])
def test_what_came_is_remembered_while_a_timer_may_ask_for_it(store: Store, late_s: float) -> None:
    timers = Timers(10.0)
    with store.write() as connection:
        timers.set(connection, ORIGIN, [timed(1, 10.0, ("paid", b"a"))], 100.0)
        timers.hear(connection, [heard(0)], 101.0)
    with store.write() as connection:
        timers.prune(connection, 111.0 + late_s)  # nobody looked at the clock for so long
    assert rung(store, timers, 111.0 + late_s) == []
    with store.write() as connection:
        timers.prune(connection, 111.0 + late_s + 10.0 + HEARD_S)
    assert store.rows("SELECT count(*) FROM heard") == [(0,)]


def test_who_has_not_the_clock_waits_for_nothing(tmp_path: Path) -> None:
    bill = replace(FINE, rules=(Rule("u", "reminded", after_s=(0.0, 0.0)),))
    clock = lock.take(tmp_path / "bill.clock.flock")
    assert clock is not None
    one = part(tmp_path, sketch_of(bill), "bill", 1, Log())
    handling = Handling(one, bill, Inbox(), None)
    assert handling.begin()
    handling.handle([Delivery(event(0), "t", 0, 0, 0.0)], lambda seconds: True)
    handling.tick(idle=False)
    assert handling.due_in() is None
    os.close(clock)

    def rung_by_another_look() -> bool:
        handling.tick(idle=False)
        return rows_of(tmp_path, "timers") == 0

    eventually(rung_by_another_look, 5)
    handling.close()
    let_go(one)
