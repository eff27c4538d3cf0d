"""A string is literal unless it is something else; JSON stays what it is."""

from __future__ import annotations

import pytest

from eda_cli.payloads import TOMBSTONE, compile_value
from tests.payloads.making import context, make, problem, problems


@pytest.mark.parametrize("raw", [
    None, True, False, 0, -3, 1.5, 2**64 - 1, -(2**63), "", "text", "a, b", "12:30", "007", "1.2.3", "..", "1..",
    "a..b", "1%..5%", "20ms..80ms", "5 .. 7", "1...5", "see fig(3)", "Hello(world)", "F(x)", "pick (A, B)",
    "uuid() and more", "$5.00", "$AAPL", "$$", "$ x", "costs $.", "{% raw %}", "{ {x} }", "}}", "100%", "ümläut",
    "uuid", "seq", [], {}, [1, [2, {"a": None}]], {"a": {"b": [True]}},
])
def test_what_is_nothing_else_is_literal(raw):
    assert make(raw) == raw
    assert type(make(raw)) is type(raw)


@pytest.mark.parametrize("raw", ["1..5", "uuid()", "{{ body.id }}", "$.id", "$tombstone", {"$list": 1}, ["1..5", {"a": "$"}]])
def test_literal_keeps_everything_as_it_stands(raw):
    assert make({"a": {"$literal": raw}}) == {"a": raw}


def test_a_literal_is_new_for_each_event():
    value = compile_value({"list": [1]}, "rule")
    first, second = value(context()), value(context())
    assert first == second
    assert first is not second
    assert first["list"] is not second["list"]


def test_names_of_fields_are_literal():
    assert make({"1..5": 1, "uuid()": 2, "{{ x }}": 3}) == {"1..5": 1, "uuid()": 2, "{{ x }}": 3}


def test_a_tombstone_is_a_whole_body_or_a_choice_of_one():
    assert make("$tombstone") is TOMBSTONE
    assert make("$tombstone", "generator") is TOMBSTONE
    assert make({"$pick": ["$tombstone", "$tombstone"]}) is TOMBSTONE


@pytest.mark.parametrize(("raw", "scope"), [({"a": "$tombstone"}, "rule"), (["$tombstone"], "rule"), ("$tombstone", "key")])
def test_a_tombstone_is_no_part_of_a_body_and_no_key(raw, scope):
    assert "$tombstone stands alone" in problem(raw, scope)


@pytest.mark.parametrize(("raw", "said"), [
    (2**64, "a number is too large: it has 65 bits"),
    (-(2**63) - 1, "a number is too large"),
    ([10**5000], "a number is too large"),
    (float("inf"), "inf is no JSON number"),
    (float("nan"), "nan is no JSON number"),
    (b"bytes", "is no JSON value: it is a bytes"),
    ("half \ud800", "a text is not valid Unicode"),
    ({1: 2}, "the name 1 is no text; quote it: '1'"),
    ({"$literal": {1: 2}}, "the name 1 is no text"),
    ({"$literal": {"a": float("inf")}}, "inf is no JSON number"),
])
def test_what_is_no_json_is_refused(raw, said):
    assert said in problem(raw)


def test_every_problem_is_told_with_its_place():
    found = problems({"a": "uuuid()", "b": [1, "5..1", {"c": "$.x[0]"}], "d": "fine", "e": {"$list": "chance(2)", "size": 2}})
    assert [one.path for one in found] == [("a",), ("b", 1), ("b", 2, "c"), ("e", "$list")]
    assert all(one.what and one.hint for one in found)
