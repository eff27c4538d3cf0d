"""Chance is a pure function of (seed, part, event): the same on every machine, spread evenly, independent."""

from __future__ import annotations

from itertools import pairwise
from statistics import correlation, fmean, pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eda_cli.payloads import Dice, derive_seed, derived_id, event_id
from tests.payloads.making import make

PURCHASE = {
    "id": "uuid()", "user": "zipf(200, user-)",
    "items": {"$list": {"sku": "pick(A, B, C)", "price": "5.00..250.00"}, "size": "1..4"},
    "express": "chance(10%)", "number": "seq(1000)", "weight": "normal(50, 10)", "day": "2026-01-01..2026-12-31",
    "at": "2026-01-01T00:00:00.000Z..2026-12-31T23:59:59.999Z", "wide": "0..18446744073709551615",
    "how": {"$pick": ["card", {"cash": "1..9"}], "weights": [1, 3]},
}


def test_the_numbers_never_change():
    """A change here changes the data of every sketch that has a seed: it has to be worth a major version."""
    dice = Dice(42, "webshop")
    assert [dice.random() for _ in range(3)] == VECTORS["random"]
    assert dice.roll(7).uuid() == VECTORS["uuid of 7"]
    assert dice.roll("6f1d/identity").random() == VECTORS["random of an identity"]
    assert dice.roll(8).below(10**30) == VECTORS["below"]
    assert derive_seed(42, "webshop", 1) == VECTORS["seed"]
    assert derived_id("/eda/shop/webshop/e-1", "invoicing", 0, 2) == VECTORS["derived id"]


def test_the_values_never_change():
    assert make(PURCHASE, "generator", 5) == VALUES


@given(seed=st.integers(0, 2**63 - 1), number=st.integers(0, 2**62))
@settings(derandomize=True, max_examples=50)
def test_a_value_is_a_function_of_seed_part_and_number(seed, number):
    assert make(PURCHASE, "generator", number, seed=seed) == make(PURCHASE, "generator", number, seed=seed)


def test_events_are_reached_in_any_order():
    dice = Dice(1, "part")
    forward = [dice.roll(number).random() for number in range(50)]
    backward = [dice.roll(number).random() for number in reversed(range(50))]
    assert forward == backward[::-1]


def test_seed_part_and_event_all_matter():
    firsts = [Dice(*made).roll(event).random() for made, event in [
        ((1, "a"), 0), ((2, "a"), 0), ((1, "b"), 0), ((1, "a"), 1), ((1, "a", "b"), 0), ((1, "ab"), 0), ((1, "a"), "0"),
        ((1, "a", 1), 0), ((1, "a", "1"), 0)]]
    assert len(set(firsts)) == len(firsts)


def test_uuids_do_not_depend_on_how_much_was_drawn():
    dice = Dice(1, "part")
    before = dice.roll(3).uuid()
    dice.roll(3)
    for _ in range(20):
        dice.random()
    assert dice.uuid() == before == event_id(dice.roll(3))


def test_draws_fill_their_interval_evenly():
    dice = Dice(7, "part")
    drawn = [dice.roll(number).draw() for number in range(20_000)] + [dice.draw() for _ in range(20_000)]
    assert all(1 <= one < 2 for one in drawn)
    assert fmean(drawn) == pytest.approx(1.5, abs=0.005)
    assert pstdev(drawn) == pytest.approx(12**-0.5, abs=0.005)
    tenths = [0] * 10
    for one in drawn:
        tenths[int((one - 1) * 10)] += 1
    assert sum((count - 4_000) ** 2 / 4_000 for count in tenths) < 28  # chi squared, 9 degrees, p = 0.001


def test_neighbours_have_nothing_to_do_with_each_other():
    dice = Dice(7, "part")
    by_event = [dice.roll(number).random() for number in range(10_000)]
    in_event = [dice.random() for _ in range(10_000)]
    for series in (by_event, in_event):
        assert abs(correlation(*zip(*pairwise(series), strict=True))) < 0.03


@pytest.mark.parametrize("bound", [1, 2, 3, 10, 2**32, 2**32 + 1, 2**52 + 1, 2**64, 10**40])
def test_below_stays_below_and_reaches_far(bound):
    dice = Dice(3, "part")
    drawn = [dice.below(bound) for _ in range(500)]
    assert all(0 <= one < bound for one in drawn)
    assert max(drawn) >= bound * 0.9 - 1
    assert min(drawn) <= bound * 0.1
    assert type(drawn[0]) is int


def test_uniform_is_between_its_bounds():
    dice = Dice(3, "part")
    assert all(0.02 <= dice.uniform(0.02, 0.08) <= 0.08 for _ in range(500))
    assert dice.uniform(5.0, 5.0) == 5.0


def test_derived_seeds_fit_64_bits_and_differ():
    seeds = {derive_seed(seed, *parts) for seed in range(20) for parts in [(), ("a",), ("b",), ("a", "b"), ("ab",), (1,)]}
    assert len(seeds) == 120
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_derived_ids_are_uuids_of_version_5_and_differ():
    ids = {derived_id(cause, part, rule, item) for cause in ("/s/a", "/s/b") for part in ("p", "q")
           for rule in range(3) for item in range(3)}
    assert len(ids) == 36
    assert all(one[14] == "5" and one[19] in "89ab" and len(one) == 36 for one in ids)


def test_an_identity_may_hold_half_a_surrogate_pair():
    assert derived_id("\ud800", "p", 0, 0) != derived_id("\ud801", "p", 0, 0)
    assert Dice(1, "\ud800").roll("\ud800").random() < 1


VECTORS = {
    "random": [0.9658588918637936, 0.45832351301276253, 0.5632860672638134],
    "uuid of 7": "a66a9207-9b5c-453f-ac18-143ed0ebb095",
    "random of an identity": 0.04736553036120217,
    "below": 733610420095479268175446803940,
    "seed": 6175802250174437707,
    "derived id": "76e4ad80-e8c8-5974-9c78-b2bfc71be71c",
}
VALUES = {
    "id": "68614c49-2f1b-4414-b1a2-e3150bdf2412",
    "user": "user-97",
    "items": [{"sku": "A", "price": 242.61}, {"sku": "C", "price": 142.25}, {"sku": "B", "price": 27.45}],
    "express": False,
    "number": 1005,
    "weight": 66.52,
    "day": "2026-07-07",
    "at": "2026-03-26T03:48:32.658Z",
    "wide": 11571740912971090112,
    "how": {"cash": 9},
}
