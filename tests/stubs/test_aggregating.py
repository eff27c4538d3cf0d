"""Sums and means are exact, however they were gathered and stored in between."""

from __future__ import annotations

from itertools import permutations
from math import fsum
from random import Random
from sys import float_info

import orjson
import pytest

from eda_cli.stubs.aggregating import Aggregates

CENTS = [Random(7).randrange(1, 100_000) / 100 for _ in range(500)]


def gathered(values: list[float]) -> list[object]:
    """A sum and a mean, through JSON now and then."""
    aggregates, state = Aggregates(["sum($.n)", "mean($.n)"]), [None, None]
    for index, value in enumerate(values):
        aggregates.add(state, [(0, value), (1, [value, 1])])
        if index % 7 == 0:
            state = orjson.loads(orjson.dumps(state))
    return state


def results(state: list[object]) -> list[object]:
    return list(Aggregates(["sum($.n)", "mean($.n)"]).results(state, 0).values())


@pytest.mark.parametrize("values", [
    [1.01, 2.02, 3.16], [0.1] * 10, CENTS, [1e16, 1.0, -1e16], [1e300, 1e-300, -1e300], [1, 0.5, 2**63, -(2**63), 3], [0.0]])
def test_a_sum_is_exact_in_any_order(values: list[float]) -> None:
    for order in (values, values[::-1], sorted(values, key=abs)):
        state = gathered(order)
        assert results(state) == [fsum(values), fsum(values) / len(values)]
        assert len(orjson.dumps(state)) < 700, "it does not grow with the events"
    half = len(values) // 2
    one, other = gathered(values[:half]), gathered(values[half:])
    Aggregates(["sum($.n)", "mean($.n)"]).add(one, enumerate(other))
    assert results(one) == [fsum(values), fsum(values) / len(values)]


def test_whole_numbers_that_no_float_holds_are_summed_exactly_with_floats_too() -> None:
    for values, total in (([2**53, 1, 1.0], 2.0**53 + 2), ([2**62, 1, -(2.0**62)], 1.0), ([2**64 - 1, 1, 2.0], 2.0**64)):
        for order in permutations(values):
            assert results(gathered(list(order))) == [total, total / 3]


def test_whole_numbers_stay_whole_and_what_is_beyond_all_floats_is_no_error() -> None:
    total, _ = results(gathered([2**62, 2**62, 5]))
    assert (total, type(total)) == (2**63 + 5, int)
    assert results(gathered([2**63, 2**63, 2**63])) == [3.0 * 2**63, 2.0**63]
    assert results(gathered([1e308] * 20)) == [float_info.max, float_info.max / 20]
    assert results(gathered([-1e308] * 20)) == [-float_info.max, -float_info.max / 20]
