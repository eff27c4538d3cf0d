"""Publish and flush: in order, whole, to the right partition, or refused by name."""

from __future__ import annotations

import time

import pytest

from eda_cli.channels.base import EventChannel, Group, Topic
from eda_cli.errors import ChannelError, EventRefused, UnknownTopic
from eda_cli.technologies import Ability
from tests.channels.acts import drain, event, events, ids, in_order, nothing_left, nothing_more, publish, stored
from tests.channels.contract.words import Name, needs, numbered


def test_receipts_come_in_the_order_of_publishing(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic, 2)], [Group(group, (topic,))])
    published = events(50, keys=7)
    before = time.time()
    receipts = publish(channel, topic, published)
    assert [(receipt.id, receipt.topic) for receipt in receipts] == [(each.id, topic) for each in published]
    assert all(before - 1 <= receipt.published <= time.time() + 1 for receipt in receipts)
    subscription = channel.subscribe(Group(group, (topic,)))
    found = {each.event.id: each for each in drain(subscription, 50)}
    for receipt in receipts:
        there = found[receipt.id]
        assert (there.topic, there.partition, there.offset) == (topic, receipt.partition, receipt.offset)
        assert there.published == pytest.approx(receipt.published, abs=0.001)
    subscription.close()


@needs(Ability.REPLAY, Ability.OFFSETS)
def test_receipts_tell_where_each_event_is(channel: EventChannel, topic: str) -> None:
    channel.declare([Topic(topic, 2)], [])
    published = events(50, keys=7)
    receipts = publish(channel, topic, published)
    found = {(each.partition, each.offset): each for each in stored(channel, topic)}
    for receipt in receipts:
        assert receipt.offset is not None
        there = found[receipt.partition, receipt.offset]
        assert (there.event.id, there.topic, there.published) == (receipt.id, topic, receipt.published)


def test_flush_tells_only_what_was_published_since_the_last(channel: EventChannel, topic: str) -> None:
    channel.declare([Topic(topic)], [])
    channel.publish(topic, events(2))
    channel.publish(topic, [])
    channel.publish(topic, events(1))
    assert len(channel.flush(10)) == 3
    assert list(channel.flush(10)) == []


def test_a_topic_that_is_declared_between_publish_and_flush_costs_no_receipt(
        channel: EventChannel, topic: str, name: Name) -> None:
    channel.declare([Topic(topic)], [])
    published = events(3)
    channel.publish(topic, published)
    channel.declare([Topic(name("other"))], [])
    assert [receipt.id for receipt in channel.flush(20)] == [each.id for each in published]


def test_several_topics_in_one_flush(channel: EventChannel, name: Name) -> None:
    one, two = name("one"), name("two")
    groups = [Group(name(f"of-{each}"), (each,)) for each in (one, two)]
    channel.declare([Topic(one), Topic(two)], groups)
    channel.publish(one, events(2))
    channel.publish(two, events(1))
    channel.publish(one, events(1))
    receipts = channel.flush(10)
    assert [receipt.topic for receipt in receipts] == [one, one, two, one]
    for group in groups:
        subscription = channel.subscribe(group)
        expected = {receipt.id for receipt in receipts if receipt.topic in group.topics}
        assert set(ids(drain(subscription, len(expected)))) == expected
        nothing_more(subscription)
        subscription.close()


def test_publishing_to_an_unknown_topic_makes_none(channel: EventChannel, topic: str) -> None:
    with pytest.raises(UnknownTopic, match=topic):
        channel.publish(topic, events(1))
    assert topic not in [each.name for each in channel.topics()]


