"""Declare: topics exist, and each group hears all of its topics from now on."""

from __future__ import annotations

import time
from typing import Any

import pytest

from eda_cli.channels.base import EventChannel, Group, Place, Topic
from eda_cli.errors import UnknownTopic
from eda_cli.technologies import Ability
from tests.channels.acts import committed, drain, event, events, ids, known, nothing_more, places, publish, share
from tests.channels.contract.words import Name, Open, needs


def test_declared_topics_are_there(channel: EventChannel, name: Name) -> None:
    one, two = name("one"), name("two")
    channel.declare([Topic(two, partitions=2), Topic(one)], [])
    assert {one, two} <= {topic.name for topic in channel.topics()}


@needs(Ability.PARTITIONS)
def test_declared_topics_have_their_partitions(channel: EventChannel, name: Name) -> None:
    one, two = name("one"), name("two")
    channel.declare([Topic(two, partitions=2), Topic(one)], [])
    found = {topic.name: [place.number for place in topic.partitions] for topic in channel.topics()}
    assert found[one] == [0, 1, 2]
    assert found[two] == [0, 1]


@pytest.mark.parametrize(("begun", "again"), [
    ("latest", "latest"), pytest.param("latest", "earliest", marks=needs(Ability.REPLAY)),
    pytest.param("earliest", "latest", marks=needs(Ability.REPLAY))])
def test_declare_again_changes_nothing_that_is_there(
        channel: EventChannel, topic: str, group: str, begun: Any, again: Any) -> None:
    channel.declare([Topic(topic, 2)], [Group(group, (topic,), begun)])
    published = publish(channel, topic, events(4, keys=4))
    channel.declare([Topic(topic, 1)], [Group(group, (topic,), again)])
    (about,) = [each for each in channel.topics() if each.name == topic]
    assert len(about.partitions) == (known(channel, Ability.PARTITIONS, 2) or 0)
    subscription = channel.subscribe(Group(group, (topic,)))
    assert sorted(ids(drain(subscription, 4)), key=str) == sorted((receipt.id for receipt in published), key=str)
    nothing_more(subscription)
    subscription.close()


def test_latest_is_the_moment_of_declare(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic)], [])
    publish(channel, topic, events(5, keys=5))
    channel.declare([Topic(topic)], [Group(group, (topic,), "latest")])
    after = publish(channel, topic, events(5, keys=5))
    subscription = channel.subscribe(Group(group, (topic,), "latest"))
    assert set(ids(drain(subscription, 5))) == {receipt.id for receipt in after}
    nothing_more(subscription)
    subscription.close()


@needs(Ability.REPLAY)
def test_earliest_begins_with_the_oldest_event(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic)], [])
    before = publish(channel, topic, events(5, keys=5))
    channel.declare([], [Group(group, (topic,), "earliest")])
    subscription = channel.subscribe(Group(group, (topic,), "earliest"))
    assert set(ids(drain(subscription, 5))) == {receipt.id for receipt in before}
    subscription.close()


def test_a_group_gets_a_topic_more_without_losing_its_place(
        channel: EventChannel, name: Name, group: str) -> None:
    first, second = name("first"), name("second")
    channel.declare([Topic(first, 1), Topic(second, 1)], [Group(group, (first,))])
    waiting = publish(channel, first, events(3))
    publish(channel, second, events(3))
    channel.declare([], [Group(group, (first, second), "latest")])
    after = publish(channel, second, events(2))
    subscription = channel.subscribe(Group(group, (first, second)))
    found = drain(subscription, 5)
    assert ids(each for each in found if each.topic == first) == [receipt.id for receipt in waiting]
    assert ids(each for each in found if each.topic == second) == [receipt.id for receipt in after]
    nothing_more(subscription)
    subscription.close()


@needs(Ability.OFFSETS, Ability.REPLAY)
def test_a_topic_more_is_told_by_its_offset(channel: EventChannel, name: Name, group: str) -> None:
    first, second = name("first"), name("second")
    channel.declare([Topic(first, 1), Topic(second, 1)], [Group(group, (first,), "earliest")])
    assert [receipt.offset for receipt in publish(channel, first, events(3))] == [0, 1, 2]
    publish(channel, second, events(3))
    channel.declare([], [Group(group, (first, second), "latest")])
    assert committed(channel, group) == {Place(first, 0): 0, Place(second, 0): 3}


def test_a_group_that_is_busy_hears_a_new_topic_from_now_on(
        open_channel: Open, name: Name, group: str) -> None:
    channel, members = open_channel(), open_channel()
    first, second = name("first"), name("second")
    channel.declare([Topic(first, 1), Topic(second, 1)], [Group(group, (first,))])
    busy = members.subscribe(Group(group, (first,)))
    share(channel, group, [busy])
    publish(channel, second, events(3))
    time.sleep(0.01)  # a broker's clock counts milliseconds
    channel.declare([], [Group(group, (first, second))])
    declared = time.time()
    time.sleep(0.01)
    published = publish(channel, second, events(2))
    busy.close()
    restarted = members.subscribe(Group(group, (first, second), since=declared))
    published += publish(channel, second, events(2))
    assert ids(drain(restarted, 4)) == [receipt.id for receipt in published]
    nothing_more(restarted)
    restarted.close()


def test_a_group_of_an_unknown_topic_is_refused(channel: EventChannel, topic: str, group: str) -> None:
    with pytest.raises(UnknownTopic, match=topic):
        channel.declare([], [Group(group, (topic,))])


@needs(Ability.PARTITIONS)
def test_partitions_may_grow_and_members_read_the_new_ones(
        channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    subscription = channel.subscribe(Group(group, (topic,)))
    publish(channel, topic, events(1))
    subscription.done(drain(subscription, 1))
    channel.declare([Topic(topic, 3)], [])
    assert [len(each.partitions) for each in channel.topics() if each.name == topic] == [3]
    published = publish(channel, topic, [event(number, partition=number) for number in range(3)])
    assert [receipt.partition for receipt in published] == [0, 1, 2]
    found = sorted(drain(subscription, 3), key=lambda each: each.partition or 0)
    assert ids(found) == [receipt.id for receipt in published]
    assert places(found) == [(number, known(channel, Ability.OFFSETS, offset)) for number, offset in ((0, 1), (1, 0), (2, 0))]
    subscription.close()
