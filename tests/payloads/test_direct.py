"""What small expressions make as plain Python is what the sandbox makes of them, errors included."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eda_cli.payloads import MISSING, TOMBSTONE, InvalidValue, PayloadError, Seen, compile_condition, compile_value, templates
from eda_cli.payloads.budget import BUDGET
from eda_cli.payloads.templates import compile_direct
from tests.payloads.making import context

NUMBERS = st.one_of(st.integers(-(1 << 63), (1 << 63) - 1), st.integers(-3, 3), st.floats(allow_nan=False, allow_infinity=False),
                    st.sampled_from([0.0, -0.0, 0.5, 2.675, 1e308, 1e-308]))
SCALARS = st.one_of(NUMBERS, st.text(max_size=4), st.booleans(), st.none())
ITEMS = st.lists(st.one_of(st.fixed_dictionaries({"price": NUMBERS}), st.fixed_dictionaries({"price": SCALARS}), SCALARS),
                 max_size=4)
FIELDS = st.one_of(NUMBERS, NUMBERS, SCALARS, ITEMS, st.dictionaries(st.sampled_from(["x", "price", "0"]), SCALARS, max_size=2))
BODIES = st.one_of(
    st.fixed_dictionaries({}, optional=dict.fromkeys(["a", "b", "items", "keys", "m"], FIELDS)),
    st.fixed_dictionaries({"a": NUMBERS, "b": NUMBERS, "items": st.lists(st.fixed_dictionaries({"price": NUMBERS}), max_size=4),
                           "m": st.fixed_dictionaries({"x": SCALARS})}),
    SCALARS, ITEMS, st.just(TOMBSTONE), st.binary(max_size=3))

PATHS = st.sampled_from(["body.a", "body.b", "body.items", "body.items[0].price", "body.items.0", "body['m'].x", "body.m[0]",
                         "body.keys", "event.id", "event.key", "event.topic", "event.time", "was.a", "was.m.x", "body.m.x"])
ATOMS = st.one_of(PATHS, PATHS, st.sampled_from(["0", "1", "2.5", "'x'", "true", "none", "9223372036854775807", "''"]))
EXPRESSIONS = st.recursive(ATOMS, lambda inner: st.one_of(
    st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "==", "!=", "<", "<=", ">", ">=", "and", "or"]), inner)
    .map(lambda made: f"({made[0]} {made[1]} {made[2]})"),
    st.tuples(PATHS, st.sampled_from(["default(0)", "d('x')", "default(none)", "default(1, true)"])).map(" | ".join)
    .map("({})".format),
    st.tuples(inner, st.sampled_from(["round", "round(2)", "round(-1)", "round(1, 'floor')", "abs", "length", "count",
                                      "sum(attribute='price')", "sum('price')", "sum", "upper"])).map(" | ".join)
    .map("({})".format),
    st.tuples(inner, inner, inner).map(lambda made: f"({made[0]} if {made[1]} else {made[2]})"),
    inner.map("(not {})".format), inner.map("(-{})".format),
    PATHS.map("({} is defined)".format), PATHS.map("({} is not defined)".format)), max_leaves=6)


def outcome(make: Any, seen: Seen) -> Any:
    """The value with its type and its sign, or what is said of it."""
    try:
        made = make(context(seen=seen))
    except PayloadError as failed:
        return failed.line
    return type(made), repr(made)


@pytest.mark.timeout(240)
@given(expression=EXPRESSIONS, body=BODIES, was=st.one_of(st.just(MISSING), BODIES), bare=st.booleans())
@example("(body.a | default(1, true))", {"a": 0}, MISSING, False)
@example("(body.a % body.b)", {"a": "%s %s", "b": 1}, MISSING, False)
@example("(body.a * body.b)", {"a": "ab", "b": 3}, MISSING, False)
@example("(body.a * body.b * body.a * body.b)", {"a": 1 << 62, "b": 1 << 62}, MISSING, True)
@example("(body.m.x if body.m.x is defined else was.a | default(none))", {"m": [1]}, {"a": 0}, False)
@settings(derandomize=True, max_examples=3_000, deadline=None)
def test_it_makes_what_the_sandbox_makes(expression: str, body: Any, was: Any, bare: bool) -> None:
    seen = Seen(body, "ann", "e-1", "t", "/s", "2026-01-01T00:00:00.000000Z", {}, "purchases", was=was)

    def compiled() -> Any:
        try:
            return compile_condition(expression, "fold") if bare else compile_value(f"{{{{ {expression} }}}}", "fold")
        except InvalidValue as refused:
            said = str(refused)
            return lambda context: said

    directly = outcome(compiled(), seen)
    with pytest.MonkeyPatch.context() as without:
        without.setattr(templates, "compile_direct", lambda values, scope: None)
        without.setattr(templates, "compile_quick", lambda value, scope: None)
        slowly = outcome(compiled(), seen)
        assert directly == slowly
        without.undo()
        without.setattr(templates, "compile_quick", lambda value, scope: None)
        assert slowly == outcome(compiled(), seen)


@pytest.mark.parametrize("expression", [
    "body.items | sum(attribute='price') | round(2)", "(was.n | default(0)) + 1", "body.total > 400 and body.user != 'ann'",
    "was.n is defined", "body.items | length", "-body.a if body.b else body['odd name']", "event.type == 'paid'"])
def test_what_is_usual_needs_no_sandbox(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def noted(values: Any, scope: Any) -> Any:
        made.append(compile_direct(values, scope))
        return made[-1]

    monkeypatch.setattr(templates, "compile_direct", noted)
    compile_value(f"{{{{ {expression} }}}}", "fold")
    assert made[0] is not None


@pytest.mark.parametrize("expression", ["vars.price * 2", "entity.name", "was.total + vars.price", "entity.number % 2 == 0"])
def test_generators_need_no_sandbox_either(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen(entity={"number": 3, "name": "ann"}, was={"total": 2})
    raw = {"$vars": {"price": "2..2"}, "x": f"{{{{ {expression} }}}}"}
    made = compile_value(raw, "generator")(context(seen=seen))
    monkeypatch.setattr(templates.Scene, "__init__", None)  # whoever asks the sandbox fails
    assert compile_value(raw, "generator")(context(seen=seen)) == made


def test_what_much_is_looked_at_is_paid_for() -> None:
    items = orjson.loads(b"[" + b",".join([b'{"price":1}'] * (BUDGET // 4)) + b"]")
    make = compile_value("{{ body.items | sum(attribute='price') + body.items | sum(attribute='price') +"
                         " body.items | sum(attribute='price') + body.items | sum(attribute='price') }}", "rule")
    assert "too large" in outcome(make, Seen({"items": items}))
