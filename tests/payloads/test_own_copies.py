"""Own copies in templates: rows by key, what is missing, and what cannot be done with them."""

from __future__ import annotations

from typing import Any

import pytest

from eda_cli.payloads import MISSING, Context, Dice, PayloadError, Seen, compile_condition, compile_value
from tests.payloads.making import Held, failure, make, problem


def seen(body: Any = None, key: Any = "ann", **rows: Any) -> Seen:
    tables = {"purchases": Held({"ann": {"total": 5, "items": [1, 2]}, "7": "seven", "1.5": "float", "true": "yes",
                                 '{"a":1}': "map", "void": None, "": "empty", **rows}), "odd name": Held(x=1)}
    return Seen(body={"id": "ann", "count": 7} if body is None else body, key=key, copy=tables,
                was={"purchases": Held(ann={"total": 3})})


@pytest.mark.parametrize(("raw", "value"), [
    ("{{ copy.purchases[key].total }}", 5), ("{{ copy['purchases'][body.id].total }}", 5),
    ("{{ copy.purchases.ann.total }}", 5), ("{{ copy.purchases[body.count] }}", "seven"),
    ("{{ copy.purchases[1.5] }}", "float"), ("{{ copy.purchases[true] }}", "yes"),
    ("{{ copy.purchases[{'a': 1}] }}", "map"),
    ("{{ copy.purchases[''] }}", "empty"), ("{{ copy.purchases.void }}", None),
    ("{{ copy.purchases.void is defined }}", True),
    ("{{ copy.purchases[key] }}", {"total": 5, "items": [1, 2]}), ("{{ copy['odd name'].x }}", 1),
    ("{{ copy.purchases[key].total - was.purchases[key].total }}", 2),
    ("{{ was.purchases[key].total }} before", "3 before"),
    ("{{ copy.purchases.bob is defined }}", False), ("{{ copy.purchases[none] is defined }}", False),
    ("{{ copy.purchases.bob.total | default(1) }}", 1), ("{{ copy.nope[key].x | default(2) }}", 2),
    ("{{ copy.purchases[body.count ~ ''] }}", "seven"), ("{{ key }}", "ann"),
])
def test_a_row_is_found_by_its_key(raw, value):
    assert make(raw, seen=seen()) == value


@pytest.mark.parametrize(("raw", "said"), [
    ("{{ copy.purchases.bob.total }}", "there is no row 'bob' in copy.purchases\nwhere a row may be missing"),
    ("{{ was.purchases['x'] }}", "there is no row 'x' in was.purchases"),
    ("{{ copy.purchases[none] }}", "there is no row 'null' in copy.purchases"),
    ("{{ copy.purchases[body.nope] }}", "there is no field 'nope'"),
    ("{{ copy.purchases['a\nb'] }}", "there is no row 'a b'"),
    ("{{ copy.purchase[key] }}", "there is no own copy 'purchase', did you mean 'purchases'?"),
    ("{{ copy.xyz[key] }}", "there is no own copy 'xyz', the copies are purchases, odd name"),
    ("{{ copy[body.id][key] }}", "there is no own copy 'ann'"),
    ("{{ copy }}", "copy is no value by itself: it holds the own copies by name\nwrite copy.NAME[key]"),
    ("{{ copy.purchases }}",
     "copy.purchases is no value by itself: its rows are looked up by their key\nwrite copy.purchases[key]"),
    *[(f"{{{{ {use} }}}}", "is no value by itself") for use in (
        "copy | list", "copy.purchases | list", "copy ~ ''", "'%s' % copy", "'%r' % copy.purchases",
        "[copy]", "{'a': was}",
        "copy.purchases | length", "copy.purchases | tojson", "copy == 1", "key in copy.purchases", "1 if copy else 2",
        "copy.purchases | string", "copy | map(attribute='x') | list", "[copy] | join", "[copy] | unique",
        "[copy, copy] | sort", "not copy.purchases", "copy | int", "copy.purchases | first")],
    ("{{ copy.purchases[0:2] }}", "copy.purchases cannot be sliced"), ("{{ copy() }}", "copy cannot be called"),
    ("{{ copy.purchases.get('ann') }}", "there is no row 'get'"),
    ("{{ copy.purchases.items() }}", "there is no row 'items'"),
    ("{{ copy.tables }}", "there is no own copy 'tables'"),
    ("{{ copy.__class__ }}", "there is no own copy '__class__'"),
    ("{{ copy.purchases._rows }}", "there is no row '_rows'"),
    ("{{ copy.purchases.row('ann') }}", "there is no row 'row'"),
])
def test_what_cannot_be_had_of_a_copy_is_said(raw, said):
    assert said in failure({"field": raw}, seen())


