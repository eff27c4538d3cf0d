"""What every event channel keeps. One suite, every channel: a gap is a strict xfail with the registry's reason.

In the order of the protocol: declare, publish, subscribe, done, share, read, look, reset, remove. What all can keep is
said in words that all have (events by their ids, members by their number); what needs more says so by `@needs`.
One file, as it is read beside `eda_cli/channels/base.py`.
"""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import pytest

from eda_cli.channels.base import EventChannel, Group, Place, Start, Topic
from eda_cli.errors import ChannelError, EventRefused, UnknownTopic
from eda_cli.event import NO_EXTENSIONS, Delivery, Event
from eda_cli.technologies import TECHNOLOGIES, Ability
from tests.channels.acts import (
    Worker,
    committed,
    drain,
    event,
    events,
    ids,
    in_order,
    info,
    known,
    lag_is,
    nothing_left,
    nothing_more,
    places,
    publish,
    share,
    stored,
)
from tests.channels.raw import Address, Write
from tests.eventually import eventually

REPLAY, ORDER_BY_KEY, PARTITIONS, OFFSETS, SEEK_TIME, LAG, COMPACTION = (
    Ability.REPLAY, Ability.ORDER_BY_KEY, Ability.PARTITIONS, Ability.OFFSETS, Ability.SEEK_TIME, Ability.LAG,
    Ability.COMPACTION)
needs = pytest.mark.needs
lacking = pytest.mark.lacking
TAKEOVER_S = 10.0
Open = Callable[[], EventChannel]
Name = Callable[[str], str]
Spawn = Callable[..., Worker]


def wait_s(address: Address) -> float:
    """Longer than a channel waits for a sign of life before it gives a member up."""
    return {"embedded": 5.5}.get(address["channel"], 8.0)


def numbered(deliveries: Iterable[Delivery]) -> list[int]:
    """Which of `events(…)` came, in their order."""
    return [delivery.event.body()["number"] for delivery in deliveries]


# --- declare -------------------------------------------------------------------------------------------


def test_declared_topics_are_there(channel: EventChannel, name: Name) -> None:
    one, two = name("one"), name("two")
    channel.declare([Topic(two, partitions=2), Topic(one)], [])
    assert {one, two} <= {topic.name for topic in channel.topics()}


@needs(PARTITIONS)
def test_declared_topics_have_their_partitions(channel: EventChannel, name: Name) -> None:
    one, two = name("one"), name("two")
    channel.declare([Topic(two, partitions=2), Topic(one)], [])
    found = {topic.name: [place.number for place in topic.partitions] for topic in channel.topics()}
    assert found[one] == [0, 1, 2]
    assert found[two] == [0, 1]


@pytest.mark.parametrize(("begun", "again"), [
    ("latest", "latest"), pytest.param("latest", "earliest", marks=needs(REPLAY)),
    pytest.param("earliest", "latest", marks=needs(REPLAY))])
def test_declare_again_changes_nothing_that_is_there(
        channel: EventChannel, topic: str, group: str, begun: Any, again: Any) -> None:
    channel.declare([Topic(topic, 2)], [Group(group, (topic,), begun)])
    published = publish(channel, topic, events(4, keys=4))
    channel.declare([Topic(topic, 1)], [Group(group, (topic,), again)])
    assert [len(each.partitions) for each in channel.topics() if each.name == topic] == [known(channel, PARTITIONS, 2) or 0]
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


@needs(REPLAY)
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


@needs(OFFSETS, REPLAY)
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


@needs(PARTITIONS)
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
    assert places(found) == [(number, known(channel, OFFSETS, offset)) for number, offset in ((0, 1), (1, 0), (2, 0))]
    subscription.close()


# --- publish -------------------------------------------------------------------------------------------


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


@needs(REPLAY, OFFSETS)
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
    found = drain(subscription, 10_000)
    assert sorted(numbered(found)) == list(range(10_000))
    subscription.done(found)
    subscription.close()
    nothing_left(channel, group, topic)


