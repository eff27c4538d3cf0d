"""A member's events: what it gets, and what is done and what is not when it is gone."""

from __future__ import annotations

import time

from eda_cli.channels.base import EventChannel, Group, Place, Topic
from eda_cli.technologies import Ability
from tests.channels.acts import (
    committed,
    drain,
    event,
    events,
    ids,
    info,
    known,
    lag_is,
    nothing_left,
    nothing_more,
    publish,
    share,
)
from tests.channels.contract.words import Name, Open, Spawn, handled, needs, numbered
from tests.eventually import eventually


def test_every_group_gets_every_event(channel: EventChannel, topic: str, name: Name) -> None:
    groups = [Group(name(each), (topic,)) for each in ("one", "two", "three")]
    channel.declare([Topic(topic)], groups)
    published = {receipt.id for receipt in publish(channel, topic, events(30, keys=9))}
    for group in groups:
        subscription = channel.subscribe(group)
        assert set(ids(drain(subscription, 30))) == published
        subscription.close()


def test_the_order_of_a_key_is_kept(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    published = events(600, keys=7)
    for begin in range(0, 600, 50):
        publish(channel, topic, published[begin:begin + 50])
    subscription = channel.subscribe(Group(group, (topic,)))
    found = drain(subscription, 600, done=True)
    for key in {each.key for each in published}:
        of_key = [delivery.event.id for delivery in found if delivery.event.key == key]
        assert of_key == [each.id for each in published if each.key == key]
    subscription.close()


def test_a_delivery_comes_once_to_its_member(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    publish(channel, topic, events(20, keys=5))
    subscription = channel.subscribe(Group(group, (topic,)))
    assert len(set(ids(drain(subscription, 20)))) == 20
    nothing_more(subscription)
    subscription.close()


def test_poll_gives_at_most_what_was_asked(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic, 3)], [Group(group, (topic,))])
    publish(channel, topic, events(50, keys=20))
    subscription = channel.subscribe(Group(group, (topic,)))
    seen = 0
    while seen < 50:
        got = len(subscription.poll(5, 7).deliveries)
        assert got <= 7
        seen += got
    subscription.close()