def test_a_consumer_that_keeps_nothing_has_no_copies():
    assert "there is no own copy 'a', the consumer keeps none" in failure("{{ copy.a.b }}", Seen(body={}))
    assert "there is no own copy 'a', the consumer keeps none" in failure("{{ was.a.b }}", Seen(body={}))


def test_rows_are_paid_for():
    big = seen(big=list(range(100_000)))
    assert "too large" in failure(["{{ copy.purchases.big[0] }}"] * 10, big)
    assert "too large" in failure("{{ copy.purchases.big }}", seen(big=[[0] * 1_000] * 1_000))
    assert "nested too deeply" in failure("{{ copy.purchases.deep }}", seen(deep=nested(500)))
    assert "too large" in failure("{{ copy.purchases[body] is defined }}", seen([["x"] * 1_000] * 1_000))


def nested(levels: int) -> Any:
    made: Any = 1
    for _ in range(levels):
        made = [made]
    return made


def test_looking_up_has_an_end():
    many = seen()
    looks = "([copy.purchases] * 9999) | map(attribute='7') | list | length"
    raw = f"{{{{ {looks} + {looks} }}}}"
    assert "too large" in failure(raw, many)
    assert many.copy["purchases"].asked < 11_000  # type: ignore[attr-defined]


def test_only_what_is_used_is_looked_up():
    here = seen()
    assert make("{{ body.id }}", seen=here) == "ann"
    assert make("{{ 1 if body.id else copy.purchases[key] }}", seen=here) == 1
    assert here.copy["purchases"].asked == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize(("raw", "row", "value"), [
    ("{{ was.left | default(100) }}", MISSING, 100), ("{{ was.left | default(100) }}", {"left": 4}, 4),
    ("{{ was is defined }}", MISSING, False), ("{{ was is none }}", None, True), ("{{ was }}", {"a": 1}, {"a": 1}),
    ("$was", MISSING, None), ("$was", {"a": 1}, {"a": 1}), ("$was.a", {"a": 1}, 1), ("$was.a", MISSING, None),
    ("$was.b", {}, None),
    ("$key", MISSING, "ann"), ("$.n", MISSING, 2), ("{{ key ~ event.topic ~ body.n }}", MISSING, "annstock2"),
    ("$topic", MISSING, "stock"),
    ("{{ (was.left | default(100)) - body.n }}", MISSING, 98),
])
def test_a_fold_sees_the_row_that_it_changes(raw, row, value):
    assert make(raw, "fold", seen=Seen(body={"n": 2}, key="ann", topic="stock", was=row)) == value


def test_a_fold_may_have_a_condition():
    holds = compile_condition("(was.left | default(1)) > 0", "fold")
    assert holds(Context(Dice(1), 0.0, seen=Seen())) is True
    assert holds(Context(Dice(1), 0.0, seen=Seen(was={"left": 0}))) is False
    missing = compile_condition("was.left > 0", "fold")
    with pytest.raises(PayloadError, match=r"for the first event of a row, write \(was.left \| default\(0\)\)"):
        missing(Context(Dice(1), 0.0, seen=Seen()))


@pytest.mark.parametrize(("raw", "said"), [
    ("{{ copy.a.b }}", "there is no 'copy': in '{{ copy.a.b }}': an expression sees body, event, headers, key, was"),
    ("{{ item }}", "there is no 'item'"), ("$item", "is no path"), ("$copy.a", 'write "{{ copy.NAME[key] }}"'),
    ("sum($.x)", "is taken over the events of a window"), ("{{ sum($.x) }}", "counts the events of a window"),
    ("$tombstone", "$tombstone stands alone"), ("seq()", "counts the events of a generator"),
])
def test_a_fold_sees_nothing_else(raw, said):
    assert said in problem(raw, "fold")


def test_a_key_being_made_sees_none_of_it():
    for raw in ("{{ copy.a.b }}", "{{ key }}", "{{ item }}", "$item", "$topic", "{{ event.topic }}", "count()",
                "{{ count() }}"):
        assert problem(raw, "key")
    assert "write \"{{ was.NAME[key] }}\"" in problem("$was.x")
    assert "let that body say it, as in {device: $entity}, and write $.device here" in problem("$entity")


def test_rows_are_never_changed():
    here = seen()
    value = compile_value("{{ copy.purchases[key]['items'] }}", "rule")
    made = value(Context(Dice(1), 0.0, seen=here))
    made.append(3)
    assert here.copy["purchases"]["ann"]["items"] == [1, 2]  # type: ignore[index]
