"""Reset: where a group goes on."""

from __future__ import annotations

import pytest

from eda_cli.channels.base import EventChannel, Group, Place, Start, Topic
from eda_cli.errors import ChannelError, UnknownTopic
from eda_cli.technologies import Ability
from tests.channels.acts import committed, drain, event, events, ids, lag_is, nothing_more, publish, stored
from tests.channels.contract.words import Name, needs, numbered

RESETS = {
    "beginning": (Start("beginning"), {0: 0, 1: 0, 2: 0}),
    "end": (Start("end"), {0: 10, 1: 10, 2: 10}),
    "offset": (Start("offset", 4), {0: 4, 1: 4, 2: 4}),
    "one partition": (Start("offset", 4, partition=1), {0: 10, 1: 4, 2: 10}),
    "last": (Start("last", 6), {0: 8, 1: 8, 2: 8}),
}


@needs(Ability.REPLAY, Ability.PARTITIONS)
@pytest.mark.parametrize("which", RESETS)
def test_reset_sets_where_a_group_goes_on(
        channel: EventChannel, topic: str, group: str, filled: list[str], which: str) -> None:
    start, expected = RESETS[which]
    channel.declare([], [Group(group, (topic,), "latest")])
    channel.reset(group, [topic] if which == "end" else [], start)
    waiting = {number: filled[number::3][first:] for number, first in expected.items()}
    lag_is(channel, group, sum(map(len, waiting.values())))
    for number, receipt in enumerate(publish(channel, topic, [event(30 + each, partition=each) for each in range(3)])):
        waiting[number].append(str(receipt.id))
    subscription = channel.subscribe(Group(group, (topic,)))
    found = drain(subscription, sum(map(len, waiting.values())), done=True)
    nothing_more(subscription)
    for number, of_partition in waiting.items():
        assert ids(each for each in found if each.partition == number) == of_partition
    subscription.close()


@needs(Ability.REPLAY, Ability.OFFSETS)
@pytest.mark.parametrize("which", RESETS)
def test_reset_is_told_by_what_is_committed(
        channel: EventChannel, topic: str, group: str, filled: list[str], which: str) -> None:
    start, expected = RESETS[which]
    channel.declare([], [Group(group, (topic,), "latest")])
    channel.reset(group, [topic] if which == "end" else [], start)
    assert {place.partition: at for place, at in committed(channel, group).items()} == expected
    last = publish(channel, topic, [event(30 + each, partition=each) for each in range(3)])
    assert [receipt.offset for receipt in last] == [10, 10, 10]


@needs(Ability.REPLAY, Ability.SEEK_TIME)
def test_reset_to_a_time(channel: EventChannel, topic: str, group: str, filled: list[str]) -> None:
    channel.declare([], [Group(group, (topic,), "latest")])
    moment = min(each.published for each in stored(channel, topic) if each.event.id in filled[12:])
    channel.reset(group, [], Start("time", moment))
    subscription = channel.subscribe(Group(group, (topic,)))
    assert set(ids(drain(subscription, 18))) == set(filled[12:])
    subscription.close()


@needs(Ability.REPLAY)
def test_reset_of_one_topic_leaves_the_others(channel: EventChannel, name: Name, group: str) -> None:
    one, two = name("one"), name("two")
    channel.declare([Topic(one, 1), Topic(two, 1)], [Group(group, (one, two))])
    published = publish(channel, one, events(3))
    publish(channel, two, events(3))
    channel.reset(group, [two], Start("end"))
    lag_is(channel, group, 3)
    subscription = channel.subscribe(Group(group, (one, two)))
    assert ids(drain(subscription, 3)) == [receipt.id for receipt in published]
    nothing_more(subscription)
    subscription.close()


@needs(Ability.REPLAY, Ability.OFFSETS)
def test_reset_of_one_topic_leaves_the_offsets_of_others(channel: EventChannel, name: Name, group: str) -> None:
    one, two = name("one"), name("two")
    channel.declare([Topic(one, 1), Topic(two, 1)], [Group(group, (one, two))])
    assert [receipt.offset for receipt in publish(channel, one, events(3))] == [0, 1, 2]
    publish(channel, two, events(3))
    channel.reset(group, [two], Start("end"))
    assert committed(channel, group) == {Place(one, 0): 0, Place(two, 0): 3}


@needs(Ability.REPLAY)
def test_reset_is_refused_while_the_group_has_members(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    publish(channel, topic, events(3))
    subscription = channel.subscribe(Group(group, (topic,)))
    subscription.done(drain(subscription, 3))
    with pytest.raises(ChannelError):
        channel.reset(group, [], Start("beginning"))
    subscription.close()
    channel.reset(group, [], Start("beginning"))
    lag_is(channel, group, 3)
    subscription = channel.subscribe(Group(group, (topic,)))
    assert numbered(drain(subscription, 3)) == [0, 1, 2]
    subscription.close()


@needs(Ability.REPLAY)
def test_reset_names_what_is_unknown(channel: EventChannel, topic: str, group: str, name: Name) -> None:
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    with pytest.raises(UnknownTopic):
        channel.reset(group, [name("missing")], Start("beginning"))
    other = name("other")
    channel.declare([Topic(other)], [])
    with pytest.raises(UnknownTopic, match=other):
        channel.reset(group, [other], Start("beginning"))
    with pytest.raises(ChannelError):
        channel.reset(name("nobody"), [], Start("beginning"))
