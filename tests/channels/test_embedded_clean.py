"""Retention, compaction and removal on the embedded channel."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from eda_cli.channels import embedded_clean, embedded_publish
from eda_cli.channels.base import EventChannel, Group, Place, Start, Topic
from tests.channels.acts import committed, drain, event, events, ids, info, publish, stored
from tests.channels.conftest import Address

HOUR_S = 3600.0
Later = Callable[[float], None]


@pytest.fixture
def channel_address(tmp_path: Path) -> Address:
    return {"channel": "embedded", "path": str(tmp_path / "events.db")}


def about(channel: EventChannel, topic: str) -> tuple[int | None, list[tuple[int, int]]]:
    (found,) = [each for each in channel.topics() if each.name == topic]
    return found.events, [(place.first, place.end) for place in found.partitions]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the clock of writers on by so many seconds, and lets them clean whenever they write."""
    monkeypatch.setattr(embedded_publish, "CLEAN_S", 0.0)
    real = time.time_ns

    def shift(seconds: float) -> None:
        def shifted() -> int:
            return real() + int(seconds * 1e9)

        monkeypatch.setattr(time, "time_ns", shifted)
        monkeypatch.setattr(embedded_publish, "time_ns", shifted)

    return shift


# --- retention -----------------------------------------------------------------------------------------


def test_writers_delete_what_is_older_than_the_retention(channel: EventChannel, later: Later) -> None:
    channel.declare([Topic("t", 1, retention_s=HOUR_S)], [Group("g", ("t",), "earliest")])
    publish(channel, "t", events(embedded_clean.CHUNK * 2 + 5))
    first = embedded_clean.CHUNK * 2 + 5
    assert about(channel, "t") == (first, [(0, first)])
    later(HOUR_S + 60)
    kept = publish(channel, "t", events(2))
    assert about(channel, "t") == (2, [(first, first + 2)])
    assert ids(stored(channel, "t")) == [receipt.id for receipt in kept]
    assert info(channel, "g").lag == 2
    assert committed(channel, "g") == {Place("t", 0): first}
    assert [delivery.offset for delivery in stored(channel, "t", Start("offset", 3))] == [first, first + 1]


def test_who_fell_behind_what_is_kept_goes_on_at_the_first_event(channel: EventChannel, later: Later) -> None:
    channel.declare([Topic("t", 1, retention_s=HOUR_S)], [Group("g", ("t",), "earliest")])
    publish(channel, "t", events(10))
    subscription = channel.subscribe(Group("g", ("t",)))
    found = drain(subscription, 10)
    subscription.done(found[:5])
    later(HOUR_S + 60)
    publish(channel, "t", events(3))
    more = drain(subscription, 3)
    assert [delivery.offset for delivery in more] == [10, 11, 12]
    subscription.close()
    subscription = channel.subscribe(Group("g", ("t",)))
    again = drain(subscription, 3)
    assert [delivery.offset for delivery in again] == [10, 11, 12]
    subscription.done(again)
    subscription.close()
    assert info(channel, "g").lag == 0


def test_declare_cleans_too_and_an_empty_topic_has_no_lag(channel: EventChannel, later: Later) -> None:
    channel.declare([Topic("t", 2, retention_s=HOUR_S)], [Group("g", ("t",), "earliest")])
    publish(channel, "t", [event(number, partition=number % 2) for number in range(6)])
    later(HOUR_S + 60)
    channel.declare([Topic("t", 2, retention_s=HOUR_S)], [])
    assert about(channel, "t") == (0, [(3, 3), (3, 3)])
    assert info(channel, "g").lag == 0
    subscription = channel.subscribe(Group("g", ("t",)))
    publish(channel, "t", [event(partition=1)])
    assert [delivery.offset for delivery in drain(subscription, 1)] == [3]
    subscription.close()


# --- compaction ----------------------------------------------------------------------------------------


