"""Fields that are looked at and never there: told wherever they stand, with a guess; and those that may be there are not."""

from __future__ import annotations

import pytest

from eda_cli.payloads import Field, fields_used
from tests.sketch.reading import errors, loaded, warnings

SHOP = """\
events: {placed: {id: uuid(), user: {name: ann}, items: {$list: {sku: A, price: 1..5}, size: 2}}}
generators:
  shop: {publishes: orders, event: placed}
  bank: {publishes: payments, event: paid, body: {order: uuid(), amount: 1..5}}
consumers:
  a:
    subscribes: orders
    keeps: {orders: $.id, sums: {from: payments, key: $.order, set: {left: VALUE}, when: WHEN}}
    joins: {with: payments, by: {orders: $.id, payments: $.order}}
    fails: {share: 1%, when: FAILS}
    publishes: {to: told, event: told, when: WHETHER, each: $.items, key: KEY, body: {$vars: {m: {a: 1}}, x: BODY}}
  b: {subscribes: told}
"""
FINE = {"VALUE": "1", "WHEN": "body.amount > 1", "FAILS": "body.id", "WHETHER": "body.user.name", "KEY": "$.id", "BODY": "$"}


def told(**values: str) -> list[str]:
    text = SHOP
    for name, value in {**FINE, **values}.items():
        text = text.replace(name, f"'{value}'")
    return [line.split(": ", 1)[1] for line in warnings(text)]


def test_a_field_of_no_event_is_told_in_templates_and_conditions_too() -> None:
    event = "is in no event that 'a' hears"
    assert told(BODY="{{ body.usr.name ~ body.id }}") == [
        f"'body.usr.name' {event}: it is always missing; did you mean 'body.user.name'?"]
    assert told(BODY='{{ body["user"]["nam"] }}') == [
        f"'body.user.nam' {event}: it is always missing; did you mean 'body.user.name'?"]
    assert told(BODY="{{ body.items[0].skuu }}") == [
        f"'body.items[0].skuu' {event}: it is always missing; did you mean 'body.items[0].sku'?"]
    assert told(BODY="$.user.nam") == [f"'$.user.nam' {event}: a missing path is null; did you mean '$.user.name'?"]
    for where in ("WHETHER", "FAILS"):
        assert told(**{where: "body.usr > 3"}) == [f"'body.usr' {event}: it is always missing; did you mean 'body.user'?"]
    assert told(WHEN="body.amunt > 3") == [f"'body.amunt' {event}: it is always missing; did you mean 'body.amount'?"]
    assert told(BODY="{{ body.items | selectattr('x') | sum(attribute='prize') }}".replace("'", '"')) == [
        f"'body.items[…].prize' {event}: it is always missing; did you mean 'body.items[…].price'?"]
    assert told(BODY="{{ body.item | sum }}") == [f"'body.item' {event}: it is always missing; did you mean 'body.items'?"]
    assert told(KEY="{{ body.zip }}") == [f"'body.zip' {event}: it is always missing"]


def test_a_field_that_is_replaced_in_one_place_is_told_in_another() -> None:
    assert told(BODY="{{ body.coupon | default(0) + body.coupon }}") == [
        "'body.coupon' is in no event that 'a' hears: it is always missing"]


def test_a_field_of_no_row_of_an_own_copy() -> None:
    assert told(BODY="{{ copy.orders[body.id].usr }}") == [
        "'copy.orders[…].usr' is in no row of the copy 'orders': it is always missing; did you mean 'copy.orders[…].user'?"]
    assert told(WHETHER="was.sums[body.id].lft > 1") == [
        "'was.sums[…].lft' is in no row of the copy 'sums': it is always missing; did you mean 'was.sums[…].left'?"]
    assert told(VALUE="{{ was.lft + 1 }}") == [
        "'was.lft' is in no row of the copy 'sums': it is always missing; did you mean 'was.left'?"]
    assert told(VALUE="$was.amount") == ["'$was.amount' is in no row of the copy 'sums': a missing path is null"]
    assert told(WHEN="was.lft > 1") == [
        "'was.lft' is in no row of the copy 'sums': it is always missing; did you mean 'was.left'?"]


