"""Every error of kafka-python means something to a user."""

from __future__ import annotations

import inspect
import logging

import kafka.errors
import pytest

from eda_cli.channels.kafka_errors import MEANING, mapped, meaning
from eda_cli.errors import BrokerUnreachable, ChannelError, EventRefused, UnknownTopic

LIBRARY = [each for _, each in inspect.getmembers(kafka.errors, inspect.isclass)
           if issubclass(each, kafka.errors.KafkaError) and each is not kafka.errors.KafkaError]


@pytest.mark.parametrize("kind", LIBRARY, ids=lambda kind: str(kind.__name__))
def test_every_error_has_a_meaning(kind: type[Exception]) -> None:
    """A new kind of error in the library below is to be judged, and put into the table."""
    assert any(each in MEANING for each in kind.__mro__), f"{kind.__name__} is not in the table"
    error = kind({}) if kind is kafka.errors.LogTruncationError else kind()
    told = meaning(error, "do it", "here:9092", "orders")
    assert type(told) in (ChannelError, BrokerUnreachable, EventRefused, UnknownTopic)
    assert told.what


@pytest.mark.parametrize(("error", "expected"), [
    (kafka.errors.KafkaTimeoutError("too late"), BrokerUnreachable),
    (kafka.errors.NodeNotReadyError(), BrokerUnreachable),
    (kafka.errors.BrokerNotAvailableError(), BrokerUnreachable),
    (ConnectionRefusedError(111, "Connection refused"), BrokerUnreachable),
    (kafka.errors.UnknownTopicOrPartitionError(), UnknownTopic),
    (kafka.errors.MessageSizeTooLargeError(), ChannelError),
    (kafka.errors.TopicAuthorizationFailedError(), ChannelError),
    (kafka.errors.KafkaError("of a kind nobody knows"), ChannelError),
    (ValueError("no good"), ChannelError),
    (RuntimeError("closed"), ChannelError),
])
def test_what_it_becomes(error: Exception, expected: type[ChannelError]) -> None:
    with pytest.raises(expected) as raised, mapped("publish", "here:9092", "orders"):
        raise error
    assert raised.value.__cause__ is error
    if expected is BrokerUnreachable:
        assert "here:9092" in raised.value.what
        assert raised.value.exit_code == 4
    if expected is UnknownTopic:
        assert "orders" in raised.value.what


def test_a_busy_machine_is_no_warning() -> None:
    import eda_cli.channels.kafka_client  # noqa: F401

    assert not logging.getLogger("kafka.net.selector").isEnabledFor(logging.WARNING)


def test_a_channel_error_passes_as_it_is() -> None:
    told = ChannelError("mine")
    with pytest.raises(ChannelError) as raised, mapped("publish", "here:9092"):
        raise told
    assert raised.value is told
