"""Members and publishers that leave, hang or are killed: nothing is lost."""

from __future__ import annotations

import signal
import time
from functools import partial

from eda_cli.channels.base import EventChannel, Group, Start, Topic
from eda_cli.event import Delivery
from eda_cli.technologies import Ability
from tests.channels.acts import (
    Worker,
    drain,
    event,
    events,
    ids,
    known,
    lag_is,
    nothing_left,
    nothing_more,
    places,
    publish,
    share,
    stored,
)
from tests.channels.contract.words import Open, Spawn, handled, joined, needs, numbered
from tests.channels.raw import Address
from tests.eventually import eventually

TAKEOVER_S = 10.0


def wait_s(address: Address) -> float:
    """Longer than a channel waits for a sign of life before it gives a member up."""
    return {"embedded": 5.5}.get(address["channel"], 8.0)


def test_who_leaves_hands_over_at_once(open_channel: Open, topic: str, group: str) -> None:
    channels = [open_channel(), open_channel()]
    channels[0].declare([Topic(topic, 2)], [Group(group, (topic,))])
    staying, leaving = members = [channel.subscribe(Group(group, (topic,))) for channel in channels]
    share(channels[0], group, members)
    publish(channels[0], topic, events(20, keys=20))
    kept: list[Delivery] = []
    left: list[Delivery] = []

    def all_came() -> bool:
        kept.extend(staying.poll(0.02, 100).deliveries)
        left.extend(leaving.poll(0.02, 100).deliveries)
        return len(kept) + len(left) == 20

    eventually(all_came, 20)
    assert len(left) > 2
    leaving.done(left[:2])
    staying.done(kept)
    began = time.monotonic()
    leaving.close()
    rest = drain(staying, len(left) - 2)
    assert time.monotonic() - began < 4
    assert numbered(rest) == numbered(left[2:])
    assert places(rest) == places(left[2:])
    nothing_more(staying)
    staying.close()


@needs(Ability.PARTITIONS)
def test_who_leaves_hands_over_its_partition(open_channel: Open, topic: str, group: str) -> None:
    channels = [open_channel(), open_channel()]
    channels[0].declare([Topic(topic, 2)], [Group(group, (topic,))])
    staying, leaving = members = [channel.subscribe(Group(group, (topic,))) for channel in channels]
    share(channels[0], group, members)
    publish(channels[0], topic, [event(number, partition=number % 2) for number in range(10)])
    left = drain(leaving, 5)
    leaving.done(left[:2])
    kept = drain(staying, 5)
    staying.done(kept)
    began = time.monotonic()
    leaving.close()
    rest = drain(staying, 3)
    assert time.monotonic() - began < 4
    assert {delivery.partition for delivery in rest} == {left[0].partition}
    assert ids(rest) == ids(left[2:])
    assert [delivery.offset for delivery in rest] == [known(channels[0], Ability.OFFSETS, number) for number in (2, 3, 4)]
    staying.close()


def test_membership_needs_no_deliveries_and_no_poll(
        open_channel: Open, channel_address: Address, topic: str, group: str) -> None:
    channels = [open_channel(), open_channel()]
    channels[0].declare([Topic(topic, 1)], [Group(group, (topic,))])
    busy = channels[0].subscribe(Group(group, (topic,)))
    publish(channels[0], topic, events(10))
    held = drain(busy, 10)
    assert not any(busy.poll(0.0, 0).deliveries for _ in range(3))
    idle = channels[1].subscribe(Group(group, (topic,)))
    if busy.poll(1.0, 0).lost:  # a broker may deal anew when somebody comes, and give the place back
        held = drain(busy, 10)
    nothing_more(idle, wait_s(channel_address))
    busy.done(held)
    assert not busy.poll(0.3, 0).lost
    lag_is(channels[0], group, 0)
    busy.close()
    idle.close()
    nothing_left(channels[0], group, topic)


