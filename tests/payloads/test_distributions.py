"""Distributions have their mean, deviation and shape, keep their bounds, and refuse what could not come."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate
from math import erf, exp, factorial, lgamma, log, sqrt
from statistics import NormalDist, fmean, pstdev

import pytest

from eda_cli.payloads import distributions
from tests.payloads.making import make, many, problem

TIMES = 20_000
# Kolmogorov and Smirnov: the largest distance from the true distribution is over 1.95 / sqrt(n) once in 1,000 samples.
FARTHEST = 1.95 / sqrt(TIMES)


def phi(z):
    return (1 + erf(z / sqrt(2))) / 2


def distance(made, share_below):
    """The largest difference between the sample's share of numbers below a place and the true one."""
    ordered = sorted(made)
    return max(max(abs(at / len(ordered) - share_below(one)), abs((at + 1) / len(ordered) - share_below(one)))
               for at, one in enumerate(ordered))


@pytest.mark.parametrize(("raw", "mean", "deviation", "share_below"), [
    ("normal(50, 10)", 50, 10, lambda x: phi((x - 50) / 10)),
    ("normal(-3.5, 0.25)", -3.5, 0.25, lambda x: phi((x + 3.5) / 0.25)),
    ("lognormal(3, 0.5)", exp(3.125), exp(3.125) * sqrt(exp(0.25) - 1), lambda x: phi((log(x) - 3) / 0.5)),
    ("lognormal(-6, 0.3)", exp(-5.955), exp(-5.955) * sqrt(exp(0.09) - 1), lambda x: phi((log(x) + 6) / 0.3)),
    ("lognormal(25, 0.3)", exp(25.045), exp(25.045) * sqrt(exp(0.09) - 1), lambda x: phi((log(x) - 25) / 0.3)),
    ("exponential(30)", 30, 30, lambda x: 1 - exp(-x / 30)),
    ("exponential(0.002)", 0.002, 0.002, lambda x: 1 - exp(-x / 0.002)),
])
def test_a_distribution_has_its_mean_its_deviation_and_its_shape(raw, mean, deviation, share_below):
    made = many(raw, times=TIMES)
    assert fmean(made) == pytest.approx(mean, abs=4 * deviation / sqrt(TIMES))  # four deviations of a mean
    assert pstdev(made) == pytest.approx(deviation, rel=0.05)
    assert distance(made, share_below) < FARTHEST
    assert {type(one) for one in made} == {float}


@pytest.mark.parametrize("mean", [0.1, 1, 4, 30.5, 900, 1_000])
def test_poisson_comes_as_often_as_its_formula_says(mean):
    made = many(f"poisson({mean})", times=TIMES)
    counts = Counter(made)
    expected = {number: TIMES * exp(number * log(mean) - mean - lgamma(number + 1)) for number in range(2_000)}
    cells = [number for number in expected if expected[number] >= 20]
    squares = sum((counts[number] - expected[number]) ** 2 / expected[number] for number in cells)
    assert squares < len(cells) + 4 * sqrt(2 * len(cells))  # chi squared: its mean and four of its deviations
    assert {type(one) for one in made} == {int}
    assert fmean(made) == pytest.approx(mean, abs=4 * sqrt(mean / TIMES))


@pytest.mark.parametrize("mean", [1_001, 50_000, 1e9])
def test_poisson_of_a_large_mean_is_as_good_as_exact(mean):
    made = many(f"poisson({mean:.1f})", times=TIMES)
    assert fmean(made) == pytest.approx(mean, abs=4 * sqrt(mean / TIMES))
    assert pstdev(made) == pytest.approx(sqrt(mean), rel=0.03)
    assert {type(one) for one in made} == {int}


def test_both_ways_to_poisson_agree_where_they_meet(monkeypatch):
    """Fed with the quantiles of the normal distribution. Without its skewness it is off by more than one in 1,000."""
    quantiles = [NormalDist().inv_cdf((at + 0.5) / TIMES) for at in range(TIMES)]
    _, exact = distributions._poisson_by_table(1_000.0)
    drawn, _ = distributions._poisson_by_normal(1_000.0)
    fed = iter(quantiles)
    monkeypatch.setattr(distributions, "standard_normal", lambda first, second: next(fed))
    counts = Counter(drawn(lambda: 1.0) for _ in quantiles)
    up_to = accumulate(counts[number] for number in range(1_200))
    assert max(abs(count / TIMES - exact(number)) for number, count in enumerate(up_to)) < 2e-4


def test_a_small_poisson_is_that_of_the_textbook():
    _, below = distributions._poisson_by_table(4.0)
    assert below(2) == pytest.approx(sum(exp(-4) * 4**k / factorial(k) for k in range(3)), abs=1e-12)
    assert below(0) == pytest.approx(exp(-4))
    assert below(-1) == 0
    assert below(float("inf")) == 1
    assert below(float("-inf")) == 0


