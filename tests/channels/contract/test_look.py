"""Topics and groups as they are told, and removed."""

from __future__ import annotations

import pytest

from eda_cli.channels.base import EventChannel, Group, Place, Start, Topic
from eda_cli.errors import UnknownTopic
from eda_cli.technologies import Ability
from tests.channels.acts import drain, event, events, info, nothing_more, places, publish, share, stored
from tests.channels.contract.words import Name, needs, numbered
from tests.eventually import eventually


@needs(Ability.LAG)
def test_lag_is_how_much_is_not_done(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic, 2)], [Group(group, (topic,))])
    assert info(channel, group).lag == 0
    publish(channel, topic, events(10, keys=5))
    assert info(channel, group).lag == 10
    subscription = channel.subscribe(Group(group, (topic,)))
    found = drain(subscription, 10)
    subscription.done([delivery for delivery in found if delivery.event.key in (b"key-0", b"key-1")])
    subscription.done([delivery for delivery in found if delivery.event.key not in (b"key-0", b"key-1")])
    subscription.close()
    about = info(channel, group)
    assert (about.lag, about.members) == (0, 0)


@needs(Ability.LAG, Ability.PARTITIONS)
def test_lag_is_told_by_partition(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic, 2)], [Group(group, (topic,))])
    publish(channel, topic, [event(number, partition=number % 2) for number in range(10)])
    subscription = channel.subscribe(Group(group, (topic,)))
    found = drain(subscription, 10)
    subscription.done([delivery for delivery in found if delivery.partition == 0][:2])
    subscription.done([delivery for delivery in found if delivery.partition == 1])
    subscription.close()
    about = info(channel, group)
    assert [(place.place, place.lag) for place in about.places] == [(Place(topic, 0), 3), (Place(topic, 1), 0)]
    assert (about.lag, about.members) == (3, 0)


@needs(Ability.LAG, Ability.PARTITIONS, Ability.OFFSETS)
def test_lag_is_what_is_committed_against_the_end(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic, 2)], [Group(group, (topic,))])
    publish(channel, topic, [event(number, partition=number % 2) for number in range(10)])
    subscription = channel.subscribe(Group(group, (topic,)))
    found = drain(subscription, 10)
    assert sorted(places(found)) == [(number, offset) for number in range(2) for offset in range(5)]
    subscription.done([delivery for delivery in found if delivery.partition == 0][:2])
    subscription.done([delivery for delivery in found if delivery.partition == 1])
    subscription.close()
    assert [(place.place, place.committed, place.end, place.lag) for place in info(channel, group).places] == [
        (Place(topic, 0), 2, 5, 3), (Place(topic, 1), 5, 5, 0)]


def test_topics_are_told_by_name(channel: EventChannel, name: Name) -> None:
    names = sorted(name(each) for each in ("b", "a"))
    channel.declare([Topic(names[1], 2), Topic(names[0], 1)], [])
    assert [each.name for each in channel.topics() if each.name in names] == names


@needs(Ability.REPLAY)
def test_topics_tell_what_they_keep(channel: EventChannel, name: Name) -> None:
    kept, plain = name("kept"), name("plain")
    channel.declare([Topic(kept, 1, retention_s=3600), Topic(plain, 2)], [])
    publish(channel, plain, events(3))
    found = {each.name: (each.retention_s, each.events) for each in channel.topics()}
    assert found[kept] == (3600, 0)
    assert found[plain] == (None, 3)


@needs(Ability.REPLAY, Ability.PARTITIONS)
def test_topics_tell_how_much_each_partition_holds(channel: EventChannel, topic: str) -> None:
    channel.declare([Topic(topic, 2)], [])
    publish(channel, topic, [event(partition=1), event(partition=1), event(partition=0)])
    (about,) = [each for each in channel.topics() if each.name == topic]
    assert [tuple(place) for place in about.partitions] == [(0, 0, 1), (1, 0, 2)]


@needs(Ability.COMPACTION)
def test_topics_tell_whether_they_are_compacted(channel: EventChannel, name: Name) -> None:
    plain, compacted = name("plain"), name("compacted")
    channel.declare([Topic(plain, 1), Topic(compacted, 1, compacted=True)], [])
    found = {each.name: each.compacted for each in channel.topics()}
    assert (found[plain], found[compacted]) == (False, True)


