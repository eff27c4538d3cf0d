"""What becomes of events that fail: how often they come again and when, what outlives the process, who takes over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from eda_cli.channels.base import Place
from eda_cli.event import Delivery
from eda_cli.sketch.resolved import Consumer, Fails, Retries
from eda_cli.stubs.fate import DEATHS, Failure, Fate
from eda_cli.stubs.handling import Handling
from eda_cli.stubs.inbox import Inbox
from eda_cli.stubs.store import Store
from tests.stubs.playing import Log, let_go, part
from tests.stubs.test_histories import BILL, event, rows_of, sketch_of

TRIES = Consumer("bill", ("t",), retries=Retries(4, (0.2, 1.0)), dead_letter="dlq")
ONE = Delivery(event(0), "t", 0, 5, 0.0)
WRONG = Failure("no")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "bill.memory.db")
    yield opened
    opened.close()


def save(store: Store, fate: Fate) -> None:
    with store.write() as connection:
        fate.save(connection)


def test_pauses_double_up_to_the_longest_and_then_there_is_a_letter(store: Store) -> None:
    fate = Fate(TRIES, 7, store)
    verdicts = [fate.failed(ONE, WRONG, 0.0) for _ in range(5)]
    assert [verdict.again_s for verdict in verdicts] == [0.2, 0.4, 0.8, 1.0, None]
    assert [verdict.attempt for verdict in verdicts] == [1, 2, 3, 4, 5]
    assert [verdict.letter is not None for verdict in verdicts] == [False] * 4 + [True]
    assert not fate.any()


def test_attempts_outlive_the_process_and_are_forgotten_with_the_event(store: Store) -> None:
    fate = Fate(TRIES, 7, store)
    fate.failed(ONE, WRONG, 0.0)
    save(store, fate)
    after = Fate(TRIES, 7, store)
    assert after.tried(ONE)
    assert after.failed(ONE, WRONG, 0.0).attempt == 2
    after.settled(ONE.identity)
    save(store, after)
    assert not Fate(TRIES, 7, store).any()


@pytest.mark.parametrize("retries", [0, 20])
def test_an_event_may_end_so_many_processes(store: Store, retries: int) -> None:
    consumer = replace(TRIES, retries=Retries(retries))
    for death in range(DEATHS):
        fate = Fate(consumer, 7, store)
        assert fate.doomed(ONE) is None, death
        fate.died_at([ONE.identity])
        save(store, fate)
    doomed = Fate(consumer, 7, store).doomed(ONE)
    assert doomed is not None
    verdict = Fate(consumer, 7, store).failed(ONE, doomed, 0.0)
    assert (verdict.attempt, verdict.again_s) == (DEATHS, None)


def test_a_program_that_dies_at_it_is_tried_beyond_the_retries(store: Store) -> None:
    fate = Fate(replace(TRIES, retries=Retries()), 7, store)
    died = Failure("it ended", died=True)
    assert [fate.failed(ONE, died, 0.0).again_s is None for _ in range(DEATHS)] == [False] * (DEATHS - 1) + [True]


def test_what_fails_for_ever_is_not_tried_again(store: Store) -> None:
    fate = Fate(TRIES, 7, store)
    verdict = fate.failed(ONE, replace(WRONG, forever=True), 0.0)
    assert (verdict.attempt, verdict.again_s, verdict.letter is not None) == (1, None, True)


def test_a_share_of_the_attempts_fails_the_same_ones_each_time_and_only_where_it_is_to(store: Store) -> None:
    fails = replace(TRIES, fails=Fails(0.5, "body.sku != 'a'"))
    many = [Delivery(event(number), "t", 0, number, 0.0) for number in range(600)]
    struck = [one.offset for one in many if Fate(fails, 7, store).strike(one) is not None]
    assert struck == [one.offset for one in many if Fate(fails, 7, store).strike(one) is not None]
    assert not any(offset is not None and offset % 3 == 0 for offset in struck)
    assert 150 < len(struck) < 250
    broken = Fate(replace(TRIES, fails=Fails(1.0, "1 // (body.of - 1) > 1")), 7, store).strike(ONE)
    assert broken is not None and "fails.when" in broken.reason


def test_what_is_redriven_is_drawn_anew_and_the_same_each_time(store: Store) -> None:
    fate = Fate(replace(TRIES, fails=Fails(0.5)), 7, store)

    def struck(numbers: list[int], times: int) -> list[int]:
        headers = (("redriven", b"%d" % times),) if times else ()
        return [number for number in numbers if fate.strike(
            Delivery(replace(event(number), headers=headers), "t", 0, number, 0.0)) is not None]

    left = list(range(600))
    for times in range(3):
        assert struck(left, times) == struck(left, times)
        again = struck(left, times)
        assert 0.35 * len(left) < len(again) < 0.65 * len(left)
        left = again


def test_a_replica_goes_on_counting_where_another_has_failed(tmp_path: Path) -> None:
    bill = replace(BILL, retries=Retries(1, (3600.0, 3600.0)))
    parts = [part(tmp_path, sketch_of(bill), "bill", number, Log()) for number in (1, 2)]
    one, other = (Handling(each, bill, Inbox(), None) for each in parts)
    assert one.begin() and other.begin()
    poison = Delivery(event(0, body={"of": 0}), "t", 0, 0, 0.0)
    assert not one.handle([poison], lambda seconds: True)
    assert rows_of(tmp_path, "attempts") == 1
    one.lose({Place("t", 0)})
    assert other.handle([poison], lambda seconds: True) == [poison]
    assert parts[1].journal.counts["dead_lettered"] == {"t": 1}
    assert rows_of(tmp_path, "attempts") == 0
    for handling, its in zip((one, other), parts, strict=True):
        handling.close()
        let_go(its)
