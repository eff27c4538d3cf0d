"""Whose turn it is, by a turned clock: spread, even, by pauses of their own, and going on where they were."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eda_cli.payloads import compile_states
from eda_cli.stubs.lives import paused, step_of
from eda_cli.stubs.pace import CATCH_UP_S, Place
from eda_cli.stubs.standing import Row
from eda_cli.stubs.turns import Clocks, Turns

EVERY = (1.0, 3.0)


def turns(entities: int = 10, rows: list[Row] | None = None, position: float = 0.0) -> Turns:
    return Turns(range(1, entities + 1), rows or [], paused(EVERY, "web", 7), EVERY[1], EVERY[1], position)


def test_the_first_turns_are_spread_over_the_first_pause() -> None:
    first = turns(1_000)
    begun = sorted({turn.entity: turn.position for turn in (first.take() for _ in range(2_000)) if not turn.step}.values())
    assert len(begun) == 1_000
    for tenth in range(10):
        assert 95 <= sum(0.3 * tenth <= moment < 0.3 * (tenth + 1) for moment in begun) <= 105


@given(st.integers(1, 50), st.integers(1, 300))
def test_each_entity_pauses_as_long_as_it_may_and_turns_are_in_order(entities: int, many: int) -> None:
    waiting = turns(entities)
    taken = [waiting.take() for _ in range(many)]
    assert [turn.position for turn in taken] == sorted(turn.position for turn in taken)
    for entity in range(1, entities + 1):
        own = [turn for turn in taken if turn.entity == entity]
        assert [turn.step for turn in own] == list(range(len(own)))
        for before, after in itertools.pairwise(own):
            assert before.due == after.position
            assert EVERY[0] - 1e-9 <= after.position - before.position <= EVERY[1] + 1e-9


@given(st.integers(0, 100))
def test_after_a_stop_the_turns_are_those_that_would_have_come(at: int) -> None:
    whole = turns()
    taken = [whole.take() for _ in range(150)]
    last = {turn.entity: Row(turn.entity, turn.step + 1, turn.due) for turn in taken[:at]}
    again = turns(10, list(last.values()), taken[at - 1].position if at else 0.0)
    assert [again.take() for _ in range(150 - at)] == taken[at:]


def test_whoever_is_out_of_its_time_begins_as_a_new_one_does() -> None:
    waiting = turns(2, [Row(1, 5, 9_000.0), Row(2, 3, 1.0)], position=500.0)
    first, second = waiting.take(), waiting.take()
    assert {first.entity: first.step, second.entity: second.step} == {1: 5, 2: 3}
    assert all(500.0 <= turn.position <= 503.0 for turn in (first, second))


def test_their_own_clocks_give_each_turn_at_its_moment() -> None:
    clocks = Clocks(turns(100), Place())
    moments: list[float] = []
    at = 0.0
    while at < 20.0:
        moments += clocks.due(at)
        at += max(clocks.pause(at), 0.001)
    assert moments == [turn.position for turn in clocks.taken]
    assert moments == sorted(moments)
    assert 900 < len(moments) < 1_100  # 100 entities, 2 s each
    assert clocks.lost == 0


def test_whoever_fell_behind_catches_up_one_second_and_loses_no_step() -> None:
    place = Place()
    clocks = Clocks(turns(10), place)
    for at in range(20):
        clocks.due(float(at))
    many = len(clocks.taken)
    late = clocks.due(1_019.0)
    assert len(late) <= 10 + 10 * CATCH_UP_S / EVERY[0]
    assert place.at < 25.0
    assert 4_000 < clocks.lost < 6_000  # 10 entities, 2 s each, for 1,000 s
    for entity in range(1, 11):
        own = [turn.step for turn in clocks.taken if turn.entity == entity]
        assert own == list(range(len(own)))
    assert len(clocks.taken) == many + len(late)
    assert 0 < clocks.pause(1_019.0) <= EVERY[1]


def test_what_lies_in_the_past_is_caught_up_whole() -> None:
    clocks, place = Clocks(turns(10), Place()), Place()
    while clocks.due(1_000.0, math.inf):
        pass
    assert 4_500 < len(clocks.taken) < 5_500
    assert clocks.lost == 0
    again = Clocks(turns(10), place)
    assert again.due(1_000.0, math.inf)
    assert place.at == again.taken[-1].position < 1_000.0


def test_no_batch_is_larger_than_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eda_cli.stubs.pace.BATCH", 7)
    clocks = Clocks(turns(100), Place())
    assert [len(clocks.due(0.5)) for _ in range(4)] == [7, 7, 2, 0]


def test_a_life_moves_by_what_is_declared_and_stays_as_long_as_it_may() -> None:
    after = {"a": (1.0, 2.0), "b": (0.1, 0.1), "c": (5.0, 9.0)}
    step = step_of(compile_states({"$states": {"states": {
        "a": {"next": {"b": "50%", "c": "30%"}, "after": "1s..2s"}, "b": {"next": "a", "after": "100ms"},
        "c": {"after": "5s..9s"}}}}), "web", 7)
    follows: dict[str, list[str]] = {"": [], "a": [], "b": [], "c": []}
    for entity in range(1, 200):
        state = ""
        for number in range(50):
            entered, born, stays = step(entity, number, state)
            assert step(entity, number, state) == (entered, born, stays)
            assert after[entered][0] <= stays <= after[entered][1]
            follows[state].append(f"{entered}{' born' if born else ''}")
            state = entered
    assert set(follows[""]) == set(follows["c"]) == {"a born"}
    assert set(follows["b"]) == {"a"}
    for entered, share in (("b", 0.5), ("c", 0.3), ("a born", 0.2)):
        assert abs(follows["a"].count(entered) / len(follows["a"]) - share) < 0.03
