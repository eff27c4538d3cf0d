"""Leases, sharing and hand-over on the embedded channel."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from eda_cli.channels import embedded_group
from eda_cli.channels.base import EventChannel, Group, Place, Start, Topic
from eda_cli.channels.embedded_group import balanced
from eda_cli.errors import ChannelError
from tests.channels.acts import Worker, committed, drain, event, events, info, nothing_more, publish, share
from tests.channels.conftest import Address
from tests.eventually import eventually

LEASE_S = 2.0
Spawn = Callable[..., Worker]
T = Group("g", ("t",))


@pytest.fixture
def channel_address(tmp_path: Path) -> Address:
    return {"channel": "embedded", "path": str(tmp_path / "events.db")}


@pytest.fixture
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here and in the processes that a test starts."""
    monkeypatch.setattr(embedded_group, "LEASE_S", LEASE_S)
    monkeypatch.setattr(embedded_group, "BEAT_S", LEASE_S / 5)
    monkeypatch.setenv("LEASE_S", str(LEASE_S))


# --- who gets what -------------------------------------------------------------------------------------


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
@given(some.data())
def test_sharing_is_even_and_moves_as_little_as_can_be(data: some.DataObject) -> None:
    members = data.draw(some.lists(some.integers(1, 9), min_size=1, max_size=5, unique=True))
    partitions = range(data.draw(some.integers(1, 20)))
    before = data.draw(some.dictionaries(some.sampled_from(partitions), some.integers(1, 12)))
    eligible = dict.fromkeys(partitions, members)
    wanted = balanced(eligible, before)
    assert wanted.keys() == set(partitions)
    load = [list(wanted.values()).count(member) for member in members]
    assert sum(load) == len(partitions)
    assert max(load) - min(load) <= 1
    assert balanced(eligible, wanted) == wanted
    fair = len(partitions) // len(members)
    for member in members:
        had = {partition for partition, owner in before.items() if owner == member}
        keeps = {partition for partition in had if wanted[partition] == member}
        assert len(keeps) >= min(len(had), fair)


def test_members_share_only_the_topics_they_take(open_channel: Callable[[], EventChannel]) -> None:
    channel = open_channel()
    channel.declare([Topic("a", 2), Topic("b", 2)], [Group("g", ("a", "b"))])
    both, only = channel.subscribe(Group("g", ("a", "b"))), channel.subscribe(Group("g", ("b",)))
    share(channel, "g", [both, only])
    publish(channel, "a", [event(partition=number) for number in range(2)])
    publish(channel, "b", [event(partition=number) for number in range(2)])
    assert {delivery.topic for delivery in drain(only, 2)} == {"b"}
    assert {delivery.topic for delivery in drain(both, 2)} == {"a"}
    both.close()
    rest = drain(only, 0)
    nothing_more(only)
    assert rest == []
    only.close()


def test_a_group_that_was_not_declared_is_refused(channel: EventChannel) -> None:
    channel.declare([Topic("t")], [])
    with pytest.raises(ChannelError, match="no group 'g'"):
        channel.subscribe(T)


def test_a_group_with_members_is_not_removed(channel: EventChannel) -> None:
    channel.declare([Topic("t")], [T])
    subscription = channel.subscribe(T)
    with pytest.raises(ChannelError, match="1 member"):
        channel.remove(["t"], ["g"])
    assert [topic.name for topic in channel.topics()] == ["t"]
    subscription.close()
    channel.remove(["t"], ["g"])
    assert (channel.topics(), channel.groups()) == ([], [])


def test_a_topic_that_goes_is_lost_and_comes_back_with_the_next(channel: EventChannel) -> None:
    channel.declare([Topic("t", 1)], [T])
    subscription = channel.subscribe(T)
    publish(channel, "t", events(3))
    drain(subscription, 3)
    channel.remove(["t"], [])
    assert eventually(lambda: subscription.poll(0.05, 10).lost, 5) == {Place("t", 0)}
    channel.declare([Topic("t", 1)], [])
    publish(channel, "t", events(2))
    subscription.done(drain(subscription, 2))
    subscription.close()
    assert info(channel, "g").lag == 0


# --- leases --------------------------------------------------------------------------------------------


def test_a_lease_from_before_a_reboot_has_run_out(channel: EventChannel, channel_address: Address) -> None:
    channel.declare([Topic("t", 1)], [T])
    publish(channel, "t", events(3))
    raw = sqlite3.connect(channel_address["path"])
    with raw:
        raw.execute("INSERT INTO members SELECT 77, id, 1, ? FROM groups", (time.monotonic() + 1e6,))
        raw.execute("INSERT INTO member_topics VALUES (77, 't')")
        raw.execute("INSERT INTO places SELECT g.id, p.id, 77, 77 FROM groups g, partitions p")
    raw.close()
    assert info(channel, "g").members == 0
    assert info(channel, "g").places[0].member is None
    subscription = channel.subscribe(T)
    assert len(drain(subscription, 3, 1)) == 3
    subscription.close()


def test_a_wall_clock_that_jumps_moves_no_lease(
        channel: EventChannel, short_lease: None, monkeypatch: pytest.MonkeyPatch) -> None:
    channel.declare([Topic("t", 1)], [T])
    holder, waiting = channel.subscribe(T), channel.subscribe(T)
    publish(channel, "t", events(3))
    held = drain(holder, 3)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    nothing_more(waiting, LEASE_S / 2)
    monkeypatch.setattr(time, "time", lambda: 1.0)
    nothing_more(waiting, LEASE_S / 2)
    holder.done(held)
    holder.close()
    waiting.close()
    assert info(channel, "g").lag == 0


