"""What is ActiveMQ's own, on a real broker: clients of others, deaths, its settings, and brokers that are away."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from statistics import median
from typing import Any

import pytest

from eda_cli.channels import activemq_broker, activemq_link, connect
from eda_cli.channels.activemq import ActiveMQChannel
from eda_cli.channels.activemq_greeting import Unwelcome, greet
from eda_cli.channels.activemq_link import Link, Settings
from eda_cli.channels.activemq_names import queue
from eda_cli.channels.base import EventChannel, Group, Start, Topic
from eda_cli.channels.containers import Engine
from eda_cli.errors import BrokerRefused, BrokerUnreachable, ChannelError, PublishError, UnknownTopic
from eda_cli.event import Delivery
from tests.channels.acts import Worker, drain, event, events, ids, info, nothing_more, publish
from tests.channels.brokers import AddressOf, Broker
from tests.eventually import eventually

pytestmark = pytest.mark.broker
Address = dict[str, Any]
Name = Callable[[str], str]
NOWHERE = {"channel": "activemq", "at": "stomp://127.0.0.1:1"}


@pytest.fixture
def address(broker_address: AddressOf) -> Address:
    return broker_address("activemq")


@pytest.fixture
def channel(address: Address) -> Iterator[EventChannel]:
    made = connect(address)
    yield made
    made.close()


@pytest.fixture
def own_broker(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Broker]]:
    """Starts a broker of the test's own, with other settings: pairs of what stands there, and what instead."""
    started: list[Broker] = []

    def start(*changes: tuple[str, str]) -> Broker:
        config = activemq_broker._CONFIG
        for old, new in changes:
            assert old in config
            config = config.replace(old, new)
        monkeypatch.setattr(activemq_broker, "_CONFIG", config)
        started.append(Broker(engine, "activemq"))
        return started[-1]

    yield start
    for each in started:
        each.remove()


class Other:
    """A program of somebody else, with stomp.py."""

    def __init__(self, address: Address) -> None:
        import stomp

        self.heard: list[Any] = []
        port = int(address["at"].rpartition(":")[2])
        self.connection = stomp.Connection12([("127.0.0.1", port)], auto_decode=False)
        self.connection.set_listener("", self)
        self.connection.connect(wait=True)

    def on_message(self, frame: Any) -> None:
        self.heard.append(frame)

    def close(self) -> None:
        self.connection.disconnect()


@pytest.fixture
def other(address: Address) -> Iterator[Other]:
    made = Other(address)
    yield made
    made.close()


# --- programs of others --------------------------------------------------------------------------------


def test_others_hear_a_group_by_its_queue_and_see_the_attributes(channel: EventChannel, other: Other, name: Name) -> None:
    topic, group = name("orders.eu"), name("billing")
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    published = event(7, key=b"ann")
    publish(channel, topic, [published])
    other.connection.subscribe(f"/queue/Consumer.{group}.VirtualTopic.{topic}", id="1", ack="auto")
    (frame,) = eventually(lambda: other.heard, 10)
    assert frame.body == b'{"number":7}'
    assert frame.headers["cloudEvents_id"] == published.id
    assert frame.headers["cloudEvents_partitionkey"] == "ann"
    assert frame.headers["content-type"] == "application/json"
    eventually(lambda: info(channel, group).lag == 0, 10)


def test_what_others_publish_is_heard_as_text_and_as_bytes(channel: EventChannel, other: Other, name: Name) -> None:
    topic, group = name("orders"), name("billing")
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    member = channel.subscribe(Group(group, (topic,)))
    other.connection.send(f"/topic/VirtualTopic.{topic}", b"\x00\xff", headers={"tenant": "north: ü", "persistent": "true"})
    other.connection.auto_content_length = False
    other.connection.send(f"/topic/VirtualTopic.{topic}", "héllo", headers={"correlation-id": "7"})
    found = drain(member, 2)
    assert [delivery.event.data for delivery in found] == [b"\x00\xff", "héllo".encode()]
    assert [delivery.event.headers for delivery in found] == [(("tenant", "north: ü".encode()),), (("correlation-id", b"7"),)]
    assert all(delivery.event.foreign and abs(delivery.published - time.time()) < 60 for delivery in found)
    assert found[0].identity == f"{topic}/{found[0].message}"
    member.done(found)
    member.close()
    assert info(channel, group).lag == 0


