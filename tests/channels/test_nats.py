"""What only NATS has: streams of others, its headers, its limits, and users and TLS."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest

from eda_cli.channels import connect, nats
from eda_cli.channels.base import Group, Start, Topic
from eda_cli.channels.containers import Engine
from eda_cli.errors import BrokerRefused, BrokerUnreachable, ChannelError, EventRefused
from eda_cli.event import Event
from tests.channels.acts import drain, event, events, ids, in_order, publish, stored
from tests.channels.broker_secured import free_port, packed
from tests.channels.brokers import READY_S, AddressOf, Broker, need_image
from tests.channels.certificates import Authority
from tests.eventually import eventually

T = TypeVar("T")
broker = pytest.mark.broker
PASSWORD = "correct-horse-battery-staple"


def with_client(address: Mapping[str, Any], work: Callable[[Any], Awaitable[T]]) -> T:
    """What somebody else does there, by nats-py itself."""
    import nats as library

    async def do() -> T:
        client = await library.connect(address["at"])
        try:
            return await work(client)
        finally:
            await client.close()

    return asyncio.run(do())


@pytest.fixture
def at(broker_address: AddressOf) -> dict[str, Any]:
    return broker_address("nats")


def test_whoever_asks_the_recipe_needs_no_library() -> None:
    seen = subprocess.run([sys.executable, "-c", "import sys, eda_cli.channels.nats; print(*sys.modules)"], check=True,
                          capture_output=True, text=True).stdout.split()
    assert "nats" not in seen


def test_headers_are_visible_ascii_as_the_binding_wants_them() -> None:
    told = nats.headers_of(event(subject='a "b" 50% ü', key="schlüssel".encode()), 1)
    assert (told["ce-subject"], told["ce-partitionkey"]) == ("a%20%22b%22%2050%25%20%C3%BC", "schl%C3%BCssel")
    assert all(all("!" <= letter <= "~" for letter in value) for value in told.values())


@pytest.mark.parametrize("headers", [{"eda-headers": "no json"}, {"eda-key": "%zz"}, {"ce-id": "%ff"}, {"ce-specversion": ""}])
def test_headers_that_are_none_of_ours_are_no_crash(headers: dict[str, str]) -> None:
    assert nats.event_of(headers, b"{}").foreign


def test_names_that_are_no_subjects_are_refused() -> None:
    for name in ("", ".a", "a..b", "a b", "a*", "a" * 300):
        assert not nats.TOPIC.fullmatch(name)
    assert nats.TOPIC.fullmatch("purchases.dlq")


def test_a_place_is_read_from_both_forms_of_reply_subjects() -> None:
    old, new = "$JS.ACK.s-0.c.1.8.9.1500000000.4", "$JS.ACK.domain.hash.s-0.c.1.8.9.1500000000.4.token"
    assert nats._placed(old) == nats._placed(new) == (7, 1.5, 4)


@broker
def test_an_event_that_is_published_twice_comes_twice(at: dict[str, Any], topic: str) -> None:
    channel = connect(at)
    channel.declare([Topic(topic, 1)], [])
    twice = event()
    publish(channel, topic, [twice, twice])
    assert ids(stored(channel, topic)) == [twice.id] * 2
    channel.close()


@broker
def test_an_event_that_is_too_large_is_refused_and_those_before_it_are_stored(at: dict[str, Any], topic: str) -> None:
    channel = connect(at)
    channel.declare([Topic(topic, 1)], [])
    small, large = event(), event(data=b"x" * 8 * 1024 * 1024)
    with pytest.raises(EventRefused, match="8,388,608") as raised:
        channel.publish(topic, [small, large])
    assert raised.value.id == large.id
    assert [receipt.id for receipt in channel.flush(20)] == [small.id]
    channel.close()


@broker
def test_events_of_another_library_are_events(at: dict[str, Any], topic: str) -> None:
    channel = connect(at)
    channel.declare([Topic(topic, 1)], [])
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/other", "ce-type": "told", "ce-subject": "%C3%BC",
               "Mine": "x"}
    with_client(at, lambda client: client.jetstream().publish(f"{topic}.0", b"{}", headers=headers))
    (found,) = stored(channel, topic)
    assert found.event == Event("1", "/other", "told", None, b"{}", None, None, "ü", headers=(("Mine", b"x"),))
    channel.close()


@broker
def test_a_stream_of_somebody_else_is_a_topic_that_stays_as_it_is(at: dict[str, Any], name: Callable[[str], str]) -> None:
    one, many = name("one"), name("many")

    async def make(client: Any) -> None:
        await client.jetstream().add_stream(name=one, subjects=[f"{one}.told"])
        await client.jetstream().add_stream(name=many, subjects=[f"{many}.*"])
        await client.jetstream().publish(f"{many}.a", b"hello")

    with_client(at, make)
    guest = connect({**at, "ours": False, "creates": False})
    assert {one, many} <= {topic.name for topic in guest.topics()}
    (hint,) = guest.declare([Topic(one, 3), Topic(many, 1)], [Group(name("guest"), (one, many), "earliest")])
    assert "somebody else's" in hint
    (receipt,) = publish(guest, one, events(1))
    with pytest.raises(EventRefused, match=many):
        guest.publish(many, events(1))
    member = guest.subscribe(Group(name("guest"), (one, many)))
    assert {(each.topic, each.event.id, each.offset) for each in drain(member, 2)} == {(one, receipt.id, 0), (many, None, 0)}
    member.close()
    with pytest.raises(ChannelError, match="deletes nothing"):
        guest.remove([one], [])
    guest.close()


@broker
def test_who_reads_goes_on_where_the_broker_forgot_its_consumer(at: dict[str, Any], topic: str, group: str) -> None:
    channel = connect(at)
    channel.declare([Topic(topic, 1)], [Group(group, (topic,))])
    member, reading = channel.subscribe(Group(group, (topic,))), channel.read(topic, Start("beginning"), "never")
    next(reading)
    publish(channel, topic, events(5))
    assert len(drain(member, 5)) == 5

    async def forget(client: Any) -> int:
        consumers = await client.jsm().consumers_info(f"{topic}-0")
        for consumer in consumers:
            await client.jsm().delete_consumer(f"{topic}-0", consumer.name)
        return len(consumers)

    assert with_client(at, forget) == 2
    more = publish(channel, topic, events(5))
    assert ids(drain(member, 5)) == [receipt.id for receipt in more]
    found: list[int | None] = []

    def all_came() -> bool:
        found.extend(each.offset for each in next(reading))
        return len(found) >= 10

    eventually(all_came, 20)
    assert found == list(range(10))
    member.close()
    channel.close()


@broker
def test_who_is_busy_for_longer_than_the_broker_keeps_its_consumer_goes_on(
        at: dict[str, Any], topic: str, group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that has room has come, so that nobody asks for more: to the broker nobody is there."""
    monkeypatch.setattr(nats, "IDLE_S", 1.0)
    many = 2 * nats.ROOM + nats.BATCH
    channel = connect(at)
    channel.declare([Topic(topic, 1)], [Group(group, (topic,), "earliest")])
    publish(channel, topic, events(many))
    readings = [iter(channel.read(topic, Start("beginning"), end)) for end in ("stored", "never")]
    found = [[each.offset for each in next(reading)] for reading in readings]
    member = channel.subscribe(Group(group, (topic,), "earliest"))
    handled = [each.offset for each in drain(member, 1)]

    def consumers() -> int:
        async def count(client: Any) -> int:
            return len(await client.jsm().consumers_info(f"{topic}-0"))

        return with_client(at, count)

    eventually(lambda: not consumers(), 30, every=0.5)
    for offsets, reading in zip(found, readings, strict=True):
        until = time.monotonic() + 30
        while len(offsets) < many and time.monotonic() < until:
            offsets += [each.offset for each in next(reading)]
        assert offsets == list(range(many))
    handled += [each.offset for each in drain(member, many - len(handled))]
    assert handled == list(range(many))
    member.close()
    channel.close()


