"""A walk goes in normal steps, is a pure function of its step, and stays within its bounds."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from math import sqrt
from statistics import correlation, fmean, pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eda_cli.payloads import Context, Dice, Value, compile_value, walks
from tests.payloads.making import problem
from tests.payloads.test_distributions import distance, phi


def at(value: Value, step: int, entity: int = 0, seed: int = 42) -> float:
    made: float = value(Context(Dice(seed, "sensor"), 0.0, number=7 * step, step=step, entity=entity))
    return made


def walked(raw: str, steps: int, entity: int = 0) -> list[float]:
    value = compile_value(raw, "generator")
    return [at(value, step, entity) for step in range(steps)]


def forget() -> None:
    walks._paths.clear()


def test_it_begins_where_it_is_said():
    assert walked("walk(21, 0.2)", 1) == [21.0]
    assert walked("walk(-5.25, 0, -6..-5)", 4) == [-5.25] * 4


@pytest.mark.parametrize(("raw", "deviation"), [("walk(0.0000, 1)", 1), ("walk(21.00000, 0.2)", 0.2)])
def test_its_steps_are_normal_and_know_nothing_of_each_other(raw, deviation):
    steps = [after - before for before, after in pairwise(walked(raw, 8_001))]
    assert fmean(steps) == pytest.approx(0, abs=4 * deviation / sqrt(8_000))
    assert pstdev(steps) == pytest.approx(deviation, rel=0.04)
    assert distance(steps, lambda x: phi(x / deviation)) < 1.95 / sqrt(8_000)  # see FARTHEST
    assert abs(correlation(steps[:-1], steps[1:])) < 4 / sqrt(8_000)
    assert abs(correlation(steps[:-2], steps[2:])) < 4 / sqrt(8_000)


@pytest.mark.parametrize(("before", "after"), [(0, 5), (1, 2), (3, 4), (8, 16), (15, 17), (96, 352), (1_000, 1_000_000)])
def test_the_way_between_two_steps_is_as_long_as_that_of_a_walk(before, after):
    """Over all entities: the variance of a way is its number of steps, wherever the steps lie in the tree."""
    value = compile_value("walk(0.0000, 1)", "generator")
    ways = [at(value, after, entity) - at(value, before, entity) for entity in range(1, 3_001)]
    assert pstdev(ways) == pytest.approx(sqrt(after - before), rel=0.06)
    assert fmean(ways) == pytest.approx(0, abs=4 * sqrt((after - before) / 3_000))


def test_two_ways_that_do_not_meet_know_nothing_of_each_other():
    value = compile_value("walk(0.0000, 1)", "generator")
    one = [at(value, 7, entity) - at(value, 3, entity) for entity in range(1, 3_001)]
    other = [at(value, 14, entity) - at(value, 9, entity) for entity in range(1, 3_001)]
    assert abs(correlation(one, other)) < 4 / sqrt(3_000)


@given(steps=st.lists(st.integers(0, 3_000), min_size=1, max_size=30), entity=st.integers(0, 3))
@settings(derandomize=True, max_examples=60, deadline=None)
def test_a_step_is_the_same_in_any_order_and_without_those_before_it(steps, entity):
    value = compile_value("walk(15..25, 0.2, 10..30)", "generator")
    jumping = [at(value, step, entity) for step in steps]
    for step, there in zip(steps, jumping, strict=True):
        forget()
        assert at(value, step, entity) == there


def test_a_whole_walk_is_that_of_its_single_steps():
    whole = walked("walk(21, 0.2, 15..30)", 500)
    value = compile_value("walk(21, 0.2, 15..30)", "generator")
    for step in range(0, 500, 7):
        forget()
        assert at(value, step) == whole[step]


def test_it_is_the_same_in_another_process():
    there = subprocess.run([sys.executable, "-c", (
        "from tests.payloads.test_walks import *; value = compile_value('walk(15..25, 0.2, 10..30)', 'generator');"
        "print([at(value, step, 3) for step in (0, 1, 77, 10**6, 10**12)])")], capture_output=True, text=True, check=True)
    value = compile_value("walk(15..25, 0.2, 10..30)", "generator")
    assert there.stdout.strip() == str([at(value, step, 3) for step in (0, 1, 77, 10**6, 10**12)])


def test_walks_never_change():
    """A change here changes the data of every sketch that has a seed."""
    value = compile_value("walk(15..25, 0.2, 10..30)", "generator")
    assert [at(value, step, 3) for step in (0, 1, 2, 3, 77, 1_000_000)] == WALKED


def test_it_turns_back_at_its_bounds():
    made = walked("walk(21, 2, 15..30)", 3_000)
    assert all(15 <= one <= 30 for one in made)
    assert min(made) < 15.5 and max(made) > 29.5
    assert max(abs(after - before) for before, after in pairwise(made)) < 10  # no jump from one bound to the other


def test_what_turns_back_spends_its_time_everywhere():
    made = walked("walk(0, 3, -10..10)", 20_000)
    tenths = [sum(-10 + 2 * tenth <= one < -8 + 2 * tenth for one in made) / len(made) for tenth in range(10)]
    assert all(0.08 < share < 0.12 for share in tenths)


def test_each_entity_has_its_own_walk_and_its_own_start():
    value = compile_value("walk(15..25, 0.2)", "generator")
    starts = [at(value, 0, entity) for entity in range(1, 2_001)]
    assert all(15 <= one <= 25 for one in starts)
    assert distance(starts, lambda x: (x - 15) / 10) < 1.95 / sqrt(2_000)
    assert [at(value, step, 1) for step in range(9)] != [at(value, step, 2) for step in range(9)]
    assert at(value, 5, 1) == at(value, 5, 1, seed=42) != at(value, 5, 1, seed=43)


def test_two_walks_of_one_body_differ_and_a_third_beside_them_changes_none():
    both = {"inside": "walk(21, 0.2)", "outside": "walk(21, 0.2)"}
    made = at(compile_value(both, "generator"), 9)
    assert made["inside"] != made["outside"]  # type: ignore[index]
    with_third = at(compile_value({"wind": "walk(3, 1)", **both}, "generator"), 9)
    assert {name: with_third[name] for name in both} == made  # type: ignore[index]


def test_it_has_one_decimal_more_than_written():
    assert any(one != round(one, 1) for one in walked("walk(21, 0.2)", 50))
    assert all(one == round(one, 2) for one in walked("walk(21, 0.2)", 50))
    assert all(one == round(one, 1) for one in walked("walk(1000, 5, 0..2000)", 50))


def test_what_is_remembered_of_many_entities_is_bounded(monkeypatch):
    monkeypatch.setattr(walks, "MOST_PATHS", 10)
    forget()
    value = compile_value("walk(0, 1)", "generator")
    made = [at(value, step, entity) for step in range(3) for entity in range(50)]
    assert len(walks._paths) == 10
    monkeypatch.undo()
    assert made == [at(value, step, entity) for step in range(3) for entity in range(50)]


def test_the_next_step_is_near(monkeypatch):
    """About one number for each step, however far it went: those before it are not drawn again."""
    drawn = []
    real = walks.floats_at
    monkeypatch.setattr(walks, "floats_at", lambda *place: drawn.append(place) or real(*place))
    value = compile_value("walk(0, 1)", "generator")
    forget()
    at(value, 1_000_000)
    assert len(drawn) < 50
    drawn.clear()
    for step in range(1_000_001, 1_001_001):
        at(value, step)
    assert len(drawn) < 1_100


@pytest.mark.parametrize(("raw", "said"), [
    ("walk()", "it takes where it begins, the standard deviation of a step, and if you like the bounds"),
    ("walk(21)", "it takes where it begins"), ("walk(1, 2, 3..4, 5)", "it takes where it begins"),
    ("walk(a, 1)", "where it begins is a number or a range"), ("walk(1, 1..2)", "a step is a number"),
    ("walk(1, 1, 5)", "the bounds are a range"), ("walk(1, -1)", "a step is not negative"),
    ("walk(9999999999999, 1)", "no number is over 1e12"), ("walk(30..20, 1)", "'30..20' runs backwards"),
    ("walk(1, 1, 1..1)", "walk(…) cannot move within 1..1"), ("walk(9, 1, 10..20)", "walk(…) begins outside of 10..20: at 9"),
    ("walk(9..15, 1, 10..20)", "begins outside of 10..20"), ("random_walk(9, 1)", "did you mean walk(21, 0.2, 15..30)?"),
    ({"$list": "walk(21, 0.2)", "size": 3}, "walk(…) stands in a $list: it has one value for each event"),
])
def test_what_is_wrong_is_said(raw, said):
    assert said in problem(raw, "generator")


@pytest.mark.parametrize("scope", ["rule", "key", "fold"])
def test_only_a_generator_walks(scope):
    assert problem("walk(21, 0.2)", scope).startswith("walk(…) goes on from event to event of a generator")


WALKED = [16.53, 16.7, 16.56, 16.53, 17.34, 28.46]