def test_a_program_of_others_in_the_group_takes_its_share(channel: EventChannel, other: Other, name: Name) -> None:
    topic, group = name("orders"), name("billing")
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    member = channel.subscribe(Group(group, (topic,)))
    other.connection.subscribe(f"/queue/Consumer.{group}.VirtualTopic.{topic}", id="1", ack="auto")
    eventually(lambda: info(channel, group).members == 2, 10)
    publish(channel, topic, events(20))
    found: list[Delivery] = []

    def all_came() -> bool:
        found.extend(member.poll(0.02, 100).deliveries)
        return len(found) + len(other.heard) == 20

    eventually(all_came, 10)
    assert found and other.heard
    member.close()


# --- deaths --------------------------------------------------------------------------------------------


def test_an_event_whose_members_die_often_is_not_given_up_by_the_broker(channel: EventChannel, name: Name) -> None:
    topic, group = name("orders"), name("billing")
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    (receipt,) = publish(channel, topic, [event(key=b"a")])
    messages = set()
    for _ in range(12):
        member = channel.subscribe(Group(group, (topic,)))
        (delivery,) = drain(member, 1)
        messages.add(delivery.message)
        member._link.drop()  # type: ignore[attr-defined]  # as a process that is killed
    assert len(messages) == 1  # by which a consumer knows it again
    member = channel.subscribe(Group(group, (topic,)))
    found = drain(member, 1)
    assert ids(found) == [receipt.id]
    member.done(found)
    member.close()
    assert info(channel, group).lag == 0


def test_the_order_of_a_key_outlives_a_member(
        channel: EventChannel, address: Address, name: Name, worker_of: Callable[..., Worker]) -> None:
    topic, group = name("orders"), name("billing")
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    members = [worker_of(address, "member", topic, group, "10") for _ in range(2)]
    eventually(lambda: info(channel, group).members == 2, 30)
    published = events(3000, keys=40)
    for begin in range(0, 3000, 100):
        publish(channel, topic, published[begin:begin + 100])
    eventually(lambda: all(len(told(each)) > 50 for each in members), 30)
    killed = [line[0] for line in members[0].kill() if line[0] not in ("joined", "lost", "idle")]
    wanted = {each.id for each in published}
    eventually(lambda: {*killed, *told(members[1])} >= wanted, 60)
    survived = told(members[1])
    members[1].end()
    key_of = {each.id: each.key for each in published}
    number_of = {each.id: number for number, each in enumerate(published)}
    for key in set(key_of.values()):
        for one in (killed, survived):  # what the dead one had not done comes again, before what came later
            numbers = [number_of[id_] for id_ in one if key_of[id_] == key]
            assert numbers == sorted(numbers), key


def told(member: Worker) -> list[Any]:
    return [line[0] for line in member.lines() if line[0] not in ("joined", "lost", "idle")]


@pytest.fixture
def worker_of() -> Iterator[Callable[..., Worker]]:
    started: list[Worker] = []

    def start(address: Address, *args: str) -> Worker:
        started.append(Worker(address, *args))
        return started[-1]

    yield start
    for each in started:
        each.close()


def test_a_killed_broker_keeps_what_it_acknowledged_and_what_was_declared(own_broker: Callable[..., Broker]) -> None:
    broker = own_broker()
    channel = connect(broker.address)
    channel.declare([Topic("orders"), Topic("quiet")],
                    [Group("billing", ("orders",)), Group("audit", ("orders", "quiet"))])
    kept = [receipt.id for receipt in publish(channel, "orders", events(250))]
    broker.go_away("killed")
    member_of_nothing = pytest.raises(ChannelError)
    with member_of_nothing:
        channel.publish("orders", events(1))
        channel.flush(5)
    broker.come_back()
    assert [topic.name for topic in channel.topics()] == ["orders", "quiet"]
    assert [(group.name, group.lag) for group in channel.groups()] == [("audit", 250), ("billing", 250)]
    later = [receipt.id for receipt in publish(channel, "quiet", events(3))]
    member = channel.subscribe(Group("billing", ("orders",)))
    assert ids(drain(member, 250)) == kept
    member.close()
    member = channel.subscribe(Group("audit", ("orders", "quiet")))
    found = drain(member, 253)
    assert [each.event.id for each in found if each.topic == "quiet"] == later
    member.close()
    channel.close()