@broker
@pytest.mark.parametrize("how", ["killed", "paused"])
def test_nothing_that_is_confirmed_is_lost_when_the_broker_goes(engine: Engine, how: str) -> None:
    broken = Broker(engine, "nats")
    try:
        channel = connect(broken.address)
        channel.declare([Topic("facts", 3)], [Group("log", ("facts",))])
        confirmed = [receipt for _ in range(20) for receipt in publish(channel, "facts", events(100, keys=20))]
        broken.go_away(how)

        def noticed() -> bool:
            try:
                channel.topics()
            except BrokerUnreachable:
                return True
            return False

        eventually(noticed, 30)
        with pytest.raises(BrokerUnreachable):
            channel.publish("facts", events(1))
        broken.come_back()
        found = eventually(lambda: stored(channel, "facts"), 30)
        assert in_order(found)
        assert {(receipt.id, receipt.offset) for receipt in confirmed} == {(one.event.id, one.offset) for one in found}
        assert [info.lag for info in channel.groups()] == [2000]
        channel.close()
    finally:
        broken.remove()


class Secured:
    """A server that wants a user, with and without TLS: `plain` and `tls` are its ports, `folder` has what clients need."""

    def __init__(self, image: str, folder: Path) -> None:
        self.folder, self.names = folder, [f"eda-test-secured-{secrets.token_hex(4)}" for _ in range(2)]
        self.plain, self.tls = free_port(), free_port()
        ours, other = Authority("Bus Authority"), Authority("Somebody Else")
        (folder / "ca.pem").write_bytes(ours.pem)
        (folder / "other-ca.pem").write_bytes(other.pem)
        pair = ours.sign("bus", ["localhost"])
        users = f"port: 4222\njetstream: enabled\nauthorization {{ user: shop, password: {PASSWORD} }}\n"
        for name, port, more in zip(self.names, (self.plain, self.tls), (
                "", "tls { cert_file: /bus.pem, key_file: /bus.key }\n"), strict=True):
            files = {"/eda.conf": (users + more).encode(), "/bus.pem": pair.certificate, "/bus.key": pair.key}
            self._docker("create", "--name", name, "-p", f"127.0.0.1:{port}:4222", image, "--config", "/eda.conf")
            subprocess.run(["docker", "cp", "-", f"{name}:/"], input=packed(files), check=True, capture_output=True)
            self._docker("start", name)
            eventually(lambda port=port: nats.answers(port), READY_S)  # type: ignore[misc]

    def remove(self) -> None:
        for name in self.names:
            subprocess.run(["docker", "rm", "-f", "-v", name], check=False, capture_output=True)

    @staticmethod
    def _docker(*args: str) -> None:
        done = subprocess.run(["docker", *args], capture_output=True, text=True)
        assert not done.returncode, done.stderr

    def address(self, port: str, user: str = "", variable: str = "BUS_PASSWORD", host: str = "localhost", ca: str = "") -> Any:
        keys: dict[str, Any] = {"credentials": {"username": user, "password": {"env": variable}}} if user else {}
        if ca:
            keys["tls"] = {"ca": str(self.folder / ca)}
        return {"channel": "nats", "at": f"nats://{host}:{getattr(self, port)}", "ours": False, **keys}


