"""Texts that were meant as paths or expressions: told, with what to write; and those that are texts, left alone."""

from __future__ import annotations

import pytest

from tests.sketch.reading import loaded, warnings

SHOP = """\
topics: {orders: {key: user}}
events: {billed: {total: body.n, id: id}, paid: {id: uuid(), order: id}}
generators:
  shop: {publishes: orders, event: placed, key: n, body: {id: uuid(), n: 1, user: {name: ann}}}
  bank: {publishes: payments, event: paid}
consumers:
  a:
    subscribes: orders
    keeps: {orders: id, sums: {from: orders, key: user.name, set: {n: was.n + 1, m: n}}}
    publishes:
      - {to: bills, event: billed}
      - {to: bills, event: other, key: id, headers: {x: event.key}, body: ['body.n == "x"'], after: 1s, unless: {payments: id}}
  b: {subscribes: orders, joins: {with: payments, by: {orders: id, payments: order}}}
  c: {subscribes: bills, window: {every: 1m, by: id}, publishes: {to: sums, event: summed, body: [sum($.n) * 2, window.start]}}
  d: {subscribes: sums}
"""


def a_field(name: str, whose: str = "heard") -> str:
    return f"'{name}' is text as it stands, and a field of the events {whose}; did you mean $.{name}? " \
           f"As a text write {{$literal: {name}}}"


def an_expression(text: str, quote: str = '"') -> str:
    return f"'{text}' is text as it stands: an expression stands in {{{{ }}}}; write {quote}{{{{ {text} }}}}{quote}"


def test_a_forgotten_dollar_and_forgotten_braces_are_told_wherever_a_value_stands() -> None:
    assert warnings(SHOP) == [f"sketch.yaml:{place}: {told}" for place, told in (
        ("1:24", a_field("user", "there")),
        ("2:26", an_expression("body.n")),
        ("2:38", a_field("id")),
        ("4:49", a_field("n", "that it publishes")),
        ("9:21", a_field("id")),
        ("9:51", a_field("user.name")),
        ("9:71", an_expression("was.n + 1")),
        ("9:85", a_field("n")),
        ("12:40", a_field("id")),
        ("12:57", an_expression("event.key")),
        ("12:76", an_expression('body.n == "x"', "'")),
        ("12:124", a_field("id")),
        ("13:64", a_field("id")),
        ("13:78", a_field("order")),
        ("14:50", a_field("id")),
        ("14:99", an_expression("sum($.n) * 2")),
        ("14:113", an_expression("window.start")),
    )]


@pytest.mark.parametrize("value", [
    "{$literal: id}", "{$literal: body.n}", "{$literal: sum($.n) * 2}", "event.created", "window.closed", "body", "$.id",
    '"{{ body.id }}"', "paid", "the id", "body. Then", "uuid()", "embody.n"])
def test_what_is_meant_as_text_is_left_alone(value: str) -> None:
    assert warnings(f"""
        generators: {{shop: {{publishes: orders, body: {{id: uuid(), n: 1}}}}}}
        consumers: {{a: {{subscribes: orders, publishes: {{to: b, event: told, body: {{x: {value}}}}}}}, b: {{subscribes: b}}}}
        """) == []


def test_a_body_that_a_generator_makes_too_can_hold_no_expression() -> None:
    assert warnings("""
        events: {told: {x: body.n}}
        generators: {shop: {publishes: orders, event: told}}
        consumers: {a: {subscribes: orders, publishes: {to: b, event: told}}, b: {subscribes: b}}
        """) == []


def test_a_text_of_the_environment_is_not_shown() -> None:
    told, = [problem.text("") for problem in loaded("""
        generators: {shop: {publishes: orders, body: {hidden: uuid()}}}
        consumers: {a: {subscribes: orders, publishes: {to: b, event: told, body: {x: "${FIELD}"}}}, b: {subscribes: b}}
        """, FIELD="hidden").warnings]
    assert "hidden" not in told
    assert "'${FIELD}' is text as it stands" in told


def test_an_awaited_key_that_is_in_no_event() -> None:
    assert warnings("""\
        generators:
          shop: {publishes: orders, body: {id: uuid()}}
          bank: {publishes: payments}
        consumers: {a: {subscribes: orders, publishes: {to: b, after: 1s, unless: {payments: $.idd}}}, b: {subscribes: b}}
        """) == ["sketch.yaml:4:86: '$.idd' is in no event that 'a' hears: a missing path is null; did you mean '$.id'?"]


def test_what_is_nearly_a_value_is_told() -> None:
    assert warnings("""
        generators:
          shop: {publishes: orders, body: {id: uuid, n: 1...5, kind: {$pick: [uuid, date]}, as: {$literal: uuid}}}
        consumers: {a: {subscribes: orders, publishes: {to: bills, body: {who: faker.name}}}, b: {subscribes: bills}}
        """) == [f"sketch.yaml:{place}: '{text}' is text as it stands; did you mean {value}? "
                 f"As a text write {{$literal: \"{text}\"}}"
                 for place, text, value in (("3:40", "uuid", "uuid()"), ("3:49", "1...5", "1..5"),
                                            ("4:72", "faker.name", "faker.name()"))]