@pytest.mark.parametrize(("raw", "low", "high", "kind"), [
    ("normal(50, 10, 40..55)", 40, 55, float), ("normal(50, 10, 49.0..51.5)", 49, 51.5, float),
    ("normal(0, 1, -1..1)", -1, 1, float), ("normal(5, 0, 5..5)", 5, 5, float),
    ("lognormal(3, 0.5, 20..30)", 20, 30, float), ("exponential(30, 10..20)", 10, 20, float),
    ("exponential(30, -5..300)", 0, 300, float), ("poisson(4, 1..3)", 1, 3, int), ("poisson(5000, 5000..5100)", 5000, 5100, int),
])
def test_bounds_are_kept_and_reached(raw, low, high, kind):
    made = many(raw, times=5_000)
    assert all(low <= one <= high for one in made)
    assert {type(one) for one in made} == {kind}
    assert max(made) - min(made) >= 0.9 * (high - low) or high - low > 200


def test_within_bounds_the_shape_is_that_of_what_lies_there():
    inside = phi(1) - phi(-2)
    made = many("normal(50, 10, 30..60)", times=TIMES)
    assert distance(made, lambda x: (phi((x - 50) / 10) - phi(-2)) / inside) < FARTHEST


def test_what_stays_outside_becomes_the_nearer_bound():
    """With 5 % inside one of 170 is still outside after 100 draws; a loop that draws on would not come to its end."""
    made = many("normal(0, 1, 1.642..9)", times=3_000)
    assert min(made) == 1.642
    assert 2 < made.count(1.642) < 60


@pytest.mark.parametrize(("raw", "decimals"), [
    ("lognormal(1, 1, 0.50..900.00)", 2), ("exponential(3, 0.1..9.5)", 1), ("normal(0.5, 0.125, 0.00..1.0)", 2)])
def test_numbers_have_the_decimals_of_their_bounds(raw, decimals):
    made = many(raw)
    assert made == [round(number, decimals) for number in made]
    assert made != [round(number, decimals - 1) for number in made]


@pytest.mark.parametrize(("raw", "given"), [
    ("lognormal(3, 0)", 20.09), ("lognormal(0, 0)", 1.0), ("lognormal(-10, 0)", 4.54e-05), ("lognormal(25, 0)", 72004899337.4)])
def test_numbers_are_rounded_as_is_said(raw, given):
    assert make(raw) == given


def test_numbers_never_change():
    """A change here changes the data of every sketch that has a seed."""
    raws = ["normal(50, 10)", "normal(50, 10, 0..45)", "lognormal(3, 0.5)", "exponential(30)", "poisson(4)", "poisson(4000)"]
    assert [make(raw, number=3) for raw in raws] == NUMBERS


@pytest.mark.parametrize(("raw", "said"), [
    ("normal(50, 10, 80..100)", "normal(…) hardly ever comes within 80..100: fewer than 5% of its numbers do"),
    ("normal(50, 10, 50..50)", "hardly ever"), ("normal(5, 0, 6..7)", "hardly ever"),
    ("lognormal(3, 0.5, -9..0)", "hardly ever"), ("exponential(30, -5..-1)", "hardly ever"),
    ("poisson(4, 30..40)", "take wider bounds, or write a range alone: 30..40"), ("poisson(5000, 1..100)", "hardly ever"),
    ("normal(50, 10, 55..45)", "'55..45' runs backwards"),
    ("normal(50, 10, 0)", "the mean and the standard deviation, and if you like the bounds, such as 0..100"),
    ("normal(50, 10, 0..100, 5)", "it takes two numbers"), ("normal(50, 0..100)", "it takes two numbers"),
    ("normal(50, 10, a..b)", "it takes two numbers"), ("normal(50, 10, 2026-01-01..2026-02-01)", "it takes two numbers"),
    ("normal(1, 2, 0.." + "9" * 200 + ")", "it takes two numbers"),
    ("lognormal(3)", "the standard deviation of the logarithm"), ("lognormal(3, -1)", "its standard deviation from 0 to 5"),
    ("lognormal(3, 6)", "from 0 to 5"), ("lognormal(200, 1)", "(3 is a median of 20)"),
    ("exponential(0)", "the mean is above 0"), ("exponential(-1)", "the mean is above 0"),
    ("exponential()", "it takes one number, the mean"), ("exponential(9999999999999999)", "not over 1e15"),
    ("poisson(0)", "the mean is above 0"), ("poisson(-4)", "the mean is above 0"), ("poisson(a)", "it takes one number"),
    ("poisson(9999999999999)", "not over 1e+12"), ("poisson(4, 0.5..3)", "it gives whole numbers, and '0.5..3' is no range"),
    ("poison(4)", "did you mean poisson(…)?"), ("expovariate(4)", "did you mean exponential(30)?"),
])
def test_what_is_wrong_is_said(raw, said):
    assert said in problem(raw)


NUMBERS = [55.55, 44.29, 26.51, 36.87, 5, 4035]
