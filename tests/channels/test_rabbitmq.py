"""What is RabbitMQ's own, on a real broker: messages of others, its patience, its settings, and brokers that are away."""

from __future__ import annotations

import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pika = pytest.importorskip("pika")

from eda_cli.channels import connect, rabbitmq, rabbitmq_backlog  # noqa: E402  # they need pika
from eda_cli.channels import rabbitmq_names as names  # noqa: E402
from eda_cli.channels.base import EventChannel, Group, Place, Start, Topic  # noqa: E402
from eda_cli.channels.containers import Engine  # noqa: E402
from eda_cli.channels.rabbitmq_catalog import Catalog  # noqa: E402
from eda_cli.channels.rabbitmq_link import Lane, Link, Settings  # noqa: E402
from eda_cli.channels.rabbitmq_streams import ends  # noqa: E402
from eda_cli.errors import BrokerUnreachable, ChannelError, EventRefused, PublishError, UnknownTopic  # noqa: E402
from eda_cli.event import NO_EXTENSIONS, Delivery, Event  # noqa: E402
from tests.channels.acts import (  # noqa: E402
    Steady,
    drain,
    event,
    events,
    ids,
    info,
    lag_is,
    nothing_left,
    nothing_more,
    places,
    publish,
    share,
    stored,
)
from tests.channels.brokers import AddressOf, Broker  # noqa: E402
from tests.channels.contract.words import numbered  # noqa: E402
from tests.eventually import eventually  # noqa: E402

pytestmark = pytest.mark.broker
Address = dict[str, Any]
Name = Callable[[str], str]


@pytest.fixture
def channel_address(broker_address: AddressOf) -> Address:
    """Only RabbitMQ in here."""
    return broker_address("rabbitmq")


@pytest.fixture(scope="module")
def rough(engine: Engine) -> Iterator[Broker]:
    """A broker of its own, for tests that treat it badly and bring it back."""
    broker = Broker(engine, "rabbitmq")
    yield broker
    broker.remove()


def rabbitmqctl(broker: Broker, *command: str) -> None:
    subprocess.run(["docker", "exec", broker.container.id, "rabbitmqctl", *command], check=True, capture_output=True)


def keep_queues(broker: Broker) -> None:
    """A broker that is killed within seconds after a stream or quorum queue was made never finds it again (3.10.8, seen).

    Which there are it notes in tables that it writes to the disk now and then: here now.
    """
    rabbitmqctl(broker, "eval", "[dets:sync(Table) || Table <- dets:all()].")


@pytest.fixture(scope="module")
def impatient(engine: Engine) -> Iterator[Address]:
    """A broker that waits 1 s for a message to be acknowledged, and looks every 0.3 s; its own patience is half an hour."""
    broker = Broker(engine, "rabbitmq", RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=
                    "-rabbit consumer_timeout 1000 -rabbit channel_tick_interval 300")
    yield broker.address
    broker.remove()


@pytest.fixture
def raw(channel_address: Address) -> Iterator[Any]:
    """An AMQP channel of somebody else."""
    connection = pika.BlockingConnection(pika.URLParameters(channel_address["at"]))
    yield connection.channel()
    connection.close()


# --- messages of others --------------------------------------------------------------------------------


def test_messages_without_a_name_are_shown_handled_and_not_lost(
        channel: EventChannel, topic: str, group: str, raw: Any) -> None:
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    for body in (b"tick", b"tick", b"tock"):  # equal, and not the same
        raw.basic_publish(topic, "0", body)
    shown = [Event(None, None, None, None, body, None, None) for body in (b"tick", b"tick", b"tock")]
    eventually(lambda: len(stored(channel, topic)) == 3, 10)
    assert [each.event for each in stored(channel, topic)] == shown
    member = channel.subscribe(Group(group, (topic,)))
    first = drain(member, 3)
    assert [each.event for each in first] == shown
    assert all(each.foreign and each.extensions == NO_EXTENSIONS for each in shown)
    assert [each.message for each in first] == [None] * 3
    assert all(abs(each.published - time.time()) < 60 for each in first)
    member.done(first[:1])
    member.close()
    member = channel.subscribe(Group(group, (topic,)))
    again = drain(member, 2)
    assert [each.event.data for each in again] == [b"tick", b"tock"]
    nothing_more(member)
    member.done(again)
    member.close()
    nothing_left(channel, group, topic)