def test_a_suspended_member_finds_out_that_it_lost_its_places(
        channel: EventChannel, worker: Spawn, short_lease: None, channel_address: Address) -> None:
    channel.declare([Topic("t", 2)], [T])
    sleeper = worker("member", "t", "g", "10")
    publish(channel, "t", [event(number, partition=number) for number in range(2)])
    eventually(lambda: info(channel, "g").lag == 0, 20)
    suspend(sleeper, channel_address)
    other = channel.subscribe(T)
    publish(channel, "t", [event(number, partition=number % 2) for number in range(10)])
    found = drain(other, 10, LEASE_S * 3)
    assert len(found) == 10
    sleeper.signal(signal.SIGCONT)

    def woken() -> bool:
        other.poll(0.02, 0)
        lost = sorted(line[1:] for line in sleeper.lines() if line[0] == "lost")
        owners = {place.member for place in info(channel, "g").places}
        assert lost == [["t", 0], ["t", 1]] and len(owners) == 2, f"{lost}, {info(channel, 'g')}"
        return True

    eventually(woken, 10)
    other.close()
    eventually(lambda: info(channel, "g").lag == 0, 10)
    sleeper.end()


def test_done_on_a_lease_that_ran_out_is_void(channel: EventChannel, channel_address: Address) -> None:
    channel.declare([Topic("t", 1)], [T])
    publish(channel, "t", events(5))
    subscription = channel.subscribe(T)
    held = drain(subscription, 5)
    raw = sqlite3.connect(channel_address["path"])
    with raw:
        raw.execute("DELETE FROM members")
        raw.execute("DELETE FROM places")
    raw.close()
    subscription.done(held)
    assert subscription.poll(1, 10) == ((), {Place("t", 0)})
    assert committed(channel, "g") == {Place("t", 0): 0}
    again = drain(subscription, 5)
    assert [delivery.offset for delivery in again] == list(range(5))
    subscription.done(again)
    subscription.close()
    assert committed(channel, "g") == {Place("t", 0): 5}


def test_members_that_all_slept_wake_with_what_they_had(
        channel: EventChannel, worker: Spawn, short_lease: None, channel_address: Address) -> None:
    channel.declare([Topic("t", 4)], [T])
    members = [worker("member", "t", "g", "10") for _ in range(2)]
    eventually(lambda: len({place.member for place in info(channel, "g").places} - {None}) == 2, 20)
    before = publish(channel, "t", [event(number, partition=number) for number in range(4)])
    eventually(lambda: info(channel, "g").lag == 0, 20)
    owners = {place.place: place.member for place in info(channel, "g").places}
    lost = [[line for line in member.lines() if line[0] == "lost"] for member in members]
    for member in members:
        suspend(member, channel_address)
    eventually(lambda: info(channel, "g").members == 0, LEASE_S * 3)
    for member in members:
        member.signal(signal.SIGCONT)
    published = publish(channel, "t", [event(number, partition=number % 4) for number in range(40)])
    eventually(lambda: info(channel, "g").lag == 0, 10)
    eventually(lambda: info(channel, "g").members == 2, 10)
    assert {place.place: place.member for place in info(channel, "g").places} == owners
    told = [member.end() for member in members]
    assert [[line for line in lines if line[0] == "lost"] for lines in told] == lost
    handled = [line[0] for lines in told for line in lines if line[0] not in ("lost", "joined", "idle")]
    assert sorted(handled) == sorted(str(receipt.id) for receipt in (*before, *published))


def suspend(member: Worker, address: Address) -> None:
    """Stop a process, but not while it holds the file's lock: it would keep everybody from writing."""
    raw = sqlite3.connect(address["path"], timeout=0.3, isolation_level=None)
    while True:
        member.signal(signal.SIGSTOP)
        try:
            raw.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            member.signal(signal.SIGCONT)
        else:
            raw.execute("ROLLBACK")
            raw.close()
            return


def test_reset_to_the_last_of_a_topic_counts_over_its_partitions(channel: EventChannel) -> None:
    channel.declare([Topic("t", 2)], [T])
    publish(channel, "t", [event(number, partition=0 if number < 8 else 1) for number in range(10)])
    channel.reset("g", [], Start("last", 5))
    assert committed(channel, "g") == {Place("t", 0): 5, Place("t", 1): 0}


def test_who_joins_has_the_places_of_a_process_that_is_gone_at_once(
        open_channel: Callable[[], EventChannel], channel_address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_group, "LEASE_S", 100.0)
    channel = open_channel()
    channel.declare([Topic("t", 4)], [T])
    killed = channel.subscribe(T)
    killed.poll(0.1, 1)
    gone = subprocess.Popen(["true"])
    gone.wait()
    with closing(sqlite3.connect(channel_address["path"], timeout=5)) as connection, connection:
        connection.execute("UPDATE members SET pid = ?", (gone.pid,))
    publish(channel, "t", [event(partition=number) for number in range(4)])
    other = channel.subscribe(T)
    assert len(drain(other, 4)) == 4
    other.close()
    killed.close()
