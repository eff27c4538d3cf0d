"""A member of a group: what it loses and finds again, how it waits, and a broker that goes away in the middle."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from eda_cli.channels.base import Place, Polled
from eda_cli.errors import BrokerUnreachable, Forgetful
from eda_cli.sketch.resolved import Fails, Retries, Rule
from eda_cli.stubs.store import Store
from tests.stubs.playing import Log
from tests.stubs.test_histories import BILL, event, live, row, rows_of

COUNTS = replace(BILL, rules=(Rule("u", "billed", {"nth": "{{ copy.stock[body.sku].n }}"}, has_body=True),))


class Rebalancing(Log):
    """Takes the place away at some polls, and gives it back at the next one: from its committed position."""

    def __init__(self, when: Callable[[int], bool]) -> None:
        super().__init__()
        self.when = when

    def poll(self, timeout: float, at_most: int) -> Polled:
        if self.when(self.polls):
            self.polls += 1
            self._ledger.drop(Place("t", 0))
            self._read["t"] = self.committed.get("t", 0)
            return Polled((), frozenset({Place("t", 0)}))
        return super().poll(timeout, at_most)


@pytest.mark.parametrize("takes", [None, (0.0, 0.002)])
@pytest.mark.parametrize("every", [2, 3, 7])
def test_places_that_come_and_go_cost_no_event_and_repeat_none(tmp_path: Path, every: int,
                                                               takes: tuple[float, float] | None) -> None:
    log = Rebalancing(lambda polls: polls % every == 1 and polls < 60)
    log.put("t", *(event(number) for number in range(20)))
    bill = replace(COUNTS, fails=Fails(0.4), retries=Retries(50, (0.001, 0.004)), takes=takes)
    live(tmp_path, bill, log)
    for key in range(3):
        mine = [one for one in log.logs["u"] if one.key == b"abc"[key:key + 1]]
        assert [one.causationid for one in mine] == [str(number) for number in range(20) if number % 3 == key]
        assert [one.body()["nth"] for one in mine] == list(range(1, len(mine) + 1))
    assert rows_of(tmp_path, "attempts") == rows_of(tmp_path, "ahead") == 0


@pytest.mark.parametrize("where", ["poll", "done", "store"])
def test_trouble_in_the_middle_is_a_new_membership_and_no_second_effect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                                       where: str) -> None:
    log, troubles = Log(), list(range(3))
    log.put("t", *(event(number) for number in range(9)))
    monkeypatch.setattr("eda_cli.stubs.consumer.RETRY_S", (0.001, 0.001))
    poll, save, steps = log.poll, Store.write, 0

    def trouble() -> bool:
        nonlocal steps
        steps += 1
        return bool(steps > 1 and steps % 2 and troubles and troubles.pop() >= 0)

    def polls(timeout: float, at_most: int) -> Polled:
        if where == "poll" and trouble():
            raise BrokerUnreachable("the broker does not answer")
        return poll(timeout, at_most)

    def step(name: str) -> None:
        if where == name and trouble():
            raise BrokerUnreachable("the broker does not answer")

    def write(self: Store) -> object:
        if where == "store" and trouble():
            raise Forgetful("what the consumer remembers cannot be read or written")
        return save(self)

    log.poll, log.step = polls, step  # type: ignore[method-assign]
    monkeypatch.setattr(Store, "write", write)
    one = live(tmp_path, replace(COUNTS, takes=(0.001, 0.002)), log)
    assert not troubles
    assert one.journal.counts["handled"] == {"t": 9}
    assert [row(tmp_path, "stock", key) for key in "abc"] == [{"n": 3}] * 3
    assert sorted({made.causationid or "" for made in log.logs["u"]}) == [str(number) for number in range(9)]


@pytest.mark.parametrize("bill", [
    replace(COUNTS, fails=Fails(1.0), retries=Retries(1, (0.3, 0.3))),
    replace(COUNTS, rules=(Rule("u", "billed", after_s=(0.3, 0.3)),)),
])
def test_who_waits_for_a_moment_is_there_in_time_and_does_not_run_in_circles(tmp_path: Path, bill: object) -> None:
    class Waiting(Log):
        def poll(self, timeout: float, at_most: int) -> Polled:
            found = super().poll(0.0, at_most)
            time.sleep(0.0 if found.deliveries else timeout)
            return found

    log, began = Waiting(), time.monotonic()
    log.put("t", event(0))
    assert isinstance(bill, type(BILL))
    live(tmp_path, bill, log, lambda one: bool(log.stored))
    assert 0.3 <= time.monotonic() - began < 2.0
    assert log.polls < 30


def test_a_paused_consumer_takes_nothing_and_does_not_run_in_circles(tmp_path: Path) -> None:
    log, asked = Log(), []
    log.put("t", event(0))
    poll = log.poll

    def polls(timeout: float, at_most: int) -> Polled:
        asked.append((timeout, at_most))
        if len(asked) == 5:
            log.on_end()
        return poll(0.0, at_most)

    log.poll = polls  # type: ignore[method-assign]
    live(tmp_path, replace(COUNTS, paused=True), log)
    assert all(at_most == 0 and timeout > 0.1 for timeout, at_most in asked)
    assert log.handled == []