@needs(REPLAY, PARTITIONS)
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


@needs(PARTITIONS)
def test_keys_lie_where_the_java_client_puts_them(channel: EventChannel, topic: str) -> None:
    channel.declare([Topic(topic, 7)], [])
    receipts = publish(channel, topic, [event(key=key) for key in JAVA_HASHES])
    assert [receipt.partition for receipt in receipts] == [
        (signed & 0x7FFFFFFF) % 7 for signed in JAVA_HASHES.values()]


@needs(PARTITIONS)
def test_events_without_a_key_spread_over_the_partitions(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic, 3)], [Group(group, (topic,))])
    assert {publish(channel, topic, events(1))[0].partition for _ in range(60)} == {0, 1, 2}
    subscription = channel.subscribe(Group(group, (topic,)))
    assert {delivery.partition for delivery in drain(subscription, 60)} == {0, 1, 2}
    subscription.close()


@needs(PARTITIONS)
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


@needs(COMPACTION)
def test_an_event_that_a_compacted_topic_refuses_is_named(channel: EventChannel, topic: str) -> None:
    channel.declare([Topic(topic, 2, compacted=True)], [])
    good, keyless = event(key=b"a"), event(key=None)
    with pytest.raises(EventRefused) as raised:
        channel.publish(topic, [good, keyless, event(key=b"b")])
    assert raised.value.id == keyless.id
    assert [receipt.id for receipt in channel.flush(20)] == [good.id]


@needs(REPLAY, COMPACTION)
def test_a_compacted_topic_takes_tombstones_but_no_event_without_a_key(
        channel: EventChannel, topic: str) -> None:
    channel.declare([Topic(topic, 1, compacted=True)], [])
    publish(channel, topic, [event(key=b"a"), event(key=b"a", data=None)])
    assert [delivery.event.data for delivery in stored(channel, topic)][-1] is None
    with pytest.raises(ChannelError):
        channel.publish(topic, [event(key=None)])
        channel.flush(10)
    assert len(stored(channel, topic)) == 2


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


@needs(REPLAY)
@pytest.mark.parametrize("which", EVENTS)
def test_an_event_is_read_as_it_was_published(channel: EventChannel, topic: str, which: str) -> None:
    channel.declare([Topic(topic, 1)], [])
    publish(channel, topic, [EVENTS[which]])
    (found,) = stored(channel, topic)
    assert found.event == EVENTS[which]


def of_others(topic: str, write_raw: Write) -> list[Event]:
    """Two messages that somebody else wrote, in one partition, as they are to be shown."""
    return [write_raw(topic, 1, None, b"\xff no json", [("trace", b"1"), ("trace", b"2")]),
            write_raw(topic, 1, b"key", None, [])]


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


@needs(REPLAY)
def test_events_of_others_are_read_like_any(channel: EventChannel, topic: str, write_raw: Write) -> None:
    channel.declare([Topic(topic, 2)], [])
    expected = of_others(topic, write_raw)
    assert [delivery.event for delivery in stored(channel, topic)] == expected


@needs(OFFSETS)
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


# --- subscribe: what a member gets ---------------------------------------------------------------------


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
    found = drain(subscription, 600)
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


# --- done ----------------------------------------------------------------------------------------------


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


def handled(member: Worker) -> list[list[object]]:
    return [line for line in member.lines() if line[0] not in ("joined", "lost", "idle")]


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
    assert [delivery.offset for delivery in again] == [known(channel, OFFSETS, number) for number in range(4, 15)]
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
    left = list(range(1, 10)) if OFFSETS in channel.can else [1, 2]
    lag_is(channel, group, len(left))
    publish(channel, topic, [event(10)])
    subscription = channel.subscribe(Group(group, (topic,)))
    again = drain(subscription, len(left) + 1)
    assert numbered(again) == [*left, 10]
    nothing_more(subscription)
    subscription.done(again[:2])
    subscription.done(again[2:])
    subscription.close()
    nothing_left(channel, group, topic)