def test_compaction_keeps_the_newest_of_each_key_and_the_tail(channel: EventChannel) -> None:
    channel.declare([Topic("t", 1, compacted=True)], [Group("g", ("t",), "earliest")])
    published = events(5000, keys=10)
    published[7] = event(key=b"rare")
    receipts = [receipt for begin in range(0, 5000, 250)
                for receipt in publish(channel, "t", published[begin:begin + 250])]
    found = stored(channel, "t")
    assert len(found) <= 11 + embedded_clean.TAIL + embedded_clean.CHUNK
    assert {delivery.event.id: delivery.offset for delivery in found}.items() <= {
        receipt.id: receipt.offset for receipt in receipts}.items()
    newest = {each.key: each.id for each in published}
    assert {delivery.event.key: delivery.event.id for delivery in found} == newest
    tail = embedded_clean.TAIL
    assert ids(found[-tail:]) == [each.id for each in published[-tail:]]
    assert about(channel, "t")[0] == len(found)
    subscription = channel.subscribe(Group("g", ("t",)))
    polled = drain(subscription, len(found))
    assert ids(polled) == ids(found)
    subscription.done(polled)
    subscription.close()
    assert info(channel, "g").lag == 0


def test_compaction_reaches_what_earlier_rounds_kept(channel: EventChannel) -> None:
    channel.declare([Topic("t", 2, compacted=True)], [])
    for _ in range(8):
        publish(channel, "t", events(1500, keys=600))
    found = stored(channel, "t")
    assert len(found) <= 600 + 2 * (embedded_clean.TAIL + embedded_clean.CHUNK)
    assert {delivery.event.key for delivery in found} == {b"key-%d" % number for number in range(600)}
    assert about(channel, "t")[0] == len(found)
    for start in (Start("last", 50), Start("time", found[-50].published)):
        assert ids(stored(channel, "t", start)) == ids(found)[-50:]


def test_tombstones_go_after_a_day(channel: EventChannel, later: Later) -> None:
    channel.declare([Topic("t", 1, compacted=True)], [])
    publish(channel, "t", [event(key=b"gone"), event(key=b"gone", data=None)])
    publish(channel, "t", events(4000, keys=5))
    assert [each.event.data for each in stored(channel, "t") if each.event.key == b"gone"] == [None]
    later(embedded_clean.TOMBSTONE_S + 60)
    channel.declare([Topic("t", 1, compacted=True)], [])
    found = stored(channel, "t")
    assert b"gone" not in {delivery.event.key for delivery in found}
    assert about(channel, "t")[0] == len(found)


def test_compaction_and_retention_together(channel: EventChannel, later: Later) -> None:
    channel.declare([Topic("t", 1, retention_s=HOUR_S, compacted=True)], [])
    publish(channel, "t", events(4000, keys=50))
    later(HOUR_S + 60)
    publish(channel, "t", events(3, keys=3))
    assert about(channel, "t") == (3, [(4000, 4003)])
    assert len(stored(channel, "t")) == 3


# --- removal -------------------------------------------------------------------------------------------


def test_the_events_of_a_removed_topic_leave_the_file(channel: EventChannel) -> None:
    channel.declare([Topic("t", 2), Topic("kept", 1)], [])
    publish(channel, "t", events(embedded_clean.CHUNK * 3))
    publish(channel, "kept", events(3))
    channel.remove(["t"], [])
    connection = channel._store._connection  # type: ignore[attr-defined]
    assert connection.execute("SELECT count(*) FROM events").fetchone() == (3,)
    assert connection.execute("SELECT count(*) FROM garbage").fetchone() == (0,)
    assert len(stored(channel, "kept")) == 3


def test_a_removal_that_was_killed_halfway_is_ended_by_declare(
        channel: EventChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    channel.declare([Topic("t", 2)], [])
    publish(channel, "t", events(100))
    with monkeypatch.context() as killed:
        killed.setattr(embedded_clean, "sweep", lambda store: None)
        channel.remove(["t"], [])
    channel.declare([Topic("t", 1)], [])
    assert stored(channel, "t") == []
    connection = channel._store._connection  # type: ignore[attr-defined]
    assert connection.execute("SELECT count(*) FROM events").fetchone() == (0,)