def test_groups_tell_their_members_by_name(channel: EventChannel, topic: str, name: Name) -> None:
    names = sorted(name(each) for each in ("b", "a"))
    channel.declare([Topic(topic, 2)], [Group(each, (topic,)) for each in names])
    subscription = channel.subscribe(Group(names[0], (topic,)))
    share(channel, names[0], [subscription])
    assert [each.name for each in channel.groups() if each.name in names] == names
    assert [info(channel, each).members for each in names] == [1, 0]
    subscription.close()


@needs(Ability.PARTITIONS)
def test_groups_tell_who_has_which_partition(channel: EventChannel, topic: str, name: Name) -> None:
    groups = [Group(name(each), (topic,)) for each in ("busy", "idle")]
    channel.declare([Topic(topic, 2)], groups)
    subscription = channel.subscribe(groups[0])
    share(channel, groups[0].name, [subscription])
    busy, idle = (info(channel, group.name).places for group in groups)
    assert [place.place for place in busy] == [place.place for place in idle] == [Place(topic, 0), Place(topic, 1)]
    assert all(place.member for place in busy)
    assert not any(place.member for place in idle)
    subscription.close()


def test_removed_topics_and_groups_are_gone(channel: EventChannel, name: Name, group: str) -> None:
    gone, kept, other = name("gone"), name("kept"), name("other")
    channel.declare([Topic(gone), Topic(kept)], [Group(group, (gone, kept)), Group(other, (kept,))])
    publish(channel, gone, events(5))
    publish(channel, kept, events(5))
    channel.remove([gone], [group])
    eventually(lambda: gone not in [each.name for each in channel.topics()], 10)
    assert kept in [each.name for each in channel.topics()]
    assert [each.name for each in channel.groups() if each.name in (group, other)] == [other]
    with pytest.raises(UnknownTopic):
        channel.publish(gone, events(1))
    with pytest.raises(UnknownTopic):
        stored(channel, gone, Start("end"))
    subscription = channel.subscribe(Group(other, (kept,)))
    assert sorted(numbered(drain(subscription, 5))) == [0, 1, 2, 3, 4]
    subscription.close()


@needs(Ability.REPLAY)
def test_a_removed_topic_cannot_be_read_and_the_others_are_whole(channel: EventChannel, name: Name) -> None:
    gone, kept = name("gone"), name("kept")
    channel.declare([Topic(gone), Topic(kept)], [])
    publish(channel, gone, events(5))
    publish(channel, kept, events(5))
    channel.remove([gone], [])
    eventually(lambda: gone not in [each.name for each in channel.topics()], 10)
    with pytest.raises(UnknownTopic):
        stored(channel, gone)
    assert len(stored(channel, kept)) == 5


def test_removing_an_unknown_topic_is_refused(channel: EventChannel, topic: str) -> None:
    with pytest.raises(UnknownTopic, match=topic):
        channel.remove([topic], [])


def make_again(channel: EventChannel, topic: str) -> None:
    """A topic that held events is removed and declared anew."""
    channel.declare([Topic(topic, 2)], [])
    publish(channel, topic, events(5))
    channel.remove([topic], [])
    eventually(lambda: topic not in [each.name for each in channel.topics()], 10)

    def declared() -> bool:
        channel.declare([Topic(topic, 1)], [])
        return topic in [each.name for each in channel.topics()]

    eventually(declared, 10)


def test_a_topic_made_again_carries_what_is_new(channel: EventChannel, topic: str, group: str) -> None:
    make_again(channel, topic)
    channel.declare([], [Group(group, (topic,))])
    publish(channel, topic, [event(7)])
    subscription = channel.subscribe(Group(group, (topic,)))
    assert numbered(drain(subscription, 1)) == [7]
    nothing_more(subscription)
    subscription.close()


@needs(Ability.REPLAY)
def test_a_topic_made_again_is_empty(channel: EventChannel, topic: str) -> None:
    make_again(channel, topic)
    assert stored(channel, topic) == []


@needs(Ability.OFFSETS)
def test_a_topic_made_again_counts_anew(channel: EventChannel, topic: str) -> None:
    make_again(channel, topic)
    assert [receipt.offset for receipt in publish(channel, topic, events(1))] == [0]


def test_it_tells_what_it_is(channel: EventChannel) -> None:
    name, _, version = channel.version().partition(" ")
    assert name
    assert any(character.isdigit() for character in version)


def test_closing_twice_is_closing(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    subscription = channel.subscribe(Group(group, (topic,)))
    for _ in range(2):
        subscription.close()
    for _ in range(2):
        channel.close()