def test_a_field_of_no_item_of_the_other_event_and_of_what_is_made_first() -> None:
    assert told(BODY="$item.prize") == [
        "'$item.prize' is in no item of 'each': a missing path is null; did you mean '$item.price'?"]
    assert told(WHETHER="item.stock") == ["'item.stock' is in no item of 'each': it is always missing"]
    assert told(BODY="$joined.amont") == [
        "'$joined.amont' is in no event of 'payments': a missing path is null; did you mean '$joined.amount'?"]
    assert told(BODY="{{ joined.id }}") == ["'joined.id' is in no event of 'payments': it is always missing"]
    assert told(BODY="$vars.m.b") == ["'$vars.m.b' is in no value of 'm' in $vars: a missing path is null"]


@pytest.mark.parametrize("value", [
    "$.user.name.first", "$.items.0.sku", "$.id", "$key", "$headers.x", "{{ body.items | sum(attribute=\"price\") }}",
    "{{ body[body.id] }}", "{{ body.user.name.upper() }}", "{{ body.keys() }}", "{{ copy.orders[joined.order].user.name }}",
    "{{ copy.sums[body.id].left }}", "{{ was.orders.x[\"id\"] }}", "{{ item.sku ~ joined.amount }}", "$item", "$joined",
    "{{ body.coupon | default(0) }}", "{{ body.coupon is defined }}", "{{ body.coupon if body.coupon is defined else 0 }}",
    "{{ body.coupon is defined and body.coupon.worth > 1 }}", "{{ \"coupon\" in body and body.coupon > 1 }}",
    "{{ 0 if body.user.age is undefined else body.user.age }}", "{{ event.type ~ headers.x }}",
    "$vars.m.a", "{{ body.items[index].sku }}"])
def test_what_may_be_there_is_not_told(value: str) -> None:
    assert told(BODY=value) == []


def test_what_only_an_event_will_tell_is_not_judged() -> None:
    assert warnings("""\
    events:
      told: {of: $.id, a: "{{ copy.open[body.id].n }}"}
    generators:
      shop: {publishes: orders, event: placed, body: {id: uuid(), opt: {$maybe: {a: 1}, absent: 5%},
              alt: {$pick: [{x: 1}, {y: 2}]}, l: [1, {q: 2}], lk: {$lookup: orders, else: {}}, t: "{{ {'a': 1} }}"}}
      lives:
        publishes: lives
        event: began
        body: {$states: {start: {a: 50%, b: 50%}, states: {
            a: {body: {x: $was.y, v: "{{ was.y | default(1) }}"}, next: b},
            b: {body: {y: {$pick: [{m: 1}, {n: 2}]}, z: $was.y.n}, next: a}}}}
    consumers:
      a:
        subscribes: [orders, lives]
        keeps:
          open: [{from: orders, key: $.id, set: {n: "{{ was.n | default(0) + 1 }}"}}, {from: lives, key: $key}]
        publishes:
          - {to: t, event: told}
          - {to: t, event: other, accepts: began, body: {x: $.x, y: $.y.m,
             v: $.v.k, c: "{{ copy.open[key].x }}", d: "{{ copy.open[key].y.anything }}"}}
          - {to: t, event: o2, accepts: placed, each: "{{ body.l }}", body: {q: $item.q,
             o: $.opt.a, alt: $.alt.x, l: $.lk.total, t: $.t.a,
             z: "{{ (copy.open[key] | default({})).zz }}", r: "{{ body.l | map(attribute='q') | list }}"}}
          - {to: t, event: o3, accepts: placed, each: [{p: 1}, {p: 2}], body: {q: $item.p, i: "{{ item.p + index }}"}}
          - {to: t, event: o4, each: "{{ range(3) | list }}", body: {q: $item.p, x: "{{ {'a': body}.a.nothing | default(3) }}"}}
      b: {subscribes: t, joins: {with: lives, by: {t: $.of, lives: $key}},
          publishes: {to: z, event: zz, body: {a: $joined.x, b: $joined.y.q, c: $.q}}}
      c: {subscribes: z}
    """) == []


