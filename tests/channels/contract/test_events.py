"""Events come as they were published, and those of others are events like any."""

from __future__ import annotations

import time

import pytest

from eda_cli.channels.base import EventChannel, Group, Topic
from eda_cli.event import NO_EXTENSIONS, Event
from eda_cli.technologies import Ability
from tests.channels.acts import drain, event, events, nothing_left, publish, stored
from tests.channels.contract.words import Spawn, needs, of_others
from tests.channels.raw import Write
from tests.eventually import eventually

EVENTS = {
    "plain": event(1),
    "everything": event(
        key=b"ann", subject="order 7", datacontenttype="application/vnd.shop+json", correlationid="first",
        causationid="cause", extensions={"traceparent": "00-ab-cd-01", "sequence": "12"},
        headers=(("tenant", b"north"), ("retry", b"3"))),
    "headers of one name, without a value, binary": event(
        headers=(("a", b"1"), ("a", b"2"), ("a", b"1"), ("b", None), ("c", b""), ("d", b"\x00\xff\xfe"),
                 ("ü", "ß".encode()))),
    "tombstone": event(key=b"gone", data=None),
    "tombstone without a key": event(data=None),
    "empty body": event(data=b""),
    "empty key": event(key=b""),
    "binary body": event(data=bytes(range(256)), datacontenttype="application/octet-stream"),
    "binary key": event(key=b"\x00\xff\x80key"),
    "no content type": event(datacontenttype=None),
    "no time": event(time=None),
    "unicode": event(
        id="id-ü-雪-🦆", source="/eda/größe", type="bestellungAufgegeben", subject="naïve \n \"q\" \\",
        key="schlüssel-🗝".encode(), data='{"text":"雪 🦆 \\u0000"}'.encode(), extensions={"who": "Zoë"}),
    "large": event(data=b'"' + b"x" * 900_000 + b'"'),
    "foreign": Event(None, None, None, None, b"not json", b"k", None, headers=(("h", b"v"),)),
}


@pytest.mark.parametrize("which", EVENTS)
def test_an_event_comes_as_it_was_published(
        channel: EventChannel, topic: str, group: str, which: str) -> None:
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    publish(channel, topic, [EVENTS[which]])
    subscription = channel.subscribe(Group(group, (topic,)))
    (polled,) = drain(subscription, 1)
    assert polled.event == EVENTS[which]
    subscription.close()


@needs(Ability.REPLAY)
@pytest.mark.parametrize("which", EVENTS)
def test_an_event_is_read_as_it_was_published(channel: EventChannel, topic: str, which: str) -> None:
    channel.declare([Topic(topic, 1)], [])
    publish(channel, topic, [EVENTS[which]])
    (found,) = stored(channel, topic)
    assert found.event == EVENTS[which]


def test_events_of_others_are_delivered_like_any(
        channel: EventChannel, topic: str, group: str, write_raw: Write) -> None:
    channel.declare([Topic(topic, 2)], [Group(group, (topic,))])
    expected = of_others(topic, write_raw)
    assert all(each.foreign and each.extensions == NO_EXTENSIONS for each in expected)
    subscription = channel.subscribe(Group(group, (topic,)))
    polled = drain(subscription, 2)
    assert [delivery.event for delivery in polled] == expected
    assert all(abs(delivery.published - time.time()) < 60 for delivery in polled)
    subscription.done(polled)
    subscription.close()
    nothing_left(channel, group, topic)


@needs(Ability.REPLAY)
def test_events_of_others_are_read_like_any(channel: EventChannel, topic: str, write_raw: Write) -> None:
    channel.declare([Topic(topic, 2)], [])
    expected = of_others(topic, write_raw)
    assert [delivery.event for delivery in stored(channel, topic)] == expected


@needs(Ability.OFFSETS)
def test_what_others_wrote_is_known_by_its_place(
        channel: EventChannel, topic: str, group: str, write_raw: Write) -> None:
    channel.declare([Topic(topic, 2)], [Group(group, (topic,))])
    of_others(topic, write_raw)
    subscription = channel.subscribe(Group(group, (topic,)))
    assert [delivery.identity for delivery in drain(subscription, 2)] == [f"{topic}/1/0", f"{topic}/1/1"]
    subscription.close()


def test_what_others_wrote_is_the_same_when_it_comes_again(
        channel: EventChannel, topic: str, group: str, write_raw: Write) -> None:
    channel.declare([Topic(topic, 2)], [Group(group, (topic,))])
    for _ in range(2):  # equal, and not the same
        of_others(topic, write_raw)
    member = channel.subscribe(Group(group, (topic,)))
    first = [delivery.identity for delivery in drain(member, 4)]
    member.close()
    assert len(set(first)) == 4
    member = channel.subscribe(Group(group, (topic,)))
    assert [delivery.identity for delivery in drain(member, 4)] == first
    member.close()


def test_who_gets_an_event_after_another_knows_it_again(
        channel: EventChannel, topic: str, group: str, worker: Spawn, write_raw: Write) -> None:
    channel.declare([Topic(topic, 2)], [Group(group, (topic,))])
    publish(channel, topic, events(6, keys=6))
    for _ in range(2):  # equal, and not the same
        of_others(topic, write_raw)
    killed = worker("holder", topic, group, "100")
    eventually(lambda: len(killed.lines()) == 10, 20)
    held = killed.kill()
    member = channel.subscribe(Group(group, (topic,)))
    again = drain(member, 10)
    assert sorted(map(repr, held)) == sorted(
        repr([each.identity, each.message, each.partition, each.offset]) for each in again)
    assert len({each.identity for each in again}) == 10
    assert all(each.offset is not None or each.message for each in again)
    member.close()
