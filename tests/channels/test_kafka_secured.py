"""Into a Kafka that somebody else runs: every way in, and for every door that stays shut the reason in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from eda_cli.channels import connect
from eda_cli.channels.base import Group, Start, Topic
from eda_cli.errors import BrokerRefused
from eda_cli.event import Event, now
from tests.channels.broker_secured import PASSWORD, USER, Secured, address, secured  # noqa: F401  # a fixture
from tests.eventually import eventually

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]
Keys = dict[str, Any]


@pytest.fixture(autouse=True)
def passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUS_PASSWORD", PASSWORD)
    monkeypatch.setenv("WRONG_PASSWORD", "not-the-one")
    monkeypatch.delenv("UNSET_PASSWORD", raising=False)


def user(name: str = USER, variable: str = "BUS_PASSWORD", mechanism: str = "") -> Keys:
    return {"credentials": {"username": name, "password": {"env": variable}, **({"mechanism": mechanism} if mechanism else {})}}


def tls(ca: str = "ca.pem", certificate: str = "", key: str = "", **more: Any) -> Keys:
    """Names of files in the broker's folder."""
    mine = {"certificate": f"{certificate}.pem", "key": f"{key or certificate}.key"} if certificate else {}
    return {"tls": {"ca": ca, **mine, **more}}


def placed(keys: Mapping[str, Any], folder: Path) -> Keys:
    """The same with the folder before the names of files."""
    if "tls" not in keys:
        return dict(keys)
    named = {key: value if isinstance(value, dict) else str(folder / value) for key, value in keys["tls"].items()}
    return {**keys, "tls": named}


OPENED = {
    "PLAIN": ("LOGIN", user()),
    "SCRAM-SHA-256": ("LOGIN", user(mechanism="SCRAM-SHA-256")),
    "SCRAM-SHA-512": ("LOGIN", user(mechanism="SCRAM-SHA-512")),
    "TLS": ("TLS", tls()),
    "mutual TLS": ("MUTUAL", tls(certificate="me")),
    "mutual TLS, the key encrypted": ("MUTUAL", tls(certificate="sealed", key_password={"env": "BUS_PASSWORD"})),
    "SCRAM over TLS": ("BOTH", {**tls(), **user(mechanism="SCRAM-SHA-512")}),
    "PLAIN over TLS": ("BOTH", {**tls(), **user()}),
}


@pytest.mark.parametrize("way", OPENED)
def test_an_event_goes_through_each_way_in(secured: Secured, name: Callable[[str], str], way: str) -> None:  # noqa: F811
    listener, keys = OPENED[way]
    channel = connect(address(secured.at(listener), **placed(keys, secured.folder)))
    topic, group = name("topic"), Group(name("group"), ())
    group = Group(group.name, (topic,))
    try:
        channel.declare([Topic(topic, 1)], [group])
        channel.publish(topic, [Event("1", "/test", "told", now(), b"{}")])
        assert len(channel.flush(10)) == 1
        member = channel.subscribe(group)
        heard = eventually(lambda: member.poll(0.5, 10).deliveries, 20)
        member.done(heard)
        member.close()
        assert [each.event.type for batch in channel.read(topic, Start("beginning"), "now") for each in batch] == ["told"]
        assert {info.name: info.lag for info in channel.groups()}[group.name] == 0
    finally:
        channel.close()