def test_poll_waits_no_longer_than_it_was_told(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    subscription = channel.subscribe(Group(group, (topic,)))
    share(channel, group, [subscription])
    for timeout in (0.0, 0.2):
        began = time.monotonic()
        assert not subscription.poll(timeout, 10).deliveries
        assert timeout * 0.9 <= time.monotonic() - began < timeout + 0.5
    subscription.close()


def test_a_group_hears_all_its_topics(channel: EventChannel, name: Name, group: str) -> None:
    one, two = name("one"), name("two")
    channel.declare([Topic(one), Topic(two, 1)], [Group(group, (one, two))])
    publish(channel, one, events(5, keys=5))
    publish(channel, two, events(5))
    subscription = channel.subscribe(Group(group, (one, two)))
    found = drain(subscription, 10)
    assert [sum(delivery.topic == each for delivery in found) for each in (one, two)] == [5, 5]
    subscription.close()


def test_what_is_done_never_comes_again(open_channel: Open, topic: str, group: str) -> None:
    channel = open_channel()
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    publish(channel, topic, events(20, keys=5))
    subscription = channel.subscribe(Group(group, (topic,)))
    subscription.done(drain(subscription, 20))
    subscription.close()
    channel.close()
    channel = open_channel()
    subscription = channel.subscribe(Group(group, (topic,)))
    share(channel, group, [subscription])
    nothing_more(subscription)
    after = publish(channel, topic, events(1))
    assert ids(drain(subscription, 1)) == [after[0].id]
    subscription.close()


def test_a_slow_member_with_a_long_backlog_loses_nothing_and_keeps_the_order_of_keys(
        open_channel: Open, topic: str, group: str) -> None:
    """It holds as much as the broker dares to give it (2,000 of a queue, say) while more waits, goes on, and leaves."""
    channel, others = open_channel(), open_channel()
    channel.declare([Topic(topic, 2)], [Group(group, (topic,))])
    published = events(6_000, keys=7)
    publish(channel, topic, published)
    slow = channel.subscribe(Group(group, (topic,)))
    held = drain(slow, 500)
    while more := slow.poll(0.5, 500).deliveries:
        held += more
    handled = held[:len(held) // 2]
    slow.done(handled)
    while more := slow.poll(0.5, 500).deliveries:
        held += more
    assert len(set(ids(held))) == len(held), "a delivery came twice to its member"
    slow.close()
    member = others.subscribe(Group(group, (topic,)))
    rest = drain(member, len(published) - len(handled), done=True)
    nothing_more(member)
    member.close()
    found = handled + rest
    for key in {each.key for each in published}:
        of_key = [delivery.event.id for delivery in found if delivery.event.key == key]
        assert of_key == [each.id for each in published if each.key == key]
    nothing_left(channel, group, topic)


def test_what_is_done_is_done_for_another_process(
        channel: EventChannel, topic: str, group: str, worker: Spawn) -> None:
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    publish(channel, topic, events(20, keys=5))
    subscription = channel.subscribe(Group(group, (topic,)))
    subscription.done(drain(subscription, 20))
    subscription.close()
    after = publish(channel, topic, events(3, keys=3))
    member = worker("member", topic, group, "100")
    eventually(lambda: len(handled(member)) >= 3, 20)
    assert {line[0] for line in handled(member)} == {receipt.id for receipt in after}
    member.end()
    nothing_left(channel, group, topic)


def test_what_was_not_done_when_its_member_left_comes_again_in_order_and_before_what_is_new(
        channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    publish(channel, topic, events(10))
    subscription = channel.subscribe(Group(group, (topic,)))
    subscription.done(drain(subscription, 10)[:4])
    subscription.close()
    publish(channel, topic, [event(number) for number in range(10, 15)])
    subscription = channel.subscribe(Group(group, (topic,)))
    again = drain(subscription, 11)
    assert numbered(again) == list(range(4, 15))
    assert [delivery.offset for delivery in again] == [known(channel, Ability.OFFSETS, number) for number in range(4, 15)]
    subscription.close()


def test_done_out_of_order_loses_nothing(channel: EventChannel, topic: str, group: str) -> None:
    """A log goes on at the first event that is not done, a queue has exactly those that are not."""
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    publish(channel, topic, events(10))
    subscription = channel.subscribe(Group(group, (topic,)))
    found = drain(subscription, 10)
    for delivery in (*found[:2:-1], found[0]):
        subscription.done([delivery])
    subscription.close()
    left = list(range(1, 10)) if Ability.OFFSETS in channel.can else [1, 2]
    lag_is(channel, group, len(left))
    if Ability.OFFSETS in channel.can:
        assert committed(channel, group) == {Place(topic, 0): 1}
    publish(channel, topic, [event(10)])
    subscription = channel.subscribe(Group(group, (topic,)))
    again = drain(subscription, len(left) + 1)
    assert numbered(again) == [*left, 10]
    nothing_more(subscription)
    subscription.done(again[:2])
    subscription.done(again[2:])
    subscription.close()
    nothing_left(channel, group, topic)


@needs(Ability.LAG)
def test_done_is_stored_soon_while_polling(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    publish(channel, topic, events(20, keys=5))
    subscription = channel.subscribe(Group(group, (topic,)))
    subscription.done(drain(subscription, 20))

    def is_stored() -> bool:
        subscription.poll(0.02, 10)
        return info(channel, group).lag == 0

    eventually(is_stored, 2)
    subscription.close()


def test_what_is_done_while_polling_outlives_a_kill(
        channel: EventChannel, topic: str, group: str, worker: Spawn) -> None:
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    publish(channel, topic, events(20, keys=5))
    member = worker("member", topic, group, "100")
    eventually(lambda: len(handled(member)) == 20 and member.lines()[-1] == ["idle"], 20)
    member.kill()
    nothing_left(channel, group, topic)
