"""Paths into the event being handled or published."""

from __future__ import annotations

import pytest

from eda_cli.payloads import TOMBSTONE, Seen
from tests.payloads.making import BODY, SEEN, failure, make, problem


@pytest.mark.parametrize(("raw", "value"), [
    ("$", BODY), ("$.user", "user-7"), ("$.items.0.sku", "A"), ("$.items.1", {"sku": "B", "price": 2.5}),
    ("$.nested.deep.0", "zero"), ("$.nothing", None), ("$.express", True), ("$.zip", "00123"), ("$.get", "a field"),
    ("$key", "user-7"), ("$type", "purchaseCreated"), ("$id", "e-1"), ("$time", "2026-01-01T00:00:00.000000Z"),
    ("$source", "/eda/shop/webshop"), ("$headers.trace-id", "t-1"), ("$headers.a.b", "dotted"),
])
@pytest.mark.parametrize("scope", ["rule", "key"])
def test_a_path_gives_what_it_leads_to(raw, value, scope):
    assert make(raw, scope) == value
    assert make({"a": [raw]}, scope) == {"a": [value]}


@pytest.mark.parametrize("raw", [
    "$.missing", "$.user.name", "$.items.2", "$.items.sku", "$.items.0.sku.x", "$.nothing.x", "$.count.0", "$headers.no",
    "$.nested.deep.00", "$.items.-1", "$.items.99999999999999999999"])
def test_a_missing_path_is_null(raw):
    assert make(raw) is None


@pytest.mark.parametrize("body", [None, TOMBSTONE, "text", 5, [1], True])
def test_a_body_that_is_no_map_has_no_fields(body):
    seen = Seen(body=body)
    assert make("$.user", seen=seen) is None
    assert make("$", seen=seen) == (None if body is TOMBSTONE else body)
    assert [make(raw, seen=seen) for raw in ("$key", "$type", "$id", "$time", "$source", "$headers.a")] == [None] * 6


def test_bytes_become_text_or_a_failure_of_the_event():
    assert make("$", seen=Seen(body=b"text", key=b"k")) == "text"
    assert make("$key", seen=Seen(key=b"k")) == "k"
    assert "neither JSON nor text" in failure("$", Seen(body=b"\xff\xfe"))
    assert make("$.a", seen=Seen(body=b"\xff\xfe")) is None


def test_what_an_event_holds_is_never_changed():
    assert make({"again": "$", "items": "$.items"}) == {"again": BODY, "items": BODY["items"]}
    assert SEEN.body is BODY


def test_without_an_event_a_path_fails():
    assert "no event" in failure("$.user", None)


@pytest.mark.parametrize("raw", ["$", "$.user", "$key", "$headers.a", {"a": ["$.x"]}, {"$list": "$.x", "size": 1}])
def test_a_generator_sees_no_event(raw):
    assert "a generator makes its events out of nothing" in problem(raw, "generator")


@pytest.mark.parametrize(("raw", "said"), [
    ("$user", "'$user' is no path: after $ stands a dot, or one of key, type, id, time, source, headers, topic, item, "
              "index, joined, window, vars; write $.user"),
    ("$user.name", "write $.user.name"),
    ("$typ", "did you mean $type?"),
    ("$header.x", "did you mean $headers?"),
    ("$headers", "write $headers.NAME"),
    ("$headers.", "write $headers.NAME"),
    ("$key.user", "looks into $key, which has no fields; write $key, or $.key.user"),
    ("$.items[0].sku", "has brackets: dots separate the steps; write $.items.0.sku"),
    ("$['user']", "write $.user"),
    ("$[0]", "write $.0"),
    ("$.items[*].sku", "asks for many values"),
    ("$.items.*.sku", "{{ body.items | map(attribute='sku') | list }}"),
    ("$..user", "has an empty step"),
    ("$.", "has an empty step"),
    ("$.user.", "has an empty step"),
    ("$.user has ordered", "has text around a path: a path stands alone"),
    ("$.a, $.b", "has text around a path"),
    ("$." + "a." * 200 + "a", "has too many steps"),
])
def test_what_is_wrong_with_a_path_is_said(raw, said):
    assert said in problem(raw)