def test_messages_that_others_gave_one_name_are_told_apart_by_what_they_say(
        channel: EventChannel, topic: str, group: str, raw: Any) -> None:
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    for body in (b"placed", b"paid"):
        raw.basic_publish(topic, "0", body, pika.BasicProperties(message_id="order-7"))
    member = channel.subscribe(Group(group, (topic,)))
    first = [each.message for each in drain(member, 2)]
    member.close()
    assert len(set(first)) == 2
    member = channel.subscribe(Group(group, (topic,)))
    assert [each.message for each in drain(member, 2)] == first
    member.close()


def test_a_member_that_dies_where_its_backlog_ends_leaves_a_group_that_goes_on(
        channel: EventChannel, topic: str, group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    early = Group(group, (topic,), "earliest")
    channel.declare([Topic(topic, 1)], [])
    publish(channel, topic, [event(0), event(1)])
    channel.declare([], [early])
    for where in (Catalog, "write"), (Lane, "call"):  # before it says so, and before the queue goes
        channel.reset(group, (), Start("beginning"))
        member = channel.subscribe(early)
        found = drain(member, 2)
        with monkeypatch.context() as dying:
            dying.setattr(*where, _dies(getattr(*where)))
            with pytest.raises(ZeroDivisionError):
                member.done(found)
                drain(member, 1, 10)
        member.close()
        nothing_left(channel, group, topic)
        member = channel.subscribe(early)
        publish(channel, topic, [event(2)])
        member.done(drain(member, 1))
        member.close()


def test_a_group_is_told_of_while_its_backlog_goes(channel: EventChannel, topic: str, group: str, raw: Any) -> None:
    channel.declare([Topic(topic, 1)], [])
    publish(channel, topic, [event(0)])
    channel.declare([], [Group(group, (topic,), "earliest")])
    assert info(channel, group).lag == 1
    raw.queue_delete(names.backlog(group, Place(topic, 0)))
    assert info(channel, group).lag == 0


def _dies(real: Callable[..., Any]) -> Callable[..., Any]:
    """In place of what ends a backlog: the process is gone."""
    def dying(self: Any, *args: Any, **options: Any) -> Any:
        if args[0] == "queue_delete" or (args[0] and isinstance(args[0], list) and args[0][0]["what"] == "backlog"):
            raise ZeroDivisionError
        return real(self, *args, **options)
    return dying


def test_messages_of_one_name_are_all_there_after_a_reset(
        channel: EventChannel, topic: str, group: str, raw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that comes while the backlog is filled is in the queue only, whatever its name."""
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    raw.confirm_delivery()
    raw.basic_publish(topic, "0", b"placed", pika.BasicProperties(message_id="order-7"))
    read = rabbitmq_backlog.messages

    def and_another(*args: Any) -> Iterator[Any]:
        yield from read(*args)
        raw.basic_publish(topic, "0", b"paid", pika.BasicProperties(message_id="order-7"))

    monkeypatch.setattr(rabbitmq_backlog, "messages", and_another)
    channel.reset(group, [], Start("beginning"))
    member = channel.subscribe(Group(group, (topic,)))
    assert [each.event.data for each in drain(member, 2)] == [b"placed", b"paid"]
    nothing_more(member)
    member.close()


def test_what_goes_into_a_backlog_goes_nowhere_else(
        channel: EventChannel, topic: str, group: str, raw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """RabbitMQ obeys who is to have a copy, and refuses another user's messages; a stream of RabbitMQ 4 gives back both."""
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    raw.confirm_delivery()
    raw.basic_publish(topic, "0", b"placed")
    audit = raw.queue_declare("", exclusive=True).method.queue
    read = rabbitmq_backlog.messages

    def as_of_another(*args: Any) -> Iterator[Any]:
        for found in read(*args):
            found.message.properties.user_id = "another"
            found.message.properties.headers["CC"] = [audit]
            yield found

    monkeypatch.setattr(rabbitmq_backlog, "messages", as_of_another)
    channel.reset(group, [], Start("beginning"))
    lag_is(channel, group, 1)
    assert raw.queue_declare(audit, passive=True).method.message_count == 0


def test_a_moment_in_milliseconds_is_one(channel: EventChannel, topic: str, raw: Any) -> None:
    channel.declare([Topic(topic, 1)], [])
    for moment in (1_700_000_000, 1_700_000_000_000):
        raw.basic_publish(topic, "0", b"tick", pika.BasicProperties(timestamp=moment))
    eventually(lambda: len(stored(channel, topic)) == 2, 10)
    assert [each.published for each in stored(channel, topic)] == [1_700_000_000.0] * 2


def test_a_header_that_pika_cannot_read_is_shown_and_holds_up_nobody(
        channel: EventChannel, topic: str, group: str, raw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    written = pika.data.encode_value

    def as_others_do(pieces: list[bytes], value: Any) -> int:
        if isinstance(value, str) and value.startswith("T:"):
            pieces.append(struct.pack(">cQ", b"T", int(value[2:])))
            return 9
        if isinstance(value, str) and value.startswith("d:"):
            pieces.append(struct.pack(">cd", b"d", float(value[2:])))
            return 9
        return int(written(pieces, value))

    with monkeypatch.context() as patched:
        patched.setattr(pika.data, "encode_value", as_others_do)
        raw.confirm_delivery()
        raw.basic_publish(topic, "0", b"tick", pika.BasicProperties(headers={
            "at": "T:1700000000000", "deep": {"at": "T:1700000000000"}, "ratio": "d:1.75", "when": "T:1700000000"}))
    member = channel.subscribe(Group(group, (topic,)))
    (found,) = drain(member, 1)
    shown = dict(found.event.headers)
    assert (shown["at"], shown["ratio"]) == (b"1700000000000", b"1.75")
    assert shown["when"] == b"2023-11-14 22:13:20+00:00"
    member.done([found])
    member.close()
    lag_is(channel, group, 0)


# --- publishing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("unfit", [
    {"datacontenttype": "x" * 300}, {"extensions": {"x" * 300: "1"}}, {"headers": (("large", b"x" * 200_000),)},
    {"key": b"k" * 200_000}], ids=["content type", "name of an attribute", "header", "key"])
def test_what_amqp_cannot_carry_is_refused_and_nothing_else(channel: EventChannel, topic: str, unfit: dict[str, Any]) -> None:
    channel.declare([Topic(topic, 1)], [])
    first, wrong, other, last = event(0), event(1, **unfit), event(2), event(3)
    with pytest.raises(EventRefused) as raised:
        channel.publish(topic, [first, wrong, other])
    assert raised.value.id == wrong.id
    channel.publish(topic, [last])
    assert [receipt.id for receipt in channel.flush(10)] == [first.id, last.id]
    assert ids(stored(channel, topic)) == [first.id, last.id]


def test_headers_up_to_what_is_taken_come_back(channel: EventChannel, topic: str, group: str) -> None:
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    large = event(headers=(("large", b"x" * 129_000),))
    publish(channel, topic, [large])
    assert [each.event for each in stored(channel, topic)] == [large]
    for _ in range(2):  # the second time with what the broker adds
        member = channel.subscribe(Group(group, (topic,)))
        assert [each.event for each in drain(member, 1)] == [large]
        member.close()


# --- declaring -----------------------------------------------------------------------------------------


def test_names_that_are_too_long_together_are_told_so(channel: EventChannel, name: Name) -> None:
    topic, group = name("t" * 200), name("g" * 40)
    channel.declare([Topic(topic, 1)], [])
    with pytest.raises(ChannelError, match="too long") as raised:
        channel.declare([], [Group(group, (topic,))])
    assert not isinstance(raised.value, BrokerUnreachable)
    assert group not in [each.name for each in channel.groups()]


def test_a_partition_is_one_members_whatever_queues_a_virtual_host_makes(rough: Broker, topic: str, group: str) -> None:
    rabbitmqctl(rough, "add_vhost", "quorum", "--default-queue-type", "quorum")
    rabbitmqctl(rough, "set_permissions", "-p", "quorum", "guest", ".*", ".*", ".*")
    address = {**rough.address, "at": f"{rough.address['at']}/quorum"}
    channel = connect(address)
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    member = channel.subscribe(Group(group, (topic,)))
    share(channel, group, [member])
    connection = pika.BlockingConnection(pika.URLParameters(address["at"]))
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="ACCESS_REFUSED"):
        connection.channel().basic_consume(names.owner(group, Place(topic, 0)), lambda *_: None, exclusive=True)
    connection.close()
    member.close()
    channel.close()


