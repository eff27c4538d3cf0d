"""Errors of kafka-python become those of a channel, here and nowhere else. Knows no request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kafka import errors as kafka

from eda_cli.errors import BrokerUnreachable, ChannelError, EventRefused, UnknownTopic

# What an error means to a user, by the nearest class in its ancestry: a channel error and what to do about it.
# Plain KafkaError is left out on purpose: a new kind of error is to be judged, and a test says so.
MEANING: dict[type[Exception], tuple[type[ChannelError], str]] = {
    kafka.RetriableError: (BrokerUnreachable, ""),  # the client tried until its time was up
    kafka.BrokerNotAvailableError: (BrokerUnreachable, ""),
    kafka.UnknownBrokerIdError: (BrokerUnreachable, ""),
    kafka.UnknownTopicOrPartitionError: (UnknownTopic, ""),
    kafka.UnknownTopicIdError: (UnknownTopic, ""),
    kafka.BrokerResponseError: (ChannelError, ""),
    kafka.MessageSizeTooLargeError: (
        EventRefused, "make the body smaller, or the topic's config max.message.bytes larger"),
    kafka.RecordListTooLargeError: (
        EventRefused, "make the body smaller, or the topic's config max.message.bytes larger"),
    kafka.InvalidRecordError: (EventRefused, "a compacted topic takes no event without a key"),
    kafka.AuthorizationError: (ChannelError, "ask whoever runs the cluster for the right to do this"),
    kafka.SaslAuthenticationFailedError: (ChannelError, "this cluster wants other credentials"),
    kafka.NonEmptyGroupError: (ChannelError, "stop the members of the group first"),
    kafka.InvalidReplicationFactorError: (ChannelError, "the cluster has too few brokers for this"),
    kafka.KafkaProtocolError: (ChannelError, "is this a Kafka broker of version 2.1 or later?"),
    kafka.UnrecognizedBrokerVersion: (ChannelError, "a Kafka broker of version 2.1 or later is needed"),
    kafka.UnsupportedCodecError: (ChannelError, "install the library of this compression"),
    kafka.CommitFailedError: (ChannelError, ""),
    kafka.LogTruncationError: (ChannelError, ""),
    kafka.NoOffsetForPartitionError: (ChannelError, ""),
    kafka.QuotaViolationError: (ChannelError, ""),
    kafka.TransactionAbortedError: (ChannelError, ""),
    kafka.IllegalArgumentError: (ChannelError, ""),
    kafka.IllegalStateError: (ChannelError, ""),
    kafka.KafkaConfigurationError: (ChannelError, ""),
}


@contextmanager
def mapped(doing: str, bootstrap: str, topic: str = "") -> Iterator[None]:
    """Errors in here become channel errors; `doing` says what was tried: "create the topic"."""
    try:
        yield
    except (kafka.KafkaError, OSError, RuntimeError, ValueError) as wrong:
        raise meaning(wrong, doing, bootstrap, topic) from wrong


def meaning(wrong: BaseException, doing: str, bootstrap: str, topic: str = "") -> ChannelError:
    """The channel error that tells what `wrong` means to a user."""
    kind, hint = next((MEANING[each] for each in type(wrong).__mro__ if each in MEANING), (ChannelError, ""))
    if kind is BrokerUnreachable or isinstance(wrong, OSError):
        return unreachable(bootstrap, said(wrong))
    if kind is UnknownTopic and topic:
        return UnknownTopic(topic)
    if kind is EventRefused:
        return EventRefused(f"could not {doing}", said(wrong), hint)
    return ChannelError(f"could not {doing}", said(wrong), hint)


def unreachable(bootstrap: str, why: str) -> BrokerUnreachable:
    """The broker does not answer."""
    return BrokerUnreachable(f"the Kafka broker at {bootstrap} does not answer", why,
                             "is it up? eda ps shows a run's own broker")


def said(wrong: BaseException) -> str:
    """What an error of the library says, on one line: its own words, else what it means in general."""
    words = [each for each in wrong.args if isinstance(each, str)]
    text = words[0] if words else getattr(wrong, "description", None) or str(wrong) or type(wrong).__name__
    return " ".join(str(text).split())
