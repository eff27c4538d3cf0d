"""A generator that cannot keep up is told, seldom; one that waits for its broker is not too slow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eda_cli.journal import Journal, last_counts, last_observations
from eda_cli.stubs.shortfall import Shortfall, Sums


class Told:
    """What is told of a generator that was seen at some moments: (second, made, lost, troubles), each the sum so far.

    Its schedule wishes 5,000 events a second.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = Journal(path, "web", 1)
        self.shortfall = Shortfall(self.journal, "t", 0.0)

    def see(self, *seen: tuple[float, int, int, int]) -> list[dict[str, object]]:
        for one in seen:
            self.shortfall.see(one[0], Sums(one[1], 5_000 * one[0], *one[2:]))
        self.journal.flush()
        return [{"kind": one.kind, **{name: value for name, value in one.fields.items() if name != "replica"}}
                for one in last_observations(self.path) if one.kind != "counted"]


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    one = Told(tmp_path / "web.1.jsonl")
    yield one
    one.journal.close()


def test_who_is_in_time_is_no_news(told: Told) -> None:
    assert told.see(*[(second, 100 * second, 0, 0) for second in range(20)]) == []


def test_the_rates_are_told_at_once_and_then_seldom(told: Told) -> None:
    said = told.see(*[(tenth / 10, 320 * tenth, 180 * tenth, 0) for tenth in range(1, 121)])
    assert said == [{"kind": "behind", "lost": 1_800, "wished": 5_000, "reached": 3_200},
                    *[{"kind": "behind", "lost": 9_000, "wished": 5_000, "reached": 3_200}] * 2]
    assert last_counts(told.path) == {"behind": {"t": 21_600}}


def test_what_is_wished_is_not_thinned_by_the_second_that_may_be_made_good(told: Told) -> None:
    late = [(tenth / 10, 320 * tenth, 0, 0) for tenth in range(1, 28)]
    said = told.see(*late, *[(tenth / 10, 320 * tenth, 180 * (tenth - 27), 0) for tenth in range(28, 38)])
    assert said == [{"kind": "behind", "lost": 1_800, "wished": 5_000, "reached": 3_200}]


def test_who_is_back_in_time_says_so_once(told: Told) -> None:
    said = told.see((1.0, 10, 5, 0), (6.0, 60, 5, 0), (11.0, 110, 5, 0), (20.0, 200, 5, 0))
    assert [one["kind"] for one in said] == ["behind", "in_time"]


def test_a_broker_that_was_away_is_not_a_generator_that_is_too_slow(told: Told) -> None:
    said = told.see((0.5, 10, 0, 0), (30.0, 11, 290, 4), (31.0, 21, 290, 4), (40.0, 110, 290, 4))
    assert said == [{"kind": "behind", "lost": 290, "refused": True}]
    assert last_counts(told.path) == {"behind": {"t": 290}}
