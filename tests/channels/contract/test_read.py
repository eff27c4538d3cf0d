"""Read: of no group, moving nobody."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from eda_cli.channels.base import EventChannel, Group, Start, Topic
from eda_cli.errors import ChannelError, UnknownTopic
from eda_cli.event import Delivery
from eda_cli.technologies import Ability
from tests.channels.acts import drain, event, events, ids, in_order, lag_is, places, publish, stored
from tests.channels.contract.words import Name, Open, needs
from tests.eventually import eventually


@needs(Ability.REPLAY)
def test_read_from_the_beginning(channel: EventChannel, topic: str, filled: list[str]) -> None:
    found = stored(channel, topic)
    assert sorted(ids(found), key=str) == sorted(filled)
    assert in_order(found)


@needs(Ability.REPLAY, Ability.PARTITIONS)
def test_read_one_partition(channel: EventChannel, topic: str, filled: list[str]) -> None:
    assert ids(stored(channel, topic, Start("beginning", partition=1))) == filled[1::3]
    with pytest.raises(ChannelError):
        stored(channel, topic, Start("beginning", partition=3))


@needs(Ability.REPLAY, Ability.PARTITIONS)
@pytest.mark.parametrize("offset", [0, 7, 9, 10, 1000])
def test_read_from_an_offset(channel: EventChannel, topic: str, filled: list[str], offset: int) -> None:
    found = stored(channel, topic, Start("offset", offset))
    assert sorted(places(found)) == [(number, each) for number in range(3) for each in range(offset, 10)]
    assert ids(stored(channel, topic, Start("offset", offset, partition=2))) == filled[2::3][offset:]


@needs(Ability.REPLAY, Ability.PARTITIONS)
@pytest.mark.parametrize("count", [0, 1, 6, 18, 1000])
def test_read_the_last(channel: EventChannel, topic: str, filled: list[str], count: int) -> None:
    assert len(stored(channel, topic)) == 30
    found = set(map(str, ids(stored(channel, topic, Start("last", count)))))
    moments = -(-count // 6) * 6  # what was published at one moment may have one time
    assert len(found) == min(count, 30)
    assert found <= set(filled[-moments:] if count else [])
    of_one = filled[::3][-count:] if count else []
    assert ids(stored(channel, topic, Start("last", count, partition=0))) == of_one


@needs(Ability.REPLAY, Ability.SEEK_TIME)
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


@needs(Ability.REPLAY)
def test_read_stored_ends_with_what_was_there_when_it_was_called(
        channel: EventChannel, topic: str, filled: list[str]) -> None:
    reading = channel.read(topic, Start("beginning"), "stored")
    publish(channel, topic, events(5, keys=5))
    assert sorted(str(each.event.id) for batch in reading for each in batch) == sorted(filled)


@pytest.mark.parametrize("last", [0, pytest.param(2, marks=needs(Ability.REPLAY))])
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


@needs(Ability.REPLAY, Ability.PARTITIONS)
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


@pytest.mark.parametrize("at", ["end", pytest.param("beginning", marks=needs(Ability.REPLAY))])
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


@needs(Ability.REPLAY)
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


@pytest.mark.parametrize("at", ["end", pytest.param("beginning", marks=needs(Ability.REPLAY))])
def test_reading_an_unknown_topic_is_refused(channel: EventChannel, topic: str, at: Any) -> None:
    with pytest.raises(UnknownTopic, match=topic):
        stored(channel, topic, Start(at))
