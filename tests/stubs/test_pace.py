"""When a generator publishes, by a clock that the test turns."""

from __future__ import annotations

import math

import pytest

from eda_cli.stubs.pace import BATCH, CATCH_UP_S, Spaced, Steady


def taken(pace: Steady | Spaced, seconds: float, step: float) -> int:
    return sum(len(pace.due(step * tick)) for tick in range(int(seconds / step) + 1))


@pytest.mark.parametrize("rate", [0.5, 1.0, 5.0, 99.0, 1_000.0, 40_000.0])
def test_a_rate_is_kept_exactly(rate: float) -> None:
    assert taken(Steady(rate, 0.0), 10.0, 0.001) == pytest.approx(rate * 10 + 1, abs=1 + rate * 0.001)


def test_the_first_event_is_due_at_once() -> None:
    assert len(Steady(1.0, 5.0).due(5.0)) == 1
    assert len(Spaced(lambda: 1.0, 5.0).due(5.0)) == 1


def test_flat_out_never_waits() -> None:
    pace = Steady(math.inf, 0.0)
    assert [len(pace.due(0.0)), len(pace.due(0.0)), pace.pause(0.0)] == [BATCH, BATCH, 0.0]


def test_who_fell_behind_catches_up_one_second_at_most() -> None:
    pace = Steady(10.0, 0.0)
    pace.due(0.0)
    assert len(pace.due(60.0)) == 1 + 10 * CATCH_UP_S
    assert not pace.due(60.0)
    spaced = Spaced(lambda: 0.1, 0.0)
    assert taken(spaced, 0.0, 1.0) == 1
    caught = 0
    while spaced.due(60.0):
        caught += 1
    assert caught == pytest.approx(11, abs=1)


def test_pauses_are_drawn() -> None:
    pauses = iter([1.0, 2.0, 3.0])
    pace = Spaced(lambda: next(pauses), 0.0)
    assert [pace.due(0.0), pace.due(0.5), pace.due(1.0), pace.pause(1.0), pace.due(3.0)] == [(0.0,), (), (1.0,), 2.0, (3.0,)]
