"""What YAML means in a sketch: the core rules of 1.2, and what deviates from them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.sketch.reading import errors, loaded


def body(text: str) -> Any:
    """What the body of a generator becomes."""
    return loaded(f"generators:\n  shop:\n    publishes: purchases\n    body:\n      value: {text}\n"
                  ).resolved.generators["shop"].body["value"]


@pytest.mark.parametrize(("text", "value"), [
    ("on", "on"), ("no", "no"), ("yes", "yes"), ("y", "y"), ("12:30", "12:30"), ("12:30:45", "12:30:45"),
    ("010", "010"), ("089", "089"), ("00", "00"), ("00.5", "00.5"), ("0b11", "0b11"), ("1_000", "1_000"),
    ("2026-01-01", "2026-01-01"), ("=", "="), ("1.2.3", "1.2.3"), ("+49 30", "+49 30"), ("0x", "0x"),
    ("0", 0), ("-7", -7), ("+7", 7), ("0o17", 15), ("0xfF", 255), ("18446744073709551615", 2**64 - 1),
    ("-9223372036854775808", -(2**63)), ("5.", 5.0), (".5", 0.5), ("-0.5e-3", -0.0005), ("1e3", 1000.0),
    ("true", True), ("True", True), ("FALSE", False), ("tRUE", "tRUE"),
    ("null", None), ("~", None), ("", None), ("nUll", "nUll"),
    ("'7'", "7"), ('"true"', "true"), ("!!str 7", "7"), ("|\n        a\n        b", "a\nb\n"),
    ("[1, on, ~]", [1, "on", None]), ("{1: a, true: b, null: c}", {"1": "a", "true": "b", "null": "c"}),
])
def test_scalars(text: str, value: Any) -> None:
    made = body(text)
    assert made == value
    assert type(made) is type(value)


def test_a_byte_order_mark_of_utf8_does_no_harm() -> None:
    assert loaded("\ufeffname: shop\n".encode().decode("utf-8-sig")).resolved.name == "shop"


def test_merges_as_compose_does() -> None:
    consumers = loaded("""
        x-slow: &slow {takes: 1s, about: slow, replicas: 2}
        x-wide: &wide {replicas: 3, service: wide}
        consumers:
          one: {<<: *slow, subscribes: purchases, about: mine}
          two: {<<: [*slow, *wide], subscribes: purchases}
          three:
            subscribes: purchases
            <<: {takes: 2s}
        generators: {shop: {publishes: purchases}}
        """).resolved.consumers
    assert (consumers["one"].takes, consumers["one"].about, consumers["one"].replicas) == ((1, 1), "mine", 2)
    assert (consumers["two"].replicas, consumers["two"].service) == (2, "wide")
    assert consumers["three"].takes == (2, 2)


def test_a_quoted_merge_sign_is_a_key() -> None:
    assert body('{"<<": 1}') == {"<<": 1}


def test_notes_are_skipped_anywhere_but_in_data() -> None:
    sketch = loaded("""
        x-top: [anything, {at: all}]
        broker: {kafka: {x-why: because}}
        topics: {x-t: 1, purchases: {x-t: 1}}
        generators:
          x-g: 1
          shop: {publishes: purchases, x-g: 1, body: {x-field: 1}, headers: {x-trace: "1"}}
        consumers: {billing: {subscribes: purchases, x-c: 1, publishes: {to: invoices, x-r: 1}}}
        """).resolved
    assert list(sketch.topics) == ["purchases", "invoices"]
    assert list(sketch.generators) == ["shop"]
    assert sketch.generators["shop"].body == {"x-field": 1}
    assert sketch.generators["shop"].headers == {"x-trace": "1"}


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="the parser in Python takes the halves for characters")
def test_a_character_in_two_halves_is_told_how_to_write() -> None:
    assert errors(r'{"name": "shop", "topics": {"a": {"about": "\uD83D\ude00"}}}') == [
        r"sketch.yaml:1:45: '\uD83D\ude00' is one character in two halves: YAML, unlike JSON, writes it in one; "
        r"write \U0001F600, or the character itself"]


def test_brackets_without_end_are_too_deep() -> None:
    assert "the sketch is nested more than 100 levels deep; make it flatter" in errors("a: " + "[" * 100_000)[0]


def test_every_error_comes_at_once_in_the_order_of_the_file() -> None:
    assert [error.split(": ")[0] for error in errors("""\
        nam: shop
        generators:
          shop: {publishes: @purchases, rate: fast, body: {sku: pick(A, B), id: uid()}}
          shop: {publishes: purchases}
        consumers:
          shop: {subscribes: purchases, subscribes: orders, from: ${NOWHERE}}
        """)] == ["sketch.yaml:1:1", "sketch.yaml:3:21", "sketch.yaml:3:39", "sketch.yaml:3:57",
                  "sketch.yaml:3:73", "sketch.yaml:4:3", "sketch.yaml:6:3", "sketch.yaml:6:33",
                  "sketch.yaml:6:59"]


def test_an_error_in_an_anchor_is_told_where_it_stands() -> None:
    assert errors("""\
        x-body: &body {id: uid()}
        generators:
          one: {publishes: purchases, body: *body}
          two: {publishes: purchases, body: *body}
        """)[0].startswith("sketch.yaml:1:20: there is no function 'uid'")