@needs(OFFSETS)
def test_done_out_of_order_commits_no_gap(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    publish(channel, topic, events(10))
    subscription = channel.subscribe(Group(group, (topic,)))
    found = drain(subscription, 10)
    for delivery in (*found[:2:-1], found[0]):
        subscription.done([delivery])
    subscription.close()
    assert committed(channel, group) == {Place(topic, 0): 1}
    subscription = channel.subscribe(Group(group, (topic,)))
    again = drain(subscription, 9)
    assert [delivery.offset for delivery in again] == list(range(1, 10))
    subscription.done(again[:2])
    subscription.done(again[2:])
    subscription.close()
    assert committed(channel, group) == {Place(topic, 0): 10}


@needs(LAG)
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


@needs(LAG)
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


@needs(LAG, PARTITIONS)
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


@needs(LAG, PARTITIONS, OFFSETS)
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


# --- sharing, leaving, dying ---------------------------------------------------------------------------


def dealt(channel: EventChannel, group: str) -> list[int]:
    """How many places each member has; empty while one of them has no owner."""
    owners = Counter(place.member for place in info(channel, group).places)
    return [] if None in owners else sorted(owners.values())


def joined(channel: EventChannel, group: str, partitions_of_each: list[int]) -> bool:
    """Whether so many members are there, and where there are partitions have these many each."""
    return info(channel, group).members == len(partitions_of_each) and (
        PARTITIONS not in channel.can or dealt(channel, group) == partitions_of_each)


def test_a_group_shares(open_channel: Open, topic: str, group: str) -> None:
    channels = [open_channel(), open_channel()]
    channels[0].declare([Topic(topic, 4)], [Group(group, (topic,))])
    members = [channel.subscribe(Group(group, (topic,))) for channel in channels]
    share(channels[0], group, members)
    assert joined(channels[0], group, [2, 2])
    published = publish(channels[0], topic, events(200, keys=40))
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


@needs(PARTITIONS)
def test_partitions_are_dealt_evenly(open_channel: Open, topic: str, group: str) -> None:
    channels = [open_channel(), open_channel()]
    channels[0].declare([Topic(topic, 4)], [Group(group, (topic,))])
    members = [channel.subscribe(Group(group, (topic,))) for channel in channels]
    share(channels[0], group, members)
    assert dealt(channels[0], group) == [2, 2]
    for member in members:
        member.close()


@needs(ORDER_BY_KEY)
def test_events_of_one_key_are_with_one_member(open_channel: Open, topic: str, group: str) -> None:
    channels = [open_channel(), open_channel()]
    channels[0].declare([Topic(topic, 2)], [Group(group, (topic,))])
    members = [channel.subscribe(Group(group, (topic,))) for channel in channels]
    share(channels[0], group, members)
    found: list[list[Delivery]] = [[], []]

    def came(count: int) -> bool:
        for number, member in enumerate(members):
            found[number] += member.poll(0.02, 100).deliveries
        return len(found[0]) + len(found[1]) == count

    for begin in range(0, 60, 20):
        publish(channels[0], topic, [event(number, key=b"ann") for number in range(begin, begin + 20)])
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


@needs(PARTITIONS)
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
    assert [delivery.offset for delivery in rest] == [known(channels[0], OFFSETS, number) for number in (2, 3, 4)]
    staying.close()


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


@needs(PARTITIONS)
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
    assert [delivery.offset for delivery in again] == [known(channels[0], OFFSETS, number) for number in range(1, 5)]
    first.done([delivery for delivery in held if delivery.partition == moved.partition])
    first.close()
    assert lag_of(channels[0], group, moved) == known(channels[0], LAG, 4)
    second.done(again)
    second.close()
    assert lag_of(channels[0], group, moved) == known(channels[0], LAG, 0)


def lag_of(channel: EventChannel, group: str, place: Place) -> int | None:
    (lag,) = [each.lag for each in info(channel, group).places if each.place == place]
    return lag


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
        assert OFFSETS not in channel.can or repeats_are_blocks(one)


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
    assert {receipt.partition for receipt in published} == (known(channel, PARTITIONS, {0, 1}) or {None})
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
        found.update(ids(subscription.poll(0.1, 500).deliveries))
        return found >= told

    eventually(all_came, 30)
    subscription.close()


@needs(OFFSETS, REPLAY)
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


# --- read ----------------------------------------------------------------------------------------------


@pytest.fixture
def filled(channel: EventChannel, topic: str) -> list[str]:
    """Thirty events over three partitions (where there are any), published in five moments; their ids in the order of that."""
    channel.declare([Topic(topic, 3)], [])
    published: list[str] = []
    for begin in range(0, 30, 6):
        receipts = publish(channel, topic, [event(number, partition=known(channel, PARTITIONS, number % 3))
                                            for number in range(begin, begin + 6)])
        published += [str(receipt.id) for receipt in receipts]
        eventually(partial(is_past, receipts[-1].published + 0.003), 5)
    return published


def is_past(moment: float) -> bool:
    return time.time() > moment


@needs(REPLAY)
def test_read_from_the_beginning(channel: EventChannel, topic: str, filled: list[str]) -> None:
    found = stored(channel, topic)
    assert sorted(ids(found), key=str) == sorted(filled)
    assert in_order(found)


@needs(REPLAY, PARTITIONS)
def test_read_one_partition(channel: EventChannel, topic: str, filled: list[str]) -> None:
    assert ids(stored(channel, topic, Start("beginning", partition=1))) == filled[1::3]
    with pytest.raises(ChannelError):
        stored(channel, topic, Start("beginning", partition=3))


@needs(REPLAY, PARTITIONS)
@pytest.mark.parametrize("offset", [0, 7, 9, 10, 1000])
def test_read_from_an_offset(channel: EventChannel, topic: str, filled: list[str], offset: int) -> None:
    found = stored(channel, topic, Start("offset", offset))
    assert sorted(places(found)) == [(number, each) for number in range(3) for each in range(offset, 10)]
    assert ids(stored(channel, topic, Start("offset", offset, partition=2))) == filled[2::3][offset:]


@needs(REPLAY, PARTITIONS)
@pytest.mark.parametrize("count", [0, 1, 6, 18, 1000])
def test_read_the_last(channel: EventChannel, topic: str, filled: list[str], count: int) -> None:
    assert len(stored(channel, topic)) == 30
    found = set(map(str, ids(stored(channel, topic, Start("last", count)))))
    moments = -(-count // 6) * 6  # what was published at one moment may have one time
    assert len(found) == min(count, 30)
    assert found <= set(filled[-moments:] if count else [])
    of_one = filled[::3][-count:] if count else []
    assert ids(stored(channel, topic, Start("last", count, partition=0))) == of_one


@needs(REPLAY, SEEK_TIME)
def test_read_from_a_time(channel: EventChannel, topic: str, filled: list[str]) -> None:
    moments = {str(delivery.event.id): delivery.published for delivery in stored(channel, topic)}
    for first in (0, 6, 12, 24):
        found = stored(channel, topic, Start("time", min(moments[id_] for id_ in filled[first:first + 6])))
        assert sorted(map(str, ids(found))) == sorted(filled[first:])
    assert len(stored(channel, topic, Start("time", 0))) == 30
    assert stored(channel, topic, Start("time", time.time() + 60)) == []


def test_read_from_the_end(channel: EventChannel, topic: str, filled: list[str]) -> None:
    assert stored(channel, topic, Start("end")) == []
    following = channel.read(topic, Start("end"), "never")
    after = publish(channel, topic, events(3, keys=3))
    found: list[Delivery] = []
    for batch in following:
        found += batch
        if len(found) >= 3:
            break
    assert set(ids(found)) == {receipt.id for receipt in after}


@needs(REPLAY)
def test_read_stored_ends_with_what_was_there_when_it_was_called(
        channel: EventChannel, topic: str, filled: list[str]) -> None:
    reading = channel.read(topic, Start("beginning"), "stored")
    publish(channel, topic, events(5, keys=5))
    assert sorted(str(each.event.id) for batch in reading for each in batch) == sorted(filled)


@pytest.mark.parametrize("last", [0, pytest.param(2, marks=needs(REPLAY))])
def test_read_never_follows_and_shows_that_it_waits(
        channel: EventChannel, topic: str, filled: list[str], last: int) -> None:
    found: list[str | None] = []
    after: list[str | None] = []
    waited = 0
    before = time.monotonic()
    for batch in channel.read(topic, Start("last", last) if last else Start("end"), "never"):
        found += ids(batch)
        if batch:
            continue
        waited += 1
        if waited == 3:
            assert time.monotonic() - before < 10
            after = [receipt.id for receipt in publish(channel, topic, events(4, keys=4))]
        if len(found) >= 4 + last:
            break
    assert waited >= 3
    assert set(found) == {*filled[30 - last:], *after}


def test_a_read_that_follows_says_so_while_others_write(channel: EventChannel, open_channel: Open, name: Name) -> None:
    quiet, busy = name("quiet"), name("busy")
    channel.declare([Topic(quiet), Topic(busy)], [])
    stop = threading.Event()

    def write() -> None:
        writer = open_channel()
        while not stop.wait(0.01):
            publish(writer, busy, events(1))

    writing = threading.Thread(target=write)
    writing.start()
    try:
        began = time.monotonic()
        waited = [batch for batch, _ in zip(channel.read(quiet, Start("end"), "never"), range(5), strict=False)]
        assert len(waited) == 5
        assert not any(waited)
        assert time.monotonic() - began < 10
    finally:
        stop.set()
        writing.join()


@needs(REPLAY, PARTITIONS)
def test_a_read_that_follows_sees_partitions_that_come(channel: EventChannel, open_channel: Open, topic: str) -> None:
    channel.declare([Topic(topic, 1)], [])
    reading = channel.read(topic, Start("beginning"), "never")
    next(reading)
    other = open_channel()
    other.declare([Topic(topic, 3)], [])
    published = publish(other, topic, [event(number, partition=number) for number in range(3)])
    found: list[str | None] = []

    def all_came() -> bool:
        found.extend(ids(next(reading)))
        return len(found) >= 3

    eventually(all_came, 20)
    assert set(found) == {receipt.id for receipt in published}


@pytest.mark.parametrize("at", ["end", pytest.param("beginning", marks=needs(REPLAY))])
def test_a_read_of_a_topic_that_goes_ends(
        channel: EventChannel, open_channel: Open, topic: str, at: Any) -> None:
    channel.declare([Topic(topic)], [])
    reading = channel.read(topic, Start(at), "never")
    next(reading)
    open_channel().remove([topic], [])

    def told() -> bool:
        try:
            next(reading)
        except UnknownTopic:
            return True
        return False

    eventually(told, 20)


@needs(REPLAY)
def test_readers_move_nobody(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    published = publish(channel, topic, events(9, keys=9))
    readings = [channel.read(topic, Start("beginning"), "stored") for _ in range(2)]
    first = [list(reading) for reading in readings]
    assert [len([each for batch in batches for each in batch]) for batches in first] == [9, 9]
    lag_is(channel, group, 9)
    subscription = channel.subscribe(Group(group, (topic,)))
    assert set(ids(drain(subscription, 9))) == {receipt.id for receipt in published}
    subscription.close()


def test_readers_take_nothing_from_a_group(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    readings = [channel.read(topic, Start("end"), "never") for _ in range(2)]
    published = {receipt.id for receipt in publish(channel, topic, events(9, keys=9))}
    for reading in readings:
        found: list[str | None] = []
        while len(found) < 9:
            found += ids(next(reading))
        assert set(found) == published
    lag_is(channel, group, 9)
    subscription = channel.subscribe(Group(group, (topic,)))
    assert set(ids(drain(subscription, 9))) == published
    subscription.close()


@pytest.mark.parametrize("at", ["end", pytest.param("beginning", marks=needs(REPLAY))])
def test_reading_an_unknown_topic_is_refused(channel: EventChannel, topic: str, at: Any) -> None:
    with pytest.raises(UnknownTopic, match=topic):
        stored(channel, topic, Start(at))


# --- look, reset, remove -------------------------------------------------------------------------------


def test_topics_are_told_by_name(channel: EventChannel, name: Name) -> None:
    names = sorted(name(each) for each in ("b", "a"))
    channel.declare([Topic(names[1], 2), Topic(names[0], 1)], [])
    assert [each.name for each in channel.topics() if each.name in names] == names


@needs(REPLAY)
def test_topics_tell_what_they_keep(channel: EventChannel, name: Name) -> None:
    kept, plain = name("kept"), name("plain")
    channel.declare([Topic(kept, 1, retention_s=3600), Topic(plain, 2)], [])
    publish(channel, plain, events(3))
    found = {each.name: (each.retention_s, each.events) for each in channel.topics()}
    assert found[kept] == (3600, 0)
    assert found[plain] == (None, 3)


@needs(REPLAY, PARTITIONS)
def test_topics_tell_how_much_each_partition_holds(channel: EventChannel, topic: str) -> None:
    channel.declare([Topic(topic, 2)], [])
    publish(channel, topic, [event(partition=1), event(partition=1), event(partition=0)])
    (about,) = [each for each in channel.topics() if each.name == topic]
    assert [tuple(place) for place in about.partitions] == [(0, 0, 1), (1, 0, 2)]


@needs(COMPACTION)
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


@needs(PARTITIONS)
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


RESETS = {
    "beginning": (Start("beginning"), {0: 0, 1: 0, 2: 0}),
    "end": (Start("end"), {0: 10, 1: 10, 2: 10}),
    "offset": (Start("offset", 4), {0: 4, 1: 4, 2: 4}),
    "one partition": (Start("offset", 4, partition=1), {0: 10, 1: 4, 2: 10}),
    "last": (Start("last", 6), {0: 8, 1: 8, 2: 8}),
}


@needs(REPLAY, PARTITIONS)
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
    found = drain(subscription, sum(map(len, waiting.values())))
    nothing_more(subscription)
    for number, of_partition in waiting.items():
        assert ids(each for each in found if each.partition == number) == of_partition
    subscription.close()


@needs(REPLAY, OFFSETS)
@pytest.mark.parametrize("which", RESETS)
def test_reset_is_told_by_what_is_committed(
        channel: EventChannel, topic: str, group: str, filled: list[str], which: str) -> None:
    start, expected = RESETS[which]
    channel.declare([], [Group(group, (topic,), "latest")])
    channel.reset(group, [topic] if which == "end" else [], start)
    assert {place.partition: at for place, at in committed(channel, group).items()} == expected
    last = publish(channel, topic, [event(30 + each, partition=each) for each in range(3)])
    assert [receipt.offset for receipt in last] == [10, 10, 10]


@needs(REPLAY, SEEK_TIME)
def test_reset_to_a_time(channel: EventChannel, topic: str, group: str, filled: list[str]) -> None:
    channel.declare([], [Group(group, (topic,), "latest")])
    moment = min(each.published for each in stored(channel, topic) if each.event.id in filled[12:])
    channel.reset(group, [], Start("time", moment))
    subscription = channel.subscribe(Group(group, (topic,)))
    assert set(ids(drain(subscription, 18))) == set(filled[12:])
    subscription.close()


@needs(REPLAY)
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


@needs(REPLAY, OFFSETS)
def test_reset_of_one_topic_leaves_the_offsets_of_others(channel: EventChannel, name: Name, group: str) -> None:
    one, two = name("one"), name("two")
    channel.declare([Topic(one, 1), Topic(two, 1)], [Group(group, (one, two))])
    assert [receipt.offset for receipt in publish(channel, one, events(3))] == [0, 1, 2]
    publish(channel, two, events(3))
    channel.reset(group, [two], Start("end"))
    assert committed(channel, group) == {Place(one, 0): 0, Place(two, 0): 3}


@needs(REPLAY)
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


@needs(REPLAY)
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


@needs(REPLAY)
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
    eventually(lambda: _declared(channel, topic), 10)


def test_a_topic_made_again_carries_what_is_new(channel: EventChannel, topic: str, group: str) -> None:
    make_again(channel, topic)
    channel.declare([], [Group(group, (topic,))])
    publish(channel, topic, [event(7)])
    subscription = channel.subscribe(Group(group, (topic,)))
    assert numbered(drain(subscription, 1)) == [7]
    nothing_more(subscription)
    subscription.close()


@needs(REPLAY)
def test_a_topic_made_again_is_empty(channel: EventChannel, topic: str) -> None:
    make_again(channel, topic)
    assert stored(channel, topic) == []


@needs(OFFSETS)
def test_a_topic_made_again_counts_anew(channel: EventChannel, topic: str) -> None:
    make_again(channel, topic)
    assert [receipt.offset for receipt in publish(channel, topic, events(1))] == [0]


def _declared(channel: EventChannel, topic: str) -> bool:
    channel.declare([Topic(topic, 1)], [])
    return topic in [each.name for each in channel.topics()]


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


# --- what a channel lacks, it refuses at once or leaves unknown --------------------------------------------


def reason(address: Address, ability: Ability) -> str:
    return TECHNOLOGIES[address["channel"]].lacks[ability]


@lacking(REPLAY)
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
        assert reason(channel_address, REPLAY) in str(raised.value)


@lacking(REPLAY)
def test_without_replay_no_group_begins_with_the_earliest_event(
        channel: EventChannel, channel_address: Address, topic: str, group: str) -> None:
    channel.declare([Topic(topic)], [])
    with pytest.raises(ChannelError) as raised:
        channel.declare([], [Group(group, (topic,), "earliest")])
    assert reason(channel_address, REPLAY) in str(raised.value)
    assert group not in [each.name for each in channel.groups()]


@lacking(COMPACTION)
def test_without_compaction_no_topic_is_compacted(channel: EventChannel, channel_address: Address, topic: str) -> None:
    with pytest.raises(ChannelError) as raised:
        channel.declare([Topic(topic, compacted=True)], [])
    assert reason(channel_address, COMPACTION) in str(raised.value)
    assert topic not in [each.name for each in channel.topics()]


@lacking(PARTITIONS)
def test_without_partitions_none_can_be_named(channel: EventChannel, channel_address: Address, topic: str) -> None:
    hints = channel.declare([Topic(topic, 3)], [])
    assert any(topic in hint for hint in hints)
    wishing = event(partition=0)
    with pytest.raises(EventRefused) as raised:
        channel.publish(topic, [wishing])
    assert raised.value.id == wishing.id
    assert reason(channel_address, PARTITIONS) in str(raised.value)
    assert [receipt.partition for receipt in publish(channel, topic, events(1))] == [None]


@lacking(OFFSETS)
def test_without_offsets_each_message_has_a_name(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    assert [receipt.offset for receipt in publish(channel, topic, events(5, keys=5))] == [None] * 5
    subscription = channel.subscribe(Group(group, (topic,)))
    found = drain(subscription, 5)
    assert [delivery.offset for delivery in found] == [None] * 5
    assert len({delivery.message for delivery in found} - {None}) == 5
    subscription.close()


@lacking(LAG)
def test_without_lag_it_is_unknown_and_never_0(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    assert info(channel, group).lag is None
