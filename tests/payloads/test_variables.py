"""What a body makes first (`$vars`), and what a generator sees besides: its entity, and what that was."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eda_cli.payloads import MISSING, PayloadError, Seen, compile_condition, compile_value
from tests.payloads.making import BODY, context, failure, make, many, problem, problems


def made(raw, number=0, **seen):
    return make(raw, "generator", number, seen=Seen(**seen))


def test_a_variable_is_made_once_for_each_event():
    bodies = [made({"$vars": {"id": "uuid()"}, "a": "$vars.id", "b": ["$vars.id", {"c": "{{ vars.id }}!"}]}, number)
              for number in range(50)]
    assert all(body == {"a": body["a"], "b": [body["a"], {"c": f"{body['a']}!"}]} for body in bodies)
    assert len({body["a"] for body in bodies}) == 50


def test_later_ones_see_earlier_ones():
    raw = {"$vars": {"price": "5..5", "twice": "{{ vars.price * 2 }}", "both": ["$vars.price", "$vars.twice"]},
           "all": "$vars.both", "last": "$vars.both.1"}
    assert made(raw) == {"all": [5, 10], "last": 10}


def test_values_of_chance_are_seen_wherever_values_stand():
    raw = {"$vars": {"user": "zipf(200, user-)", "n": "seq(7)", "lots": {"$list": "1..6", "size": 2}},
           "picked": {"$pick": ["$vars.user", {"$pick": ["{{ vars.user }}"]}]},
           "listed": {"$list": "$vars.user", "size": 3}, "maybe": {"$maybe": "$vars.n", "null": "0%"}, "who": "$vars.user",
           "sum": "{{ vars.lots | sum }}", "lots": "$vars.lots"}
    for number in range(20):
        body = made(raw, number)
        assert {body["picked"], *body["listed"]} == {body["who"]}
        assert body["maybe"] == 7 + number
        assert body["sum"] == sum(body["lots"])


def test_a_rule_makes_them_of_the_event_that_it_handles():
    raw = {"$vars": {"net": "{{ body.total * 2 }}", "who": "$.user"}, "net": "$vars.net",
           "text": "{{ vars.who }}: {{ vars.net }}"}
    assert make(raw) == {"net": 25.0, "text": "user-7: 25.0"}
    seen = Seen(body=BODY)
    assert [compile_value(raw, "rule")(context(seen=seen)) for _ in range(2)] == [{"net": 25.0, "text": "user-7: 25.0"}] * 2
    assert "there is no field 'missing'" in failure({"$vars": {"a": "{{ body.missing }}"}, "b": 1})


def test_nothing_of_one_event_is_seen_in_the_next():
    seen = Seen()
    kept = compile_value({"$vars": {"a": {"$list": "1..9", "size": 2}}, "a": "$vars.a"}, "generator")
    first = kept(context(1, seen=seen))
    held = str(first)
    kept(context(2, seen=seen))
    assert str(first) == held


def test_a_form_may_stand_beside_them():
    assert made({"$vars": {"a": 1}, "$pick": [{"x": "$vars.a"}]}) == {"x": 1}
    assert made({"$vars": {"a": 1}}) == {}


@pytest.mark.parametrize(("raw", "said"), [
    ({"$vars": {"user": 1}, "a": "$vars.usr"}, "a: there is no 'usr' in $vars: seen here are user; did you mean $vars.user?"),
    ({"$vars": {"user": 1}, "a": "{{ vars.usr }}"}, "did you mean $vars.user?"),
    ({"$vars": {"user": 1}, "a": "{{ vars['usr'] }}"}, "did you mean $vars.user?"),
    ({"$vars": {"a": "$vars.b", "b": 1}}, "$vars.a: '$vars.b' looks at $vars, and there are none"),
    ({"$vars": {"a": 1, "b": "{{ vars.c + vars.a }}", "c": 1}}, "one that is made of others stands behind them"),
    ({"a": "$vars.b"}, "write $vars: {user: …} on top of the body"),
    ({"a": "{{ vars.b }}"}, "write $vars: {user: …} on top of the body"),
    ({"a": "{{ vars }}"}, "write $vars: {user: …} on top of the body"),
    ({"$vars": {"a": 1}, "b": "$vars"}, "$vars are several values"),
    ({"a": {"$vars": {"b": 1}}}, "$vars stands on top of a whole body"),
    ({"$vars": 1}, "$vars: $vars has no values"),
    ({"$vars": {}}, "$vars has no values"),
    ({"$vars": {"unit price": 1}}, "$vars.unit price: 'unit price' is no name"),
    ({"$vars": {"a": "$tombstone"}}, "$tombstone stands alone"),
    ({"$vars": {"a": {"$maybe": 1, "absent": "5%"}}}, "this cannot be absent"),
    ({"$vars": {"a": 1}, "$lst": 1}, "there is no long form '$lst'"),
    ({"a": "{{ entity }}"}, "write entity.number, or entity.NAME"),
    ({"a": "{{ vrs.a }}"}, "there is no 'vrs': in '{{ vrs.a }}': an expression sees vars, entity, was; did you mean vars?"),
])
def test_what_is_wrong_is_said(raw, said):
    assert said in problem(raw, "generator")


@pytest.mark.parametrize("scope", ["key", "fold"])
def test_keys_and_folds_have_none(scope):
    assert "$vars stands on top of a whole body" in problem({"$vars": {"a": 1}, "b": 1}, scope)
    assert "'$vars.a' is no path" in problem("$vars.a", scope)
    assert "there is no 'vars'" in problem("{{ vars.a }}", scope)


@pytest.mark.parametrize("when", ["vars.a > 1", "{{ vars.a }}", "vars['a']", "vars"])
def test_a_condition_has_none(when):
    with pytest.raises(Exception, match="there are none"):
        compile_condition(when, "rule")


def test_every_problem_is_told_at_once():
    found = problems({"$vars": {"a": "uuuid()", "b": "$vars.a"}, "c": "5..1", "d": "$vars.x"}, "generator")
    assert [one.path for one in found] == [("$vars", "a"), ("c",), ("d",)]


def test_a_few_that_double_each_other_are_not_endless():
    doubling = {"v0": {"$literal": "x" * 100}, **{f"v{n}": [f"$vars.v{n - 1}"] * 2 for n in range(1, 14)}}
    twice = {"$vars": {**doubling, **{f"v{n}": [f"$vars.v{n - 1}"] * 2 for n in range(14, 20)}}, "b": "$vars.v19"}
    assert "the value is too large" in problem(twice, "generator")
    heard = Seen(body={"big": "x" * 100_000})
    value = compile_value({"$vars": {**doubling, "v0": "$.big"}, "b": "$vars.v13"}, "rule")
    with pytest.raises(PayloadError, match="too large"):
        value(context(seen=heard))


def test_entities_are_seen_in_generators():
    seen = {"entity": {"number": 3, "name": "ann", "at": {"lat": 1.5}}, "was": {"total": 5}}
    raw = {"name": "$entity.name", "lat": "$entity.at.lat", "none": "$entity.zip", "was": "$was.total",
           "not": "$was.x", "whole": "$was", "text": "{{ entity.name }}-{{ entity.number }}",
           "more": "{{ was.total + 1 }}", "or": "{{ was.x | default(0) }}"}
    assert made(raw, **seen) == {"name": "ann", "lat": 1.5, "none": None, "was": 5, "not": None, "whole": {"total": 5},
                                 "text": "ann-3", "more": 6, "or": 0}
    here = context(seen=Seen())
    here.entity = 17
    assert compile_value({"$vars": {"e": "$entity"}, "a": "$entity", "b": "$vars.e"}, "generator")(here) == {"a": 17, "b": 17}


@pytest.mark.parametrize(("raw", "said"), [
    ("$entity.name", "there is no entity: only a generator with `entities` or `$states` has one"),
    ("{{ entity.name }}", "only a generator with `entities` or `$states` has one"),
    ("$was.x", "there is no was: only an entity of `$states` has some"), ("{{ was.x }}", "only an entity of `$states` has some"),
])
def test_without_an_entity_the_event_fails(raw, said):
    value = compile_value(raw, "generator")
    with pytest.raises(PayloadError) as caught:
        value(context(seen=Seen(entity=MISSING)))
    assert said in caught.value.line


@given(fields=st.dictionaries(st.from_regex(r"\A[a-z_]{1,5}\Z"), st.one_of(
    st.none(), st.booleans(), st.integers(-9, 9), st.lists(st.integers(0, 9), max_size=3)), min_size=1, max_size=6))
@settings(derandomize=True, max_examples=100, deadline=None)
def test_what_vars_hold_is_what_stands_where_they_are_named(fields):
    raw = {"$vars": fields, **{f"f{at}": f"$vars.{name}" for at, name in enumerate(fields)},
           "t": {"$list": {"$pick": ["$vars." + name for name in fields]}, "size": 2}}
    body = made(raw)
    assert [body[f"f{at}"] for at in range(len(fields))] == list(fields.values())
    assert all(one in fields.values() for one in body["t"])


def test_a_maybe_is_null_or_absent_as_often_as_it_says():
    bodies = many({"a": {"$maybe": "1..3", "null": "10%", "absent": "30%"}, "z": 1}, "generator", times=5_000)
    assert 1_400 < sum("a" not in body for body in bodies) < 1_600
    assert 430 < sum(body.get("a", 0) is None for body in bodies) < 570
    assert {body["a"] for body in bodies if body.get("a")} == {1, 2, 3}
    assert {tuple(body) for body in bodies} == {("a", "z"), ("z",)}
    assert sum(one is None for one in many({"$maybe": "x", "null": "25%"}, times=4_000)) == pytest.approx(1_000, abs=120)


@pytest.mark.parametrize(("raw", "value"), [
    ({"a": {"$maybe": 1, "absent": "100%"}}, {}), ({"a": {"$maybe": 1, "null": "100%"}}, {"a": None}),
    ({"a": {"$maybe": 1, "absent": "0%"}}, {"a": 1}), ({"a": {"$maybe": 1, "absent": "50%", "null": "50%"}, "b": 2}, None),
    ([{"$maybe": 1, "null": "100%"}], [None]), ({"$maybe": {"a": 1}, "null": "0%"}, {"a": 1}),
    ({"$list": {"a": {"$maybe": {"b": {"$maybe": 1, "absent": "100%"}}, "absent": "0%"}}, "size": 2}, [{"a": {}}] * 2),
    ({"a": {"$maybe": {"$maybe": 1, "null": "0%"}, "absent": "0%", "null": "0%"}}, {"a": 1}),
    ({"a": {"$pick": [{"b": {"$maybe": "$.user", "absent": "0%"}}]}}, {"a": {"b": "user-7"}}),
])
def test_shares_of_all_and_nothing(raw, value):
    assert make(raw) == value if value is not None else make(raw) in ({"b": 2}, {"a": None, "b": 2})


@pytest.mark.parametrize(("raw", "said"), [
    ({"a": {"$maybe": 1}}, "a: $maybe does not say how often; write {$maybe: VALUE, null: 10%}, or absent: 10%"),
    ({"a": {"$maybe": 1, "null": "10"}}, "a.null: '10' has no unit; write 10%"),
    ({"a": {"$maybe": 1, "absent": "x"}}, "a.absent: 'x' is no share"),
    ({"a": {"$maybe": 1, "absent": "60%", "null": "60%"}}, "a: null and absent are more than 100% together"),
    ({"a": {"$maybe": 1, "absent": "60%", "nul": "60%"}}, "'nul' does not belong to $maybe"),
    ([{"$maybe": 1, "absent": "5%"}], "0.absent: this cannot be absent: only a field of a map can be left out"),
    ({"$maybe": 1, "absent": "5%"}, "absent: this cannot be absent"),
    ({"a": {"$list": {"$maybe": 1, "absent": "5%"}, "size": 1}}, "this cannot be absent"),
    ({"a": {"$maybe": {"$maybe": 1, "absent": "5%"}, "absent": "5%"}}, "this cannot be absent"),
    ({"a": {"$maybe": "uuuid()", "absent": "5%"}}, "a.$maybe: there is no function 'uuuid'"),
])
def test_what_is_wrong_with_a_maybe_is_said(raw, said):
    assert said in problem(raw)