@pytest.fixture(scope="module")
def secured(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    made = Secured(need_image(engine, "nats"), tmp_path_factory.mktemp("certificates"))
    yield made
    made.remove()


@pytest.fixture
def passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUS_PASSWORD", PASSWORD)
    monkeypatch.setenv("WRONG_PASSWORD", "not-the-one")


@broker
@pytest.mark.usefixtures("passwords")
@pytest.mark.parametrize("way", [("plain", "shop"), ("tls", "shop", "BUS_PASSWORD", "localhost", "ca.pem")])
def test_an_event_goes_through_each_way_in(secured: Secured, topic: str, way: tuple[str, ...]) -> None:
    channel = connect(secured.address(*way))
    channel.declare([Topic(topic, 1)], [])
    publish(channel, topic, events(1))
    assert len(stored(channel, topic)) == 1
    channel.close()


@broker
@pytest.mark.usefixtures("passwords")
@pytest.mark.parametrize(("way", "what", "hint"), [
    (("plain", "shop", "WRONG_PASSWORD"), "refused the user 'shop'", "the variable WRONG_PASSWORD"),
    (("plain",), "refused us without a user", "add username:"),
    (("tls", "shop", "WRONG_PASSWORD", "localhost", "ca.pem"), "refused the user 'shop'", "the variable WRONG_PASSWORD"),
    (("tls", "shop", "BUS_PASSWORD", "localhost", "other-ca.pem"), "not signed by an authority", "tls: {ca: FILE}"),
    (("tls", "shop", "BUS_PASSWORD", "127.0.0.1", "ca.pem"), "is not for '127.0.0.1'", "name the broker as"),
    (("tls", "shop"), "speaks TLS", "tls: true"),
    (("plain", "shop", "BUS_PASSWORD", "localhost", "ca.pem"), "does not speak TLS", "leave tls: out"),
])
def test_a_door_that_stays_shut_says_why(secured: Secured, way: tuple[str, ...], what: str, hint: str) -> None:
    with pytest.raises(BrokerRefused) as raised:
        connect(secured.address(*way)).topics()
    assert (what in raised.value.what, hint in str(raised.value)) == (True, True), str(raised.value)
    assert PASSWORD not in str(raised.value)