# --- membership ----------------------------------------------------------------------------------------


def test_joining_a_group_that_somebody_else_declared_does_not_set_it_back(
        open_channel: Callable[[], EventChannel], topic: str, group: str) -> None:
    one, other = open_channel(), open_channel()
    one.declare([Topic(topic, 1)], [])
    publish(one, topic, events(5))
    other.declare([], [Group(group, (topic,), "earliest")])
    member = other.subscribe(Group(group, (topic,), "earliest"))
    member.done(drain(member, 5))
    member.close()
    member = one.subscribe(Group(group, (topic,), "earliest"))
    share(one, group, [member])
    nothing_more(member)
    member.close()


def test_who_cannot_join_leaves_nothing_behind(
        channel: EventChannel, topic: str, group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    before = threading.active_count()
    join = rabbitmq.Member._join

    def half(self: Any) -> None:
        join(self)
        raise ChannelError("it cannot join")

    monkeypatch.setattr(rabbitmq.Member, "_join", half)
    with pytest.raises(ChannelError, match="it cannot join"):
        channel.subscribe(Group(group, (topic,)))
    assert threading.active_count() == before
    eventually(lambda: info(channel, group).members == 0, 5)


def test_a_member_hears_a_topic_that_was_made_again(
        channel: EventChannel, open_channel: Callable[[], EventChannel], topic: str, group: str) -> None:
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    member = open_channel().subscribe(Group(group, (topic,)))
    publish(channel, topic, events(2))
    member.done(drain(member, 2))
    channel.remove([topic], [])
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    (receipt,) = publish(channel, topic, [event(9)])
    assert ids(drain(member, 1)) == [receipt.id]
    member.close()


def test_what_a_member_holds_for_longer_than_the_broker_waits_is_lost_to_it_and_comes_again_in_order(
        impatient: Address, topic: str, group: str) -> None:
    channel = connect(impatient)
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    publish(channel, topic, events(50))
    member = channel.subscribe(Group(group, (topic,)))
    held = drain(member, 50)
    member.done(held[:10])
    comes: list[Delivery] = []
    lost: set[Place] = set()

    def is_lost() -> bool:  # or held on to, where a RabbitMQ lets a consumer say how long that may be
        polled = member.poll(0.1, 500)
        lost.update(polled.lost)
        comes.extend(polled.deliveries)
        return bool(lost) or time.monotonic() - began > 4

    began = time.monotonic()
    eventually(is_lost, 20)
    member.done(held[10:20])
    if lost:
        comes += drain(member, 40 - len(comes))
        assert numbered(comes) == list(range(10, 50))
        member.done(comes)
    else:
        member.done(held[20:])
    member.close()
    lag_is(channel, group, 0)
    channel.close()


def test_who_is_quiet_for_longer_than_the_broker_waits_goes_on(impatient: Address, topic: str) -> None:
    """It knows topics by a stream, whose messages are to be acknowledged as any."""
    channel, other = connect(impatient), connect(impatient)
    channel.declare([Topic(topic, 1)], [])
    reading = channel.read(topic, Start("end"), "never")
    publish(channel, topic, events(1))
    found: list[Delivery] = []

    def comes(many: int) -> bool:
        found.extend(next(reading))
        return len(found) == many

    eventually(lambda: comes(1), 10)
    other.declare([Topic(f"{topic}-2", 1)], [])
    began = time.monotonic()
    eventually(lambda: time.monotonic() - began > 3, 5)  # what is waited for is that nothing happens
    publish(channel, topic, events(1))
    eventually(lambda: comes(2), 10)
    assert {topic, f"{topic}-2"} <= {each.name for each in channel.topics()}
    channel.close()
    other.close()


# --- reading -------------------------------------------------------------------------------------------


def test_the_last_and_what_follows_come_once_while_others_write(
        channel: EventChannel, channel_address: Address, topic: str) -> None:
    channel.declare([Topic(topic, 3)], [])
    publish(channel, topic, events(30, keys=9))
    steady = Steady(channel_address, topic)
    found: list[Delivery] = []
    try:
        steady.grows()
        for batch in channel.read(topic, Start("last", 10), "never"):
            found += batch
            if len(found) > 300:
                break
    finally:
        steady.end()
    assert len(set(places(found))) == len(found)


def test_what_a_member_gives_back_while_others_publish_stands_in_its_order(channel_address: Address, name: Name) -> None:
    """What was on its way to it as well: the broker would put that in front where a consumer is cancelled."""
    link, queue, sent, over = Link(Settings.of(channel_address)), name("returned"), 0, threading.Event()
    lane = link.lane()
    lane.call("queue_declare", queue, durable=True, arguments=names.QUEUE)

    def publish_on() -> None:
        nonlocal sent
        while not over.wait(0.001) and sent < 3000:  # each member gets all of them
            lane.tell(lambda channel, number=sent: channel.basic_publish("", queue, str(number).encode()))
            sent += 1

    publisher = threading.Thread(target=publish_on)
    publisher.start()
    came: list[int] = []

    def hear() -> Lane:
        came.clear()
        hearing = link.lane()
        hearing.call("basic_consume", queue, lambda _, method, properties, body: came.append(int(body)))
        return hearing

    for _ in range(20):
        hearing = hear()
        eventually(lambda: came, 10, every=0.001)
        hearing.close()
    over.set()
    publisher.join()
    hear()
    eventually(lambda: len(came) >= sent, 60)
    assert came == list(range(sent))
    lane.call("queue_delete", queue)
    link.close()


def test_who_looks_for_the_end_of_a_topic_that_is_gone_is_told_its_name(channel_address: Address, topic: str) -> None:
    link = Link(Settings.of(channel_address))
    try:
        with pytest.raises(UnknownTopic) as raised:
            ends(link, [names.stream(Place(topic, 0))])
        assert raised.value.topic == topic
    finally:
        link.close()


# --- a broker that goes away ---------------------------------------------------------------------------


@pytest.mark.timeout(180)
@pytest.mark.parametrize("how", ["killed", "stopped", "paused", "away for long"])
def test_a_broker_goes_away_and_comes_back(rough: Broker, name: Name, how: str) -> None:
    topic, group = name("topic"), name("group")
    channel = connect(rough.address)
    channel.declare([Topic(topic, 3)], [Group(group, (topic,))])
    keep_queues(rough)
    member = channel.subscribe(Group(group, (topic,)))
    steady = Steady(rough.address, topic)
    handled: list[str | None] = []
    broken = 0

    def handle(expected: set[str] | None = None) -> bool:
        nonlocal member, broken
        try:
            deliveries = member.poll(0.1, 500).deliveries
            handled.extend(ids(deliveries))
            member.done(deliveries)
        except ChannelError:
            broken += 1
            member.close()
            try:
                member = channel.subscribe(Group(group, (topic,)))
            except ChannelError:
                return False
        return expected is None or expected <= set(handled)

    steady.grows()
    handle()
    rough.go_away(how)
    if how == "away for long":
        eventually(lambda: (handle() or broken) and steady.refused > 0, 60)
    rough.come_back()
    steady.grows()
    acknowledged = steady.end()
    eventually(lambda: handle(acknowledged), 60)
    member.close()
    assert acknowledged <= set(ids(stored(channel, topic))), "an acknowledged event is lost"
    lag_is(channel, group, 0)
    channel.close()


def test_a_flush_names_what_is_not_stored_when_the_broker_hangs(rough: Broker, topic: str) -> None:
    channel = connect(rough.address)
    channel.declare([Topic(topic, 1)], [])
    publish(channel, topic, events(1))
    published = events(50)
    rough.go_away("paused")
    try:
        channel.publish(topic, published)
        with pytest.raises(PublishError) as raised:
            channel.flush(0.5)
    finally:
        rough.come_back()
    assert list(raised.value.unstored) == [each.id for each in published]
    assert len(publish(channel, topic, published)) == 50
    channel.close()


def test_a_broker_that_is_down_is_told_and_does_not_hold_up_the_end(rough: Broker, topic: str, group: str) -> None:
    channel = connect(rough.address)
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    keep_queues(rough)
    member = channel.subscribe(Group(group, (topic,)))
    publish(channel, topic, events(5))
    member.done(drain(member, 5)[:1])
    reading = channel.read(topic, Start("beginning"), "never")
    rough.go_away("killed")
    try:
        with pytest.raises(BrokerUnreachable):
            for _ in range(200):
                member.poll(0.1, 10)
        with pytest.raises(BrokerUnreachable):
            for _ in range(200):
                next(reading)
        with pytest.raises(BrokerUnreachable, match=rough.address["at"]):
            channel.publish(topic, events(1))
        began = time.monotonic()
        member.close()
        channel.close()
        assert time.monotonic() - began < 10
    finally:
        rough.come_back()


@pytest.mark.parametrize(("reason", "said"), [
    (pika.exceptions.StreamLostError("Stream connection lost: ConnectionResetError(104, 'Connection reset by peer')"),
     "Connection reset by peer"),
    (pika.exceptions.ConnectionClosedByBroker(320, "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'"),
     "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'"),
])
def test_why_a_connection_was_lost_is_told_in_the_words_of_who_ended_it(reason: Exception, said: str) -> None:
    assert Settings.of({"at": "amqp://127.0.0.1:1"}).failed(reason).why == said