def test_ten_thousand_events_at_once(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    published = events(10_000, keys=100)
    receipts = publish(channel, topic, published)
    assert [receipt.id for receipt in receipts] == [each.id for each in published]
    subscription = channel.subscribe(Group(group, (topic,)))
    assert sorted(numbered(drain(subscription, 10_000, done=True))) == list(range(10_000))
    subscription.close()
    nothing_left(channel, group, topic)


@needs(Ability.REPLAY, Ability.PARTITIONS)
def test_ten_thousand_events_are_kept(channel: EventChannel, topic: str) -> None:
    channel.declare([Topic(topic)], [])
    publish(channel, topic, events(10_000, keys=100))
    found = stored(channel, topic)
    assert len(found) == 10_000
    assert in_order(found)
    (about,) = [each for each in channel.topics() if each.name == topic]
    assert about.events == 10_000
    assert sum(place.end - place.first for place in about.partitions) == 10_000


# Partitions of seven, from the hashes that the Java client's own tests state.
JAVA_HASHES = {
    b"21": -973932308, b"foobar": -790332482, b"abc": 479470107, b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
}


@needs(Ability.PARTITIONS)
def test_keys_lie_where_the_java_client_puts_them(channel: EventChannel, topic: str) -> None:
    channel.declare([Topic(topic, 7)], [])
    receipts = publish(channel, topic, [event(key=key) for key in JAVA_HASHES])
    assert [receipt.partition for receipt in receipts] == [
        (signed & 0x7FFFFFFF) % 7 for signed in JAVA_HASHES.values()]


@needs(Ability.PARTITIONS)
def test_events_without_a_key_spread_over_the_partitions(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic, 3)], [Group(group, (topic,))])
    assert {publish(channel, topic, events(1))[0].partition for _ in range(60)} == {0, 1, 2}
    subscription = channel.subscribe(Group(group, (topic,)))
    assert {delivery.partition for delivery in drain(subscription, 60)} == {0, 1, 2}
    subscription.close()


@needs(Ability.PARTITIONS)
def test_an_event_may_name_its_partition(channel: EventChannel, topic: str) -> None:
    channel.declare([Topic(topic, 3)], [])
    receipts = publish(channel, topic, [event(key=b"same", partition=number) for number in (2, 0, 1)])
    assert [receipt.partition for receipt in receipts] == [2, 0, 1]


@pytest.mark.parametrize("wish", [3, -1])
def test_a_partition_that_is_not_there_is_refused(channel: EventChannel, topic: str, wish: int) -> None:
    channel.declare([Topic(topic, 3)], [])
    with pytest.raises(ChannelError):
        channel.publish(topic, [event(), event(partition=wish)])
        channel.flush(10)


def test_a_refused_event_is_named_and_those_before_it_are_in_care(channel: EventChannel, topic: str) -> None:
    channel.declare([Topic(topic, 2)], [])
    good, nowhere = event(key=b"a"), event(key=b"a", partition=7)
    with pytest.raises(EventRefused) as raised:
        channel.publish(topic, [good, nowhere, event(key=b"b")])
    assert raised.value.id == nowhere.id
    assert [receipt.id for receipt in channel.flush(20)] == [good.id]


def declare_compacted(channel: EventChannel, topic: str) -> None:
    channel.declare([Topic(topic, 1, compacted=True)], [])
    assert [each.compacted for each in channel.topics() if each.name == topic] == [True]


@needs(Ability.COMPACTION)
def test_an_event_that_a_compacted_topic_refuses_is_named(channel: EventChannel, topic: str) -> None:
    declare_compacted(channel, topic)
    good, keyless = event(key=b"a"), event(key=None)
    with pytest.raises(EventRefused) as raised:
        channel.publish(topic, [good, keyless, event(key=b"b")])
    assert raised.value.id == keyless.id
    assert [receipt.id for receipt in channel.flush(20)] == [good.id]


@needs(Ability.REPLAY, Ability.COMPACTION)
def test_a_compacted_topic_takes_tombstones_but_no_event_without_a_key(
        channel: EventChannel, topic: str) -> None:
    declare_compacted(channel, topic)
    publish(channel, topic, [event(key=b"a"), event(key=b"a", data=None)])
    assert [delivery.event.data for delivery in stored(channel, topic)][-1] is None
    with pytest.raises(ChannelError):
        channel.publish(topic, [event(key=None)])
        channel.flush(10)
    assert len(stored(channel, topic)) == 2
