"""What a channel lacks it refuses at once, with the registry's reason, does without, or leaves unknown."""

from __future__ import annotations

import pytest

from eda_cli.channels.base import EventChannel, Group, Start, Topic
from eda_cli.errors import ChannelError, EventRefused
from eda_cli.technologies import TECHNOLOGIES, Ability
from tests.channels.acts import drain, event, events, ids, info, publish, stored
from tests.channels.contract.words import lacking
from tests.channels.raw import Address


def reason(address: Address, ability: Ability) -> str:
    return TECHNOLOGIES[address["channel"]].lacks[ability]


@lacking(Ability.REPLAY)
@pytest.mark.parametrize("start", [Start("beginning"), Start("last", 2), Start("offset", 0), Start("time", 0)],
                         ids=lambda start: start.at)
def test_without_replay_the_past_is_refused(
        channel: EventChannel, channel_address: Address, topic: str, group: str, start: Start) -> None:
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    publish(channel, topic, events(3))
    for ask in (lambda: next(channel.read(topic, start, "never")), lambda: stored(channel, topic, start),
                lambda: channel.reset(group, [], start)):
        with pytest.raises(ChannelError) as raised:
            ask()
        lacks = TECHNOLOGIES[channel_address["channel"]].lacks
        assert any(why in str(raised.value) for why in lacks.values())


@lacking(Ability.REPLAY)
def test_without_replay_no_group_begins_with_the_earliest_event(
        channel: EventChannel, channel_address: Address, topic: str, group: str) -> None:
    channel.declare([Topic(topic)], [])
    with pytest.raises(ChannelError) as raised:
        channel.declare([], [Group(group, (topic,), "earliest")])
    assert reason(channel_address, Ability.REPLAY) in str(raised.value)
    assert group not in [each.name for each in channel.groups()]


@lacking(Ability.COMPACTION)
def test_without_compaction_a_topic_is_one_like_any(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic, 1, compacted=True)], [Group(group, (topic,))])
    assert [each.compacted for each in channel.topics() if each.name == topic] == [False]
    published = publish(channel, topic, [event(key=b"a"), event(key=b"a"), event(key=b"a", data=None), event()])
    subscription = channel.subscribe(Group(group, (topic,)))
    assert ids(drain(subscription, 4)) == [receipt.id for receipt in published]
    subscription.close()


@lacking(Ability.PARTITIONS)
def test_without_partitions_none_can_be_named(channel: EventChannel, channel_address: Address, topic: str) -> None:
    channel.declare([Topic(topic, 3)], [])
    wishing = event(partition=0)
    with pytest.raises(EventRefused) as raised:
        channel.publish(topic, [wishing])
    assert raised.value.id == wishing.id
    assert reason(channel_address, Ability.PARTITIONS) in str(raised.value)
    assert [receipt.partition for receipt in publish(channel, topic, events(1))] == [None]


@lacking(Ability.OFFSETS)
def test_without_offsets_each_message_has_a_name(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    assert [receipt.offset for receipt in publish(channel, topic, events(5, keys=5))] == [None] * 5
    subscription = channel.subscribe(Group(group, (topic,)))
    found = drain(subscription, 5)
    assert [delivery.offset for delivery in found] == [None] * 5
    assert len({delivery.message for delivery in found} - {None}) == 5
    subscription.close()


@lacking(Ability.OFFSETS)
def test_without_offsets_a_message_has_its_own_name_and_keeps_it(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    twice = event(1)  # one event, two messages
    publish(channel, topic, [twice, twice, event(2)])
    member = channel.subscribe(Group(group, (topic,)))
    found = drain(member, 3)
    names = [delivery.message for delivery in found]
    assert len(set(names) - {None}) == 3
    assert [delivery.identity for delivery in found[:2]] == [f"{twice.source}/{twice.id}"] * 2
    member.close()
    member = channel.subscribe(Group(group, (topic,)))
    assert [delivery.message for delivery in drain(member, 3)] == names
    member.close()


@lacking(Ability.LAG)
def test_without_lag_it_is_unknown_and_never_0(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    assert info(channel, group).lag is None
