"""Entities and their lives in a sketch: what is told, drawn and printed of them."""

from __future__ import annotations

from eda_cli.sketch.flow import published
from eda_cli.sketch.graph import mermaid
from eda_cli.sketch.render import config
from eda_cli.sketch.resolved import Entities, Resolved
from tests.sketch.reading import errors, loaded, warnings

SHOP = """
    events:
      orderCreated:
        $states:
          key: uuid()
          entities: 40
          states:
            created: {body: {total: 10..400}, next: {paid: 80%%, cancelled: 20%%}}
            paid: {event: orderPaid, body: {by: "pick(card, cash)"}}
            cancelled: {event: orderCancelled, body: $tombstone}
    generators: {shop: {publishes: orders, event: orderCreated}}
    consumers: {billing: {subscribes: orders%s}}
    """


def test_a_life_is_its_own_clock_and_says_how_many_live_it() -> None:
    shop = loaded(SHOP % "").resolved.generators["shop"]
    assert (shop.rate, shop.every, shop.entities) == (None, None, Entities(40))
    assert shop.events == ["orderCreated", "orderPaid", "orderCancelled"]
    bare = loaded("generators: {shop: {publishes: orders, rate: 5/s, body: {$states: {states: {on: {}}}}}}").resolved
    assert (bare.generators["shop"].rate, bare.generators["shop"].entities) == (5.0, Entities(10))


def test_the_full_form_loads_back_to_the_same() -> None:
    for text in (SHOP % "", "generators: {a: {publishes: t, entities: {count: 3, have: {name: uuid()}}, "
                            "body: {$states: {states: {on: {next: on}}}}}, b: {publishes: t, every: 1s, entities: 7}}"):
        whole = loaded(text)
        assert loaded(config(whole)).resolved == whole.resolved
        assert Resolved.from_json(whole.resolved.to_json()) == whole.resolved


def test_the_types_of_a_life_are_known() -> None:
    read = loaded(SHOP % ", accepts: [orderPaid, orderCancelled]")
    assert not read.warnings
    assert sorted(published(read.resolved)) == [("orders", "orderCancelled"), ("orders", "orderCreated"), ("orders", "orderPaid")]
    assert "orderCreated<br/>orderPaid<br/>orderCancelled" in mermaid(read.resolved)
    assert any("did you mean 'orderPaid'" in line for line in errors(SHOP % ", accepts: orderPayd"))


def test_the_fields_of_a_life_are_those_of_all_its_states() -> None:
    assert not warnings(SHOP % ", keeps: {orders: $.total}")
    line, = warnings(SHOP % ", keeps: {orders: $.totl}")
    assert "did you mean '$.total'?" in line


def test_a_life_with_a_key_fills_a_compacted_topic() -> None:
    keyed = "topics: {orders: {compacted: true}}\n" + "\n".join(line.removeprefix("    ") for line in (SHOP % "").splitlines())
    assert not warnings(keyed)
    assert "publishes without a key" in warnings(keyed.replace("key: uuid()", "key:"))[0]


def test_states_that_nothing_leads_to_and_commands_are_warned_of() -> None:
    found = warnings("""
        generators:
          shop:
            publishes: orders
            event: orderCreated
            body:
              $states:
                states:
                  created: {next: {paid: 100%, lost: 0%}}
                  paid: {event: payOrder, next: paid}
                  lost: {}
        consumers: {billing: {subscribes: orders}}
        """)
    assert [line.split(":")[1] for line in found] == ["10", "11"]
    assert "'payOrder' is a command" in found[0]
    assert "nothing leads to the state 'lost'" in found[1]


def test_what_a_life_looks_at_of_its_entity_is_there() -> None:
    shop = """
        generators:
          shop:
            publishes: orders
            entities: {count: 9, have: {name: uuid()}}
            body: {$states: {%s, states: {on: {body: {order: $entity.key, by: $entity.name, nth: $entity, old: $was.order}}}}}
        """
    assert loaded(shop % "key: $entity.name")
    line, = errors(shop % "start: on")
    assert "looks at 'key' of an entity: it has number, name" in line
