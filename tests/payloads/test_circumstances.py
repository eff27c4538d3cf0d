"""What a rule has besides its event: items, the other event of a join, a window and its aggregates."""

from __future__ import annotations

import time

import pytest

from eda_cli.payloads import (
    TOMBSTONE,
    InvalidValue,
    Seen,
    Window,
    aggregate_path,
    aggregates,
    asks,
    compile_condition,
    compile_value,
    names_used,
)
from tests.payloads.making import context, failure, make, problem

RESULTS = {"count()": 4, "sum($.total)": 10.5, "mean($.temp)": 81.5, "min($.a.b)": 1, "max($key)": "z", "sum($)": 3}
SEEN = Seen(body={"id": 1, "name": "sum($.total)"}, key="ann", topic="purchases", item={"sku": "A", "list": [1, 2]},
index=3,
            joined={"x": [5]}, window=Window("2026-01-01T00:00:00.000000Z", "2026-01-01T00:01:00.000000Z", "dev-1",
            RESULTS))


@pytest.mark.parametrize(("raw", "value"), [
    ("$item", SEEN.item), ("$item.sku", "A"), ("$item.list.1", 2), ("$item.no", None), ("$index", 3),
    ("$joined", {"x": [5]}),
    ("$joined.x.0", 5), ("$joined.y", None), ("$topic", "purchases"), ("$window.start", "2026-01-01T00:00:00.000000Z"),
    ("$window.end", "2026-01-01T00:01:00.000000Z"), ("$window.key", "dev-1"),
    ("{{ item.sku }}", "A"), ("{{ item.no | default(1) }}", 1), ("{{ index + 1 }}", 4), ("{{ joined.x[0] }}", 5),
    ("{{ window.start[:10] }}", "2026-01-01"),
    ("{{ window.key }} {{ window.end }}", "dev-1 2026-01-01T00:01:00.000000Z"),
    ("{{ event.topic }}", "purchases"), ("{{ item is defined and joined is defined and window is defined }}", True),
    ("count()", 4), ("count( )", 4), ("sum($.total)", 10.5), ("sum( $.total )", 10.5), ("min($.a.b)", 1),
    ("max($key)", "z"), ("sum($)", 3),
    ("{{ count() }}", 4), ("{{ sum($.total) / count() }}", 2.625), ("{{ sum( $.total ) | round }} EUR", "10.0 EUR"),
    ("{{ mean($.temp) > 80 and count() >= 3 }}", True), ("{{ 'sum($.total)' }}", "sum($.total)"),
    ('{{ "count() \\" count()" ~ count() }}', 'count() " count()4'),
    ("count() {{ count() }} sum($.total)!", "count() 4 sum($.total)!"),
    ("{# count() {{ #}{{ count() }}.", "4."), ("{{ {'a': {'b': count()}} }}", {"a": {"b": 4}}),
    ("{{ {'a': {}}.a }} count()", "{} count()"),
    ("{{ [1, 2] | sum + count() }}", 7), ("{{ [1, 2] | count() }}", 2), ("{{ [1, 2] | min }}", 1),
    ("{{ [3, 1].count(1) }}", 1),
    ("{{ '}}' ~ count() }}", "}}4"), ("{{ body.name }}", "sum($.total)"),
    ({"a": ["count()", {"b": "sum($.total)"}]}, {"a": [4, {"b": 10.5}]}),
])
def test_a_rule_sees_what_it_has(raw, value):
    assert make(raw, seen=SEEN) == value


@pytest.mark.parametrize(("raw", "said"), [
    ("$item.sku", "there is no item\nonly a rule with `each` has one"),
    ("$index", "there is no index\nonly a rule with `each`"),
    ("$joined", "there is no joined\nonly a consumer with `joins`"),
    ("$window.key", "there is no window\nonly a consumer with a `window`"),
    ("{{ item.sku }}", "there is no item: only a rule with `each`"), ("{{ joined.x }}", "there is no joined"),
    ("{{ index }}", "there is no index"), ("{{ window.start }}", "there is no window"),
    ("count()", "count() has nothing to count\nthere is no window"),
    ("{{ 1 + sum($.x) }}", "sum($.x) has nothing to count: there is no window"),
])
def test_what_a_rule_is_without_is_a_failure_of_the_event(raw, said):
    assert said in failure(raw, Seen(body={}))


def test_null_is_something_and_a_tombstone_is_null():
    nothing = Seen(item=None, joined=TOMBSTONE)
    assert make(["$item", "$item.x", "$joined", "{{ item }}", "{{ joined }}"], seen=nothing) == [None] * 5


@pytest.mark.parametrize(("when", "holds"), [
    ("mean($.temp) > 80 and count() >= 3", True), ("{{ count() > 4 }}", False), ("item.sku == 'A'", True),
    ("'count()' == 'count' ~ '()'", True), ("{'a': count()}.a == 4", True), ("window.key == 'dev-1'", True),
    ("max($key) == 'z'", True),
])
def test_conditions_see_it_too(when, holds):
    assert compile_condition(when, "rule")(context(seen=SEEN)) is holds