def test_a_guard_against_what_is_missing_does_not_hide_a_slip() -> None:
    assert told(BODY="{{ copy.sums[body.id].lft | default(0) }}") == [
        "'copy.sums[…].lft' is in no row of the copy 'sums': it is always missing; did you mean 'copy.sums[…].left'?"]
    assert told(VALUE="{{ was.left | default(0) }}") == []


@pytest.mark.parametrize("unknown", [
    "d: {subscribes: x, handler: test_missing:told, publishes: {to: payments, event: paid}}",
    "d: {subscribes: told, publishes: payments}",
    "d: {subscribes: told, external: true, publishes: {to: payments, event: paid, body: {n: 1}}}",
    "d: {subscribes: told, dead_letter: payments}"])
def test_where_others_may_publish_nothing_is_told(unknown: str) -> None:
    text = SHOP.replace("'VALUE'", "1") + f"  {unknown}\n  c: {{subscribes: [told, x], keeps: {{payments: $.order}}, " \
        "publishes: {to: x, event: y, body: {a: '{{ copy.payments[key].what }}'}}}\n"
    for name, value in {**FINE, "BODY": "$joined.what", "WHEN": "body.what"}.items():
        text = text.replace(name, f"'{value}'")
    assert not [line for line in warnings(text) if "is in no" in line]


def test_aggregates_look_at_what_a_window_gathers() -> None:
    assert warnings("""\
        generators: {shop: {publishes: orders, body: {id: uuid(), price: 1..5}}}
        consumers:
          a:
            subscribes: orders
            window: {every: 1m}
            publishes: {to: sums, event: summed, when: sum($.prise) > 1, body: {a: max($.amount), b: '{{ mean($.price) }}'}}
          b: {subscribes: sums}
        """) == [
        "sketch.yaml:6:48: '$.prise' is in no event that 'a' hears: a missing path is null; did you mean '$.price'?",
        "sketch.yaml:6:76: '$.amount' is in no event that 'a' hears: a missing path is null"]


def test_what_a_generator_looks_up_and_makes_first() -> None:
    assert warnings("""\
        events: {paid: {$vars: {order: {$lookup: orders}, nr: {$lookup: orders, path: $.id, else: {a: 1}}},
                        a: $vars.order.idd, b: '{{ vars.order.user.nme }}', c: $vars.order.user, d: $vars.nr.a, e: $vars.nr.b}}
        generators:
          shop: {publishes: orders, body: {id: uuid(), total: 1..5, user: {name: ann}}}
          bank: {publishes: payments, event: paid}
          mail: {publishes: letters, body: {of: {$lookup: orders, path: $key, where: 'body.totl > 1 and body.user.name'}}}
        consumers: {all: {subscribes: [orders, payments, letters]}}
        """) == [
        "sketch.yaml:2:20: '$vars.order.idd' is in no value of 'order' in $vars: a missing path is null; "
        "did you mean '$vars.order.id'?",
        "sketch.yaml:2:40: 'vars.order.user.nme' is in no value of 'order' in $vars: it is always missing; "
        "did you mean 'vars.order.user.name'?",
        "sketch.yaml:6:78: 'body.totl' is in no event that 'mail' looks up: it is always missing; did you mean 'body.total'?"]


