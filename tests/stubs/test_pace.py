"""When a generator publishes, by a clock that the test turns."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eda_cli.sketch.resolved import Generator, Stage
from eda_cli.stubs.pace import BATCH, CATCH_UP_S, TICK_S, Pace, Place, curve_of, gaps_of
from tests.stubs.test_schedule import STAGES

SPIKE = (Stage((5.0, 60.0), 10.0), Stage((60.0, 60.0), 60.0))


def pace(place: Place | None = None, replica: int = 1, seed: int = 7, **fields: Any) -> Pace:
    generator = Generator("web", "t", "made", None, **{"rate": None, **fields})
    return Pace(curve_of(generator), gaps_of(generator, replica, seed), place or Place())


def played(pace: Pace, seconds: float, step: float, begin: float = 0.0) -> list[float]:
    """The moments of all that comes if somebody looks every `step` seconds."""
    found: list[float] = []
    for tick in range(round(begin / step), round(seconds / step) + 1):
        while moments := pace.due(tick * step):
            found += moments
    return found


@pytest.mark.parametrize("rate", [0.5, 1.0, 5.0, 99.0, 1_000.0, 40_000.0])
def test_a_rate_is_kept_exactly(rate: float) -> None:
    assert len(played(pace(rate=rate), 10.0, 0.001)) == rate * 10 + 1


def test_the_first_event_is_due_at_once() -> None:
    assert pace(rate=1.0).due(0.0) == pace(every=(1.0, 2.0)).due(0.0) == [0.0]


def test_flat_out_never_waits() -> None:
    fast = pace(rate=math.inf)
    assert [len(fast.due(0.0)), len(fast.due(0.0)), fast.pause(0.0)] == [BATCH, BATCH, 0.0]


def test_a_stage_may_be_flat_out() -> None:
    spike = pace(stages=(Stage((1.0, 1.0), 2.0), Stage((math.inf, math.inf), 3.0), Stage((1.0, 1.0), 2.0)))
    assert (spike.due(0.0), spike.due(1.9), spike.pause(1.9)) == ([0.0], [1.0], pytest.approx(0.1))
    assert [len(spike.due(2.0)), len(spike.due(4.99)), spike.pause(4.99)] == [BATCH, BATCH, 0.0]
    assert [spike.due(5.0), spike.due(6.0), spike.over(6.5), spike.over(7.0)] == [[5.0], [6.0], False, True]
    assert spike.lost == 0


@pytest.mark.parametrize("clock", [{"rate": 8.0}, {"every": (0.125, 0.125)}, {"stages": (Stage((8.0, 8.0), 1000.0),)}])
def test_who_fell_behind_catches_up_one_second_at_most_and_counts_the_rest(clock: dict[str, Any]) -> None:
    slow = pace(**clock)
    assert len(slow.due(0.0)) == 1
    caught = slow.due(60.0)
    assert len(caught) == 8 * CATCH_UP_S + 1
    assert caught[0] == pytest.approx(60 - CATCH_UP_S)
    assert slow.lost == 8 * 60 - len(caught)
    assert not slow.due(60.0)


def test_the_spike_ends_when_it_should_whatever_was_lost() -> None:
    slow = pace(stages=(Stage((100.0, 100.0), 10.0), Stage((1.0, 1.0), 10.0)))
    slow.due(0.0)
    assert len(slow.due(10.5)) == 51  # half a second of the spike may still be made good
    assert slow.lost == 950 - 1
    assert len(played(slow, 20.0, 0.5, begin=10.5)) == 9
    assert slow.over(20.0)


def test_chance_arrivals_are_lost_by_their_rate() -> None:
    slow = pace(rate=100.0, arrivals="poisson")
    slow.due(100.0)
    assert slow.lost == pytest.approx(9_900, abs=5)


@settings(deadline=None)
@given(STAGES, st.sampled_from([1, 2]), st.integers(1, 4), st.sampled_from([0.3, 1.0]))
def test_replicas_play_the_curve_of_one(stages: list[Stage], repeat: int, replicas: int, step: float) -> None:
    stages = [replace(stage, rate=(min(stage.rate[0], 5.0), min(stage.rate[1], 5.0)), for_s=min(stage.for_s or 0.0, 10.0))
              for stage in stages]
    clock: dict[str, Any] = {"stages": tuple(stages), "repeat": repeat}
    alone = pace(**clock).take(10**6)
    together = [moment for replica in range(1, replicas + 1)
                for moment in played(pace(replica=replica, replicas=replicas, **clock), 90.0, step)]
    assert sorted(together) == pytest.approx(alone)


@pytest.mark.parametrize("clock", [{"rate": 5.0}, {"every": (0.1, 0.4)}, {"rate": 5.0, "arrivals": "poisson"},
                                   {"stages": SPIKE}, {"stages": SPIKE, "repeat": None, "arrivals": "poisson"}])
@settings(deadline=None)
@given(kills=st.lists(st.floats(0, 30), max_size=4))
def test_a_kill_changes_no_moment(clock: dict[str, Any], kills: list[float]) -> None:
    whole = pace(**clock)
    undisturbed = played(whole, 30.0, 0.25)
    place = Place()
    found: list[float] = []
    for kill in [*sorted(kills), 30.0]:
        one = pace(replace(place), **clock)
        at = place.at
        while at <= kill and (moments := one.due(at)) is not None:
            found += moments
            place = replace(one.place)
            at = max(at + min(one.pause(at), 0.25), math.nextafter(at, math.inf))
    assert found == pytest.approx([moment for moment in undisturbed if moment <= (found or [0.0])[-1]])
    assert len(found) >= len(undisturbed) - 16
    assert whole.lost == 0


def test_chance_arrivals_have_the_rate_and_its_spread() -> None:
    for stages in ((Stage((20.0, 20.0), 500.0),), (Stage((0.0, 40.0), 500.0),)):
        gaps = pace(stages=stages, arrivals="poisson")
        many = len(gaps.take(10**6))
        assert many == pytest.approx(10_000, abs=5 * math.sqrt(10_000))
        assert many != 10_000
    moments = pace(rate=1.0, arrivals="poisson").take(10_000)
    pauses = [behind - before for before, behind in itertools.pairwise(moments)]
    assert sum(pause * pause for pause in pauses) / len(pauses) == pytest.approx(2.0, rel=0.1)  # even: 1
    assert moments[0] > 0
    assert pace(rate=1.0, arrivals="poisson", replica=2, replicas=2).take(1) != pace(
        rate=1.0, arrivals="poisson", replicas=2).take(1)


def test_fast_ones_are_published_together_and_slow_ones_are_waited_for() -> None:
    fast, slow = pace(rate=5_000.0), pace(rate=10.0)
    fast.due(0.0)
    slow.due(0.0)
    assert fast.pause(0.0) == TICK_S
    four = pace(rate=5_000.0, replicas=4)
    four.due(0.0)
    assert four.pause(0.0) == 4 * TICK_S, "all replicas publish as often as one would"
    assert slow.pause(0.04) == pytest.approx(0.06)


def test_the_end_of_a_stage_is_not_slept_through() -> None:
    sleepy = pace(stages=(Stage((0.0, 0.0), 3.0), Stage((1.0, 1.0), 2.0), Stage((0.0, 0.0), 2.0)))
    assert [sleepy.due(0.0), sleepy.pause(0.0)] == [[], 3.0]
    assert [sleepy.due(3.0), sleepy.due(4.0), sleepy.pause(4.0)] == [[3.0], [4.0], 1.0]
    assert [sleepy.over(6.0), sleepy.pause(6.0), sleepy.over(7.0)] == [False, 1.0, True]


def test_whoever_catches_up_has_played_what_was_taken_and_no_more() -> None:
    late = pace(rate=5_000.0)
    late.due(0.0)
    assert late.due(0.9)[-1] == late.place.at == pytest.approx(BATCH / 5_000)
    fresh = pace(replace(late.place), rate=5_000.0)
    assert fresh.due(late.place.at + 1 / 5_000) == pytest.approx([late.place.at + 1 / 5_000])