SHUT = {  # case: listener, keys, what, why, hint
    "wrong password": ("BOTH", {**tls(), **user(variable="WRONG_PASSWORD")},
                       "refused the user 'shop'", "Invalid username or password", "the variable WRONG_PASSWORD"),
    "wrong password, SCRAM": ("LOGIN", user(variable="WRONG_PASSWORD", mechanism="SCRAM-SHA-256"),
                              "refused the user 'shop'", "invalid credentials", "the variable WRONG_PASSWORD"),
    "unknown user": ("LOGIN", user("nobody", mechanism="SCRAM-SHA-512"),
                     "refused the user 'nobody'", "invalid credentials", "the variable BUS_PASSWORD"),
    "no such variable": ("LOGIN", user(variable="UNSET_PASSWORD"),
                         "the password of the user 'shop' is not known", "UNSET_PASSWORD is not set here", "password_file"),
    "wrong CA": ("TLS", tls("other-ca.pem"),
                 "is not signed by an authority that is trusted", "other-ca.pem are trusted", "tls: {ca: FILE}"),
    "the system's CAs": ("TLS", {"tls": {}},
                         "is not signed by an authority that is trusted", "the authorities of this system", "tls: {ca: FILE}"),
    "expired certificate": ("EXPIRED", tls(), "has expired", "it was valid until 20", "renews it"),
    "wrong host name": ("ELSEWHERE", tls(), "is not for 'localhost'", "it is for kafka.example.com", "name the broker as"),
    "own certificate missing": ("MUTUAL", tls(), "wants a certificate of ours", "mutual TLS", "certificate: FILE and key: FILE"),
    "own certificate expired": ("MUTUAL", tls(certificate="old"),
                                "refused our certificate", "it was valid until 20", "renewed"),
    "own certificate unknown": ("MUTUAL", tls(certificate="stranger"),
                                "refused our certificate", "certificate unknown", "signed by an authority"),
    "key of another": ("MUTUAL", tls(certificate="me", key="old"),
                       "cannot be used", "is the key of another one", "belongs to it"),
    "encrypted key": ("MUTUAL", tls(certificate="sealed"), "cannot be used", "is encrypted", "key_password"),
    "encrypted key, wrong password": ("MUTUAL", tls(certificate="sealed", key_password={"env": "WRONG_PASSWORD"}),
                                      "cannot be used", "the password does not open its key", "key_password"),
    "a CA that is none": ("TLS", tls("me.key"), "cannot be read", "no certificate", "BEGIN CERTIFICATE"),
    "TLS unsaid": ("TLS", {}, "speaks TLS", "says nothing of it", "tls: true"),
    "TLS unsaid, with a user": ("BOTH", user(), "speaks TLS", "says nothing of it", "tls: true"),
    "TLS in vain": ("OPEN", tls(), "does not speak TLS", "no handshake", "leave tls: out"),
    "TLS in vain, with a user": ("LOGIN", {**tls(), **user()}, "does not speak TLS", "no handshake", "leave tls: out"),
    "no user": ("LOGIN", {}, "wants a user and a password", "it takes SCRAM-SHA-512, SCRAM-SHA-256, PLAIN", "username:"),
    "no user, TLS": ("BOTH", tls(), "wants a user and a password", "it takes SCRAM-SHA-512", "username:"),
    "user in vain": ("OPEN", user(), "takes no user on this port", "lets everybody in", "leave username: out"),
    "sent elsewhere": ("LOST", {}, "sends its clients where nobody answers", "kafka.invalid", "advertised.listeners"),
}


@pytest.mark.parametrize("case", SHUT)
def test_a_door_that_stays_shut_says_why(secured: Secured, case: str) -> None:  # noqa: F811
    listener, keys, what, why, hint = SHUT[case]
    channel = connect(address(secured.at(listener), **placed(keys, secured.folder)))
    try:
        with pytest.raises(BrokerRefused) as raised:
            channel.topics()
    finally:
        channel.close()

    told = raised.value
    assert told.exit_code == 4
    assert (what in told.what, why in told.why, hint in told.hint) == (True, True, True), str(told)
    assert PASSWORD not in str(told) and "not-the-one" not in str(told)


def test_a_password_comes_from_a_file(secured: Secured, tmp_path: Path) -> None:  # noqa: F811
    file = tmp_path / "password"
    keys = {"credentials": {"username": USER, "password": {"file": str(file)}, "mechanism": "SCRAM-SHA-256"}}
    channel = connect(address(secured.at("LOGIN"), **keys))
    with pytest.raises(BrokerRefused, match="cannot be read"):
        channel.topics()
    file.write_text("\n")
    with pytest.raises(BrokerRefused, match="is empty"):
        channel.topics()
    file.write_text("not-the-one\n")
    with pytest.raises(BrokerRefused, match=r"refused the user 'shop'(.|\n)*the password in /"):
        channel.topics()

    file.write_text(f"{PASSWORD}\n")  # it is read again each time one connects
    channel.topics()
    channel.close()