LIFE = """\
    generators:
      shop:
        publishes: orders
        event: created
        entities: {count: 9, have: {home: {long: 1..5}, name: ann}}
        headers: {at: $entity.home.lon}
        body:
          $states:
            key: KEY
            states:
              new: {body: {order: $entity.key, total: 1..5}, next: paid}
              paid: {event: paid, body: {due: DUE, x: {$lookup: letters, where: body.idd}}}
      mail: {publishes: letters, body: {id: uuid()}}
    consumers: {all: {subscribes: [orders, letters]}}
    """


def test_what_an_entity_was_and_has() -> None:
    life = LIFE.replace("KEY", "$entity.name")
    assert warnings(life.replace("DUE", "$was.totl")) == [
        "sketch.yaml:6:19: '$entity.home.lon' is in no entity of 'shop': a missing path is null; "
        "did you mean '$entity.home.long'?",
        "sketch.yaml:12:43: '$was.totl' is in no state of 'shop': a missing path is null; did you mean '$was.total'?",
        "sketch.yaml:12:83: 'body.idd' is in no event that 'shop' looks up: it is always missing; did you mean 'body.id'?"]
    for fine in ("$was.total", "$was.due", "$entity.key.a", "'{{ was.order.x }}'", "$entity.home.long"):
        assert len(warnings(life.replace("DUE", fine))) == 2
    assert [line.split(": ", 1)[1] for line in errors(LIFE.replace("KEY", "$entity.nme"))] == [
        "'$entity.nme' looks at 'nme' of an entity: it has number, key, home, name; did you mean 'name'?"]


def test_keys_that_are_templates_look_at_what_is_published() -> None:
    assert warnings("""\
        topics: {orders: {key: '{{ body.usr }}'}, payments: {key: '{{ body.a ~ body.b }}'}}
        generators:
          shop: {publishes: orders, body: {user: uuid()}}
          mall: {publishes: orders, body: {user: uuid()}, key: 'x-{{ body.name }}'}
          bank: {publishes: payments, event: paid, body: {a: 1}}
          till: {publishes: payments, event: paid, body: {b: 1}}
        consumers: {all: {subscribes: [orders, payments]}}
        """) == [
        "sketch.yaml:1:24: 'body.usr' is in no event of 'orders': it is always missing; did you mean 'body.user'?",
        "sketch.yaml:4:56: 'body.name' is in no event of generator 'mall': it is always missing"]


def test_what_events_say_is_told_where_one_rule_alone_publishes_it() -> None:
    text = """\
        events: {billed: {of: $.idd}}
        generators: {shop: {publishes: orders, body: {id: uuid()}}}
        consumers:
          a: {subscribes: orders, publishes: {to: bills, event: billed}}
          b: {subscribes: bills%s}
        """
    assert warnings(text % "") == ["sketch.yaml:1:23: '$.idd' is in no event that 'a' hears: a missing path is null; "
                                   "did you mean '$.id'?"]
    assert warnings(text % ", publishes: {to: bills, event: billed, when: body.of}") == []


def test_what_the_environment_gave_is_not_shown() -> None:
    found = [problem.text("") for problem in loaded(
        "generators: {shop: {publishes: orders, body: {id: uuid()}}}\n"
        "consumers: {a: {subscribes: orders, publishes: {to: b, event: c, body: {x: '${FIELD}'}}}, b: {subscribes: b}}",
        FIELD="{{ body.hidden }}").warnings]
    assert "'${FIELD}' is in no event that 'a' hears" in found[0]
    assert "hidden" not in found[0]


def test_fields_are_those_of_the_text() -> None:
    assert fields_used("$.a.0.b") == [Field("body", ("a", "0", "b"), path=True)]
    assert fields_used("{{ copy.x[body.y]['z'] }}") == [Field("copy", ("x", None, "z")), Field("body", ("y",))]
    assert fields_used("sum($.a) > body.b", condition=True) == [Field("body", ("b",)), Field("body", ("a",), path=True)]
    assert fields_used("$") == fields_used("$key") == fields_used("$5.00") == fields_used("plain") == []
