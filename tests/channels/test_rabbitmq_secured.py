"""Into a RabbitMQ that somebody else runs: users and TLS, and for every door that stays shut the reason in words."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from eda_cli.channels import connect, rabbitmq_broker
from eda_cli.channels.base import Group, Topic
from eda_cli.channels.containers import Engine
from eda_cli.errors import BrokerRefused, ChannelError
from eda_cli.event import Event, now
from tests.channels.broker_secured import free_port, packed
from tests.channels.brokers import READY_S, need_image
from tests.channels.certificates import Authority
from tests.eventually import eventually

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]
PASSWORD = "correct-horse-battery-staple"
FOLDER = "/etc/rabbitmq/tls"
CONFIG = f"""
loopback_users = none
listeners.tcp.default = 5672
listeners.ssl.default = 5671
ssl_options.cacertfile = {FOLDER}/ca.pem
ssl_options.certfile = {FOLDER}/bus.pem
ssl_options.keyfile = {FOLDER}/bus.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
default_user = shop
default_pass = {PASSWORD}
log.console = true
"""


class Secured:
    """The broker: `plain` and `tls` are its ports on this machine, `folder` has what its clients need."""

    def __init__(self, image: str, folder: Path) -> None:
        self.folder, self.name = folder, f"eda-test-secured-{secrets.token_hex(4)}"
        self.plain, self.tls = free_port(), free_port()
        ours, other = Authority("Bus Authority"), Authority("Somebody Else")
        (folder / "ca.pem").write_bytes(ours.pem)
        (folder / "other-ca.pem").write_bytes(other.pem)
        ours.sign("me").write(folder, "me")
        other.sign("me").write(folder, "stranger")
        ours.sign("me", until=timedelta(days=-1)).write(folder, "old")
        bus = ours.sign("bus", ["localhost", "bus.invalid"])
        files = {"/etc/rabbitmq/rabbitmq.conf": CONFIG.encode(), f"{FOLDER}/ca.pem": ours.pem,
                 f"{FOLDER}/bus.pem": bus.certificate, f"{FOLDER}/bus.key": bus.key}
        published = [f"127.0.0.1:{port}:{inside}" for port, inside in ((self.plain, 5672), (self.tls, 5671))]
        self._docker("create", "--name", self.name, "-p", published[0], "-p", published[1], image)
        try:
            subprocess.run(["docker", "cp", "-", f"{self.name}:/"], input=packed(files), check=True, capture_output=True)
            self._docker("start", self.name)
            eventually(lambda: rabbitmq_broker.answers(self.plain), READY_S, every=0.3)
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        self._docker("rm", "-f", "-v", self.name)

    @staticmethod
    def _docker(*args: str) -> None:
        done = subprocess.run(["docker", *args], capture_output=True, text=True)
        assert not done.returncode, done.stderr

    def address(self, port: int, user: str = "", variable: str = "", host: str = "localhost", **tls: str) -> dict[str, Any]:
        reference = {"env": variable or "BUS_PASSWORD"}
        keys: dict[str, Any] = {"credentials": {"username": user, "password": reference}} if user else {}
        if tls:
            keys["tls"] = {key: str(self.folder / file) for key, file in tls.items()}
        return {"channel": "rabbitmq", "at": f"amqp://{host}:{port}", "ours": False, **keys}


@pytest.fixture(scope="module")
def secured(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    broker = Secured(need_image(engine, "rabbitmq"), tmp_path_factory.mktemp("certificates"))
    yield broker
    broker.remove()


@pytest.fixture(autouse=True)
def passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUS_PASSWORD", PASSWORD)
    monkeypatch.setenv("WRONG_PASSWORD", "not-the-one")
    monkeypatch.delenv("UNSET_PASSWORD", raising=False)


MINE = {"ca": "ca.pem", "certificate": "me.pem", "key": "me.key"}


@pytest.mark.parametrize("way", ["plain", "tls"])
def test_an_event_goes_through_each_way_in(secured: Secured, way: str) -> None:
    address = secured.address(secured.plain, "shop") if way == "plain" else secured.address(secured.tls, "shop", **MINE)
    channel, topic = connect(address), f"orders-{way}"
    try:
        with pytest.raises(ChannelError, match="there is no topic"):
            connect({**address, "creates": False}).declare([Topic(topic, 1)], [])
        channel.declare([Topic(topic, 1)], [Group("billing", (topic,))])
        channel.publish(topic, [Event("1", "/test", "told", now(), b"{}")])
        assert len(channel.flush(10)) == 1
        member = channel.subscribe(Group("billing", (topic,)))
        heard = eventually(lambda: member.poll(0.5, 10).deliveries, 20)
        member.done(heard)
        member.close()
    finally:
        channel.close()


SHUT = {
    "wrong password": (("plain", "shop", "WRONG_PASSWORD"), {}, "refused the user 'shop'", "the variable WRONG_PASSWORD"),
    "wrong password, TLS": (("tls", "shop", "WRONG_PASSWORD"), MINE, "refused the user 'shop'", "the variable WRONG_PASSWORD"),
    "no user": (("plain", "", ""), {}, "refused the user 'guest'", "add username:"),
    "no such variable": (("plain", "shop", "UNSET_PASSWORD"), {},
                         "the password of the user 'shop' is not known", "UNSET_PASSWORD"),
    "wrong CA": (("tls", "shop", "BUS_PASSWORD"), {**MINE, "ca": "other-ca.pem"},
                 "is not signed by an authority that is trusted", "tls: {ca: FILE}"),
    "wrong host name": (("tls", "shop", "BUS_PASSWORD", "127.0.0.1"), MINE, "is not for '127.0.0.1'", "name the broker as"),
    "own certificate missing": (("tls", "shop", "BUS_PASSWORD"), {"ca": "ca.pem"},
                                "wants a certificate of ours", "certificate: FILE"),
    "own certificate expired": (("tls", "shop", "BUS_PASSWORD"), {**MINE, "certificate": "old.pem", "key": "old.key"},
                                "refused our certificate", "renewed"),
    "own certificate unknown": (("tls", "shop", "BUS_PASSWORD"), {**MINE, "certificate": "stranger.pem", "key": "stranger.key"},
                                "refused our certificate", "signed by an authority"),
    "TLS unsaid": (("tls", "", ""), {}, "speaks TLS", "tls: true"),
    "TLS in vain": (("plain", "shop", "BUS_PASSWORD"), MINE, "does not speak TLS", "leave tls: out"),
}


@pytest.mark.parametrize("case", SHUT)
def test_a_door_that_stays_shut_says_why(secured: Secured, case: str) -> None:
    (port, *who), tls, what, hint = SHUT[case]
    channel = connect(secured.address(getattr(secured, port), *who, **tls))
    try:
        with pytest.raises(BrokerRefused) as raised:
            channel.topics()
    finally:
        channel.close()

    assert (what in raised.value.what, hint in str(raised.value)) == (True, True), str(raised.value)
    assert PASSWORD not in str(raised.value) and "not-the-one" not in str(raised.value)