def test_nothing_is_missed_when_a_member_is_killed(
        channel: EventChannel, topic: str, group: str, worker: Spawn) -> None:
    channel.declare([Topic(topic, 4)], [Group(group, (topic,))])
    members = [worker("member", topic, group, "10") for _ in range(2)]
    eventually(lambda: joined(channel, group, [2, 2]), 30)
    published = {receipt.id for receipt in publish(channel, topic, events(2000, keys=50))}
    eventually(lambda: all(len(handled(member)) >= 100 for member in members), 30)
    killed = [line for line in members[0].kill() if line[0] not in ("joined", "lost", "idle")]
    began = time.monotonic()
    more = {receipt.id for receipt in publish(channel, topic, events(100, keys=50))}
    seen = eventually(lambda: all_of(published | more, killed, handled(members[1])), 30)
    assert time.monotonic() - began < TAKEOVER_S + 5
    members[1].end()
    nothing_left(channel, group, topic)
    assert len(seen) >= 2100
    for one in (killed, seen[len(killed):]):
        assert Ability.OFFSETS not in channel.can or repeats_are_blocks(one)


def all_of(published: set[str | None], *lines: list[list[object]]) -> list[list[object]]:
    seen = [line for each in lines for line in each]
    missing = published - {line[0] for line in seen}
    assert not missing, f"{len(missing)} are missing"
    return seen


def repeats_are_blocks(lines: list[list[object]]) -> bool:
    """Whether, partition by partition, no offset was skipped: each is the next one, or goes back."""
    reached: dict[object, int] = {}
    for _, partition, offset in lines:
        assert isinstance(offset, int)
        if offset > reached.get(partition, offset - 1) + 1:
            return False
        reached[partition] = max(reached.get(partition, -1), offset)
    return True


def test_a_killed_member_is_replaced_in_time(
        channel: EventChannel, topic: str, group: str, worker: Spawn) -> None:
    channel.declare([Topic(topic, 2)], [Group(group, (topic,))])
    staying, dying = (worker("member", topic, group, "10") for _ in range(2))
    eventually(lambda: joined(channel, group, [1, 1]), 30)
    dying.signal(signal.SIGKILL)
    began = time.monotonic()
    published = publish(channel, topic, events(20, keys=20))
    assert {receipt.partition for receipt in published} == (known(channel, Ability.PARTITIONS, {0, 1}) or {None})
    eventually(lambda: {line[0] for line in handled(staying)} >= {receipt.id for receipt in published}, 20)
    assert time.monotonic() - began < TAKEOVER_S
    staying.end()


def has_told(process: Worker, lines: int) -> bool:
    return len(process.lines()) >= lines


def test_what_a_killed_publisher_told_comes(channel: EventChannel, topic: str, group: str, worker: Spawn) -> None:
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    told: set[str] = set()
    for _ in range(2):
        publisher = worker("publisher", topic, "50")
        eventually(partial(has_told, publisher, 500), 30)
        told |= {id_ for id_, _, _ in publisher.kill()}
    subscription = channel.subscribe(Group(group, (topic,)))
    found: set[str | None] = set()

    def all_came() -> bool:
        deliveries = subscription.poll(0.1, 500).deliveries
        subscription.done(deliveries)
        found.update(ids(deliveries))
        return found >= told

    eventually(all_came, 30)
    subscription.close()


@needs(Ability.OFFSETS, Ability.REPLAY)
def test_what_a_killed_publisher_told_is_stored(channel: EventChannel, topic: str, worker: Spawn) -> None:
    channel.declare([Topic(topic)], [])
    for _ in range(2):
        publisher = worker("publisher", topic, "50")
        eventually(partial(has_told, publisher, 500), 30)
        told = publisher.kill()
        found = {each.event.id: (each.partition, each.offset) for each in stored(channel, topic)}
        assert all(found[id_] == (partition, offset) for id_, partition, offset in told)
    for number in range(3):
        offsets = [each.offset for each in stored(channel, topic, Start("beginning", partition=number))]
        assert offsets == list(range(len(offsets)))
