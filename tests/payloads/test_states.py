"""The life of an entity: what is read, what is refused and where, and which state follows how often."""

from __future__ import annotations

from collections import Counter
from math import nextafter
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eda_cli.payloads import TOMBSTONE, Dice, InvalidValue, compile_body, compile_states, compile_value, is_states, read_states
from tests.payloads.making import context

ORDER: dict[str, Any] = {"$states": {"key": "uuid()", "entities": 40, "start": "created", "states": {
    "created": {"body": {"total": "10.00..400.00"}, "next": {"paid": "80%", "cancelled": "15%"}, "after": "1s..5s"},
    "paid": {"event": "orderPaid", "body": {"by": "pick(card, cash)"}},
    "cancelled": {"body": "$tombstone", "after": "200ms"},
}}}


def life(**keys: Any) -> dict[str, Any]:
    """The life of an order with other keys; one that is None is left out."""
    return {"$states": {name: value for name, value in {**ORDER["$states"], **keys}.items() if value is not None}}


def told(raw: Any) -> list[str]:
    with pytest.raises(InvalidValue) as caught:
        compile_states(raw)
    return [one.text() for one in caught.value.problems]


def test_a_list_of_states_has_equal_shares() -> None:
    states = read_states({"$states": {"states": {"a": {"next": ["b", "c"]}, "b": {}, "c": {}}}})
    assert states.states["a"].next == (("b", 0.5), ("c", 0.5))
    with pytest.raises(InvalidValue) as raised:
        read_states({"$states": {"states": {"alpha": {"next": ["beta", "alhpa"]}, "beta": {}}}})
    assert [(one.path, one.hint) for one in raised.value.problems] == [
        (("$states", "states", "alpha", "next", 1), "did you mean alpha?")]


def test_a_number_can_name_a_state_and_nothing_else_does() -> None:
    states = read_states({"$states": {"start": 200, "states": {"200": {"next": 404}, "404": {"next": [200, 404]}}}})
    assert (states.start, states.states["200"].next) == ((("200", 1.0),), (("404", 1.0),))
    for wrong in (True, 1.5):
        assert told(life(states={"created": {"next": wrong}}))[0].startswith(
            "$states.states.created.next: 'next' names no state; write next: paid")


@pytest.mark.parametrize("body", [{"$list": 1, "size": 2}, {"$literal": [1]}, {"$maybe": {"a": 1}, "null": "5%"},
                                  {"$pick": [{"a": 1}, 2]}])
def test_a_body_that_gives_no_fields_is_refused(body: Any) -> None:
    assert told(life(start=None, states={"on": {"body": body}}))[0].startswith(
        "$states.states.on.body: the body of the state 'on' is no map")


@pytest.mark.parametrize("body", [{"$literal": {"a": "1..5"}}, {"$pick": [{"a": 1}, "$tombstone"]},
                                  {"$lookup": "orders"}])
def test_a_body_that_may_give_fields_is_taken(body: Any) -> None:
    compile_states(life(start=None, states={"on": {"body": body}}))


def test_a_life_is_read_with_its_defaults() -> None:
    states = read_states(ORDER)
    assert (states.key, states.entities, states.start) == ("uuid()", 40, (("created", 1.0),))
    assert states.states["created"].next == (("paid", 0.8), ("cancelled", 0.15))
    assert [state.after_s for state in states.states.values()] == [(1.0, 5.0), (1.0, 1.0), (0.2, 0.2)]
    assert states.events("orderCreated") == ["orderCreated", "orderPaid"]
    assert states.fields() == {"by": "pick(card, cash)", "total": "10.00..400.00"}
    bare = read_states({"$states": {"states": {"on": {"next": "off"}, "off": None}}})
    assert (bare.key, bare.entities, bare.start, bare.states["on"].next) == (None, None, (("on", 1.0),), (("off", 1.0),))


def test_the_fields_of_a_long_form_are_known_to_the_event_alone() -> None:
    assert "$pick" in read_states(life(start=None, states={"on": {"body": {"$pick": [{"a": 1}, {"b": 2}]}}})).fields()


def test_each_state_makes_its_body() -> None:
    lives = compile_states(ORDER)
    assert lives.bodies["paid"](context(seen=None))["by"] in ("card", "cash")
    assert lives.bodies["cancelled"](context(seen=None)) is TOMBSTONE
    assert compile_states(life(start=None, states={"on": {}})).bodies["on"](context(seen=None)) == {}


