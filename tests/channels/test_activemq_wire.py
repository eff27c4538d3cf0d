"""What ActiveMQ is told and how it is understood, without a broker."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from eda_cli.channels import activemq_broker
from eda_cli.channels import activemq_names as names
from eda_cli.channels.activemq_wire import LARGEST_BYTES, MOST_HEADERS, event_of, frame, headers_of, message, published_of
from eda_cli.errors import EventRefused
from eda_cli.event import Event
from tests.channels.acts import event

NAMES = ["orders", "orders.created", "a.b.c", ".a", "a.", "a..b", "...", ".", "*", ">", "a.*", "a.>", "%2E", "a%b", "a,b",
         "a?b=c", "queue://x", "größe", "a b", "A_-9"]


@pytest.mark.parametrize("name", NAMES)
def test_names_come_back_as_they_were(name: str) -> None:
    assert names.of_sign(names.sign(name)) == name
    assert names.of_queue(names.queue(name, "orders")) == (name, "orders")
    assert names.of_queue(names.queue("billing", name)) == ("billing", name)


@pytest.mark.parametrize("name", NAMES)
def test_no_name_is_a_wildcard_an_option_or_an_empty_segment(name: str) -> None:
    for where in (names.topic(name).removeprefix("/topic/"), names.queue(name, name), names.sign(name)):
        assert re.fullmatch(r"[A-Za-z0-9_%.-]+", where)
        assert all(where.split("."))


def test_no_two_names_meet() -> None:
    assert len({names.topic(name) for name in NAMES}) == len(NAMES)
    assert len({names.queue(name, other) for name in NAMES for other in NAMES}) == len(NAMES) ** 2


def test_a_topic_is_called_as_others_would_call_it_and_a_group_is_one_segment() -> None:
    assert names.topic("orders.created") == "/topic/VirtualTopic.orders.created"
    assert names.queue("eu.billing", "orders.created") == "Consumer.eu%2Ebilling.VirtualTopic.orders.created"


@pytest.mark.parametrize("name", ["orders", "ActiveMQ.DLQ", "Consumer.x", "Consumer.a.b.VirtualTopic.t", "VirtualTopic.t"])
def test_other_queues_are_of_no_group(name: str) -> None:
    assert names.of_queue(name) is None
    assert names.of_sign(name) is None


def told(published: Event) -> Mapping[str, str]:
    return dict(headers_of(published))


def test_attributes_are_properties_as_in_the_binding_of_amqp() -> None:
    headers = told(event(id="1", time="2026-01-01T00:00:00.000000Z", key=b"ann", correlationid="c", extensions={"x": "y"}))
    assert headers == {
        "cloudEvents_specversion": "1.0", "cloudEvents_id": "1", "cloudEvents_source": "/eda/shop/webshop",
        "cloudEvents_type": "purchaseCreated", "cloudEvents_time": "2026-01-01T00:00:00.000000Z",
        "cloudEvents_correlationid": "c", "cloudEvents_x": "y", "cloudEvents_partitionkey": "ann", "JMSXGroupID": "ann",
        "content-type": "application/json"}


def test_one_plain_header_is_one_of_stomp_and_more_are_told_exactly_besides() -> None:
    assert told(event(headers=(("tenant", b"north"),)))["tenant"] == "north"
    many = told(event(headers=(("tenant", b"north"), ("retry", b"3"))))
    assert (many["tenant"], many["retry"]) == ("north", "3")
    assert many["eda_headers"] == '[["tenant","north"],["retry","3"]]'


@pytest.mark.parametrize("name", ["destination", "JMSXGroupID", "cloudEvents_id", "eda_body", "receipt", "ü", "a:b", ""])
def test_a_header_of_ours_never_becomes_one_that_means_something(name: str) -> None:
    published = event(headers=((name, b"x"),))
    headers = told(published)
    assert headers.get(name) != "x"
    assert event_of(headers, b'{"number":0}').headers == published.headers


def test_long_headers_are_told_in_pieces() -> None:
    published = event(headers=(("long", b"\\" * 50_000), ("short", b"1")))
    assert all(len(frame("", [each])) < 10_240 for each in headers_of(published))
    assert event_of(told(published), published.data or b"").headers == published.headers


def test_more_headers_than_a_frame_can_name_are_told_all_the_same() -> None:
    published = event(headers=tuple((f"h{number}", b"x") for number in range(5_000)))
    assert len(headers_of(published)) < MOST_HEADERS
    assert event_of(told(published), published.data or b"").headers == published.headers


@pytest.mark.parametrize("refused", [
    event(subject="a\0b"), event(subject="x" * 12_000), event(data=b"x" * (LARGEST_BYTES + 1)), event(extensions={"a": "\0"}),
    event(extensions={f"e{number}": "" for number in range(1000)}), event(headers=(("a", b"x" * 2_500_000),))])
def test_what_no_frame_can_hold_is_refused(refused: Event) -> None:
    with pytest.raises(EventRefused) as raised:
        message("/topic/VirtualTopic.t", "t1", 0, refused)
    assert raised.value.id == refused.id


def test_long_keys_make_short_groups_and_stay_whole() -> None:
    published = event(key=b"k" * 1000)
    headers = told(published)
    assert len(headers["JMSXGroupID"]) == 32
    assert event_of(headers, b"").key == published.key


def test_a_frame_cannot_be_broken_out_of() -> None:
    assert frame("SEND", [("a:b", "c\n\nd\\"), ("e", "\r")], b"body") == b"SEND\na\\cb:c\\n\\nd\\\\\ne:\\r\n\nbody\0"


OF_BROKER = {"destination": "/topic/VirtualTopic.t", "message-id": "ID:1", "subscription": "s0", "ack": "1", "priority": "4",
             "expires": "0", "timestamp": "1700000000123", "persistent": "true"}


def test_messages_of_others_keep_their_headers_and_lose_those_of_the_broker() -> None:
    found = event_of({**OF_BROKER, "tenant": "north", "content-type": "text/plain", "correlation-id": "7"}, b"hello")
    assert found == Event(None, None, None, None, b"hello", None, None, headers=(
        ("tenant", b"north"), ("correlation-id", b"7"), ("content-type", b"text/plain")))
    assert published_of(OF_BROKER) == 1_700_000_000.123


@pytest.mark.parametrize("headers", [
    {"eda_headers": "[[1"}, {"eda_headers": '[["a",{"base64":"?"}]]'}, {"eda_headers": "7"}, {"eda_key_base64": "?"},
    {"eda_published": "soon"}, {"timestamp": "-"}, {"cloudEvents_id": "1"}, {"eda_body": "none"}])
def test_nonsense_is_a_foreign_event_and_never_a_crash(headers: dict[str, str]) -> None:
    assert event_of(headers, b"x").foreign
    assert published_of(headers) == 0


def test_events_of_programs_that_speak_amqp_are_events() -> None:
    for prefix in ("cloudEvents_", "cloudEvents:"):
        found = event_of({f"{prefix}{name}": name for name in ("id", "source", "type", "specversion", "more")}, b"{}")
        assert (found.id, found.source, found.type, found.extensions) == ("id", "source", "type", {"more": "more"})


def test_a_whole_event_in_the_body_is_that_event() -> None:
    line = b'{"specversion":"1.0","id":"1","source":"/x","type":"t","data":{"a":1}}'
    found = event_of({"content-type": "application/cloudevents+json; charset=utf-8"}, line)
    assert (found.id, found.data) == ("1", b'{"a":1}')
    assert event_of({"content-type": "application/cloudevents+json"}, b"{").foreign


@pytest.mark.parametrize(("image", "version"), [
    ("apache/activemq-classic:6.3.1", "ActiveMQ 6.3.1"), ("eda-test/activemq:5.17.2-quick", "ActiveMQ 5.17.2"),
    ("apache/activemq-classic:latest", None), ("apache/activemq-artemis:2.40.0", None)])
def test_the_version_is_the_one_of_the_image(image: str, version: str | None) -> None:
    assert activemq_broker.version(image) == version
