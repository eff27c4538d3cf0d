"""Ranges: both bounds included, as many decimals as the bounds have."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from statistics import fmean

import orjson
import pytest

from tests.payloads.making import make, many, problem


@pytest.mark.parametrize(("raw", "values"), [
    ("1..5", {1, 2, 3, 4, 5}),
    ("-2..2", {-2, -1, 0, 1, 2}),
    ("-5..-4", {-5, -4}),
    ("7..7", {7}),
    ("0..1", {0, 1}),
    ("0.1..0.4", {0.1, 0.2, 0.3, 0.4}),
    ("-0.1..0.1", {-0.1, 0.0, 0.1}),
    ("1.0..1.2", {1.0, 1.1, 1.2}),
    ("2..2.02", {2.0, 2.01, 2.02}),
    ("2026-02-27..2026-03-02", {"2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"}),
    ("2026-01-01T00:00:00Z..2026-01-01T00:00:02Z",
     {"2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z"}),
    ("2026-01-01T00:00:00+02:00..2026-01-01T00:00:00.1+02:00", {"2025-12-31T22:00:00.0Z", "2025-12-31T22:00:00.1Z"}),
    ("2026-01-01t00:00:00-01:00..2026-01-01t00:00:00-01:00", {"2026-01-01T01:00:00Z"}),
])
def test_a_range_gives_all_between_its_bounds_and_both(raw, values):
    made = many(raw, times=400)
    assert set(made) == values
    assert {type(one) for one in made} == {type(one) for one in values}


def test_numbers_are_spread_evenly():
    counts = Counter(many("1..6", times=6_000))
    assert all(850 < counts[one] < 1_150 for one in range(1, 7))


def test_decimals_are_json_numbers_with_at_most_as_many_decimals_as_the_bounds():
    made = many("5.00..250.00", times=5_000)
    for one in made:
        text = orjson.dumps(one).decode()
        assert 5 <= one <= 250
        assert len(text.partition(".")[2]) <= 2
    assert fmean(made) == pytest.approx(127.5, abs=3)
    assert len(set(made)) > 4_000


def test_a_wide_range_uses_all_of_its_width():
    made = many("-9223372036854775808..18446744073709551615", times=500)
    assert len(set(made)) == 500
    assert len({one % 1024 for one in made}) > 350
    assert min(made) < -(2**62)
    assert max(made) > 2**63


def test_dates_and_times_are_such():
    for one in many("2026-01-01..2026-12-31", times=50):
        assert date.fromisoformat(one).year == 2026
    for one in many("2026-01-01T00:00:00.000000Z..2026-12-31T23:59:59.999999Z", times=50):
        assert datetime.fromisoformat(one).year == 2026
        assert len(one) == len("2026-01-01T00:00:00.000000Z")


@pytest.mark.parametrize(("raw", "said"), [
    ("5..1", "'5..1' runs backwards: the lower bound stands first; write 1..5"),
    ("-1..-5", "write -5..-1"),
    ("2026-12-31..2026-01-01", "runs backwards"),
    ("2026-01-02T00:00:00Z..2026-01-01T00:00:00Z", "runs backwards"),
    ("1..2026-01-01", "has bounds of two kinds"),
    ("2026-01-01..2026-01-02T00:00:00Z", "has bounds of two kinds"),
    ("2026-02-30..2026-03-01", "has a bound that is no day: day is out of range"),
    ("2026-13-01..2027-01-01", "no day"),
    ("2026-01-01T25:00:00Z..2026-01-02T00:00:00Z", "has a bound that is no time"),
    ("0001-01-01T00:00:00+05:00..2026-01-01T00:00:00Z", "has a bound that is no time"),
    ("2026-01-01T00:00:00..2026-01-02T00:00:00", "has a time without a zone; write 2026-01-01T00:00:00Z"),
    ("2026-01-01T00:00:00Z..2026-01-02T00:00:00", "write 2026-01-02T00:00:00Z"),
    ("001..100", "has a bound with leading zeros"),
    ("0..18446744073709551616", "leaves the numbers of 64 bits; write numbers from -9223372036854775808 to"),
    ("0.00..99999999999999999.99", "has too many digits: a JSON number keeps 15"),
    ("0.0..0." + "1" * 50, "has too many digits"),
])
def test_what_is_wrong_with_a_range_is_said(raw, said):
    assert said in problem(raw)


def test_a_range_is_the_same_in_every_scope():
    assert make("1..1000000", "rule", 3) == make("1..1000000", "generator", 3) == make("1..1000000", "key", 3)
