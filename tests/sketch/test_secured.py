"""Users, passwords and TLS of a bus that already runs: a password is in no form of the sketch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from eda_cli.sketch.knobs import turn
from eda_cli.sketch.load import load_text
from eda_cli.sketch.render import config
from tests.sketch.reading import errors, loaded, warnings
from tests.sketch.test_schema import SCHEMA, fits

PASSWORD = "hunter2-Passw0rd"
SKETCH = """\
broker:
  kafka:
    bootstrap_servers: kafka.example.com:9093
    mechanism: SCRAM-SHA-512
    username: shop
    password: ${BUS_PASSWORD}
    tls: {ca: ca.pem, certificate: me.pem, key: me.key, key_password: "${KEY_PASSWORD}"}
generators: {shop: {publishes: purchases}}
consumers: {billing: {subscribes: purchases}}
"""
PARTS = "\ngenerators: {shop: {publishes: purchases}}\nconsumers: {billing: {subscribes: purchases}}\n"
SET = {"BUS_PASSWORD": PASSWORD, "KEY_PASSWORD": "key-" + PASSWORD}


def kafka(settings: str) -> str:
    return f"broker: {{kafka: {{{settings}}}}}{PARTS}"


def test_a_password_is_a_reference_wherever_the_sketch_goes() -> None:
    read = loaded(SKETCH, **SET)

    assert read.resolved.broker == {
        "kind": "kafka", "bootstrap_servers": ["kafka.example.com:9093"], "mechanism": "SCRAM-SHA-512", "username": "shop",
        "password": {"env": "BUS_PASSWORD"},
        "tls": {"ca": "ca.pem", "certificate": "me.pem", "key": "me.key", "key_password": {"env": "KEY_PASSWORD"}}}
    shown = config(read)
    assert "password: ${BUS_PASSWORD}" in shown and 'key_password: "${KEY_PASSWORD}"' in shown
    assert load_text(shown, "sketch.yaml", SET).resolved == read.resolved
    assert PASSWORD not in shown + json.dumps(read.resolved.to_json())


def test_a_knob_can_be_turned_beside_it() -> None:
    turned = turn(loaded(SKETCH, **SET).resolved, "shop", "rate", "5/s", "run")
    assert turned.fields["rate"] == 5


@pytest.mark.parametrize(("said", "tls"), [
    ("true", {}), ("", {}), ("{}", {}), ("{ca: my ca.pem}", {"ca": "my ca.pem"}), ("false", None), ('"${ON}"', {})])
def test_tls_is_on_or_off_or_a_map(said: str, tls: dict[str, Any] | None) -> None:
    read = loaded(kafka(f"bootstrap_servers: 'kafka:9093', tls: {said}"), ON="true")
    assert read.resolved.broker.get("tls") == tls
    assert load_text(config(read), "sketch.yaml", {"ON": "true"}).resolved == read.resolved


def test_an_empty_sketch_file_is_no_reason_to_look_for_files(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    text = kafka("bootstrap_servers: 'kafka:9093', tls: {ca: ca.pem}")
    assert load_text(text, "sketch.yaml", {}, tmp_path).resolved.broker["tls"] == {"ca": "ca.pem"}
    load_text(text.replace("ca.pem", str(tmp_path / "ca.pem")), "sketch.yaml", {}, Path("/"))


def test_a_password_in_an_alias_is_found_and_the_rest_of_it_stays_as_it_is() -> None:
    read = loaded("""\
        x-common: &common {username: shop, password: "${BUS_PASSWORD}"}
        broker: {kafka: {<<: *common, bootstrap_servers: "localhost:9093"}}
        events: {told: *common}
        generators: {shop: {publishes: purchases, event: told}}
        consumers: {billing: {subscribes: purchases}}
        """, **SET)
    assert read.resolved.broker["password"] == {"env": "BUS_PASSWORD"}
    assert read.resolved.events["told"]["password"] == PASSWORD  # a body is the author's own affair


def test_a_password_in_the_clear_is_warned_of() -> None:
    user = 'username: shop, password: "${BUS_PASSWORD}"'
    for settings, told in ((f"bootstrap_servers: 'kafka:9092', {user}", 1),
                           (f"bootstrap_servers: 'kafka:9092', {user}, mechanism: PLAIN", 1),
                           (f"bootstrap_servers: 'kafka:9092', {user}, mechanism: SCRAM-SHA-256", 0),
                           (f"bootstrap_servers: 'kafka:9093', {user}, tls: true", 0),
                           (f"bootstrap_servers: '127.0.0.1:9092', {user}", 0),
                           (f"bootstrap_servers: '127.0.0.1:9092, kafka:9092', {user}", 1)):
        assert sum("in the clear" in each for each in warnings(kafka(settings), **SET)) == told, settings
    for kind, url, hint in (("rabbitmq", "amqp://bus", "add tls: true"), ("rabbitmq", "amqps://bus", None),
                            ("rabbitmq", "amqp://localhost/shop", None), ("rabbitmq", "amqp://[::1]", None),
                            ("activemq", "stomp://localhost", None), ("activemq", "stomp://localhost.bus", "a tunnel")):
        found = warnings(kafka(f"url: '{url}', {user}").replace("kafka", kind), **SET)
        assert [hint in each for each in found if "in the clear" in each] == [True] * (hint is not None), url


def test_a_password_that_is_written_out_is_told_without_it() -> None:
    told = errors(kafka(f"bootstrap_servers: 'kafka:9092', username: shop, password: {PASSWORD}"))
    assert len(told) == 1 and "must not stand in the sketch" in told[0] and PASSWORD not in told[0]


def test_editors_know_the_keys() -> None:
    assert fits(yaml.safe_load(SKETCH), SCHEMA)
    assert not fits(yaml.safe_load(SKETCH.replace("${BUS_PASSWORD}", PASSWORD)), SCHEMA)
    assert not fits(yaml.safe_load(SKETCH.replace("SCRAM-SHA-512", "SCRAM")), SCHEMA)
