"""An event and its one line of JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eda_cli.event import Delivery, Event, epoch, from_line, is_event_line, rfc3339, to_line

TIME = "2026-11-24T09:30:00.123456Z"


def event(**fields: object) -> Event:
    given = {"id": "1", "source": "/eda/shop/webshop", "type": "purchaseCreated", "time": TIME, "data": b'{"id":1}'}
    return Event(**{**given, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize("one", [
    event(),
    event(key=b"ann", subject="s", correlationid="0", causationid="0"),
    event(key=b"\xff\x00"),
    event(data=None),
    event(data=b"null"),
    event(data=b""),
    event(data=b'{"id": 1}'),
    event(data=b'{"price":1e2}'),
    event(data=b"\x00\xff\xfe"),
    event(data="grüße 🎉".encode(), datacontenttype="text/plain"),
    event(data=b"\xff", datacontenttype="text/plain"),
    event(headers=(("a", b"1"), ("a", b"2"), ("none", None), ("binary", b"\xff"))),
    event(extensions={"traceparent": "00-1"}),
    Event(None, None, None, None, b"hello", b"k", None),
    Event(None, None, None, None, b'{"a":1}', None, None, headers=(("x", b"y"),)),
    Event(None, None, None, None, None, b"gone", None),
])
def test_a_line_gives_back_the_same_event(one: Event) -> None:
    line = to_line(one, Delivery(one, "t", 1, 2, 0.0))
    assert is_event_line(json.loads(line))
    assert from_line(line) == one


@given(st.binary(max_size=60), st.one_of(st.none(), st.binary(max_size=20)))
def test_any_bytes_survive(data: bytes, key: bytes | None) -> None:
    one = event(data=data, key=key)
    assert from_line(to_line(one)) == one


def test_a_line_carries_the_coordinates_and_the_body_as_json() -> None:
    line = json.loads(to_line(event(key=b"ann"), Delivery(event(), "purchases", 1, 42, 0.0)))
    assert line == {"specversion": "1.0", "id": "1", "source": "/eda/shop/webshop", "type": "purchaseCreated",
                    "time": TIME, "datacontenttype": "application/json", "partitionkey": "ann", "data": {"id": 1},
                    "topic": "purchases", "partition": 1, "offset": 42}


@pytest.mark.parametrize(("line", "says"), [
    ("[]", "object"),
    ('{"specversion": "1.0", "id": "1", "source": "/x"}', "'type'"),
    ('{"specversion": "1.0", "id": "", "source": "/x", "type": "t"}', "'id'"),
    ('{"specversion": "1.0", "id": "1", "source": "/x", "type": "t", "time": "yesterday"}', "RFC 3339"),
    ('{"specversion": "1.0", "id": "1", "source": "/x", "type": "t", "data_base64": "*"}', "base64"),
    ('{"specversion": "1.0", "id": "1", "source": "/x", "type": "t", "headers": [["a"]]}', "pairs"),
    ('{"specversion": "1.0", "id": "1", "source": "/x", "type": "t", "ext": {"a": 1}}', "'ext'"),
    ('{"id": "1", "data": 1, "topic": "t", "partition": 0, "offset": 0}', "specversion"),
    ('{"specversion": "1.0", "id": "1", "source": "/x", "type": "t", "data": %s}' % ("[" * 500 + "]" * 500), "JSON"),
])
def test_what_is_no_event_is_said(line: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        from_line(line)


@pytest.mark.parametrize(("line", "data"), [
    ({"datacontenttype": "application/xml", "data": "<a/>"}, b"<a/>"),
    ({"datacontenttype": "text/plain; charset=utf-8", "data": "1"}, b"1"),
    ({"datacontenttype": "application/cloudevents+json; charset=utf-8", "data": "1"}, b'"1"'),
    ({"data": "1", "tenant": None}, b'"1"'),
])
def test_events_of_others_are_read_as_the_json_format_says(line: dict[str, object], data: bytes) -> None:
    event = from_line({"specversion": "1.0", "id": "1", "source": "/x", "type": "t", **line})
    assert event.data == data
    assert not event.extensions
    assert from_line(to_line(event)) == event


def test_a_body_too_deep_for_json_is_shown_as_bytes() -> None:
    deep = event(data=b"[" * 500 + b"]" * 500)
    assert b"data_base64" in to_line(deep)
    assert from_line(to_line(deep)).data == deep.data


def test_times_are_utc_with_microseconds() -> None:
    assert rfc3339(epoch(TIME)) == TIME
    assert rfc3339(0.9999996) == "1970-01-01T00:00:01.000000Z"
    assert epoch("2026-11-24T10:30:00.123456+01:00") == epoch(TIME)


def test_a_foreign_event_is_known_by_its_place() -> None:
    assert Delivery(Event(None, None, None, None, b"", None, None), "t", 1, 2, 0.0).identity == "t/1/2"
    assert Delivery(event(), "t", 1, 2, 0.0).identity == "/eda/shop/webshop/1"
    assert Delivery(Event(None, None, None, None, b"", None, None), "t", None, None, 0.0, None, "m1").identity == "t/m1"
