"""What the protocol's own types compute."""

from __future__ import annotations

from eda_cli.channels.base import GroupInfo, GroupPlace, Place


def place(number: int, lag: int | None) -> GroupPlace:
    return GroupPlace(Place("t", number), None, None, lag, None)


def test_the_lag_of_a_group_is_the_sum_of_its_places() -> None:
    assert GroupInfo("g", 1, [place(0, 3), place(1, 0)]).lag == 3


def test_a_lag_that_is_unknown_in_one_place_is_unknown_and_never_0() -> None:
    assert GroupInfo("g", 1, [place(0, 3), place(1, None)]).lag is None
