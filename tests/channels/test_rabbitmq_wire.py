"""Messages of RabbitMQ: what an event becomes. What comes back of it is the contract's."""

from __future__ import annotations

import pytest

from eda_cli.event import Event

wire = pytest.importorskip("eda_cli.channels.rabbitmq_wire")


def test_a_message_has_the_name_that_it_is_given_whatever_its_event_carries() -> None:
    event = Event("1", "/x", "made", None, b"{}", b"k", correlationid="0", causationid="0", extensions={"traceparent": "7"},
                  headers=(("name", b"other"),))
    properties, _ = wire.message_of(event, 1.0, "mine-1")
    assert properties.message_id == "mine-1"


def test_texts_that_a_stream_of_rabbitmq_4_gives_back_as_bytes_are_texts() -> None:
    """Those of more than 255 bytes: mc_amqpl.erl, from_091(longstr, …)."""
    event = Event("1" * 300, "/x", "made", None, b"{}", b"k" * 300, subject="ß" * 200, extensions={"tracestate": "7" * 300},
                  headers=(("long", b"h" * 300), ("long", b"i" * 300)))
    properties, body = wire.message_of(event, 1.0, "mine-1")
    properties.headers = {name: value.encode() if isinstance(value, str) and len(value.encode()) > 255 else value
                          for name, value in properties.headers.items()}
    assert wire.event_of(properties, body) == event


@pytest.mark.parametrize("counted", ["x-delivery-count", "x-acquired-count"])
def test_what_a_queue_counts_is_no_header_of_the_message(counted: str) -> None:
    foreign = Event(None, None, None, None, b"tick", None, None, headers=(("trace", b"1"),))
    properties, body = wire.message_of(foreign, 1.0, "mine-1")
    properties.headers[counted] = 1
    assert wire.event_of(properties, body) == foreign