def test_states_follow_by_their_shares() -> None:
    lives, dice = compile_states(ORDER), Dice(7, "next")
    follows = Counter(lives.after("created", dice.roll(number).random()) for number in range(20_000))
    for state, share in (("paid", 0.8), ("cancelled", 0.15), (None, 0.05)):
        assert abs(follows[state] / 20_000 - share) < 0.01
    assert lives.after("paid", 0.0) is None
    assert lives.after("a state of an earlier sketch", 0.0) is None


@given(st.floats(0, 1, exclude_max=True))
@example(nextafter(1.0, 0.0))
def test_whole_shares_leave_no_rest(drawn: float) -> None:
    tenths = {f"s{number}": "10%" for number in range(10)}  # whose sum as floats is below 1
    states: dict[str, Any] = {name: {"next": tenths} for name in tenths}
    lives = compile_states({"$states": {"start": tenths, "states": states}})
    assert lives.after("s0", drawn) in tenths
    assert lives.first(drawn) in tenths


def test_states_that_no_life_comes_to_are_known() -> None:
    states = {"a": {"next": {"b": "50%", "d": "0%"}}, "b": {"next": "a"}, "c": {"next": "a"}, "d": {}}
    assert read_states({"$states": {"states": states}}).unreached() == ["c", "d"]


@pytest.mark.parametrize("raw, problem", [
    (life(starts="created"), "$states.starts: $states has no key 'starts'; did you mean start?"),
    (life(states=None), "$states: $states has no states: it takes a map of 1 to 1,000 by their names"),
    (life(states={}), "$states.states: $states has no states"),
    (life(entities=0), "$states.entities: 'entities' of $states must be a whole number from 1 to 1,000,000"),
    (life(start="craeted"), "known are created, paid, cancelled; did you mean created?"),
    (life(start={"created": "90%"}), "$states.start: the shares of 'start' are 90 % together: each life begins in one"),
    (life(states={"a": {"next": "b"}}), "$states.states.a.next: there is no state 'b': known are a"),
    (life(start=None, states={"a": {"next": {"a": "50%", "b": "20%"}}}), "$states.states.a.next.b: there is no state 'b'"),
    (life(start=None, states={"a": {"next": {"a": "90%", "b": "20%"}}, "b": {}}),
     "$states.states.a.next: the shares of 'next' are 110 % together"),
    (life(start=None, states={"a": {"next": {}}}), "$states.states.a.next: 'next' names no state"),
    (life(start=None, states={"a": {"next": {"a": "0%"}}}), "so nothing ever follows; leave next: out where a life ends"),
    (life(start=None, states={"a": {"next": {"a": 0.5}}}), "the share of 'a' must be a share: '0.5' has no unit; write 50%"),
    (life(start=None, states={"a": {"after": "0s"}}), "$states.states.a.after: 'after' must be a duration or a range"),
    (life(start=None, states={"a": {"after": "5"}}), "'5' has no unit; write 5ms, 5s or 5m"),
    (life(start=None, states={"a": {"body": "uuid()"}}), "$states.states.a.body: the body of the state 'a' is no map"),
    (life(start=None, states={"a": {"body": {"n": "seqq(1)"}}}), "$states.states.a.body.n: there is no function 'seqq'"),
    (life(start=None, states={"a": {"boby": {}}}), "$states.states.a.boby: a state has no key 'boby'; did you mean body?"),
    (life(start=None, states={"a": "b"}), "$states.states.a: the state 'a' is no map"),
    (life(start=None, states={"a": {"event": 7}}), "$states.states.a.event: '7' is no event type"),
    (life(key="uuidd()"), "$states.key: there is no function 'uuidd'"),
    ({**ORDER, "id": 1}, "id: 'id' does not belong to $states: a life is the whole body"),
    ({"$states": ["created"]}, "$states: $states is no map"),
])
def test_what_is_wrong_is_told_where_it_stands(raw: Any, problem: str) -> None:
    assert any(one.startswith(problem) or problem in one for one in told(raw)), told(raw)


def test_every_problem_is_told_at_once() -> None:
    raw = life(key="uuidd()", states={"created": {"body": {"n": "seqq(1)"}, "after": "5"}, "paid": {"body": {"x": "zipf()"}}})
    assert len(told(raw)) == 4


def test_only_the_whole_body_of_a_generator_is_a_life() -> None:
    assert is_states(ORDER)
    assert hasattr(compile_body(ORDER, "generator"), "bodies")
    for raw, scope, why in (({"a": ORDER}, "generator", "the whole body of a generator"),
                            (ORDER, "rule", "a rule has no entities")):
        with pytest.raises(InvalidValue, match=why):
            compile_value(raw, scope)  # type: ignore[arg-type]
