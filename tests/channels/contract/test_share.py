"""Groups share: who gets what, and when it moves."""

from __future__ import annotations

from functools import partial

from eda_cli.channels.base import EventChannel, Group, Place, Subscription, Topic
from eda_cli.event import Delivery
from eda_cli.technologies import Ability
from tests.channels.acts import drain, event, events, ids, info, known, nothing_more, publish, share
from tests.channels.contract.words import Open, dealt, joined, needs, numbered
from tests.eventually import eventually


def two_members(open_channel: Open, topic: str, group: str, partitions: int) -> tuple[EventChannel, list[Subscription]]:
    """A topic and a group of two members that have joined, each by a channel of its own: the channel of one, and both."""
    channels = [open_channel(), open_channel()]
    channels[0].declare([Topic(topic, partitions)], [Group(group, (topic,))])
    members = [channel.subscribe(Group(group, (topic,))) for channel in channels]
    share(channels[0], group, members)
    return channels[0], members


def test_a_group_shares(open_channel: Open, topic: str, group: str) -> None:
    channel, members = two_members(open_channel, topic, group, 4)
    assert joined(channel, group, [2, 2])
    published = publish(channel, topic, events(200, keys=40))
    found: list[list[str | None]] = [[], []]

    def all_came() -> bool:
        for number, member in enumerate(members):
            found[number] += ids(member.poll(0.02, 100).deliveries)
        return len(found[0]) + len(found[1]) >= 200

    eventually(all_came, 20)
    assert found[0] and found[1]
    assert sorted(map(str, found[0] + found[1])) == sorted(str(receipt.id) for receipt in published)
    for member in members:
        member.close()


@needs(Ability.PARTITIONS)
def test_partitions_are_dealt_evenly(open_channel: Open, topic: str, group: str) -> None:
    channel, members = two_members(open_channel, topic, group, 4)
    assert dealt(channel, group) == [2, 2]
    for member in members:
        member.close()


@needs(Ability.ORDER_BY_KEY)
def test_events_of_one_key_are_with_one_member(open_channel: Open, topic: str, group: str) -> None:
    channel, members = two_members(open_channel, topic, group, 2)
    found: list[list[Delivery]] = [[], []]

    def came(count: int) -> bool:
        for number, member in enumerate(members):
            found[number] += member.poll(0.02, 100).deliveries
        return len(found[0]) + len(found[1]) == count

    for begin in range(0, 60, 20):
        publish(channel, topic, [event(number, key=b"ann") for number in range(begin, begin + 20)])
        eventually(partial(came, begin + 20), 20)
    assert [] in found
    assert numbered(found[0] or found[1]) == list(range(60))
    for member in members:
        member.close()


def test_a_member_too_many_takes_nothing_away(open_channel: Open, topic: str, group: str) -> None:
    channels = [open_channel(), open_channel()]
    channels[0].declare([Topic(topic, 1)], [Group(group, (topic,))])
    first, second = (channel.subscribe(Group(group, (topic,))) for channel in channels)
    publish(channels[0], topic, events(3))
    found: list[Delivery] = []

    def all_came() -> bool:
        found.extend(first.poll(0.02, 10).deliveries)
        found.extend(second.poll(0.02, 10).deliveries)
        return set(numbered(found)) == {0, 1, 2}

    eventually(all_came, 20)
    first.close()
    second.close()


@needs(Ability.PARTITIONS)
def test_a_place_moves_only_when_it_was_let_go_and_done_there_is_void(
        open_channel: Open, topic: str, group: str) -> None:
    channels = [open_channel(), open_channel()]
    channels[0].declare([Topic(topic, 2)], [Group(group, (topic,))])
    first = channels[0].subscribe(Group(group, (topic,)))
    publish(channels[0], topic, [event(number, partition=number % 2) for number in range(10)])
    held = drain(first, 10)
    first.done([delivery for delivery in held if numbered([delivery])[0] < 2])
    second = channels[1].subscribe(Group(group, (topic,)))
    nothing_more(second)
    polled = share(channels[0], group, [first, second])
    lost = frozenset[Place]().union(*(each.lost for each in polled))
    again = drain(second, 4)
    (moved,) = {Place(delivery.topic, delivery.partition or 0) for delivery in again}
    assert moved in lost
    assert numbered(again) == [number for number in range(2, 10) if number % 2 == moved.partition]
    assert [delivery.offset for delivery in again] == [known(channels[0], Ability.OFFSETS, number) for number in range(1, 5)]
    first.done([delivery for delivery in held if delivery.partition == moved.partition])
    first.close()
    assert lag_of(channels[0], group, moved) == known(channels[0], Ability.LAG, 4)
    second.done(again)
    second.close()
    assert lag_of(channels[0], group, moved) == known(channels[0], Ability.LAG, 0)


def lag_of(channel: EventChannel, group: str, place: Place) -> int | None:
    (lag,) = [each.lag for each in info(channel, group).places if each.place == place]
    return lag