def test_a_flush_names_what_is_not_stored_when_the_broker_dies(own_broker: Callable[..., Broker]) -> None:
    broker = own_broker()
    channel = connect(broker.address)
    channel.declare([Topic("orders")], [])
    stored = publish(channel, "orders", events(1))
    assert len(stored) == 1
    broker.go_away("paused")
    published = events(450)
    channel.publish("orders", published)
    began = time.monotonic()
    with pytest.raises(PublishError) as raised:
        channel.flush(1)
    assert time.monotonic() - began < 5
    assert list(raised.value.unstored) == [each.id for each in published]
    assert raised.value.hint
    broker.come_back()
    assert len(publish(channel, "orders", published)) == 450
    channel.close()


def test_a_full_disk_blocks_publishers_who_say_so_and_loses_nothing(own_broker: Callable[..., Broker]) -> None:
    broker = own_broker(('kahadb"/>', 'kahadb" journalMaxFileLength="1mb" cleanupInterval="1000"/>'),
                        ("<systemUsage><memoryUsage>",
                         '<systemUsage><storeUsage><storeUsage limit="6 mb"/></storeUsage><memoryUsage>'))
    channel = connect(broker.address)
    channel.declare([Topic("orders")], [Group("billing", ("orders",))])
    stored: list[str | None] = []
    with pytest.raises(PublishError) as raised:
        for _ in range(40):
            channel.publish("orders", events(5, data=b"x" * 100_000))
            stored += [receipt.id for receipt in channel.flush(3)]
    assert stored and raised.value.unstored
    assert "space" in raised.value.hint
    member = channel.subscribe(Group("billing", ("orders",)))
    found = drain(member, len(stored))
    assert ids(found)[:len(stored)] == stored
    member.done(found)
    assert eventually(lambda: publishes(channel), 60)
    member.close()
    channel.close()


def test_groups_that_are_far_behind_hold_nobody_up(own_broker: Callable[..., Broker]) -> None:
    channel = connect(own_broker().address)
    behind = [Group(name, ("orders",)) for name in ("audit", "billing")]
    channel.declare([Topic("orders"), Topic("quiet")], [*behind, Group("sales", ("quiet",))])
    kept: list[str | None] = []
    for _ in range(50):
        channel.publish("orders", events(50, data=b"x" * 50_000))
        kept += [receipt.id for receipt in channel.flush(10)]
    (receipt,) = publish(channel, "quiet", events(1))
    member = channel.subscribe(Group("sales", ("quiet",)))
    assert ids(drain(member, 1)) == [receipt.id]
    member.close()
    member = channel.subscribe(behind[0])
    assert ids(drain(member, len(kept), done=True)) == kept
    member.close()
    channel.close()


def publishes(channel: EventChannel) -> bool:
    try:
        channel.publish("orders", events(1))
        return len(channel.flush(3)) == 1
    except PublishError:
        return False


def test_what_a_topic_cannot_be_is_told(channel: EventChannel, name: Name) -> None:
    kept, set_up, plain = (name(each) for each in ("kept", "set", "plain"))
    told = channel.declare([Topic(kept, retention_s=60), Topic(set_up, config={"max.message.bytes": "1"}), Topic(plain)], [])
    assert [line.split(":")[0] for line in told] == [
        f"the topic '{kept}' keeps nothing for later, for 60 s or otherwise", f"the topic '{set_up}' has no config"]


# --- membership and reading ----------------------------------------------------------------------------


