"""What only Kafka has: other clients on the same log, a broker that goes away, a cluster that is somebody else's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import CommitFailedError

from eda_cli.channels import connect
from eda_cli.channels.base import EventChannel, Group, Start, Topic
from eda_cli.channels.containers import Engine
from eda_cli.errors import BrokerUnreachable, ChannelError, PublishError, UnknownTopic
from eda_cli.event import Event
from tests.channels.acts import Steady, committed, drain, event, events, ids, info, nothing_more, publish, share, stored
from tests.channels.brokers import Broker
from tests.channels.conftest import Address
from tests.eventually import eventually

pytestmark = pytest.mark.broker

Name = Callable[[str], str]


@pytest.fixture
def channel_address(kafka_address: Address) -> Address:
    """Only Kafka in here."""
    return kafka_address


@pytest.fixture
def admin(kafka_address: Address) -> Iterator[Any]:
    client = KafkaAdminClient(bootstrap_servers=kafka_address["at"])
    yield client
    client.close()


@pytest.fixture(scope="module")
def rough(engine: Engine) -> Iterator[Broker]:
    """A broker of its own, for tests that treat it badly and bring it back."""
    broker = Broker(engine, "kafka")
    yield broker
    broker.remove()


def records_of(address: Address, topic: str, count: int) -> list[Any]:
    """What kafka-python's own consumer reads."""
    consumer = KafkaConsumer(topic, bootstrap_servers=address["at"], auto_offset_reset="earliest",
                             enable_auto_commit=False, group_id=None)
    found: list[Any] = []

    def all_came() -> bool:
        found.extend(record for records in consumer.poll(timeout_ms=200).values() for record in records)
        return len(found) >= count

    try:
        eventually(all_came, 15)
    finally:
        consumer.close()
    return found


# --- other clients on the same log ---------------------------------------------------------------------


def test_kafka_pythons_own_consumer_reads_the_headers(
        channel: EventChannel, kafka_address: Address, topic: str) -> None:
    channel.declare([Topic(topic, 1)], [])
    published = event(7, key=b"ann", correlationid="first", subject="s", extensions={"tenant": "north"})
    publish(channel, topic, [published, event(key=b"ann", data=None)])
    record, tombstone = records_of(kafka_address, topic, 2)
    assert dict(record.headers) == {
        "ce_specversion": b"1.0", "ce_id": published.id.encode() if published.id else b"",
        "ce_source": b"/eda/shop/webshop", "ce_type": b"purchaseCreated",
        "ce_time": published.time.encode() if published.time else b"", "ce_subject": b"s", "ce_correlationid": b"first",
        "ce_tenant": b"north", "content-type": b"application/json"}
    assert (record.key, record.value) == (b"ann", b'{"number":7}')
    assert (tombstone.key, tombstone.value) == (b"ann", None)


def test_the_cloudevents_sdk_parses_what_eda_writes(
        channel: EventChannel, kafka_address: Address, topic: str) -> None:
    channel.declare([Topic(topic, 1)], [])
    published = event(7, key=b"ann", causationid="cause", extensions={"tenant": "north"})
    publish(channel, topic, [published])
    (record,) = records_of(kafka_address, topic, 1)
    parsed = from_binary(KafkaMessage(dict(record.headers), record.key, record.value), JSONFormat())
    assert (parsed.get_id(), parsed.get_source(), parsed.get_type()) == (
        published.id, published.source, published.type)
    assert parsed.get_time() == datetime.fromisoformat(published.time or "")
    assert parsed.get_data() == {"number": 7}
    assert parsed.get_datacontenttype() == "application/json"
    assert [parsed.get_extension(name) for name in ("partitionkey", "causationid", "tenant")] == [
        "ann", "cause", "north"]