@pytest.mark.parametrize(("raw", "said"), [
    ("sum()", "sum(…) takes a path: 'sum()' has none; write sum($.price)"), ("mean(price)", "mean(…) takes a path"),
    ("count($.x)", "count() counts all events of a window"), ("sum($.a, $.b)", "has text around a path"),
    ("sum($.a[0])", "has brackets"),
    ("sum($item.x)", "does not look at the events of a window"),
    ("max($window.start)", "does not look at the events of a window"),
    ("sum($.x) / count()", 'write "{{ sum($.x) / count() }}"'), ("sum($nope)", "'$nope' is no path"),
    ("{{ sum(body.x) }}", "sum(…) takes a path, and no expression"), ("{{ count(1) }}", "count(…) takes a path"),
    ("{{ sum($item.x) }}", "does not look at the events"),
    ("{{ count() + aggregate_0 }}", "there is no 'aggregate_0'"), ("{{ sum($nope) }}", "'$nope' is no path"),
    ("{{ discount() }}", "there is no 'discount'"), ("{{ window.begin }}", "a window has no field 'begin'"),
    ("$window", "it has start, end, key"), ("$window.ende", "did you mean $window.end?"),
    ("$index.x", "which has no fields"),
    ("$items.0", "did you mean $item?"), ("$item[0]", "write $item.0"),
    ("pick(count(), 2)", "pick(…) cannot hold 'count()'"),
])
def test_what_is_wrong_is_said(raw, said):
    assert said in problem(raw)


@pytest.mark.parametrize("raw", ["count()", "sum($.x)", "$item", "$index", "$joined.x", "$window.key", "$topic",
"{{ count() }}"])
def test_a_generator_has_none_of_it(raw):
    assert problem(raw, "generator")


@pytest.mark.parametrize("text", [
    "{{ " + "'\\" * 9_000 + " }}",
    "{{ " + "\"'" * 9_000, "{{ " + "sum(" * 4_900, "{{ " + "sum($" * 3_900, "{#" * 9_000, "{{" * 9_000,
    "{{ " + "count( " * 2_800, "{{ sum(" + " " * 19_000 + "$",
    "{{ " + "a" * 19_000, "{{ " + "| " * 9_000, "{{ " + "{" * 19_000,
    "{{ " + "+".join(["count()"] * 2_000) + " }}", "count(" + "(" * 900_000 + ")", "sum(" + " " * 900_000 + ")",
    "sum($." + "a." * 400_000 + "a)"])
def test_aggregates_are_found_in_one_go(text):
    started = time.monotonic()
    for read, rest in ((compile_value, ("rule",)), (aggregates, ()), (names_used, ()), (aggregates, (True,))):
        try:
            read(text, *rest)
        except InvalidValue as refused:
            assert len(str(refused)) < 1_000
    assert time.monotonic() - started < 20


def test_aggregates_are_told():
    raw = {"a": "sum( $.total )", "b": ["{{ mean($.t) / count() }} sum($.no)", {"$literal": "max($.no)"}],
           "c": {"$pick": ["min($.x)", "'max($.no)'"]}, "d": "plain", "e": 5}
    assert aggregates(raw) == {"sum($.total)", "mean($.t)", "count()", "min($.x)"}
    assert aggregates("mean($.temp) > 80 and count() >= 3", True) == {"mean($.temp)", "count()"}
    assert aggregates("{{ mean($.temp) > 80 }}", True) == {"mean($.temp)"}
    assert [aggregate_path(one) for one in ("sum($.a.b)", "count()", "max($key)")] == ["$.a.b", None, "$key"]


@pytest.mark.parametrize(("raw", "names"), [
    ("{{ copy.purchases[key].total }}", {"copy", "copy:purchases", "key"}),
    ("{{ was['a b'].x + copy[body.n].y }}", {"was", "was:a b", "copy", "body"}),
    ("$item.sku", {"item"}), (["$index", {"a": "$joined.x"}], {"index", "joined"}), ("$window.start", {"window"}),
    ("$", {"body"}), ("$.x", {"body"}),
    ("$key", {"key"}), ("$time", {"event"}), ("$topic", {"event"}), ("$headers.a", {"headers"}), ("$was.x", {"was"}),
    ("count()", {"aggregate"}),
    ("{{ sum($.x) + range(2) | length }}", {"aggregate"}),
    ("a {{ event.id }} {{ headers.a }}", {"event", "headers"}), ("plain", set()),
    ("uuid()", set()), ("1..5", set()), ({"$literal": "$item"}, set()),
    ({"$list": "$item", "size": "1..4"}, {"item"}), ("$tombstone", set()),
    ({"$pick": ["{{ item }}", "$joined"], "weights": [1, 2]}, {"item", "joined"}),
    ("{{ was.left | default(1) }}", {"was", "was:left"}), (5, set()),
])
def test_what_a_value_looks_at_is_told(raw, names):
    assert names_used(raw) == names


def test_what_a_condition_looks_at_is_told():
    assert names_used("copy.a[key].x > item.y and count() > 1", True) == {"copy", "copy:a", "key", "item", "aggregate"}
    assert names_used("{{ joined.x }}", True) == {"joined"}
    for told in (names_used, aggregates):
        with pytest.raises(InvalidValue):
            told("sum($.x[0]) > 1", True)


@pytest.mark.parametrize(("raw", "asked"), [
    ({"a": "$.id", "b": "{{ body.id + 1 }}", "c": "{{ body }}", "d": 3}, set()), ("now()", {"now"}), ("uuid()", {"random"}),
    ([{"$pick": ["1..5", "now()"]}], {"random", "now"}), ("{{ 'now()' }}", set())])
def test_a_value_tells_what_it_asks_of_its_circumstances(raw, asked):
    assert asks(compile_value(raw, "rule")) == asked