def test_a_member_that_asks_for_nothing_gets_nothing_and_stays(channel: EventChannel, name: Name) -> None:
    topic, group = name("orders"), name("billing")
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    member = channel.subscribe(Group(group, (topic,)))
    publish(channel, topic, events(3))
    assert not member.poll(0.3, 0).deliveries
    assert info(channel, group).members == 1
    assert len(drain(member, 3)) == 3
    member.close()
    assert info(channel, group).members == 0


def test_members_that_were_busy_and_are_idle_now_stay(
        channel: EventChannel, name: Name, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that sent anything since it looked last does not beat when it looks: its beats are up to twice as far apart."""
    monkeypatch.setattr(activemq_link, "BEAT_MS", activemq_link.BEAT_MS // 2)
    topic = name("orders")
    channel.declare([Topic(topic)], groups := [Group(name(f"g{number}"), (topic,)) for number in range(8)])
    members = []
    for group in groups:  # begun at other moments than the broker looks
        members.append(channel.subscribe(group))
        publish(channel, topic, events(1))
        time.sleep(activemq_link.BEAT_MS / 1000 / len(groups))
    idle = time.monotonic() + 3 * activemq_link.BEAT_MS / 1000
    while time.monotonic() < idle:
        for member in members:
            member.poll(0.05, 10)  # raises where its connection is lost
    for member in members:
        member.close()


def test_a_member_hears_that_its_broker_is_gone_and_joins_again(own_broker: Callable[..., Broker]) -> None:
    broker = own_broker()
    channel = connect(broker.address)
    channel.declare([Topic("orders")], [Group("billing", ("orders",))])
    member = channel.subscribe(Group("billing", ("orders",)))
    broker.go_away("killed")
    with pytest.raises(BrokerUnreachable):
        for _ in range(100):
            member.poll(0.1, 10)
    member.close()
    broker.come_back()
    (receipt,) = publish(channel, "orders", events(1))
    member = channel.subscribe(Group("billing", ("orders",)))
    assert ids(drain(member, 1)) == [receipt.id]
    member.close()
    channel.close()


def test_one_of_two_that_make_a_queue_at_once_may_be_a_member_already(
        channel: EventChannel, address: Address, name: Name, monkeypatch: pytest.MonkeyPatch) -> None:
    topic, group = name("orders"), name("billing")
    late = ActiveMQChannel(address)
    channel.declare([Topic(topic)], [])
    member = channel.subscribe(Group(group, (topic,)))
    with monkeypatch.context() as patched:
        patched.setattr(late._census, "groups", dict)  # it looked before the queue was there
        late.declare([], [Group(group, (topic,))])
    nothing_more(member)
    assert (info(late, group).members, info(late, group).lag) == (1, 0)
    member.close()
    late.close()


def test_a_socket_that_is_let_go_while_it_is_used_is_a_lost_connection(address: Address) -> None:
    link = Link(Settings.of(address))
    transport = link._connection.transport
    held, transport.socket = transport.socket, object()
    with pytest.raises(BrokerUnreachable):
        link.tell(b"\n")
    transport.socket = held
    link.drop()


def test_a_slow_reader_holds_nobody_up_and_misses_nothing(channel: EventChannel, address: Address, name: Name) -> None:
    topic = name("orders")
    channel.declare([Topic(topic)], [])
    reading = channel.read(topic, Start("end"), "never")
    next(reading)
    publisher = connect(address)
    published = [receipt.id for begin in range(0, 4000, 400) for receipt in publish(publisher, topic, events(400))
                 if begin >= 0]
    publisher.close()
    found: list[str | None] = []
    for batch in reading:
        found += ids(batch)
        if len(found) >= 4000:
            break
    assert found == published


def test_a_channel_leaves_no_thread_and_begins_with_none(address: Address, name: Name) -> None:
    before = set(threading.enumerate())
    channel = connect(address)
    assert set(threading.enumerate()) == before
    topic, group = name("orders"), name("billing")
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    publish(channel, topic, events(1))
    member = channel.subscribe(Group(group, (topic,)))
    drain(member, 1)
    member.close()
    channel.close()
    eventually(lambda: set(threading.enumerate()) <= before, 5)


def test_removing_a_group_that_has_members_is_refused(channel: EventChannel, name: Name) -> None:
    topic, group = name("orders"), name("billing")
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    member = channel.subscribe(Group(group, (topic,)))
    with pytest.raises(ChannelError, match="active subscription") as raised:
        channel.remove([], [group])
    assert "stop the members" in raised.value.hint
    member.close()
    channel.remove([topic], [group])
    assert topic not in [each.name for each in channel.topics()]


# --- brokers of others ---------------------------------------------------------------------------------


PLUGIN = "<plugins><statisticsBrokerPlugin/></plugins>"
LOGINS = ('<plugins><statisticsBrokerPlugin/><simpleAuthenticationPlugin anonymousAccessAllowed="false"><users>'
          '<authenticationUser username="ann" password="pa:ss" groups="all"/></users></simpleAuthenticationPlugin></plugins>')


def test_a_foreign_bus_without_statistics_tells_no_lag_and_never_nought(own_broker: Callable[..., Broker]) -> None:
    broker = own_broker((PLUGIN, ""))
    channel = connect({**broker.address, "ours": False})
    channel.declare([Topic("orders"), Topic("other")], [Group("shop.billing", ("orders",))])
    member = channel.subscribe(Group("shop.billing", ("orders",)))
    publish(channel, "orders", events(5))
    assert [topic.name for topic in channel.topics()] == ["orders", "other"]
    assert [(group.name, group.members, group.lag) for group in channel.groups()] == [("shop.billing", 1, None)]
    assert len(drain(member, 5)) == 5
    member.close()
    with pytest.raises(UnknownTopic):
        channel.publish("missing", events(1))
    with pytest.raises(ChannelError, match="deletes nothing"):
        channel.remove(["orders"], [])
    other = Other(broker.address)
    other.connection.subscribe("/queue/Consumer.audit.VirtualTopic.theirs", id="1", ack="auto")
    eventually(lambda: "theirs" in [topic.name for topic in channel.topics()], 10)
    other.close()
    channel.close()


def test_a_foreign_bus_that_is_away_at_first_tells_the_lag_later(own_broker: Callable[..., Broker]) -> None:
    broker = own_broker()
    channel = connect({**broker.address, "ours": False})
    broker.go_away("stopped")
    with pytest.raises(BrokerUnreachable):
        channel.groups()
    broker.come_back()
    channel.declare([Topic("orders")], [Group("shop.billing", ("orders",))])
    publish(channel, "orders", events(5))
    assert info(channel, "shop.billing").lag == 5
    channel.close()


def test_a_foreign_bus_may_keep_its_statistics_to_itself(
        own_broker: Callable[..., Broker], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUS_PASSWORD", "pa:ss")
    rights = "".join(f'<authorizationEntry {where}.&gt;" read="all" write="all" admin="all"/>' for where in (
        'queue="eda', 'queue="Consumer', 'topic="VirtualTopic', 'topic="ActiveMQ.Advisory'))
    with monkeypatch.context() as patched:
        patched.setattr(activemq_broker, "answers", _speaks)
        broker = own_broker((PLUGIN, LOGINS.replace(
            "</plugins>", f"<authorizationPlugin><map><authorizationMap><authorizationEntries>{rights}</authorizationEntries>"
            "</authorizationMap></map></authorizationPlugin></plugins>")))
    channel = connect({**broker.address, "ours": False,
                       "credentials": {"username": "ann", "password": {"env": "BUS_PASSWORD"}}})
    channel.declare([Topic("orders")], [Group("shop.billing", ("orders",))])
    publish(channel, "orders", events(5))
    assert info(channel, "shop.billing").lag is None
    channel.close()


def test_a_broker_that_wants_a_password_is_told_it_and_says_when_it_is_wrong(
        own_broker: Callable[..., Broker], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(activemq_broker, "answers", _speaks)
        broker = own_broker((PLUGIN, LOGINS))
    with pytest.raises(BrokerRefused, match="does not let us in") as raised:
        connect(broker.address).version()
    assert raised.value.hint == "add username: and password:"
    monkeypatch.setenv("BUS_PASSWORD", "pa:ss")
    channel = connect({**broker.address, "credentials": {"username": "ann", "password": {"env": "BUS_PASSWORD"}}})
    channel.declare([Topic("orders")], [Group("billing", ("orders",))])
    publish(channel, "orders", events(1))
    channel.remove(["orders"], ["billing"])
    assert not channel.topics() and not channel.groups()
    channel.close()


def _speaks(port: int) -> bool:
    """Whether it answers at all, be it that it lets nobody in."""
    try:
        greet("127.0.0.1", port, {})
    except Unwelcome as wrong:
        return bool(wrong.refused)
    except OSError:
        return False
    return True


def test_where_nobody_listens_it_says_so_at_once() -> None:
    began = time.monotonic()
    with pytest.raises(BrokerUnreachable, match="does not answer"):
        connect(NOWHERE).topics()
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00\x00\x01\x0cActiveMQ"])
def test_what_does_not_speak_stomp_is_no_broker(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve() -> None:
            with server.accept()[0] as connection:
                connection.recv(1000)
                connection.sendall(answer)

        serving = threading.Thread(target=serve)
        serving.start()
        with pytest.raises(BrokerUnreachable):
            connect({"channel": "activemq", "at": f"stomp://127.0.0.1:{server.getsockname()[1]}"}).version()
        serving.join()


def test_beats_come_well_before_the_broker_looks_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    agreed_s = 0.3
    monkeypatch.setattr(activemq_link, "BEAT_MS", int(agreed_s * 1000))
    beats: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve() -> None:
            for _ in ("greeting", "link"):
                with server.accept()[0] as connection:
                    assert connection.recv(1000).startswith((b"CONNECT", b"STOMP"))
                    connection.sendall(b"CONNECTED\nversion:1.2\nserver:ActiveMQ/6\nheart-beat:0,%d\n\n\0"
                                       % (agreed_s * 1000))
                    while told := connection.recv(1):
                        if told == b"\n":
                            beats.append(time.monotonic())

        serving = threading.Thread(target=serve)
        serving.start()
        link = Link(Settings.of({"at": f"stomp://127.0.0.1:{server.getsockname()[1]}"}))
        beats.clear()
        eventually(lambda: len(beats) > 10, 30)
        link.drop()
        serving.join()
    assert median(after - before for before, after in pairwise(beats)) < agreed_s / 2


@pytest.mark.parametrize("at", ["amqp://localhost:5672", "stomp://", "stomp://localhost:x", "https://localhost"])
def test_an_address_that_is_none_is_refused(at: str) -> None:
    with pytest.raises(ChannelError, match="is not where an ActiveMQ can be"):
        ActiveMQChannel({"at": at})


def test_a_bus_behind_tls_is_refused_with_the_reason() -> None:
    for address in ({"at": "stomp+ssl://localhost:61614"}, {"at": "stomp://localhost:61613", "tls": {}}):
        with pytest.raises(ChannelError, match="does not reach ActiveMQ") as raised:
            ActiveMQChannel(address)
        assert "TLS" in raised.value.why


def test_no_password_is_ever_told(own_broker: Callable[..., Broker], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUS_PASSWORD", "hunter2")
    with monkeypatch.context() as patched:
        patched.setattr(activemq_broker, "answers", _speaks)
        broker = own_broker((PLUGIN, LOGINS))
    channel = ActiveMQChannel({**broker.address, "credentials": {"username": "ann", "password": {"env": "BUS_PASSWORD"}}})
    with pytest.raises(BrokerRefused) as raised:
        channel.version()
    assert "the password in the variable BUS_PASSWORD" in raised.value.hint
    assert "hunter2" not in str(raised.value) + repr(channel._settings)


def test_a_marker_is_no_event(channel: EventChannel, other: Other, name: Name) -> None:
    topic, group = name("orders"), name("billing")
    channel.declare([Topic(topic)], [Group(group, (topic,))])
    other.connection.send(f"/queue/{queue(group, topic)}", "", headers={"eda_marker": "yes", "persistent": "true"})
    member = channel.subscribe(Group(group, (topic,)))
    nothing_more(member)
    eventually(lambda: info(channel, group).lag == 0, 10)
    member.close()
