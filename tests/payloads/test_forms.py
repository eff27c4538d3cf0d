"""The long forms: $list, $pick, $literal."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.payloads.making import make, many, problem, problems


def test_a_list_has_as_many_values_as_its_size_allows():
    counts = Counter(len(one) for one in many({"$list": "uuid()", "size": "1..4"}, times=2_000))
    assert set(counts) == {1, 2, 3, 4}
    assert all(400 < count < 600 for count in counts.values())


@pytest.mark.parametrize(("size", "length"), [(3, 3), ("3", 3), (0, 0), ("0..0", 0)])
def test_a_size_may_be_fixed(size, length):
    assert make({"$list": "x", "size": size}) == ["x"] * length


def test_each_value_of_a_list_is_made_anew():
    made = make({"$list": {"id": "uuid()", "at": "$.user"}, "size": 5})
    assert len({one["id"] for one in made}) == 5
    assert {one["at"] for one in made} == {"user-7"}


def test_lists_stand_inside_lists():
    made = make({"$list": {"$list": "1..6", "size": 2}, "size": 3})
    assert [len(one) for one in made] == [2, 2, 2]


def test_pick_takes_each_option_as_likely_or_by_weight():
    plain = Counter(many({"$pick": ["A", "B"]}, times=4_000))
    assert 1_850 < plain["A"] < 2_150
    weighted = Counter(many({"$pick": ["A", "B", "never"], "weights": [9, 1, 0]}, times=4_000))
    assert 3_500 < weighted["A"] < 3_700
    assert weighted["A"] + weighted["B"] == 4_000
    assert set(many({"$pick": ["never", "A"], "weights": [0, 0.5]}, times=50)) == {"A"}
    assert set(many({"$pick": ["never", "A"], "weights": ["0", "0.5"]}, times=50)) == {"A"}


@pytest.mark.parametrize("scope", ["generator", "rule", "key"])
def test_options_are_values(scope):
    made = many({"$pick": ["1..3", "text", {"a": "uuid()"}, None, ["pick(x, y)"]]}, scope, times=200)
    assert {type(one) for one in made} == {int, str, dict, type(None), list}
    assert make({"a": {"$pick": [{"$pick": ["now()"]}]}}, scope) == {"a": "2025-11-24T16:00:00.500000Z"}


def test_options_may_count_and_look_like_any_value():
    assert make({"$pick": ["seq(5)"]}, "generator", 2) == 7
    assert make({"$pick": [{"$list": "$.user", "size": 2}]}) == ["user-7", "user-7"]
    assert make({"$pick": ["{{ body.count + 1 }}"]}) == 4


def test_only_the_chosen_option_is_made():
    assert make({"$pick": ["{{ body.missing }}", "fine"], "weights": [0, 1]}) == "fine"


@pytest.mark.parametrize(("raw", "said"), [
    ({"$lst": 1}, "there is no long form '$lst': known are $list, $pick, $maybe, $literal, $lookup; did you mean $list?"),
    ({"$ref": "x", "a": 1}, "a map with such a name is written {$literal: {…}}"),
    ({"a": 1, "$pick": ["A"]}, "'a' does not belong to $pick: beside it may stand weights"),
    ({"$pick": ["A"], "weight": [1]}, "did you mean weights?"),
    ({"$literal": 1, "size": 1}, "beside it may stand nothing"),
    ({"$list": 1, "$pick": [1], "size": 1}, "'$pick' does not belong to $list"),
    ({"$list": 1}, "$list has no size; write {$list: VALUE, size: 1..4}"),
    ({"$list": 1, "size": "many"}, "'many' is no size: it is a whole number or a range; write size: 1..4"),
    ({"$list": 1, "size": 1.5}, "'1.5' is no size"),
    ({"$list": 1, "size": True}, "'True' is no size"),
    ({"$list": 1, "size": -1}, "a size of -1 is negative"),
    ({"$list": 1, "size": "4..1"}, "'4..1' runs backwards"),
    ({"$list": 1, "size": 10_001}, "$list with 10,001 items is too long: at most 10,000 are made"),
    ({"$pick": []}, "$pick has no options"),
    ({"$pick": "A, B"}, "write {$pick: [A, B]}"),
    ({"$pick": {"A": 1}}, "$pick has no options"),
    ({"$pick": ["A", "B"], "weights": [1]}, "$pick has other weights than options: there are 2 options"),
    ({"$pick": ["A"], "weights": 1}, "write one weight for each"),
    ({"$pick": ["A"], "weights": [-1]}, "'-1' is no weight"),
    ({"$pick": ["A"], "weights": ["90%"]}, "'90%' is no weight"),
    ({"$pick": ["A"], "weights": [True]}, "'True' is no weight"),
    ({"$pick": ["A"], "weights": [float("nan")]}, "'nan' is no weight"),
    ({"$pick": ["A", "B"], "weights": [0, 0]}, "all weights are 0"),
])
def test_what_is_wrong_with_a_long_form_is_said(raw, said):
    assert said in problem(raw)


def test_problems_inside_long_forms_have_their_place():
    found = problems({"a": {"$pick": ["ok", "5..1"]}, "b": {"$list": {"c": "uuuid()"}, "size": 1}})
    assert [one.path for one in found] == [("a", "$pick", 1), ("b", "$list", "c")]
    found = problems({"a": {"$pick": [1, 2], "weights": [1, "x"]}, "b": {"$list": 1, "size": "x"}})
    assert [one.path for one in found] == [("a", "weights", 1), ("b", "size")]
