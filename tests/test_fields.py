"""What fields contain: shares, types, numbers and values of events written as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eda_cli.cli import fields
from eda_cli.cli.fields import Field, Numbers, fields_in
from eda_cli.event import Event, encode_json


def looked(*bodies: Any, keys: list[bytes | None] | None = None) -> dict[str, Field]:
    """The fields of these bodies; bytes are bodies as they stand."""
    events = [Event(str(number), "/s", "t", None, body if isinstance(body, bytes) else encode_json(body),
                    keys[number] if keys else None) for number, body in enumerate(bodies)]
    return {one.path: one for one in fields_in(events)}


def test_null_and_absent_are_shares_of_the_places_where_a_field_could_be() -> None:
    seen = looked({"a": 1}, {"a": None, "b": "x"}, {"a": 2, "b": "x"}, {"a": 3})
    assert [(one.path, one.null, one.absent, one.shares) for one in seen.values()] == [
        ("$.a", 0.25, 0, {"integer": 1.0}), ("$.b", 0, 0.5, {"string": 1.0})]
    assert seen["$.b"].frequent == [("x", 1.0)]


def test_what_is_in_a_map_that_is_absent_could_not_be_there() -> None:
    seen = looked({"at": {"x": 1, "y": 2}}, {"at": {"x": 1}}, {}, {"at": None})
    assert (seen["$.at"].null, seen["$.at"].absent, seen["$.at"].shares) == (0.25, 0.25, {"object": 1.0})
    assert (seen["$.at.x"].absent, seen["$.at.y"].absent, seen["$.at.y"].places) == (0, 0.5, 2)
    assert "$.at" not in looked({"at": {"x": 1}}, {"at": {"x": 2}})


def test_items_of_lists_are_one_field_and_a_list_has_lengths() -> None:
    seen = looked({"items": [{"sku": "A"}, {"sku": "B", "n": 1}]}, {"items": []})
    assert (seen["$.items"].shares, seen["$.items"].numbers) == ({"list": 1.0}, [2, 0])
    assert (seen["$.items[*].sku"].places, seen["$.items[*].n"].absent) == (2, 0.5)


@pytest.mark.parametrize(("values", "types"), [
    ([1, 2], {"integer": 1.0}), ([1, 2.5], {"number": 1.0}), ([1, "a", "b", "c"], {"string": 0.75, "integer": 0.25}),
    ([None], {}), ([True, None], {"boolean": 1.0}), ([[], {}], {"list": 0.5, "object": 0.5}),
])
def test_types_are_those_of_json(values: list[Any], types: dict[str, float]) -> None:
    assert looked(*({"a": value} for value in values))["$.a"].shares == types


def test_bodies_that_are_no_maps_have_a_field_of_their_own() -> None:
    events = [Event("1", "/s", "t", None, data) for data in (b'{"a":1}', b'{"a', b"\xff\xfe", None, b"7")]
    root = fields_in(events)[0]
    assert (root.path, root.shares) == ("$", {"no JSON": 0.4, "object": 0.2, "tombstone": 0.2, "integer": 0.2})


def test_record_keys_are_a_field_where_there_are_some() -> None:
    keys = looked({}, {}, {}, keys=[b"ann", b"ann", None])["$key"]
    assert keys.absent == pytest.approx(1 / 3)
    assert keys.frequent == [("ann", 1.0)]
    assert "$key" not in looked({"a": 1})


def test_event_types_are_a_field_where_there_are_several() -> None:
    kinds = [Event("1", "/s", type_, None, b"{}") for type_ in ("paid", "paid", "gone")]
    assert dict(fields_in(kinds)[0].frequent) == pytest.approx({"paid": 2 / 3})
    assert fields_in(kinds[:2]) == []


def test_values_that_never_come_twice_are_not_frequent() -> None:
    seen = looked({"id": "a", "n": 1}, {"id": "b", "n": 1}, {"id": "c", "n": 2})
    often = looked(*({"n": number // 2} for number in range(1000)))["$.n"]
    assert (often.frequent, len(often.values)) == ([], 500)
    assert (seen["$.id"].frequent, len(seen["$.id"].values)) == ([], 3)
    assert dict(seen["$.n"].frequent) == pytest.approx({"1": 2 / 3})


@given(st.lists(st.floats(-1e9, 1e9) | st.integers(-10**9, 10**9), min_size=1, max_size=200))
def test_numbers_say_what_there_is(values: list[float]) -> None:
    numbers = Numbers.of(values)
    assert (numbers.min, numbers.max) == (min(values), max(values))
    assert numbers.min <= numbers.p50 <= numbers.p99 <= numbers.max
    assert numbers.mean == pytest.approx(sum(values) / len(values), abs=1e-3)
    assert sum(numbers.buckets) == len(values)
    assert len(numbers.bar) in (0, fields.BUCKETS) or (numbers.whole and len(numbers.bar) <= fields.BUCKETS)


def test_the_largest_numbers_have_a_mean_and_a_bar() -> None:
    numbers = Numbers.of([1.7e308, 1.7e308, 1.1e308])
    assert numbers.mean == pytest.approx(1.5e308)
    assert numbers.buckets == (1, *[0] * (fields.BUCKETS - 2), 2)
    both = Numbers.of([-1.7e308, 0.0, 1.7e308])
    assert (both.mean, sum(both.buckets), both.buckets[0], both.buckets[-1]) == (0.0, 3, 1, 1)


def test_a_bar_shows_where_the_numbers_are() -> None:
    assert Numbers.of([*[0.0] * 80, *[1.0] * 40, 8.0]).bar == "█▅     ▂"
    assert Numbers.of([5.0, 5.0]).bar == ""


@pytest.mark.parametrize(("values", "bar"), [
    (range(1, 7), "██████"), (range(9), "████████"), (range(-5, 5), "████████"), (range(17), "████████"),
    ([0, 10**20], "█      █")])
def test_whole_numbers_that_come_equally_often_have_bars_of_one_height(values: Sequence[int], bar: str) -> None:
    assert Numbers.of(values).bar == bar


def test_keys_that_are_drawn_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields, "MOST_FIELDS", 10)
    monkeypatch.setattr(fields, "MOST_KNOWN", 3)
    seen = looked(*({f"k{number}": 1, "n": number} for number in range(100)))
    assert len(seen) <= 10
    assert len(seen["$.n"].values) == 3
    deep: Any = 1
    for _ in range(50):
        deep = [deep]
    assert max(path.count("[*]") for path in looked(deep)) <= fields.DEEP
