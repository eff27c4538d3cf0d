"""How consumers behave: each short form means its long form, and what is left out has its default."""

from __future__ import annotations

import pytest

from eda_cli.sketch.resolved import (
    Consumer,
    Fails,
    Fold,
    Idempotent,
    Join,
    Kept,
    Resolved,
    Retries,
    Rule,
    Window,
)
from tests.sketch.reading import loaded


def consumer(said: str) -> Consumer:
    return loaded(f"consumers: {{c: {{subscribes: orders, {said}}}}}").resolved.consumers["c"]


def rule(said: str) -> Rule:
    return consumer(f"publishes: {{to: parcels, {said}}}").rules[0]


def test_a_consumer_of_which_nothing_is_said() -> None:
    assert consumer("") == Consumer("c", ("orders",), group="c", service="c")


@pytest.mark.parametrize(("said", "fails"), [
    ("2%", Fails(0.02)), ("{share: 50%, when: body.x > 1}", Fails(0.5, "body.x > 1")),
    ("{when: body.x > 1}", Fails(1.0, "body.x > 1")), ("0%", Fails(0.0)),
])
def test_fails(said: str, fails: Fails) -> None:
    assert consumer(f"fails: {said}").fails == fails


@pytest.mark.parametrize(("said", "retries"), [
    ("3", Retries(3)), ("{max: 3}", Retries(3, (0.2, 0.2))), ("{max: 1, backoff: 200ms..10s}", Retries(1, (0.2, 10.0))),
])
def test_retries(said: str, retries: Retries) -> None:
    assert consumer(f"retries: {said}").retries == retries


@pytest.mark.parametrize(("said", "idempotent"), [
    ("true", Idempotent(1_000_000, 604800.0)), ("false", None), ("{}", Idempotent()),
    ("{last: 100, for: 1d}", Idempotent(100, 86400.0)),
])
def test_idempotent(said: str, idempotent: Idempotent | None) -> None:
    assert consumer(f"idempotent: {said}").idempotent == idempotent


@pytest.mark.parametrize(("said", "keeps"), [
    ("purchases", (Kept("purchases", (Fold(("purchases",)),)),)),
    ("[a, b]", (Kept("a", (Fold(("a",)),)), Kept("b", (Fold(("b",)),)))),
    ("{a: $.id, b: null}", (Kept("a", (Fold(("a",), "$.id"),)), Kept("b", (Fold(("b",)),)))),
    ("{a: {$pick: [$.x, $.y]}}", (Kept("a", (Fold(("a",), {"$pick": ["$.x", "$.y"]}),)),)),
    ("{stock: {from: [orders, returns], key: $.sku, set: {left: 1}, accepts: orderPlaced, when: body.qty > 0}}",
     (Kept("stock", (Fold(("orders", "returns"), "$.sku", {"left": 1}, ("orderPlaced",), "body.qty > 0"),)),)),
    ("{stock: [{from: orders}, {}]}", (Kept("stock", (Fold(("orders",)), Fold(("stock",)))),)),
])
def test_keeps(said: str, keeps: tuple[Kept, ...]) -> None:
    assert consumer(f"keeps: {said}").keeps == keeps


@pytest.mark.parametrize(("said", "join"), [
    ("{with: payments, by: $.id}", Join("payments", "$.id", "$.id", 60.0)),
    ("{with: payments, by: {payments: $.order, orders: $.id}, within: 30s}", Join("payments", "$.id", "$.order", 30.0)),
    ("{with: payments, by: {$pick: [$.a]}}", Join("payments", {"$pick": ["$.a"]}, {"$pick": ["$.a"]})),
])
def test_joins(said: str, join: Join) -> None:
    assert consumer(f"joins: {said}").joins == join


@pytest.mark.parametrize(("said", "window"), [
    ("{every: 1m}", Window("$key", 60.0, None, "$time", 0.0)),
    ("{gap: 5m, by: $.device, time: $.at, late: 10s}", Window("$.device", None, 300.0, "$.at", 10.0)),
])
def test_windows(said: str, window: Window) -> None:
    assert consumer(f"window: {said}").window == window


@pytest.mark.parametrize(("said", "run"), [
    ("node mailer.js", ("node", "mailer.js")), ("\"node 'my mailer.js' --to\"", ("node", "my mailer.js", "--to")),
    ("[node, my mailer.js]", ("node", "my mailer.js")),
])
def test_a_program(said: str, run: tuple[str, ...]) -> None:
    assert consumer(f"run: {said}").run == run


def test_own_code_has_30_seconds_where_none_are_said() -> None:
    assert consumer("run: x").timeout_s == 30.0
    assert consumer("run: x, timeout: 5s").timeout_s == 5.0


def test_rules() -> None:
    assert rule("each: $.items").each == "$.items"
    assert rule("after: 30s").after_s == (30.0, 30.0)
    assert rule("after: 1s..3s, unless: {payments: $.order}").unless == {"payments": "$.order"}
    assert rule("share: 95%").share == 0.95
    assert rule("").each is None and rule("").after_s is None and rule("").share is None


def test_every_topic_that_a_part_names_is_made() -> None:
    sketch = loaded("""
        consumers:
          c:
            subscribes: [one]
            keeps: {two: $.id, three: {from: four}}
            publishes: {to: six, after: 1s, unless: {seven: $.id}}
            joins: {with: five, by: $.id}
            dead_letter: eight
        """).resolved
    assert list(sketch.topics) == ["one", "two", "four", "five", "six", "seven", "eight"]
    assert sketch.consumers["c"].hears == ("one", "two", "four", "five", "seven")


def test_own_code_makes_the_bodies_of_declared_events() -> None:
    sketch = loaded("""
        events: {parcelSent: {id: uuid()}}
        consumers:
          code: {subscribes: orders, run: x, publishes: {to: parcels, event: parcelSent}}
          rule: {subscribes: orders, publishes: {to: parcels, event: parcelSent}}
          other: {subscribes: orders, run: x, publishes: {to: parcels, event: parcelLost}}
        """).resolved
    assert not sketch.consumers["code"].rules[0].has_body
    assert sketch.consumers["rule"].rules[0].has_body
    assert Resolved.from_json(sketch.to_json()) == sketch


def test_a_name_that_the_environment_gave_is_shown_as_it_was_written() -> None:
    from eda_cli.sketch.render import config

    said = "consumers: {c: {subscribes: '${MINE}', keeps: [plain, '${KEPT}'], joins: {with: '${WITH}', by: $.id}}}"
    environ = {"MINE": "secret-one", "KEPT": "secret-two", "WITH": "secret-three"}
    read = loaded(said, **environ)
    assert "secret" not in config(read)
    assert "secret" not in " ".join(problem.text("") for problem in read.warnings)
    assert loaded(config(read), **environ).resolved == read.resolved
