"""What only the embedded channel has: its file, its transactions, its errors in our words."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eda_cli.channels import connect, embedded_publish
from eda_cli.channels.base import EventChannel, Group, Start, Topic
from eda_cli.channels.embedded_store import PATIENCE_S
from eda_cli.errors import BrokerUnreachable, ChannelError, PublishError
from tests.channels.acts import ROOT, Worker, drain, event, events, ids, publish, share, stored
from tests.channels.conftest import Address
from tests.eventually import eventually

Spawn = Callable[..., Worker]


@pytest.fixture
def channel_address(tmp_path: Path) -> Address:
    return {"channel": "embedded", "path": str(tmp_path / "events.db")}


@pytest.fixture
def file(channel_address: Address) -> Path:
    return Path(channel_address["path"])


@pytest.fixture
def raw(file: Path) -> Iterator[Callable[[], sqlite3.Connection]]:
    """Opens the file past eda."""
    opened: list[sqlite3.Connection] = []

    def another() -> sqlite3.Connection:
        opened.append(sqlite3.connect(file, timeout=5, isolation_level=None, check_same_thread=False))
        return opened[-1]

    yield another
    for connection in opened:
        connection.close()


# --- the file ------------------------------------------------------------------------------------------


def test_several_processes_make_the_file_at_once(channel_address: Address, channel: EventChannel) -> None:
    channel.close()
    Path(channel_address["path"]).unlink()
    code = ("import sys; from eda_cli.channels import connect; from eda_cli.channels.base import *\n"
            "from tests.channels.acts import *\n"
            "channel = connect({'channel': 'embedded', 'path': sys.argv[1]})\n"
            "channel.declare([Topic('t', 2)], [Group('g', ('t',))]); publish(channel, 't', events(10))")
    started = [subprocess.Popen([sys.executable, "-c", code, channel_address["path"]], cwd=ROOT)
               for _ in range(6)]
    assert [process.wait(30) for process in started] == [0] * 6
    channel = connect(channel_address)
    assert len(stored(channel, "t")) == 60
    channel.close()


def test_many_connections_make_the_file_at_once(channel_address: Address, channel: EventChannel) -> None:
    for _ in range(10):
        channel.close()
        Path(channel_address["path"]).unlink()
        together = threading.Barrier(8)
        failures: list[BaseException] = []

        def make(together: threading.Barrier = together, failures: list[BaseException] = failures) -> None:
            together.wait()
            try:
                connect(channel_address).close()
            except ChannelError as failure:
                failures.append(failure)

        threads = [threading.Thread(target=make) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        channel = connect(channel_address)
    channel.close()


def test_no_thread_before_a_subscription_and_none_after(channel: EventChannel) -> None:
    before = threading.active_count()
    channel.declare([Topic("t")], [Group("g", ("t",))])
    publish(channel, "t", events(3))
    stored(channel, "t")
    assert threading.active_count() == before
    subscription = channel.subscribe(Group("g", ("t",)))
    assert threading.active_count() == before + 1
    subscription.close()
    assert threading.active_count() == before


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(BrokerUnreachable, match="folder does not exist"):
        connect({"channel": "embedded", "path": str(tmp_path / "missing" / "events.db")})
    with pytest.raises(BrokerUnreachable, match="is a folder"):
        connect({"channel": "embedded", "path": str(tmp_path)})


def test_a_file_that_is_no_database_is_refused_and_kept(file: Path, channel_address: Address) -> None:
    file.write_text("not a database at all, but a text of some length\n" * 100)
    with pytest.raises(ChannelError, match="damaged"):
        connect(channel_address)
    assert file.read_text().startswith("not a database")


def test_a_database_of_somebody_else_is_refused_and_kept(
        file: Path, channel_address: Address, raw: Callable[[], sqlite3.Connection]) -> None:
    raw().execute("CREATE TABLE accounts (id INTEGER)")
    before = file.read_bytes()
    with pytest.raises(ChannelError, match="no event file"):
        connect(channel_address)
    assert file.read_bytes() == before


def test_a_file_of_another_version_is_refused(
        channel: EventChannel, channel_address: Address, raw: Callable[[], sqlite3.Connection]) -> None:
    raw().execute("PRAGMA user_version = 99")
    with pytest.raises(ChannelError, match="format 99"):
        connect(channel_address)


def test_a_damaged_file_is_told_as_such(open_channel: Callable[[], EventChannel], file: Path) -> None:
    channel = open_channel()
    channel.declare([Topic("t", 1)], [])
    publish(channel, "t", events(2000))
    channel.close()
    content = bytearray(file.read_bytes())
    content[8192:] = b"\xa5" * (len(content) - 8192)
    file.write_bytes(content)
    with pytest.raises(ChannelError, match="damaged"):
        stored(open_channel(), "t")


def test_a_file_that_was_removed_is_missed_by_all(channel: EventChannel, file: Path) -> None:
    channel.declare([Topic("t", 1)], [Group("g", ("t",))])
    subscription = channel.subscribe(Group("g", ("t",)))
    reading = channel.read("t", Start("end"), "never")
    assert list(next(reading)) == []
    file.unlink()
    channel.publish("t", events(2))
    with pytest.raises(PublishError, match="removed") as caught:
        channel.flush(5)
    assert len(caught.value.unstored) == 2
    with pytest.raises(BrokerUnreachable, match="removed"):
        eventually(lambda: subscription.poll(0.1, 10).deliveries, 5)
    with pytest.raises(BrokerUnreachable, match="removed"):
        eventually(lambda: next(reading), 5)
    with pytest.raises(BrokerUnreachable):
        subscription.close()


def test_a_reader_leaves_the_log_free_to_be_written_back(channel: EventChannel, file: Path) -> None:
    channel.declare([Topic("t", 1)], [])
    reading = channel.read("t", Start("beginning"), "never")
    seen = 0
    for _ in range(8):
        publish(channel, "t", events(5000))
        while batch := next(reading):
            seen += len(batch)
    assert seen == 40_000
    assert file.with_name("events.db-wal").stat().st_size < 20_000_000


@pytest.mark.parametrize("name", ["", "a b", "ü", "..", "x" * 250])
def test_names_that_kafka_refuses_are_refused(channel: EventChannel, name: str) -> None:
    with pytest.raises(ChannelError, match="name"):
        channel.declare([Topic(name)], [])


def test_a_topic_needs_a_partition(channel: EventChannel) -> None:
    with pytest.raises(ChannelError, match="0 partitions"):
        channel.declare([Topic("kept"), Topic("t", 0)], [])
    assert channel.topics() == []


def test_what_the_config_says_as_kafka_would_is_heard(channel: EventChannel) -> None:
    channel.declare([Topic("kept", config={"retention.ms": "60000"}),
                     Topic("newest", config={"cleanup.policy": "compact,delete", "retention.ms": "-1"})], [])
    assert [(topic.retention_s, topic.compacted) for topic in channel.topics()] == [(60.0, False), (None, True)]
    with pytest.raises(ChannelError, match=r"retention\.ms of 'week'"):
        channel.declare([Topic("t", config={"retention.ms": "week"})], [])


# --- publishing ----------------------------------------------------------------------------------------


def test_a_full_disk_names_what_is_not_stored_and_stores_no_half(
        channel: EventChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    channel.declare([Topic("t", 1)], [])
    kept = publish(channel, "t", events(3))
    connection: sqlite3.Connection = channel._store._connection  # type: ignore[attr-defined]
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    published = events(10, data=b"x" * 9000)
    channel.publish("t", published)
    with pytest.raises(PublishError, match="disk is full") as caught:
        channel.flush(5)
    assert list(caught.value.unstored) == [each.id for each in published]
    assert ids(stored(channel, "t")) == [receipt.id for receipt in kept]
    connection.execute("PRAGMA max_page_count = 1000000")
    assert [receipt.offset for receipt in publish(channel, "t", events(2))] == [3, 4]


def test_a_locked_file_holds_up_the_flush_for_as_long_as_it_may(
        channel: EventChannel, raw: Callable[[], sqlite3.Connection]) -> None:
    channel.declare([Topic("t", 1)], [])
    other = raw()
    other.execute("BEGIN IMMEDIATE")
    channel.publish("t", events(3))
    with pytest.raises(PublishError, match="locked") as caught:
        channel.flush(0.2)
    assert len(caught.value.unstored) == 3
    assert caught.value.receipts == ()
    channel.publish("t", events(2))
    releasing = threading.Timer(0.2, other.execute, ("ROLLBACK",))
    releasing.start()
    assert len(channel.flush(PATIENCE_S)) == 2
    releasing.join()


def test_what_was_stored_early_is_told_when_the_rest_is_not(
        channel: EventChannel, raw: Callable[[], sqlite3.Connection]) -> None:
    channel.declare([Topic("t", 1)], [])
    early = events(embedded_publish.FULL_EVENTS)
    channel.publish("t", early)
    other = raw()
    other.execute("BEGIN IMMEDIATE")
    late = events(3)
    channel.publish("t", late)
    with pytest.raises(PublishError) as caught:
        channel.flush(0.1)
    assert list(caught.value.unstored) == [each.id for each in late]
    assert [receipt.id for receipt in caught.value.receipts] == [each.id for each in early]  # type: ignore[attr-defined]
    other.execute("ROLLBACK")


def test_a_topic_that_goes_between_publish_and_flush_is_told(
        open_channel: Callable[[], EventChannel]) -> None:
    channel, other = open_channel(), open_channel()
    channel.declare([Topic("t", 1), Topic("kept", 1)], [])
    lost, kept = events(2), events(2)
    channel.publish("t", lost)
    channel.publish("kept", kept)
    other.remove(["t"], [])
    with pytest.raises(PublishError, match="removed") as caught:
        channel.flush(5)
    assert list(caught.value.unstored) == [each.id for each in lost]
    assert ids(stored(channel, "kept")) == [each.id for each in kept]


def test_text_that_is_no_text_is_refused(channel: EventChannel) -> None:
    channel.declare([Topic("t", 1)], [])
    with pytest.raises(ChannelError, match="cannot be encoded"):
        channel.publish("t", [event(subject="\ud800")])
    assert list(channel.flush(5)) == []


def test_times_never_go_back_and_tell_the_order_of_publishing(
        channel: EventChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    channel.declare([Topic("t", 3)], [])
    published = events(300, keys=50)
    clock = iter([2_000_000_000_000_000_000, 1_000_000_000_000_000_000, 2_000_000_000_000_050_000])
    monkeypatch.setattr(embedded_publish, "time_ns", lambda: next(clock))
    for begin in (0, 100, 200):
        publish(channel, "t", published[begin:begin + 100])
    found = stored(channel, "t")
    assert ids(found) == [each.id for each in published]
    times = [delivery.published for delivery in found]
    assert times == sorted(set(times))
    assert ids(stored(channel, "t", Start("last", 42))) == [each.id for each in published[-42:]]
    assert ids(stored(channel, "t", Start("time", times[77]))) == [each.id for each in published[77:]]


def test_one_large_batch_without_keys_is_spread_evenly(channel: EventChannel) -> None:
    channel.declare([Topic("t", 3)], [])
    receipts = publish(channel, "t", events(3000))
    assert [sum(receipt.partition == number for receipt in receipts) for number in range(3)] == [1000] * 3


def test_large_bodies_come_in_pages_of_bounded_size(channel: EventChannel) -> None:
    channel.declare([Topic("t", 1)], [Group("g", ("t",))])
    publish(channel, "t", events(200, data=b"x" * 100_000))
    subscription = channel.subscribe(Group("g", ("t",)))
    share(channel, "g", [subscription])
    sizes = []
    while sum(sizes) < 200:
        sizes.append(len(subscription.poll(1, 500).deliveries))
    assert max(sizes) <= 100
    subscription.close()


def test_an_attribute_blob_that_is_none_is_an_error_of_the_channel(
        channel: EventChannel, raw: Callable[[], sqlite3.Connection]) -> None:
    channel.declare([Topic("t", 1)], [])
    publish(channel, "t", events(1))
    for garbage in (b"garbage", "text"):
        raw().execute("UPDATE events SET attributes = ?", (garbage,))
        with pytest.raises(ChannelError, match="damaged"):
            stored(channel, "t")


# --- kills and crowds ----------------------------------------------------------------------------------


def test_four_processes_write_at_once(channel: EventChannel, worker: Spawn) -> None:
    channel.declare([Topic("t", 3)], [Group("g", ("t",))])
    writers = [worker("publisher", "t", "20") for _ in range(4)]
    eventually(lambda: all(len(writer.lines()) >= 1000 for writer in writers), 30)
    told = [writer.end() for writer in writers]
    count = sum(map(len, told))
    found = {(delivery.partition, delivery.offset): delivery.event.id for delivery in stored(channel, "t")}
    assert len(found) == count
    for lines in told:
        assert all(found[partition, offset] == id_ for id_, partition, offset in lines)
        for number in range(3):
            offsets = [offset for _, partition, offset in lines if partition == number]
            assert offsets == sorted(offsets)
    assert_dense(channel)
    subscription = channel.subscribe(Group("g", ("t",)))
    assert len(set(ids(drain(subscription, count)))) == count
    subscription.close()


def test_a_writer_may_be_killed_at_any_moment(
        channel: EventChannel, worker: Spawn, raw: Callable[[], sqlite3.Connection]) -> None:
    channel.declare([Topic("t", 3)], [])
    for round_ in range(8):
        writer = worker("publisher", "t", "30")
        eventually(lambda writer=writer, least=100 + 37 * round_: len(writer.lines()) >= least, 30)
        told = writer.kill()
        found = {(each.partition, each.offset): each.event.id for each in stored(channel, "t")}
        assert all(found[partition, offset] == id_ for id_, partition, offset in told)
        assert_dense(channel)
    assert raw().execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def assert_dense(channel: EventChannel) -> None:
    for number in range(3):
        offsets = [each.offset for each in stored(channel, "t", Start("beginning", partition=number))]
        assert offsets == list(range(len(offsets)))
