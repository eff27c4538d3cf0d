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
