"""Warnings of a sketch that has problems: what holds however these are mended, and nothing else."""

from __future__ import annotations

from textwrap import dedent

import pytest

from eda_cli.errors import SketchError
from eda_cli.sketch.load import load_text


def beside(text: str, **environ: str) -> list[str]:
    """The warnings of a broken sketch."""
    with pytest.raises(SketchError) as raised:
        load_text(dedent(text), "sketch.yaml", environ)
    return [warning.text("sketch.yaml") for warning in raised.value.warnings]


NOBODY = "sketch.yaml:{}: nobody {} to the topic '{}'"


def test_a_problem_in_how_a_part_does_it_hides_nothing() -> None:
    assert beside("""
        generators:
          shop: {publishes: orders, rate: fast, event: createOrder, key: $.nobody, body: {user: ann}}
          other: {publishes: nowhere, rat: 5/s}
        consumers:
          billing: {subscribes: [orders, order-lines], takes: slowly, accepts: orderCreated}
        """) == [
        "sketch.yaml:3:48: 'createOrder' is a command: an event says what happened, in the past tense; name it orderCreated",
        "sketch.yaml:3:66: '$.nobody' is in no event of generator 'shop': so its key is null, and events without a key have "
        "no order",
        NOBODY.format("4:22", "subscribes", "nowhere"),
        "sketch.yaml:6:3: nothing reaches consumer 'billing': it accepts orderCreated, and 'orders' carries createOrder",
        NOBODY.format("6:34", "publishes", "order-lines")]


def test_who_cannot_be_read_may_be_the_one_that_is_missed() -> None:
    for broken in ("{subscribs: orders}", "{subscribes: 7}", "{subscribes: orders, publishes: {too: invoices}}", "nothing"):
        assert beside(f"""
            generators: {{shop: {{publishes: orders, event: createOrder}}}}
            consumers:
              billing: {broken}
            """) == ["sketch.yaml:2:47: 'createOrder' is a command: an event says what happened, in the past tense; "
                     "name it orderCreated"]


def test_a_body_that_cannot_be_read_says_nothing_of_where_its_events_go() -> None:
    assert beside("""
        generators:
          shop: {publishes: orders, body: {id: uid(), user: ann}}
        consumers:
          billing: {subscribes: orders, keeps: {orders: $.id}, publishes: {to: invoices, body: {order: $.id}}}
        """) == [NOBODY.format("5:72", "subscribes", "invoices")]


def test_but_a_life_names_the_types_of_its_events() -> None:
    assert beside("""
        events:
          order: {$states: {start: created, states: {created: {body: {id: uid()}, next: paid}, paid: {event: orderPaid}}}}
        generators: {shop: {publishes: orders, event: order}}
        consumers: {billing: {subscribes: orders, accepts: orderPaid}}
        """) == []


@pytest.mark.parametrize("entities", [
    "{count: 5x, have: {loc: faker.city()}}", "{count: 5, have: [loc]}", "{count: 5, have: {loc: faker.cyti()}}",
    "{cunt: 5, have: {loc: faker.city()}}"])
def test_entities_that_cannot_be_read_may_have_what_is_looked_at(entities: str) -> None:
    for key in ("entities", "entites"):
        assert beside(f"""
            generators: {{meters: {{publishes: measures, body: {{at: $entity.loc}}, {key}: {entities}}}}}
            consumers: {{display: {{subscribes: measures}}}}
            """) == []


def test_of_two_problems_in_one_place_the_second_takes_nothing_else_away() -> None:
    assert beside("""
        generators:
          meters: {publishes: measures, faults: {late: {sharre: 5%, byy: 1s}}, body: {at: here}}
          others: {publishes: measures, body: {by: me}}
        consumers: {display: {subscribes: measures, publishes: {to: screens, body: {at: $.at}}}}
        """) == [NOBODY.format("5:61", "subscribes", "screens")]


def test_where_a_problem_is_told_there_is_no_warning_besides() -> None:
    assert beside("generators: {shop: {publishes: orders, event: pay order}}") == []


def test_what_the_environment_gave_is_not_told() -> None:
    told = beside("""
        generators: {shop: {publishes: "${TOPIC}", rate: fast}}
        consumers: {billing: {subscribes: "${TOPIC}", accepts: paid}}
        """, TOPIC="hunter2secrets")
    assert len(told) == 1 and "hunter2" not in told[0]


def test_stages_that_cannot_be_read_are_no_missing_ones() -> None:
    with pytest.raises(SketchError) as raised:
        load_text("generators: {shop: {publishes: orders, stages: [{rate: 5q/s, for: 10s}], repeat: 3}}", "sketch.yaml")
    assert [problem.column for problem in raised.value.problems] == [56]