@pytest.mark.parametrize("mode", [to_binary, to_structured], ids=["binary", "structured"])
def test_eda_reads_what_the_cloudevents_sdk_writes(
        channel: EventChannel, kafka_address: Address, topic: str, mode: Callable[..., KafkaMessage]) -> None:
    channel.declare([Topic(topic, 1)], [])
    message = mode(CloudEvent({
        "id": "7", "source": "/theirs", "type": "orderPaid", "specversion": "1.0", "tenant": "north",
        "partitionkey": "ann", "datacontenttype": "application/json"}, {"number": 7}), JSONFormat())
    producer = KafkaProducer(bootstrap_servers=kafka_address["at"])
    key = message.key.encode() if isinstance(message.key, str) else message.key
    producer.send(topic, message.value, key, list(message.headers.items())).get(10)
    producer.close()
    (found,) = stored(channel, topic)
    assert (found.event.id, found.event.source, found.event.type, found.event.key) == (
        "7", "/theirs", "orderPaid", b"ann")
    assert found.event.body() == {"number": 7}
    assert dict(found.event.extensions) == {"tenant": "north"}


@pytest.fixture
def kcat(kafka_address: Address) -> Callable[..., str]:
    if shutil.which("kcat") is None:
        if os.environ.get("CI"):
            pytest.fail("kcat is not installed")
        pytest.skip("kcat is not installed")

    def run(*args: str, stdin: str = "") -> str:
        command = ["kcat", "-b", kafka_address["at"], *args]
        return subprocess.run(command, input=stdin, check=True, capture_output=True, text=True, timeout=30).stdout

    return run


def test_kcat_reads_what_eda_writes(channel: EventChannel, topic: str, kcat: Callable[..., str]) -> None:
    channel.declare([Topic(topic, 1)], [])
    published = event(7, key=b"ann")
    publish(channel, topic, [published])
    headers, key, value = kcat("-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", "%h|%k|%s").split("|")
    assert (key, value) == ("ann", '{"number":7}')
    assert f"ce_id={published.id}" in headers.split(",")
    assert "ce_specversion=1.0" in headers.split(",")
    assert "content-type=application/json" in headers.split(",")


def test_eda_shows_what_kcat_writes(channel: EventChannel, topic: str, group: str, kcat: Callable[..., str]) -> None:
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    kcat("-P", "-t", topic, "-k", "ann", "-H", "tenant=north", stdin="plain text\n")
    kcat("-P", "-t", topic, "-H", "ce_specversion=1.0", "-H", "ce_id=7", "-H", "ce_source=/kcat",
         "-H", "ce_type=orderPaid", stdin='{"number":7}\n')
    subscription = channel.subscribe(Group(group, (topic,)))
    foreign, theirs = (delivery.event for delivery in drain(subscription, 2))
    assert foreign == Event(None, None, None, None, b"plain text", b"ann", None, headers=(("tenant", b"north"),))
    assert (theirs.id, theirs.source, theirs.type, theirs.body()) == ("7", "/kcat", "orderPaid", {"number": 7})
    subscription.close()


def test_the_lag_of_a_group_that_never_committed_is_unknown(
        channel: EventChannel, kafka_address: Address, topic: str, group: str) -> None:
    channel.declare([Topic(topic, 1)], [])
    publish(channel, topic, events(3))
    consumer = KafkaConsumer(topic, bootstrap_servers=kafka_address["at"], group_id=group, enable_auto_commit=False)
    eventually(lambda: consumer.poll(timeout_ms=100) or consumer.assignment(), 15)
    about = info(channel, group)
    consumer.close()
    assert about.members == 1
    assert [(place.committed, place.end, place.lag) for place in about.places] == [(None, 3, None)]
    assert about.places[0].member
    assert about.lag is None


# --- topics --------------------------------------------------------------------------------------------


def config_of(admin: Any, topic: str) -> dict[str, str]:
    told = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])["topic"][topic]
    return {name: config["value"] for name, config in told.items()}


def test_a_topic_gets_the_settings_it_is_declared_with(channel: EventChannel, admin: Any, name: Name) -> None:
    kept, short, compacted, both = name("kept"), name("short"), name("compacted"), name("both")
    channel.declare([Topic(kept), Topic(short, retention_s=1.5, config={"segment.bytes": "1048576"}),
                     Topic(compacted, compacted=True), Topic(both, retention_s=60, compacted=True)], [])
    assert config_of(admin, kept) == {"retention.ms": "-1"}
    assert config_of(admin, short) == {"retention.ms": "1500", "segment.bytes": "1048576"}
    assert config_of(admin, compacted) == {"retention.ms": "-1", "cleanup.policy": "compact"}
    assert config_of(admin, both) == {"retention.ms": "60000", "cleanup.policy": "compact,delete"}


