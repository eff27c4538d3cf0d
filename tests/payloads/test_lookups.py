"""`$lookup`: what is chosen of what was heard, and that it is chosen again."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eda_cli.payloads import Context, Dice, InvalidValue, Looked, PayloadError, Seen, compile_value, lookups_of


class Made:
    """A body with lookups, and the events that they hear of: `{"id": 0, "n": 0}` and so on."""

    def __init__(self, raw: Any) -> None:
        self.value = compile_value(raw, "generator")
        self.looked = [Looked(lookup) for lookup in lookups_of(self.value)]
        self._dice = Dice(7, "bank")
        self._heard = 0

    def hear(self, many: int, **more: Any) -> None:
        for _ in range(many):
            for one in self.looked:
                one.hear(Seen(body={"id": self._heard, "n": self._heard, **more}, key=f"k{self._heard}", type="made"))
            self._heard += 1

    def make(self, number: int) -> Any:
        for one in self.looked:
            one.begin()
            one.sees(number)
        return self.value(Context(self._dice.roll(number), 0.0, number, Seen(), lookups=self.looked))


def test_the_whole_body_or_what_a_path_leads_to_is_taken() -> None:
    made = Made({"all": {"$lookup": "t"}, "id": {"$lookup": "t", "path": "$.id"}, "key": {"$lookup": "t", "path": "$key"},
                 "none": {"$lookup": "t", "path": "$.what"}})
    made.hear(1)
    assert made.make(0) == {"all": {"id": 0, "n": 0}, "id": 0, "key": "k0", "none": None}


def test_a_body_can_be_what_was_looked_up() -> None:
    made = Made({"$lookup": "t"})
    made.hear(1)
    assert made.make(0) == {"id": 0, "n": 0}


def test_values_made_first_are_used_together() -> None:
    made = Made({"$vars": {"order": {"$lookup": "t"}}, "id": "$vars.order.id", "said": "{{ vars.order.n }}/{{ vars.order.id }}"})
    made.hear(50)
    for number in range(20):
        body = made.make(number)
        assert body["said"] == f"{body['id']}/{body['id']}"


@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 5))
def test_only_the_last_ones_are_chosen_and_only_where_the_condition_holds(heard: int, last: int, rest: int) -> None:
    made = Made({"$lookup": "t", "path": "$.id", "last": last, "where": f"body.n % 6 == {rest}", "else": -1})
    made.hear(heard)
    may = {n for n in range(max(0, heard - last), heard) if n % 6 == rest}
    assert {made.make(number) for number in range(20)} <= (may or {-1})


def test_every_one_of_the_last_is_chosen_some_time() -> None:
    made = Made({"$lookup": "t", "path": "$.id", "last": 10})
    made.hear(5_000)  # more than are held
    counts = Counter(made.make(number) for number in range(2_000))
    assert set(counts) == set(range(4_990, 5_000))
    assert max(counts.values()) < 300


@pytest.mark.parametrize(("distribution", "favourite"), [("recent", 99), ("zipf", 0)])
def test_a_favourite_comes_most_often(distribution: str, favourite: int) -> None:
    made = Made({"$lookup": "t", "path": "$.id", "last": 100, "distribution": distribution})
    made.hear(100)
    counts = Counter(made.make(number) for number in range(5_000))
    (first, most), (_, second) = counts.most_common(2)
    assert first == favourite
    assert 1.3 < most / second < 2.2  # by the law of Zipf the second comes half as often, here log(3/2)/log(2)
    assert 600 < most < 900
    assert len(counts) > 80


@given(st.lists(st.integers(0, 30), min_size=1, max_size=30))
def test_once_gives_each_event_to_one_alone_in_their_order(heard: list[int]) -> None:
    made = Made([{"$lookup": "t", "path": "$.id", "once": True, "else": None}])
    got = []
    for number, many in enumerate(heard):
        made.hear(many)
        got.append(made.make(number)[0])
    total = 0
    for number, many in enumerate(heard):
        total += many
        assert got[number] == (number if number < total else None)


def test_once_in_a_list_gives_each_item_its_own() -> None:
    made = Made({"$list": {"$lookup": "t", "path": "$.id", "once": True, "else": None}, "size": "1..3"})
    made.hear(30)
    used = [one for number in range(10) for one in made.make(number)]
    assert len(used) == len(set(used))
    assert made.make(4) == made.make(4)
    assert {len(made.make(number)) for number in range(10)} == {1, 2, 3}
    assert None not in used


def test_what_is_used_up_is_forgotten_and_the_others_keep_their_rank() -> None:
    lookup = lookups_of(compile_value({"$lookup": "t", "path": "$.id", "once": True}, "generator"))[0]
    looked = Looked(lookup, rank=1_000)  # as many were used before
    for n in range(5_000):
        looked.hear(Seen(body={"id": n}))
    looked.forget(4_000)
    looked.sees(4_500)
    assert looked(Dice(1), 4_500) == 3_500
    assert looked.matches == 6_000
    assert len(looked._values) == 2_000


def test_else_is_made_only_where_there_is_nothing() -> None:
    made = Made({"of": {"$lookup": "t", "path": "$.id", "else": "seq(100)"}})
    assert made.make(3) == {"of": 103}
    made.hear(1)
    assert made.make(4) == {"of": 0}


def test_without_else_nothing_is_an_error_that_says_what_to_do() -> None:
    made = Made({"of": {"$lookup": "t", "where": "body.n > 10"}})
    made.hear(5)
    with pytest.raises(PayloadError, match="there is nothing to look up in 't'") as raised:
        made.make(0)
    assert "5 events of it were looked at" in raised.value.why
    assert made.looked[0].lacks(0) == 1


def test_an_event_without_the_field_of_the_condition_is_not_meant() -> None:
    made = Made({"$lookup": "t", "path": "$.id", "where": "body.total > 1"})
    made.hear(5)
    made.hear(1, total=5)
    made.hear(5)
    assert {made.make(number) for number in range(20)} == {5}


def test_the_same_seed_chooses_the_same_again() -> None:
    one, other = (Made({"$lookup": "t", "path": "$.id"}) for _ in range(2))
    one.hear(100)
    other.hear(100)
    assert [one.make(number) for number in range(50)] == [other.make(number) for number in reversed(range(50))][::-1]


@pytest.mark.parametrize("scope", ["rule", "key", "fold"])
def test_only_the_body_of_a_generator_looks_up(scope: Any) -> None:
    with pytest.raises(InvalidValue, match="stands in the body of a generator"):
        compile_value({"$lookup": "t"}, scope)
    with pytest.raises(InvalidValue, match="stands in the body of a generator"):
        compile_value({"$lookup": "t"}, "generator", body=False)
