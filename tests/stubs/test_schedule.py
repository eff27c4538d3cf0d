"""How many events a schedule wishes, and when: the sums are taken twice, from both sides."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eda_cli.sketch.resolved import Stage
from eda_cli.stubs.schedule import Curve

RATES = st.sampled_from([0.0, 0.1, 1 / 60, 0.7, 1.0, 5.0, 60.0, 5000.0])
STAGES = st.lists(st.builds(Stage, st.tuples(RATES, RATES), st.sampled_from([0.1, 0.7, 1.0, 10.0, 3600.0])), min_size=1,
                  max_size=4)


def moments(curve: Curve, most: int = 300) -> list[float]:
    """Of the first events."""
    found = []
    while len(found) < most and (moment := curve.moment(len(found))) is not None:
        found.append(moment)
    return found


def wished(stages: list[Stage]) -> Fraction:
    """How many events one round has, without rounding."""
    return sum(((exact(stage.rate[0]) + exact(stage.rate[1])) / 2 * exact(stage.for_s or 0) for stage in stages), Fraction())


def exact(number: float) -> Fraction:
    """What was meant: 0.1, and 1/60."""
    return Fraction(number).limit_denominator(1000)


def test_a_rate_is_one_event_after_another() -> None:
    assert moments(Curve([Stage((4.0, 4.0))]), 5) == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_a_ramp_is_linear_in_time() -> None:
    assert moments(Curve([Stage((0.0, 10.0), 10.0)])) == pytest.approx([math.sqrt(2 * k) for k in range(50)])
    assert moments(Curve([Stage((10.0, 0.0), 10.0)])) == pytest.approx([10 - math.sqrt(100 - 2 * k) for k in range(50)])


def test_a_stage_of_rate_zero_is_a_pause_and_an_event_at_its_edge_comes_behind_it() -> None:
    curve = Curve([Stage((0.0, 0.0), 5.0), Stage((1.0, 1.0), 2.0), Stage((0.0, 0.0), 10.0), Stage((1.0, 1.0), 2.0)])
    assert moments(curve) == [5.0, 6.0, 17.0, 18.0]


def test_rounds_follow_each_other_and_end() -> None:
    stages = [Stage((1.0, 1.0), 2.0), Stage((0.0, 0.0), 3.0)]
    assert moments(Curve(stages, 3)) == [0.0, 1.0, 5.0, 6.0, 10.0, 11.0]
    assert Curve(stages, 3).end == 15.0
    assert moments(Curve(stages, None), 400)[-1] == 199 * 5 + 1
    assert Curve(stages, None).end == math.inf


def test_a_stage_that_is_flat_out_is_not_counted_but_takes_its_time() -> None:
    curve = Curve([Stage((1.0, 1.0), 2.0), Stage((math.inf, math.inf), 3.0), Stage((1.0, 1.0))])
    assert moments(curve, 4) == [0.0, 1.0, 5.0, 6.0]
    assert [curve.flat_out(moment) for moment in (-1.0, 0.0, 2.0, 4.9, 5.0)] == [False, False, True, True, False]
    assert [curve.stage_end(moment) for moment in (-1.0, 0.0, 2.0, 5.0)] == [0.0, 2.0, 5.0, math.inf]


def test_nothing_comes_of_pauses_alone() -> None:
    for repeat in (1, None):
        assert Curve([Stage((0.0, 0.0), 1.0)], repeat).moment(0) is None


def test_the_last_stage_may_be_a_pause_without_end() -> None:
    curve = Curve([Stage((1.0, 1.0), 2.0), Stage((0.0, 0.0))])
    assert moments(curve) == [0.0, 1.0]
    assert (curve.end, curve.stage_end(7.0), curve.reached(7.0)) == (math.inf, math.inf, 2.0)


@settings(deadline=None)
@given(STAGES, st.integers(1, 3))
def test_a_schedule_has_as_many_events_as_it_wishes(stages: list[Stage], repeat: int) -> None:
    many = math.ceil(wished(stages) * repeat)
    curve = Curve(stages, repeat)
    if many:
        last = curve.moment(many - 1)
        assert last is not None
        assert 0 <= last <= curve.end
    assert curve.moment(many) is None


@settings(deadline=None)
@given(STAGES, st.sampled_from([1, 2, None]), st.floats(0, 1))
def test_up_to_a_moment_are_due_as_many_as_the_integral_reached(stages: list[Stage], repeat: int | None, share: float) -> None:
    curve = Curve(stages, repeat)
    at = share * min(curve.end, 3 * sum(stage.for_s or 0 for stage in stages))
    reached = curve.reached(at)
    if abs(reached - round(reached)) < 1e-6 * max(1.0, reached):  # an event is due right here, or behind a pause
        return
    before, behind = curve.moment(math.floor(reached)), curve.moment(math.floor(reached) + 1)
    assert before is not None
    assert before <= at + 1e-6
    assert behind is None or behind >= at - 1e-6


@settings(deadline=None)
@given(STAGES, st.sampled_from([1, 2, None]), st.floats(0, 5000))
def test_moment_and_reached_undo_each_other(stages: list[Stage], repeat: int | None, number: float) -> None:
    curve = Curve(stages, repeat)
    if (moment := curve.moment(number)) is not None:
        assert curve.reached(moment) == pytest.approx(number, rel=1e-6, abs=1e-5)


@settings(deadline=None)
@given(STAGES, st.sampled_from([1, 2, None]))
def test_moments_never_run_backwards(stages: list[Stage], repeat: int | None) -> None:
    found = moments(Curve(stages, repeat))
    assert found == sorted(found)


def test_what_decimal_fractions_lose_is_no_event() -> None:
    third = Stage((0.1, 0.1), 1.0)  # three of them are 0.30000000000000004
    assert len(moments(Curve([third] * 3, 10))) == 3
