"""RabbitMQ's publisher without a broker: whose confirmation is whose."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from eda_cli.errors import PublishError
from tests.channels.acts import event

publishing = pytest.importorskip("eda_cli.channels.rabbitmq_publish")


class Lane:
    """A lane whose broker confirms when it is told to; publishing fails for what cannot be written."""

    closed = None

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.is_open = True
        self._confirmed: Callable[[Any], None] = lambda _: None

    def tell(self, what: Callable[[Any], Any]) -> None:
        with suppress(UnicodeError):
            what(self)

    def call(self, _: str, confirmed: Callable[[Any], None]) -> None:
        self._confirmed = confirmed

    def confirm(self, tag: int) -> None:
        self._confirmed(SimpleNamespace(method=SimpleNamespace(NAME="Basic.Ack", delivery_tag=tag, multiple=False)))

    def basic_publish(self, _: str, __: str, body: bytes, ___: Any, mandatory: bool) -> None:
        if body == b"unwritable":
            raise UnicodeError
        self.sent.append(body)

    def close(self) -> None:
        self.is_open = False

    def add_on_return_callback(self, _: Any) -> None: ...

    def add_on_close_callback(self, _: Any) -> None: ...


@pytest.fixture
def lanes() -> list[Lane]:
    return []


@pytest.fixture
def publisher(lanes: list[Lane]) -> Any:
    def lane() -> Lane:
        lanes.append(Lane())
        return lanes[-1]

    return publishing.Publisher(lambda: SimpleNamespace(lane=lane, blocked=""), lambda topic: 1)


def test_what_is_confirmed_is_stored(publisher: Any, lanes: list[Lane]) -> None:
    published = [event(1), event(2)]
    publisher.publish("orders", published)
    lanes[0].confirm(1)
    lanes[0].confirm(2)
    assert [receipt.id for receipt in publisher.flush(0)] == [each.id for each in published]


def test_what_comes_too_late_confirms_nothing_else(publisher: Any, lanes: list[Lane]) -> None:
    publisher.publish("orders", [event(1)])
    with pytest.raises(PublishError):
        publisher.flush(0)
    other = event(2)
    publisher.publish("orders", [other])
    lanes[0].confirm(1)
    with pytest.raises(PublishError) as raised:
        publisher.flush(0)
    assert raised.value.unstored == (other.id,)


def test_a_batch_of_which_a_part_was_sent_ends_its_lane(publisher: Any, lanes: list[Lane]) -> None:
    """What came next would have the tags of those that were not sent, and be taken for them when it is confirmed."""
    first, unwritable, behind = event(1), event(2, data=b"unwritable"), event(3)
    publisher.publish("orders", [first, unwritable, behind])
    assert lanes[0].sent == [first.data]
    assert not lanes[0].is_open