def test_a_foreign_topic_is_used_and_not_changed(channel: EventChannel, admin: Any, topic: str, name: Name) -> None:
    other = name("other")
    admin.create_topics({each: {"num_partitions": 2, "configs": {"retention.ms": "7654321"}} for each in (topic, other)})
    channel.declare([Topic(topic, partitions=1, retention_s=60, compacted=True)], [])
    publish(channel, topic, events(4))
    assert config_of(admin, topic) == config_of(admin, other) == {"retention.ms": "7654321"}
    assert {each.name: len(each.partitions) for each in channel.topics() if each.name in (topic, other)} == {
        topic: 2, other: 2}
    assert len(stored(channel, topic)) == 4


def test_a_setting_that_the_broker_refuses_is_told_in_its_words(channel: EventChannel, topic: str) -> None:
    with pytest.raises(ChannelError, match=r"create the topics") as raised:
        channel.declare([Topic(topic, config={"no.such.thing": "1"})], [])
    assert "no.such.thing" in raised.value.why
    with pytest.raises(ChannelError):
        channel.declare([Topic("no good name")], [])


def test_the_brokers_own_topics_are_not_shown(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    assert not [each.name for each in channel.topics() if each.name.startswith("__")]


def test_partitions_that_others_add_are_used(channel: EventChannel, admin: Any, topic: str, group: str) -> None:
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    publish(channel, topic, events(1))
    subscription = channel.subscribe(Group(group, (topic,)))
    subscription.done(drain(subscription, 1))
    admin.create_partitions({topic: 2})

    def is_known() -> bool:
        try:
            publish(channel, topic, [event(partition=1)])
        except ChannelError:
            return False
        return True

    eventually(is_known, 15)
    assert [delivery.partition for delivery in drain(subscription, 1)] == [1]
    subscription.close()


def test_a_topic_that_others_delete_is_missed_in_the_end(channel: EventChannel, admin: Any, topic: str) -> None:
    channel.declare([Topic(topic, 1)], [])
    publish(channel, topic, events(1))
    admin.delete_topics([topic])

    def is_missed() -> bool:
        try:
            channel.publish(topic, events(1))
            channel.flush(1)
        except UnknownTopic:
            return True
        except ChannelError:
            pass
        return False

    eventually(is_missed, 30)
    assert topic not in [each.name for each in channel.topics()]


def test_asking_for_a_topic_makes_none_even_where_the_broker_would(engine: Engine) -> None:
    broker = Broker(engine, "kafka", KAFKA_AUTO_CREATE_TOPICS_ENABLE="true")
    channel = connect(broker.address)
    try:
        for act in (lambda: channel.publish("typo", events(1)), lambda: channel.read("typo", Start("end"), "stored"),
                    lambda: channel.subscribe(Group("g", ("typo",))), lambda: channel.remove(["typo"], []),
                    lambda: channel.declare([], [Group("g", ("typo",))])):
            with pytest.raises(UnknownTopic, match="typo"):
                act()
        channel.declare([Topic("orders", 1)], [Group("g", ("orders",))])
        publish(channel, "orders", events(1))
        subscription = channel.subscribe(Group("g", ("orders",)))
        drain(subscription, 1)
        subscription.close()
        channel.remove(["orders"], [])
        with pytest.raises(UnknownTopic):
            channel.publish("orders", events(1))
        assert list(channel.topics()) == []
    finally:
        channel.close()
        broker.remove()


# --- publishing ----------------------------------------------------------------------------------------


def test_what_is_bigger_than_the_broker_takes_is_refused_with_a_way_out(channel: EventChannel, topic: str) -> None:
    channel.declare([Topic(topic, 1)], [])
    small, large = event(data=b"x" * 900_000), event(data=b"x" * 2_000_000)
    with pytest.raises(ChannelError, match="2,000,") as raised:
        channel.publish(topic, [small, large])
    assert "max.message.bytes" in raised.value.hint
    assert [receipt.id for receipt in channel.flush(10)] == [small.id]
    after = publish(channel, topic, events(3))
    assert ids(stored(channel, topic)) == [small.id, *(receipt.id for receipt in after)]


def test_a_topic_may_take_more_or_less_than_others(channel: EventChannel, name: Name) -> None:
    more, less = name("more"), name("less")
    channel.declare([Topic(more, 1, config={"max.message.bytes": "4000000"}),
                     Topic(less, 1, config={"max.message.bytes": "100000"})], [])
    publish(channel, more, [event(data=b"x" * 3_000_000)])
    with pytest.raises(ChannelError):
        channel.publish(less, [event(data=b"x" * 100_000)])
    published = [event(number, data=b"x" * 50_000) for number in range(20)]
    assert len(publish(channel, less, published)) == 20
    assert ids(stored(channel, less)) == [each.id for each in published]


def test_what_the_broker_refuses_all_the_same_is_named_and_the_next_is_stored(
        channel: EventChannel, admin: Any, topic: str) -> None:
    channel.declare([Topic(topic, 1)], [])
    publish(channel, topic, events(1))
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": "10000"})])
    large = event(data=b"x" * 20_000)

    def is_refused() -> bool:
        channel.publish(topic, [large])
        try:
            channel.flush(10)
        except PublishError as wrong:
            assert wrong.unstored == (large.id,)
            assert "max.message.bytes" in wrong.hint
            return True
        return False

    eventually(is_refused, 10)
    assert list(channel.flush(1)) == []
    assert len(publish(channel, topic, events(2))) == 2


def test_more_than_fits_into_care_waits_and_is_not_dropped(channel: EventChannel, topic: str) -> None:
    channel.declare([Topic(topic, 3)], [])
    published = [event(number, data=b"x" * 500_000) for number in range(200)]
    receipts = publish(channel, topic, published)
    assert [receipt.id for receipt in receipts] == [each.id for each in published]


def test_a_topic_made_while_events_are_in_care_loses_none(channel: EventChannel, name: Name) -> None:
    one, two = name("one"), name("two")
    channel.declare([Topic(one, 1)], [])
    channel.publish(one, events(100))
    channel.declare([Topic(two, 1)], [])
    channel.publish(two, events(1))
    assert len(channel.flush(10)) == 101


# --- groups --------------------------------------------------------------------------------------------


def test_members_that_poll_for_no_time_at_all_come_to_an_end_of_dealing(
        channel: EventChannel, kafka_address: Address, topic: str, group: str) -> None:
    """A join that outlives the poll it began in is not begun anew."""
    channel.declare([Topic(topic, 4)], [Group(group, (topic,))])
    other = connect(kafka_address)
    members = [one.subscribe(Group(group, (topic,))) for one in (channel, other)]

    def all_dealt() -> bool:
        for member in members:
            member.poll(0, 0)
        owners = [place.member for place in info(channel, group).places]
        return None not in owners and len(set(owners)) == 2

    eventually(all_dealt, 15)
    for member in members:
        member.close()
    other.close()


def test_what_is_done_is_stored_even_when_members_leave_while_the_group_deals_anew(
        channel: EventChannel, kafka_address: Address, topic: str, group: str) -> None:
    channel.declare([Topic(topic, 4)], [Group(group, (topic,))])
    publish(channel, topic, [event(number, partition=number % 4) for number in range(40)])
    others = [connect(kafka_address) for _ in range(2)]
    members = [one.subscribe(Group(group, (topic,))) for one in (channel, *others)]
    held = [[delivery for polled in [member.poll(0.05, 100)] for delivery in polled.deliveries] for member in members]
    share(channel, group, members)
    for member, deliveries in zip(members, held, strict=True):
        member.done(deliveries)
    seen = [drain_for(member, 1.0) for member in members]
    for member, deliveries in zip(members, seen, strict=True):
        member.done(deliveries)
        member.close()
    for other in others:
        other.close()
    assert info(channel, group).lag == 0
    assert set(committed(channel, group).values()) == {10}


def drain_for(member: Any, seconds: float) -> list[Any]:
    """All that comes within so many seconds."""
    found: list[Any] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found += member.poll(0.1, 100).deliveries
    return found


def test_a_commit_that_fails_after_its_coordinator_was_found_again_is_sent_once_more(
        channel: EventChannel, topic: str, group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    publish(channel, topic, events(5))
    member: Any = channel.subscribe(Group(group, (topic,)))
    held = drain(member, 5)
    coordinator = member._client._coordinator
    lost, refused = iter([True]), iter([True])
    known, send = coordinator.coordinator_unknown, coordinator._send_offset_commit_request

    async def refuse_once(offsets: Any) -> Any:
        if next(refused, False):
            raise CommitFailedError
        return await send(offsets)

    monkeypatch.setattr(coordinator, "coordinator_unknown", lambda: next(lost, False) or known())
    monkeypatch.setattr(coordinator, "_send_offset_commit_request", refuse_once)
    member.done(held)

    def stored_all() -> bool:
        nothing_more(member, 0.1)
        return list(committed(channel, group).values()) == [5]

    eventually(stored_all, 10)
    assert next(refused, None) is None
    member.close()


def test_nothing_is_connected_before_it_is_needed(kafka_address: Address) -> None:
    """The warm process of a run imports this and forks: a thread would not come along."""
    code = ("import sys, threading; from eda_cli.channels import connect, kafka;"
            f"channel = connect({kafka_address!r}); print(threading.active_count()); channel.close()")
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert told.stdout.strip() == "1"
    before = threading.active_count()
    connect(kafka_address).close()
    assert threading.active_count() == before


def test_the_version_is_the_brokers(channel: EventChannel) -> None:
    assert channel.version().startswith("Apache Kafka 4.")


# --- a broker that goes away ---------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["killed", "stopped", "paused", "away for long"])
def test_a_broker_goes_away_and_comes_back(rough: Broker, name: Name, how: str) -> None:
    topic, group = name("topic"), name("group")
    channel = connect(rough.address)
    channel.declare([Topic(topic, 3)], [Group(group, (topic,))])
    subscription = channel.subscribe(Group(group, (topic,)))
    steady = Steady(rough.address, topic)
    handled: list[str | None] = []

    def handle(expected: set[str] | None = None) -> bool:
        deliveries = subscription.poll(0.1, 500).deliveries
        handled.extend(ids(deliveries))
        subscription.done(deliveries)
        return expected is None or expected <= set(handled)

    steady.grows()
    handle()
    rough.go_away(how)
    if how == "away for long":
        eventually(lambda: handle() and steady.refused > 0, 30)
    rough.come_back()
    steady.grows()
    acknowledged = steady.end()
    assert acknowledged <= set(ids(stored(channel, topic))), "an acknowledged event is lost"
    eventually(lambda: handle(acknowledged), 60)
    subscription.close()
    assert info(channel, group).lag == 0
    channel.close()


def test_a_broker_that_is_down_is_told_at_once_and_does_not_hold_up_the_end(rough: Broker, topic: str) -> None:
    channel = connect(rough.address)
    channel.declare([Topic(topic, 1)], [Group("down", (topic,))])
    subscription = channel.subscribe(Group("down", (topic,)))
    publish(channel, topic, events(5))
    subscription.done(drain(subscription, 5)[:1])
    rough.go_away("killed")
    try:
        channel.publish(topic, events(1))
        with pytest.raises(PublishError) as raised:
            channel.flush(1)
        assert len(raised.value.unstored) == 1
        with pytest.raises(BrokerUnreachable, match=rough.address["at"]):
            channel.publish(topic, events(1))
        began = time.monotonic()
        with pytest.raises(ChannelError):
            subscription.done([])
            subscription.close()
        channel.close()
        assert time.monotonic() - began < 10
    finally:
        rough.come_back()

