"""What every event channel keeps. One suite, every channel: a gap would be a strict xfail with its reason.

In the order of the protocol: declare, publish, subscribe, done, share, read, look, reset, remove.
"""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from eda_cli.channels.base import EventChannel, Group, Place, Start, Topic
from eda_cli.errors import ChannelError, EventRefused, UnknownTopic
from eda_cli.event import NO_EXTENSIONS, Delivery, Event
from tests.channels.acts import (
    Worker,
    committed,
    drain,
    event,
    events,
    ids,
    in_order,
    info,
    nothing_more,
    places,
    publish,
    share,
    stored,
)
from tests.channels.conftest import Address, Write
from tests.eventually import eventually

TAKEOVER_S = 10.0
Open = Callable[[], EventChannel]
Name = Callable[[str], str]
Spawn = Callable[..., Worker]


def wait_s(address: Address) -> float:
    """Longer than a channel waits for a sign of life before it gives a member up."""
    return {"embedded": 5.5, "kafka": 8.0}[address["channel"]]


# --- declare -------------------------------------------------------------------------------------------


def test_declared_topics_are_there_with_their_partitions(channel: EventChannel, name: Name) -> None:
    one, two = name("one"), name("two")
    channel.declare([Topic(two, partitions=2), Topic(one)], [])
    found = {topic.name: [place.number for place in topic.partitions] for topic in channel.topics()}
    assert found[one] == [0, 1, 2]
    assert found[two] == [0, 1]


def test_declare_again_changes_nothing_that_is_there(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic, 2)], [Group(group, (topic,), "earliest")])
    published = publish(channel, topic, events(4, keys=4))
    channel.declare([Topic(topic, 1)], [Group(group, (topic,), "latest")])
    assert [len(each.partitions) for each in channel.topics() if each.name == topic] == [2]
    subscription = channel.subscribe(Group(group, (topic,)))
    assert sorted(ids(drain(subscription, 4))) == sorted(receipt.id for receipt in published if receipt.id)
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
    channel.declare([Topic(first, 1), Topic(second, 1)], [Group(group, (first,), "earliest")])
    publish(channel, first, events(3))
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


