"""Events as Kafka records, without a broker."""

from __future__ import annotations

import pytest

from eda_cli.channels.kafka_records import event_of, headers_of
from eda_cli.event import Event
from tests.channels.acts import event

FULL = event(
    key=b"ann", subject="order 7", correlationid="first", causationid="cause", datacontenttype="text/plain",
    extensions={"traceparent": "00-ab-cd-01", "who": "Zoë"}, headers=(("tenant", b"north"), ("tenant", None), ("raw", b"\xff")))


def test_attributes_are_headers_of_the_binding() -> None:
    assert dict(headers_of(FULL)) == {
        "ce_specversion": b"1.0", "ce_id": FULL.id.encode() if FULL.id else b"", "ce_source": b"/eda/shop/webshop",
        "ce_type": b"purchaseCreated", "ce_time": FULL.time.encode() if FULL.time else b"", "ce_subject": b"order 7",
        "ce_correlationid": b"first", "ce_causationid": b"cause", "ce_traceparent": b"00-ab-cd-01",
        "ce_who": "Zoë".encode(), "content-type": b"text/plain", "tenant": None, "raw": b"\xff"}


@pytest.mark.parametrize("published", [
    FULL, event(), event(time=None, datacontenttype=None, data=None), event(data=b"", key=b""),
    Event(None, None, None, None, b"x", b"k", None, headers=(("a", None), ("a", b"\xff"), ("content-type", b"text/x"))),
], ids=["full", "plain", "bare tombstone", "empty", "foreign"])
def test_there_and_back(published: Event) -> None:
    assert event_of(published.key, published.data, headers_of(published)) == published


REQUIRED = [("ce_specversion", b"1.0"), ("ce_id", b"1"), ("ce_source", b"/x"), ("ce_type", b"t")]
FOREIGN = {
    "no headers": [],
    "without an id": [pair for pair in REQUIRED if pair[0] != "ce_id"],
    "without a source": [pair for pair in REQUIRED if pair[0] != "ce_source"],
    "without a type": [pair for pair in REQUIRED if pair[0] != "ce_type"],
    "without a version": [pair for pair in REQUIRED if pair[0] != "ce_specversion"],
    "an empty id": [*REQUIRED[:1], ("ce_id", b""), *REQUIRED[2:]],
    "a null id": [*REQUIRED[:1], ("ce_id", None), *REQUIRED[2:]],
    "two ids": [*REQUIRED, ("ce_id", b"2")],
    "no UTF-8": [*REQUIRED, ("ce_subject", b"\xff")],
    "no UTF-8 in the content type": [*REQUIRED, ("content-type", b"\xfe")],
    "structured, but no JSON": [("content-type", b"application/cloudevents+json")],
}


@pytest.mark.parametrize("which", FOREIGN)
def test_what_is_no_cloudevent_stays_as_it_is(which: str) -> None:
    headers = FOREIGN[which]
    found = event_of(b"key", b"\xff{", headers)
    assert found.foreign
    assert (found.key, found.data, found.headers) == (b"key", b"\xff{", tuple(headers))
    assert headers_of(found) == headers


def test_headers_without_a_value_or_of_one_name_are_kept() -> None:
    found = event_of(None, b"1", [*REQUIRED, ("a", None), ("a", b"1"), ("ce_", b"odd")])
    assert found.headers == (("a", None), ("a", b"1"))
    assert found.extensions == {"": "odd"}


def test_a_whole_event_in_the_value_is_read_too() -> None:
    line = b'{"specversion":"1.0","id":"7","source":"/x","type":"t","partitionkey":"p","data":{"a":1},"tenant":"n"}'
    headers = [("content-type", b"application/cloudevents+json; charset=utf-8"), ("h", b"v")]
    found = event_of(None, line, headers)
    assert (found.id, found.key, found.data, found.extensions) == ("7", b"p", b'{"a":1}', {"tenant": "n"})
    assert found.headers == (("h", b"v"),)
    assert event_of(b"key", line, headers).key == b"key"
    assert event_of(None, b'{"specversion":"1.0","id":"7"}', headers).foreign
    assert event_of(None, b"[]", headers).foreign
    assert event_of(None, None, headers).foreign


def test_a_partition_key_besides_the_key_says_nothing_more() -> None:
    found = event_of(b"p", b"1", [*REQUIRED, ("ce_partitionkey", b"p")])
    assert (found.key, dict(found.extensions)) == (b"p", {})
