"""Values that a body makes first, entities, and fields that may be missing: what `check` says of them."""

from __future__ import annotations

import pytest

from tests.sketch.reading import errors, warnings

ENTITIES = "entities: {count: 5, have: {name: \"pick(a, b)\"}}"


def generator(body: str, more: str = "") -> str:
    return f"""\
        generators:
          shop: {{publishes: orders{more and f', {more}'}, body: {body}}}
        consumers: {{c: {{subscribes: orders}}}}
        """


@pytest.mark.parametrize("body", [
    "{$vars: {user: \"zipf(9, u-)\"}, who: $vars.user, text: \"{{ vars.user }}\"}", "{a: \"{{ 1 + 1 }}\"}"])
def test_a_generator_may_make_values_first(body: str) -> None:
    assert warnings(generator(body)) == []


def test_an_entity_is_seen_where_there_is_one() -> None:
    body = "{id: $entity, name: $entity.name, text: \"{{ entity.name }} {{ entity.number }}\"}"
    assert warnings(generator(body, ENTITIES)) == []
    assert errors(generator("{id: $entity, a: \"{{ entity.number }}\"}")) == [
        "sketch.yaml:2:40: '$entity' looks at an entity: 'shop' has none; add entities: 100 to the generator",
        "sketch.yaml:2:52: '{{ entity.number }}' looks at an entity: 'shop' has none; add entities: 100 to the generator"]
    assert errors(generator("{id: \"{{ entity.nam }}\", b: $entity.zip}", ENTITIES)) == [
        "sketch.yaml:2:90: '{{ entity.nam }}' looks at 'nam' of an entity: it has number, name; did you mean 'name'?",
        "sketch.yaml:2:113: '$entity.zip' looks at 'zip' of an entity: it has number, name; "
        "say it there: entities: {count: 100, have: {zip: …}}"]
    assert errors(generator("{id: $was.x}", ENTITIES)) == [
        "sketch.yaml:2:90: '$was.x' looks at what an entity was: only one with $states has a life; "
        "write $vars.NAME for what is made first"]


def test_headers_and_declared_bodies_are_looked_at_too() -> None:
    assert errors("""\
        events: {made: {id: $entity}, other: {id: $entity}}
        generators:
          shop: {publishes: orders, event: made}
          ward: {publishes: orders, event: other, entities: 5, headers: {x: $entity.zip}}
        consumers: {c: {subscribes: orders}}
        """) == [
        "sketch.yaml:1:21: '$entity' looks at an entity: 'shop' has none; add entities: 100 to the generator",
        "sketch.yaml:4:69: '$entity.zip' looks at 'zip' of an entity: it has number; "
        "say it there: entities: {count: 100, have: {zip: …}}"]


def test_what_an_entity_has_sees_its_number_alone() -> None:
    have = "entities: {count: 5, have: {a: $entity, b: $entity.a, c: \"{{ entity.number }}\"}}"
    assert errors(generator("{id: $entity}", have)) == [
        "sketch.yaml:2:72: '$entity.a' looks at 'a' of an entity: it has number; "
        "say it there: entities: {count: 100, have: {a: …}}"]


@pytest.mark.parametrize(("path", "told"), [
    ("$.user", False), ("$.price", False), ("$.price.net", False), ("$.price.gross", True), ("$.usr", True),
    ("$.total", True), ("$.opt.x", False),
])
def test_a_path_into_such_a_body(path: str, told: bool) -> None:
    found = warnings(f"""\
        generators:
          shop:
            publishes: orders
            body:
              $vars: {{total: 1..5}}
              user: {{$maybe: $vars.total, absent: 5%}}
              price: {{$maybe: {{net: 1..5}}, null: 5%}}
              opt: {{$pick: [{{x: 1}}, {{y: 2}}]}}
        consumers:
          c: {{subscribes: orders, publishes: {{to: out, event: e, body: {{a: {path}}}}}}}
          d: {{subscribes: out}}
        """)
    assert any("is in no event that 'c' hears" in line for line in found) is told


def test_a_rule_may_make_values_first() -> None:
    rule = "generators: {shop: {publishes: orders, body: {user: 1..5}}}\n" \
           "consumers: {c: {subscribes: orders, publishes: {to: out, event: e, when: WHEN, body: " \
           "{$vars: {u: $.user, v: $.usr}, a: $vars.u, t: vars.u}}}, d: {subscribes: out}}"
    assert warnings(rule.replace("WHEN", "body.user > 1")) == [
        "sketch.yaml:2:118: '$.usr' is in no event that 'c' hears: a missing path is null; did you mean '$.user'?",
        "sketch.yaml:2:141: 'vars.u' is text as it stands: an expression stands in {{ }}; write \"{{ vars.u }}\""]
    assert errors(rule.replace("WHEN", "vars.u > 1")) == [
        "sketch.yaml:2:74: 'vars.u > 1' looks at $vars, and there are none: the body on top of which they stand sees them, "
        "and nothing else; write $vars: {user: …} on top of the body"]