def test_partitions_may_grow_and_members_read_the_new_ones(
        channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    subscription = channel.subscribe(Group(group, (topic,)))
    publish(channel, topic, events(1))
    subscription.done(drain(subscription, 1))
    channel.declare([Topic(topic, 3)], [])
    assert [len(each.partitions) for each in channel.topics() if each.name == topic] == [3]
    published = publish(channel, topic, [event(number, partition=number) for number in range(3)])
    assert sorted(places(drain(subscription, 3))) == [(0, 1), (1, 0), (2, 0)]
    assert [receipt.partition for receipt in published] == [0, 1, 2]
    subscription.close()


# --- publish -------------------------------------------------------------------------------------------


def test_receipts_tell_where_each_event_is_in_the_order_of_publishing(
        channel: EventChannel, topic: str) -> None:
    channel.declare([Topic(topic, 2)], [])
    published = events(50, keys=7)
    before = time.time()
    receipts = publish(channel, topic, published)
    assert [receipt.id for receipt in receipts] == [each.id for each in published]
    found = {(each.partition, each.offset): each for each in stored(channel, topic)}
    for receipt in receipts:
        there = found[receipt.partition, receipt.offset]
        assert (there.event.id, there.topic, there.published) == (receipt.id, topic, receipt.published)
        assert before - 1 <= receipt.published <= time.time() + 1


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
    channel.declare([Topic(one), Topic(two)], [])
    channel.publish(one, events(2))
    channel.publish(two, events(1))
    channel.publish(one, events(1))
    assert [receipt.topic for receipt in channel.flush(10)] == [one, one, two, one]
    assert (len(stored(channel, one)), len(stored(channel, two))) == (3, 1)


def test_publishing_to_an_unknown_topic_makes_none(channel: EventChannel, topic: str) -> None:
    with pytest.raises(UnknownTopic, match=topic):
        channel.publish(topic, events(1))
    assert topic not in [each.name for each in channel.topics()]


def test_ten_thousand_events_at_once(channel: EventChannel, topic: str) -> None:
    channel.declare([Topic(topic)], [])
    published = events(10_000, keys=100)
    receipts = publish(channel, topic, published)
    assert [receipt.id for receipt in receipts] == [each.id for each in published]
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


def test_keys_lie_where_the_java_client_puts_them(channel: EventChannel, topic: str) -> None:
    channel.declare([Topic(topic, 7)], [])
    receipts = publish(channel, topic, [event(key=key) for key in JAVA_HASHES])
    assert [receipt.partition for receipt in receipts] == [
        (signed & 0x7FFFFFFF) % 7 for signed in JAVA_HASHES.values()]


def test_events_without_a_key_spread_over_the_partitions(channel: EventChannel, topic: str) -> None:
    channel.declare([Topic(topic, 3)], [])
    for _ in range(60):
        publish(channel, topic, events(1))
    assert {delivery.partition for delivery in stored(channel, topic)} == {0, 1, 2}


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
    channel.declare([Topic(topic, 2, compacted=True)], [])
    good, keyless, nowhere = event(key=b"a"), event(key=None), event(key=b"a", partition=7)
    for refused in (keyless, nowhere):
        with pytest.raises(EventRefused) as raised:
            channel.publish(topic, [good, refused, event(key=b"b")])
        assert raised.value.id == refused.id
        assert [receipt.id for receipt in channel.flush(20)] == [good.id]


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
    published = EVENTS[which]
    publish(channel, topic, [published])
    subscription = channel.subscribe(Group(group, (topic,)))
    (polled,) = drain(subscription, 1)
    (found,) = stored(channel, topic)
    assert polled.event == published
    assert found.event == published
    subscription.close()


def test_events_of_others_are_delivered_like_any(
        channel: EventChannel, topic: str, group: str, write_raw: Write) -> None:
    channel.declare([Topic(topic, 2)], [Group(group, (topic,))])
    write_raw(topic, 1, None, b"\xff no json", [("trace", b"1"), ("trace", b"2")])
    write_raw(topic, 1, b"key", None, [])
    expected = [Event(None, None, None, None, b"\xff no json", None, None,
                      headers=(("trace", b"1"), ("trace", b"2"))),
                Event(None, None, None, None, None, b"key", None)]
    assert [delivery.event for delivery in stored(channel, topic)] == expected
    assert expected[0].extensions == NO_EXTENSIONS
    subscription = channel.subscribe(Group(group, (topic,)))
    polled = drain(subscription, 2)
    assert [delivery.event for delivery in polled] == expected
    assert [delivery.identity for delivery in polled] == [f"{topic}/1/0", f"{topic}/1/1"]
    assert all(abs(delivery.published - time.time()) < 60 for delivery in polled)
    subscription.done(polled)
    subscription.close()
    assert info(channel, group).lag == 0


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


def test_committed_offsets_hold_in_another_process(
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
    assert info(channel, group).lag == 0


def handled(member: Worker) -> list[list[object]]:
    return [line for line in member.lines() if line[0] not in ("joined", "lost")]


def test_what_was_not_done_when_its_member_left_comes_again_in_order(
        channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    publish(channel, topic, events(10))
    subscription = channel.subscribe(Group(group, (topic,)))
    subscription.done(drain(subscription, 10)[:4])
    subscription.close()
    subscription = channel.subscribe(Group(group, (topic,)))
    assert [delivery.offset for delivery in drain(subscription, 6)] == [4, 5, 6, 7, 8, 9]
    subscription.close()


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


def test_lag_is_what_is_committed_against_the_end(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic, 2)], [Group(group, (topic,))])
    assert info(channel, group).lag == 0
    publish(channel, topic, [event(number, partition=number % 2) for number in range(10)])
    assert info(channel, group).lag == 10
    subscription = channel.subscribe(Group(group, (topic,)))
    found = drain(subscription, 10)
    subscription.done([delivery for delivery in found if delivery.partition == 0][:2])
    subscription.done([delivery for delivery in found if delivery.partition == 1])
    subscription.close()
    about = info(channel, group)
    assert [(place.place, place.committed, place.end, place.lag) for place in about.places] == [
        (Place(topic, 0), 2, 5, 3), (Place(topic, 1), 5, 5, 0)]
    assert (about.lag, about.members) == (3, 0)


# --- sharing, leaving, dying ---------------------------------------------------------------------------


def dealt(channel: EventChannel, group: str) -> list[int]:
    """How many places each member has; empty while one of them has no owner."""
    owners = Counter(place.member for place in info(channel, group).places)
    return [] if None in owners else sorted(owners.values())


def test_a_group_shares(open_channel: Open, topic: str, group: str) -> None:
    channels = [open_channel(), open_channel()]
    channels[0].declare([Topic(topic, 4)], [Group(group, (topic,))])
    members = [channel.subscribe(Group(group, (topic,))) for channel in channels]
    share(channels[0], group, members)
    assert info(channels[0], group).members == 2
    assert dealt(channels[0], group) == [2, 2]
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


def test_a_member_too_many_waits(open_channel: Open, topic: str, group: str) -> None:
    channels = [open_channel(), open_channel()]
    channels[0].declare([Topic(topic, 1)], [Group(group, (topic,))])
    first, second = (channel.subscribe(Group(group, (topic,))) for channel in channels)
    publish(channels[0], topic, events(3))
    found: list[Delivery] = []

    def all_came() -> bool:
        found.extend(first.poll(0.02, 10).deliveries)
        found.extend(second.poll(0.02, 10).deliveries)
        return len({delivery.offset for delivery in found}) == 3

    eventually(all_came, 20)
    first.close()
    second.close()


def test_who_leaves_hands_over_at_once(open_channel: Open, topic: str, group: str) -> None:
    channels = [open_channel(), open_channel()]
    channels[0].declare([Topic(topic, 2)], [Group(group, (topic,))])
    staying, leaving = (channel.subscribe(Group(group, (topic,))) for channel in channels)
    share(channels[0], group, [staying, leaving])
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
    assert [delivery.offset for delivery in rest] == [2, 3, 4]
    staying.close()


def test_a_place_moves_only_when_it_was_let_go_and_done_there_is_void(
        open_channel: Open, topic: str, group: str) -> None:
    channels = [open_channel(), open_channel()]
    channels[0].declare([Topic(topic, 2)], [Group(group, (topic,))])
    first = channels[0].subscribe(Group(group, (topic,)))
    publish(channels[0], topic, [event(number, partition=number % 2) for number in range(10)])
    held = drain(first, 10)
    first.done([delivery for delivery in held if delivery.offset == 0])
    second = channels[1].subscribe(Group(group, (topic,)))
    nothing_more(second)
    polled = share(channels[0], group, [first, second])
    lost = frozenset[Place]().union(*(each.lost for each in polled))
    again = drain(second, 4)
    (moved,) = {Place(delivery.topic, delivery.partition or 0) for delivery in again}
    assert moved in lost
    assert [delivery.offset for delivery in again] == [1, 2, 3, 4]
    first.done([delivery for delivery in held if delivery.partition == moved.partition])
    first.close()
    assert committed(channels[0], group)[moved] == 1
    second.done(again)
    second.close()
    assert committed(channels[0], group)[moved] == 5


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
    assert info(channels[0], group).lag == 0
    busy.close()
    idle.close()


def test_nothing_is_missed_when_a_member_is_killed(
        channel: EventChannel, topic: str, group: str, worker: Spawn) -> None:
    channel.declare([Topic(topic, 4)], [Group(group, (topic,))])
    members = [worker("member", topic, group, "10") for _ in range(2)]
    eventually(lambda: dealt(channel, group) == [2, 2], 30)
    published = {receipt.id for receipt in publish(channel, topic, events(2000, keys=50))}
    eventually(lambda: all(len(handled(member)) >= 100 for member in members), 30)
    killed = [line for line in members[0].kill() if line[0] not in ("joined", "lost")]
    began = time.monotonic()
    more = {receipt.id for receipt in publish(channel, topic, events(100, keys=50))}
    seen = eventually(lambda: all_of(published | more, killed, handled(members[1])), 30)
    assert time.monotonic() - began < TAKEOVER_S + 5
    members[1].end()
    assert info(channel, group).lag == 0
    assert len(seen) >= 2100
    for one in (killed, seen[len(killed):]):
        assert repeats_are_blocks(one)


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
    eventually(lambda: dealt(channel, group) == [1, 1], 30)
    dying.signal(signal.SIGKILL)
    began = time.monotonic()
    published = publish(channel, topic, [event(number, partition=number) for number in range(2)])
    eventually(lambda: {line[0] for line in handled(staying)} >= {receipt.id for receipt in published}, 20)
    assert time.monotonic() - began < TAKEOVER_S
    staying.end()


def has_told(process: Worker, lines: int) -> bool:
    return len(process.lines()) >= lines


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
    """Thirty events over three partitions, published in five moments; their ids in the order of that."""
    channel.declare([Topic(topic, 3)], [])
    published: list[str] = []
    for begin in range(0, 30, 6):
        receipts = publish(channel, topic, [event(number, partition=number % 3)
                                            for number in range(begin, begin + 6)])
        published += [str(receipt.id) for receipt in receipts]
        eventually(partial(is_past, receipts[-1].published + 0.003), 5)
    return published


def is_past(moment: float) -> bool:
    return time.time() > moment


def test_read_from_the_beginning(channel: EventChannel, topic: str, filled: list[str]) -> None:
    found = stored(channel, topic)
    assert sorted(ids(found), key=str) == sorted(filled)
    assert in_order(found)


def test_read_one_partition(channel: EventChannel, topic: str, filled: list[str]) -> None:
    assert ids(stored(channel, topic, Start("beginning", partition=1))) == filled[1::3]
    with pytest.raises(ChannelError):
        stored(channel, topic, Start("beginning", partition=3))


@pytest.mark.parametrize("offset", [0, 7, 9, 10, 1000])
def test_read_from_an_offset(channel: EventChannel, topic: str, filled: list[str], offset: int) -> None:
    found = stored(channel, topic, Start("offset", offset))
    assert sorted(places(found)) == [(number, each) for number in range(3) for each in range(offset, 10)]
    assert ids(stored(channel, topic, Start("offset", offset, partition=2))) == filled[2::3][offset:]


@pytest.mark.parametrize("count", [0, 1, 6, 18, 1000])
def test_read_the_last(channel: EventChannel, topic: str, filled: list[str], count: int) -> None:
    found = set(map(str, ids(stored(channel, topic, Start("last", count)))))
    moments = -(-count // 6) * 6  # what was published at one moment may have one time
    assert len(found) == min(count, 30)
    assert found <= set(filled[-moments:] if count else [])
    of_one = filled[::3][-count:] if count else []
    assert ids(stored(channel, topic, Start("last", count, partition=0))) == of_one


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


def test_read_stored_ends_with_what_was_there_when_it_was_called(
        channel: EventChannel, topic: str, filled: list[str]) -> None:
    reading = channel.read(topic, Start("beginning"), "stored")
    publish(channel, topic, events(5, keys=5))
    assert sorted(str(each.event.id) for batch in reading for each in batch) == sorted(filled)


def test_read_never_follows_and_shows_that_it_waits(
        channel: EventChannel, topic: str, filled: list[str]) -> None:
    found: list[str | None] = []
    after: list[str | None] = []
    waited = 0
    before = time.monotonic()
    for batch in channel.read(topic, Start("last", 2), "never"):
        found += ids(batch)
        if batch:
            continue
        waited += 1
        if waited == 3:
            assert time.monotonic() - before < 10
            after = [receipt.id for receipt in publish(channel, topic, events(4, keys=4))]
        if len(found) >= 6:
            break
    assert waited >= 3
    assert set(found) == {*filled[-2:], *after}


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


def test_a_read_of_a_topic_that_goes_ends(channel: EventChannel, open_channel: Open, topic: str) -> None:
    channel.declare([Topic(topic)], [])
    reading = channel.read(topic, Start("beginning"), "never")
    next(reading)
    open_channel().remove([topic], [])

    def told() -> bool:
        try:
            next(reading)
        except UnknownTopic:
            return True
        return False

    eventually(told, 20)


def test_readers_move_nobody(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    published = publish(channel, topic, events(9, keys=9))
    readings = [channel.read(topic, Start("beginning"), "stored") for _ in range(2)]
    first = [list(reading) for reading in readings]
    assert [len([each for batch in batches for each in batch]) for batches in first] == [9, 9]
    assert info(channel, group).lag == 9
    subscription = channel.subscribe(Group(group, (topic,)))
    assert set(ids(drain(subscription, 9))) == {receipt.id for receipt in published}
    subscription.close()


def test_reading_an_unknown_topic_is_refused(channel: EventChannel, topic: str) -> None:
    with pytest.raises(UnknownTopic, match=topic):
        stored(channel, topic)


# --- look, reset, remove -------------------------------------------------------------------------------


def test_topics_tell_their_settings_and_how_much_they_hold(channel: EventChannel, name: Name) -> None:
    names = sorted(name(each) for each in ("b-plain", "a-kept", "c-compacted"))
    channel.declare([Topic(names[1], 2), Topic(names[0], 1, retention_s=3600),
                     Topic(names[2], 1, compacted=True)], [])
    publish(channel, names[1], [event(partition=1), event(partition=1), event(partition=0)])
    found = [each for each in channel.topics() if each.name in names]
    assert [each.name for each in found] == names
    assert found[0].retention_s == 3600
    assert [each.compacted for each in found] == [False, False, True]
    assert [each.events for each in found] == [0, 3, 0]
    assert [tuple(place) for place in found[1].partitions] == [(0, 0, 1), (1, 0, 2)]


def test_groups_tell_their_members_by_name(channel: EventChannel, topic: str, name: Name) -> None:
    names = sorted(name(each) for each in ("b", "a"))
    channel.declare([Topic(topic, 2)], [Group(each, (topic,)) for each in names])
    subscription = channel.subscribe(Group(names[0], (topic,)))
    share(channel, names[0], [subscription])
    assert [each.name for each in channel.groups() if each.name in names] == names
    assert [info(channel, each).members for each in names] == [1, 0]
    assert all(place.member for place in info(channel, names[0]).places)
    assert not any(place.member for place in info(channel, names[1]).places)
    subscription.close()


RESETS = {
    "beginning": (Start("beginning"), {0: 0, 1: 0, 2: 0}),
    "end": (Start("end"), {0: 10, 1: 10, 2: 10}),
    "offset": (Start("offset", 4), {0: 4, 1: 4, 2: 4}),
    "one partition": (Start("offset", 4, partition=1), {0: 10, 1: 4, 2: 10}),
    "last": (Start("last", 6), {0: 8, 1: 8, 2: 8}),
}


@pytest.mark.parametrize("which", RESETS)
def test_reset_sets_where_a_group_goes_on(
        channel: EventChannel, topic: str, group: str, filled: list[str], which: str) -> None:
    start, expected = RESETS[which]
    channel.declare([], [Group(group, (topic,), "latest")])
    channel.reset(group, [topic] if which == "end" else [], start)
    assert {place.partition: at for place, at in committed(channel, group).items()} == expected


def test_reset_to_a_time(channel: EventChannel, topic: str, group: str, filled: list[str]) -> None:
    channel.declare([], [Group(group, (topic,), "latest")])
    moment = min(each.published for each in stored(channel, topic) if each.event.id in filled[12:])
    channel.reset(group, [], Start("time", moment))
    subscription = channel.subscribe(Group(group, (topic,)))
    assert set(ids(drain(subscription, 18))) == set(filled[12:])
    subscription.close()


def test_reset_of_one_topic_leaves_the_others(channel: EventChannel, name: Name, group: str) -> None:
    one, two = name("one"), name("two")
    channel.declare([Topic(one, 1), Topic(two, 1)], [Group(group, (one, two))])
    publish(channel, one, events(3))
    publish(channel, two, events(3))
    channel.reset(group, [two], Start("end"))
    assert committed(channel, group) == {Place(one, 0): 0, Place(two, 0): 3}


def test_reset_is_refused_while_the_group_has_members(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    publish(channel, topic, events(3))
    subscription = channel.subscribe(Group(group, (topic,)))
    subscription.done(drain(subscription, 3))
    with pytest.raises(ChannelError):
        channel.reset(group, [], Start("beginning"))
    subscription.close()
    channel.reset(group, [], Start("beginning"))
    assert info(channel, group).lag == 3


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
        stored(channel, gone)
    assert len(stored(channel, kept)) == 5


def test_removing_an_unknown_topic_is_refused(channel: EventChannel, topic: str) -> None:
    with pytest.raises(UnknownTopic, match=topic):
        channel.remove([topic], [])


def test_a_topic_made_again_is_empty(channel: EventChannel, topic: str) -> None:
    channel.declare([Topic(topic, 2)], [])
    publish(channel, topic, events(5))
    channel.remove([topic], [])
    eventually(lambda: topic not in [each.name for each in channel.topics()], 10)
    eventually(lambda: _declared(channel, topic), 10)
    assert stored(channel, topic) == []
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
